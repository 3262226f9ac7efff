//! Real work: bookings are made, moved and cancelled over GraphQL by several callers at a time.
//!
//! Every request is repeated with its key until it is answered, so the ledger knows what was acknowledged. Times are
//! given out so that no two bookings want the same person or room: whatever is refused is a fault.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, AtomicU64, Ordering},
};
use std::time::Duration;

use chrono::TimeDelta;
use domain::{Ids, SharedClock, SystemClock, Timestamp};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::cluster::{Api, Cluster, Organisation};

/// What was acknowledged about one booking.
#[derive(Debug, Clone)]
pub struct Known {
    /// `bkg_...`
    pub id: String,
    pub title: String,
    number: u64,
    moves: u64,
    /// When it begins; `None` once it was cancelled.
    pub start: Option<Timestamp>,
}

/// How much of what.
#[derive(Debug, Clone, Copy)]
pub struct Mix {
    /// Percentage of requests that are moves.
    pub moves: u64,
    /// Percentage of requests that are cancellations.
    pub cancels: u64,
}

/// Bookings that are made, moved and cancelled.
pub const MIXED: Mix = Mix { moves: 20, cancels: 15 };

/// The callers, at work.
pub struct Load {
    shared: Arc<Shared>,
    callers: JoinSet<()>,
}

struct Shared {
    api: Api,
    organisation: Organisation,
    draw: Ids,
    mix: Mix,
    from: Timestamp,
    orders: AtomicU64,
    most: u64,
    numbers: AtomicU64,
    stopped: AtomicBool,
    held_back: AtomicBool,
    /// Bookings that nobody is at.
    free: Mutex<Vec<Known>>,
    /// Bookings that are cancelled, or failed.
    over: Mutex<Vec<Known>>,
}

impl Load {
    /// Starts `callers` callers, which enqueue at most `most` runs together.
    pub fn start(cluster: &Cluster, seed: u64, callers: usize, most: u64, mix: Mix) -> Self {
        let clock: SharedClock = Arc::new(SystemClock);
        let today = domain::Clock::now(&SystemClock).date_naive().and_time(chrono::NaiveTime::MIN).and_utc();
        let shared = Arc::new(Shared {
            api: cluster.api.clone(),
            organisation: cluster.organisation.clone(),
            draw: Ids::seeded(clock, seed),
            mix,
            // Past the meetings of the generated week.
            from: today + TimeDelta::days(14),
            orders: AtomicU64::new(0),
            most,
            numbers: AtomicU64::new(0),
            stopped: AtomicBool::new(false),
            held_back: AtomicBool::new(false),
            free: Mutex::default(),
            over: Mutex::default(),
        });
        let mut at_work = JoinSet::new();
        for _ in 0..callers {
            at_work.spawn(Arc::clone(&shared).call());
        }
        Self { shared, callers: at_work }
    }

    /// How many runs were ordered and acknowledged.
    pub fn orders(&self) -> u64 {
        self.shared.orders.load(Ordering::Relaxed)
    }

    /// Keeps callers waiting, or lets them go on: a queue that only grows shows nothing.
    pub fn hold_back(&self, on: bool) {
        self.shared.held_back.store(on, Ordering::Relaxed);
    }

    /// Whether every caller has ended.
    pub fn is_over(&mut self) -> bool {
        while let Some(ended) = self.callers.try_join_next() {
            ended.unwrap();
        }
        self.callers.is_empty()
    }

    /// Orders nothing more.
    pub fn stop(&self) {
        self.shared.stopped.store(true, Ordering::Relaxed);
    }

