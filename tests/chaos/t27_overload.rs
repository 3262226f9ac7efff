//! T27: one tenant asks for far more than can be done. What is served is served in time, the rest is refused at once, and
//! another tenant's bookings start as if nothing were.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use chrono::TimeDelta;
use domain::{Clock as _, SystemClock, Timestamp};
use serde_json::json;
use tokio::task::JoinSet;

use super::{
    cluster::{Api, Cluster, SMALL},
    engine_cluster::size,
};

/// What the flood asks for.
const QUERY: &str = "{ users(first: 10) { edges { node { id name roles { name } } } } tenant { name plan } }";
/// How many requests of the flood are open: more than a node takes from one address.
const OPEN: usize = 600;
/// Callers that ask as fast as they are answered, to see what can be done.
const SUSTAINED: usize = 16;

/// The answers of the flood, by status.
#[derive(Debug, Default)]
struct Flood {
    served: AtomicU64,
    limited: AtomicU64,
    shed: AtomicU64,
    stop: AtomicBool,
}

impl Flood {
    async fn ask(&self, api: &Api) {
        let answer = api.answer(QUERY, &json!({})).await.unwrap_or_else(|error| panic!("no answer: {error}"));
        let counter = match answer.status.as_u16() {
            200 => &self.served,
            429 => &self.limited,
            503 => &self.shed,
            other => panic!("{other}: {}", answer.text()),
        };
        if answer.status != 200 {
            assert!(answer.headers.contains_key("retry-after"), "{}: {}", answer.status, answer.text());
        }
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// So many callers ask one after the other, for some time; returns how many were served in a second.
    async fn press(self: Arc<Self>, api: &Api, callers: usize, time: Duration) -> f64 {
        let (began, before) = (Instant::now(), self.served.load(Ordering::Relaxed));
        let mut at_work = JoinSet::new();
        for _ in 0..callers {
            let (flood, api) = (Arc::clone(&self), api.clone());
            at_work.spawn(async move {
                while began.elapsed() < time && !flood.stop.load(Ordering::Relaxed) {
                    flood.ask(&api).await;
                }
            });
        }
        while let Some(ended) = at_work.join_next().await {
            ended.unwrap();
        }
        (self.served.load(Ordering::Relaxed) - before) as f64 / began.elapsed().as_secs_f64()
    }

    /// Asks so often in a second, whether it is answered or not, as long as there are connections; returns how many were
    /// served in a second.
    async fn pour(self: Arc<Self>, api: &Api, rate: f64, time: Duration) -> f64 {
        let (began, before) = (Instant::now(), self.served.load(Ordering::Relaxed));
        let (mut at_work, mut asked) = (JoinSet::new(), 0.0);
        while began.elapsed() < time {
            while asked < began.elapsed().as_secs_f64() * rate {
                if at_work.len() < OPEN {
                    let (flood, api) = (Arc::clone(&self), api.clone());
                    at_work.spawn(async move { flood.ask(&api).await });
                }
                asked += 1.0;
            }
            while let Some(ended) = at_work.try_join_next() {
                ended.unwrap();
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let served = self.served.load(Ordering::Relaxed) - before;
        while let Some(ended) = at_work.join_next().await {
            ended.unwrap();
        }
        served as f64 / time.as_secs_f64()
    }
}

/// The quiet tenant books; returns when each booking was asked for, by the id of its run.
async fn book(cluster: &Cluster, count: u64, from: Timestamp) -> BTreeMap<String, Timestamp> {
    let (users, mut asked) = (&cluster.organisation.users, BTreeMap::new());
    for number in 0..count {
        let start = from + TimeDelta::minutes(30 * number as i64);
        let input = json!({ "organiserId": users[number as usize % users.len()], "title": "Quiet", "start": start,
            "end": start + TimeDelta::minutes(30), "timeZone": "Europe/Berlin",
            "idempotencyKey": format!("quiet {from} {number}") });
        let at = SystemClock.now();
        let query = "mutation($input: CreateBookingInput!) {
            createBooking(input: $input) { run { id } userErrors { code } }
        }";
        let answer = cluster.api.answer(query, &json!({ "input": input })).await.unwrap();
        assert_eq!(answer.status, 200, "the quiet tenant is not refused: {}", answer.text());
        let body: serde_json::Value = answer.json().unwrap();
        let run = body["data"]["createBooking"]["run"]["id"].as_str().unwrap_or_else(|| panic!("{body}"));
        asked.insert(run.to_owned(), at);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    asked
}

/// How long it took from each request to the first commit of its run, in order.
async fn starts(cluster: &Cluster, asked: &BTreeMap<String, Timestamp>) -> Vec<TimeDelta> {
    let sql = "SELECT run_id, min(at) AS at FROM run_history GROUP BY run_id";
    let rows = cluster.database.rows(sql).await;
    let mut waits: Vec<TimeDelta> = rows
        .iter()
        .filter_map(|row| {
            let run: domain::Id<domain::ids::Run> = row.try_get("", "run_id").unwrap();
            let at: Timestamp = row.try_get("", "at").unwrap();
            asked.get(&run.to_string()).map(|asked| at - *asked)
        })
        .collect();
    assert_eq!(waits.len(), asked.len(), "every booking has started");
    waits.sort();
    waits
}

/// At full size the servers, which are children of this process, have one core and the flood another: else whoever asks
/// takes the time from whoever answers, and the goodput says nothing.
fn stay_on(core: &str) {
    if size(0, 1) == 1 {
        let process = std::process::id().to_string();
        let said = std::process::Command::new("taskset").args(["-apc", core, &process]).output().unwrap();
        assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t27_a_flood_is_refused_at_once_and_another_tenant_books_as_ever() {
    stay_on("0");
    let mut cluster = Cluster::set(SMALL).await;
    // A node that sheds early, and whose quotas are out of the way: first only what cannot be done is refused.
    cluster.kill(0);
    for (name, value) in [
        ("MUSTER_REQUESTS_AT_ONCE", "32"),
        ("MUSTER_RATE_LIMITS__CALLER__UNITS", "0"),
        ("MUSTER_RATE_LIMITS__TENANT__UNITS", "0"),
    ] {
        cluster.configure(name, value);
    }
    cluster.replace(0);
    let input = json!({ "name": "Flood", "plan": "PLUS", "returnUrls": [cluster.api.base] });
    let made = cluster.api.change("createTenant", "tenant { id }", input).await;
    let flooding = cluster.api.acting_for(made["tenant"]["id"].as_str().unwrap());
    for number in 0..10 {
        let input = json!({ "email": format!("f{number}@flood.example"), "name": "Flood" });
        flooding.change("createUser", "user { id }", input).await;
    }
    let from =
        SystemClock.now().date_naive().and_time(chrono::NaiveTime::MIN).and_utc() + TimeDelta::days(14);
    let time = Duration::from_secs(size(1, 10));
    stay_on("1");
    let flood = Arc::new(Flood::default());
    let bookings = size(5, 100);
    // Beside the same bookings, or what they take would seem lost to the refusals.
    let (sustainable, early) = tokio::join!(
        Arc::clone(&flood).press(&flooding, SUSTAINED, time * 2),
        book(&cluster, bookings, from),
    );
    assert!(sustainable > 0.0 && early.len() == bookings as usize);

    let (poured, asked) = tokio::join!(
        async {
            match size(0, 1) {
                // In the suite: more callers than may wait.
                0 => Arc::clone(&flood).press(&flooding, 400, time * 2).await,
                _ => Arc::clone(&flood).pour(&flooding, 3.0 * sustainable, time * 2).await,
            }
        },
        book(&cluster, bookings, from + TimeDelta::days(7)),
    );
    let shed = flood.shed.load(Ordering::Relaxed);
    assert!(shed > 0, "the danger was not met: nothing was refused");
    assert_eq!(flood.limited.load(Ordering::Relaxed), 0);
    cluster.until("all is quiet", async |cluster| cluster.database.open_jobs().await == 0).await;
    let waits = starts(&cluster, &asked).await;
    let (median, p99) = (waits[waits.len() / 2], waits[waits.len() * 99 / 100]);
    println!(
        "sustainable {sustainable:.0}/s; with three times as much: {poured:.0}/s ({:.2}), {shed} refused; \
         the other tenant's bookings start after {} ms at the median, {} ms at p99",
        poured / sustainable,
        median.num_milliseconds(),
        p99.num_milliseconds()
    );
    assert!(cluster.panics().is_empty(), "{:?}", cluster.panics());
    if size(0, 1) == 1 {
        assert!(poured >= 0.8 * sustainable, "goodput fell to {poured:.0} of {sustainable:.0}");
        assert!(p99 <= TimeDelta::seconds(2), "another tenant waited for {p99}");
    }

    // With quotas the same flood is told to slow down, and the other tenant is not.
    cluster.kill(0);
    cluster.configure("MUSTER_RATE_LIMITS__TENANT__UNITS", "500");
    cluster.replace(0);
    cluster.api.ask("{ tenant { id } }", json!({})).await;
    let limited = || flood.limited.load(Ordering::Relaxed);
    let (_, asked) = tokio::join!(
        Arc::clone(&flood).press(&flooding, SUSTAINED, time),
        book(&cluster, 3, from + TimeDelta::days(14)),
    );
    assert!(limited() > 0, "nobody was told to slow down");
    cluster.until("all is quiet", async |cluster| cluster.database.open_jobs().await == 0).await;
    starts(&cluster, &asked).await;
}
