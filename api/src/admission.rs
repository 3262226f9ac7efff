//! Admission control: limits how many requests a node processes concurrently, and selects which waiting request starts
//! next.
//!
//! A request needs a permit. While all permits are taken it waits briefly in a bounded queue; a request that cannot
//! queue, or has waited too long, is refused with 503, so that accepted requests are served in time. Each permit
//! holder (a tenant, or the IP address of an unidentified client) has its own queue, and a free permit goes to the
//! holder with the fewest permits, so that a burst of requests delays only its own holder. The number of permits per
//! holder is limited, so that a tenant with a slow calendar server does not block the others.

use std::{
    collections::{HashMap, VecDeque},
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use domain::{CallerKind, Id, ids};
use services::Caller;
use tokio::{sync::oneshot, time::timeout};

/// Limits on concurrent work of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AdmissionConfig {
    /// Maximum number of requests in progress on a node.
    pub at_once: usize,
    /// Maximum number of requests in progress for one permit holder.
    pub each: usize,
    /// Maximum number of waiting requests on a node.
    pub waiting: usize,
    /// Maximum number of waiting requests of one permit holder.
    pub waiting_each: usize,
    /// How long a request may wait before it is refused.
    pub patience: Duration,
}

impl Default for AdmissionConfig {
    fn default() -> Self {
        Self { at_once: 128, each: 32, waiting: 1_024, waiting_each: 256, patience: Duration::from_secs(1) }
    }
}

/// The tenant, vendor key or client against whose limit a request counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PermitHolder {
    /// A tenant, for requests whose tenant is known.
    Tenant(Id<ids::Tenant>),
    /// A vendor key used without a tenant.
    Key(Id<ids::ApiKey>),
    /// An unidentified client, by its IP address.
    Address(Option<IpAddr>),
}

impl PermitHolder {
    /// The holder against whose limit a caller's request counts; `address` is used for callers with neither tenant nor
    /// key.
    pub(crate) fn from_caller(caller: &Caller, address: Option<IpAddr>) -> Self {
        match (caller.tenant(), caller.kind()) {
            (Some(tenant), _) => Self::Tenant(tenant),
            (None, CallerKind::Vendor(key)) => Self::Key(key),
            (None, _) => Self::Address(address),
        }
    }
}

/// Error: no permit became free in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Overloaded;

/// Grants permits within the limits of a node. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Admission {
    config: AdmissionConfig,
    shared: Arc<Mutex<Occupancy>>,
}

#[derive(Debug, Default)]
struct Occupancy {
    taken: usize,
    holders: HashMap<PermitHolder, Queue>,
    waiting: usize,
    /// Number of permits granted so far; breaks ties in favour of the holder that received its last permit longest
    /// ago.
    turn: u64,
}

#[derive(Debug, Default)]
struct Queue {
    taken: usize,
    served: u64,
    waiters: VecDeque<oneshot::Sender<Permit>>,
}

/// A permit to work on one request; released on drop.
#[derive(Debug)]
pub struct Permit(Option<(Admission, PermitHolder)>);

impl Admission {
    /// Creates admission control with all permits free.
    pub fn new(config: AdmissionConfig) -> Self {
        Self { config, shared: Arc::default() }
    }

    /// Waits for a permit.
    pub async fn acquire(&self, holder: PermitHolder) -> Result<Permit, Overloaded> {
        let wait = match self.ask(holder)? {
            AdmissionOutcome::Inside(place) => return Ok(place),
            AdmissionOutcome::Waits(wait) => wait,
        };
        match timeout(self.config.patience, wait).await {
            Ok(Ok(place)) => Ok(place),
            Ok(Err(_)) | Err(_) => {
                self.places().forget_the_gone(holder);
                Err(Overloaded)
            }
        }
    }

    /// Whether a request of this holder would be refused immediately.
    pub fn is_full(&self, holder: PermitHolder) -> bool {
        let places = self.places();
        let is_free = places.taken < self.config.at_once && places.has_room(holder, self.config.each);
        !is_free && !self.may_wait(&places, holder)
    }

    fn may_wait(&self, places: &Occupancy, holder: PermitHolder) -> bool {
        let of_holder = places.holders.get(&holder).map_or(0, |queue| queue.waiters.len());
        places.waiting < self.config.waiting && of_holder < self.config.waiting_each
    }

    fn ask(&self, holder: PermitHolder) -> Result<AdmissionOutcome, Overloaded> {
        let mut places = self.places();
        if places.taken < self.config.at_once && places.has_room(holder, self.config.each) {
            places.take(holder);
            return Ok(AdmissionOutcome::Inside(self.place(holder)));
        }
        places.forget_the_gone(holder);
        if !self.may_wait(&places, holder) {
            return Err(Overloaded);
        }
        let (give, wait) = oneshot::channel();
        places.waiting += 1;
        places.holders.entry(holder).or_default().waiters.push_back(give);
        Ok(AdmissionOutcome::Waits(wait))
    }

    fn give_back(&self, holder: PermitHolder) {
        let mut places = self.places();
        places.leave(holder);
        while places.taken < self.config.at_once
            && let Some((next, give)) = places.next(self.config.each)
        {
            places.take(next);
            if let Err(mut place) = give.send(self.place(next)) {
                // Nobody waits for it any more. It must not give itself back: the places are locked here.
                place.0 = None;
                places.leave(next);
            }
        }
    }

    fn place(&self, holder: PermitHolder) -> Permit {
        Permit(Some((self.clone(), holder)))
    }

    fn places(&self) -> MutexGuard<'_, Occupancy> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Result of requesting a permit.
enum AdmissionOutcome {
    Inside(Permit),
    Waits(oneshot::Receiver<Permit>),
}

impl Occupancy {
    fn has_room(&self, holder: PermitHolder, each: usize) -> bool {
        self.holders.get(&holder).is_none_or(|queue| queue.taken < each && queue.waiters.is_empty())
    }