    /// Waits for the callers; returns what was acknowledged.
    pub async fn ledger(mut self) -> Vec<Known> {
        while let Some(ended) = self.callers.join_next().await {
            ended.unwrap();
        }
        let mut ledger = std::mem::take(&mut *lock(&self.shared.free));
        ledger.append(&mut lock(&self.shared.over));
        ledger
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    async fn call(self: Arc<Self>) {
        while !self.stopped.load(Ordering::Relaxed) {
            if self.held_back.load(Ordering::Relaxed) {
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
            if self.orders.fetch_add(1, Ordering::Relaxed) >= self.most {
                self.orders.fetch_sub(1, Ordering::Relaxed);
                return;
            }
            let lot = self.draw.random_below(100);
            let taken = if lot < self.mix.moves + self.mix.cancels { self.take() } else { None };
            let ordered = match taken {
                None => self.create().await,
                Some(known) if lot < self.mix.moves => self.move_on(known).await,
                Some(known) => self.cancel(known).await,
            };
            if !ordered {
                self.orders.fetch_sub(1, Ordering::Relaxed);
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }

    /// Some booking that nobody is at.
    fn take(&self) -> Option<Known> {
        let mut free = lock(&self.free);
        let index = self.draw.random_below(free.len().max(1) as u64) as usize;
        (index < free.len()).then(|| free.swap_remove(index))
    }

    /// When a booking begins after this number of moves: two half-hours are its own.
    fn time(&self, number: u64, moves: u64) -> Timestamp {
        let pair = number / self.organisation.users.len() as u64;
        self.from + TimeDelta::minutes(30 * (2 * pair + moves % 2) as i64)
    }

    async fn create(&self) -> bool {
        let number = self.numbers.fetch_add(1, Ordering::Relaxed);
        let person = (number % self.organisation.users.len() as u64) as usize;
        let rooms: Vec<&String> = self.organisation.rooms.get(person).into_iter().collect();
        let (start, title) = (self.time(number, 0), format!("Soak {number}"));
        let input = json!({ "organiserId": self.organisation.users[person], "title": title, "start": start,
            "end": start + TimeDelta::minutes(30), "timeZone": "Europe/Berlin", "roomIds": rooms,
            "idempotencyKey": format!("create {number}") });
        let made = self.ordered("createBooking", input).await;
        let made = made.unwrap_or_else(|code| panic!("booking {number} was refused: {code}"));
        let id = made["booking"]["id"].as_str().unwrap().to_owned();
        lock(&self.free).push(Known { id, title, number, moves: 0, start: Some(start) });
        true
    }

    async fn move_on(&self, known: Known) -> bool {
        let start = self.time(known.number, known.moves + 1);
        let input = json!({ "id": known.id, "start": start, "end": start + TimeDelta::minutes(30),
            "idempotencyKey": format!("move {} {}", known.number, known.moves) });
        let moved = self.ordered("moveBooking", input).await;
        let known = match &moved {
            Ok(_) => Known { moves: known.moves + 1, start: Some(start), ..known },
            Err(code) if code == "BOOKING_IN_PROGRESS" => known,
            // It failed: the judge will say so.
            Err(code) if code == "BOOKING_OVER" => {
                lock(&self.over).push(known);
                return false;
            }
            Err(code) => panic!("the move of {known:?} was refused: {code}"),
        };
        lock(&self.free).push(known);
        moved.is_ok()
    }

    async fn cancel(&self, known: Known) -> bool {
        let input = json!({ "id": known.id, "idempotencyKey": format!("cancel {}", known.number) });
        match self.ordered("cancelBooking", input).await {
            Ok(_) => lock(&self.over).push(Known { start: None, ..known }),
            Err(code) if code == "BOOKING_IN_PROGRESS" => {
                lock(&self.free).push(known);
                return false;
            }
            Err(code) if code == "BOOKING_OVER" => {
                lock(&self.over).push(known);
                return false;
            }
            Err(code) => panic!("the cancellation of {known:?} was refused: {code}"),
        }
        true
    }

    async fn ordered(&self, field: &str, input: Value) -> Result<Value, String> {
        loop {
            let answer = self.api.mutate(field, "booking { id }", input.clone()).await;
            match answer["userErrors"][0]["code"].as_str() {
                None => return Ok(answer),
                // The same request is still worked on by a node that was killed over it, or that is slow.
                Some("IN_PROGRESS") => tokio::time::sleep(Duration::from_millis(100)).await,
                Some(code) => return Err(code.to_owned()),
            }
        }
    }
}