    fn take(&mut self, holder: PermitHolder) {
        self.turn += 1;
        self.taken += 1;
        let queue = self.holders.entry(holder).or_default();
        queue.taken += 1;
        queue.served = self.turn;
    }

    fn leave(&mut self, holder: PermitHolder) {
        self.taken -= 1;
        if let Some(queue) = self.holders.get_mut(&holder) {
            queue.taken -= 1;
        }
        self.forget_if_idle(holder);
    }

    /// The waiting holder that gets the next free permit: the one with the fewest permits, and among equals the one
    /// that received its last permit longest ago.
    fn next(&mut self, each: usize) -> Option<(PermitHolder, oneshot::Sender<Permit>)> {
        let waiting =
            self.holders.iter().filter(|(_, queue)| !queue.waiters.is_empty() && queue.taken < each);
        let holder = *waiting.min_by_key(|(_, queue)| (queue.taken, queue.served))?.0;
        let give = self.holders.get_mut(&holder)?.waiters.pop_front()?;
        self.waiting -= 1;
        Some((holder, give))
    }

    /// Removes cancelled waiters from a holder's queue.
    fn forget_the_gone(&mut self, holder: PermitHolder) {
        if let Some(queue) = self.holders.get_mut(&holder) {
            let before = queue.waiters.len();
            queue.waiters.retain(|give| !give.is_closed());
            self.waiting -= before - queue.waiters.len();
        }
        self.forget_if_idle(holder);
    }

    fn forget_if_idle(&mut self, holder: PermitHolder) {
        if self.holders.get(&holder).is_some_and(|queue| queue.taken == 0 && queue.waiters.is_empty()) {
            self.holders.remove(&holder);
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if let Some((admission, holder)) = self.0.take() {
            admission.give_back(holder);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        pin::pin,
        task::{Context, Poll, Waker},
    };

    use futures::FutureExt as _;

    use super::*;

    fn admission(at_once: usize, each: usize) -> Admission {
        let patience = Duration::from_hours(1);
        Admission::new(AdmissionConfig { at_once, each, waiting: 6, waiting_each: 4, patience })
    }

    fn address(last: u8) -> PermitHolder {
        PermitHolder::Address(Some(IpAddr::from([192, 0, 2, last])))
    }

    fn now(admission: &Admission, holder: PermitHolder) -> Option<Permit> {
        admission.acquire(holder).now_or_never()?.ok()
    }

    #[tokio::test]
    async fn a_free_place_goes_to_whoever_has_the_fewest() {
        let admission = admission(4, 4);
        let (flood, quiet) = (address(1), address(2));
        let mut inside: Vec<_> = (0..4).map(|_| now(&admission, flood).unwrap()).collect();
        let mut fifth = pin!(admission.acquire(flood));
        let mut first = pin!(admission.acquire(quiet));
        let mut context = Context::from_waker(Waker::noop());
        assert!(fifth.as_mut().poll(&mut context).is_pending());
        assert!(first.as_mut().poll(&mut context).is_pending());
        inside.pop();
        assert!(fifth.as_mut().poll(&mut context).is_pending(), "it came first and has three already");
        let Poll::Ready(Ok(place)) = first.as_mut().poll(&mut context) else {
            panic!("the other one is next")
        };
        inside.pop();
        assert!(fifth.as_mut().poll(&mut context).is_ready());
        drop((inside, place));
    }

    #[tokio::test]
    async fn one_holder_leaves_places_to_the_others() {
        let admission = admission(4, 2);
        let inside = [now(&admission, address(1)).unwrap(), now(&admission, address(1)).unwrap()];
        assert!(now(&admission, address(1)).is_none(), "two are its share");
        assert!(now(&admission, address(2)).is_some(), "and two are there for others");
        drop(inside);
        let places = admission.places();
        assert!(places.holders.is_empty(), "nothing is left behind");
        assert_eq!((places.taken, places.waiting), (0, 0));
    }

    #[tokio::test]
    async fn a_queue_is_bounded_for_each_and_for_all() {
        let admission = admission(1, 1);
        let inside = now(&admission, address(1)).unwrap();
        let mut waits: Vec<_> = Vec::new();
        for holder in [1, 1, 1, 1, 2, 3].map(address) {
            let mut wait = Box::pin(admission.acquire(holder));
            assert!(wait.as_mut().now_or_never().is_none());
            waits.push(wait);
        }
        assert_eq!(
            admission.acquire(address(1)).now_or_never().unwrap().unwrap_err(),
            Overloaded,
            "its own queue is full"
        );
        assert!(admission.is_full(address(1)) && admission.is_full(address(4)));
        assert_eq!(
            admission.acquire(address(4)).now_or_never().unwrap().unwrap_err(),
            Overloaded,
            "all queues are"
        );
        waits.clear();
        assert!(admission.acquire(address(1)).now_or_never().is_none(), "who has gone does not count");
        drop(inside);
        let free = now(&admission, address(5));
        assert!(free.is_some(), "a place for nobody who waits is free");
    }

    #[tokio::test]
    async fn who_has_waited_long_enough_is_refused() {
        let config =
            AdmissionConfig { at_once: 1, patience: Duration::from_millis(20), ..AdmissionConfig::default() };
        let admission = Admission::new(config);
        let inside = admission.acquire(address(1)).await.unwrap();
        assert_eq!(admission.acquire(address(2)).await.unwrap_err(), Overloaded);
        assert_eq!(admission.places().waiting, 0, "and waits no more");
        drop(inside);
        assert!(admission.acquire(address(2)).await.is_ok());
    }
}
