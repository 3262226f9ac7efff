//! Timers: over months with both daylight-saving switches, after an outage, with a clock that is set back, and on
//! nodes whose own clocks are an hour wrong.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use chrono::{NaiveDate, NaiveTime, TimeZone, Utc, Weekday};
use domain::{
    Clock, Id, Message, TestClock, TimeRange, Timestamp, ids,
    slots::{WeeklySpan, WorkingHours},
    state::RunStatus,
};
use engine::{Next, Outcome, StepError, Workflow, nothing};
use sea_orm::{ConnectionTrait, Statement};
use serde::{Deserialize, Serialize};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::bench::{self, Bench, Step, TestContext, Wrong};

engine::workflow! {
    /// Rings every day at a local time until its last day.
    Alarm = "alarm" v 1 (TestContext, Bell);

    Ring: ring | nothing | NEVER | [];
}

#[derive(Debug, Serialize, Deserialize)]
struct Bell {
    zone: String,
    wall: NaiveTime,
    last: Timestamp,
    until: Option<Timestamp>,
}

async fn ring(_context: &TestContext, at: &mut Step<Bell>) -> Outcome<State> {
    let bell = &mut at.memory;
    if bell.until.is_some_and(|until| at.now < until) {
        return Err(StepError::fail("EARLY", Message::verbatim("The bell was rung early.")));
    }
    let day =
        [Weekday::Mon, Weekday::Tue, Weekday::Wed, Weekday::Thu, Weekday::Fri, Weekday::Sat, Weekday::Sun];
    let to = bell.wall + chrono::Duration::hours(1);
    let spans = day.map(|weekday| WeeklySpan { weekday, from: bell.wall, to }).to_vec();
    let soon = TimeRange::new(at.now, at.now + chrono::Duration::days(3)).unwrap();
    let open = WorkingHours { zone: bell.zone.parse().unwrap(), spans }.open_ranges(soon);
    let next = open.into_iter().map(|range| range.start).find(|start| *start > at.now).unwrap();
    bell.until = Some(next);
    Ok(if next > bell.last { Next::Done } else { Next::Wait { until: Some(next), or: None } })
}

fn utc(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// A local time of every day, and when it is.
struct Daily {
    zone: &'static str,
    wall: &'static str,
    /// When this offset, in hours, begins to hold.
    offsets: [(&'static str, i64); 3],
    /// On these days the hour is doubled or left out.
    odd: &'static [(&'static str, &'static str)],
}

const BERLIN: [(&str, i64); 3] =
    [("2024-03-31T01:00:00Z", 2), ("2024-10-27T01:00:00Z", 1), ("2025-03-30T01:00:00Z", 2)];
const NEW_YORK: [(&str, i64); 3] =
    [("2024-03-10T07:00:00Z", -4), ("2024-11-03T06:00:00Z", -5), ("2025-03-09T07:00:00Z", -4)];

/// What the two zones do, from their published switches and not from any library.
const DAILY: [Daily; 5] = [
    Daily { zone: "Europe/Berlin", wall: "09:00", offsets: BERLIN, odd: &[] },
    Daily {
        zone: "Europe/Berlin",
        wall: "02:30",
        offsets: BERLIN,
        odd: &[("2024-10-27", "2024-10-27T00:30:00Z"), ("2025-03-30", "2025-03-30T01:00:00Z")],
    },
    Daily { zone: "America/New_York", wall: "09:00", offsets: NEW_YORK, odd: &[] },
    Daily {
        zone: "America/New_York",
        wall: "01:30",
        offsets: NEW_YORK,
        odd: &[("2024-11-03", "2024-11-03T05:30:00Z")],
    },
    Daily {
        zone: "America/New_York",
        wall: "02:30",
        offsets: NEW_YORK,
        odd: &[("2025-03-09", "2025-03-09T07:00:00Z")],
    },
];

impl Daily {
    fn wall(&self) -> NaiveTime {
        NaiveTime::parse_from_str(self.wall, "%H:%M").unwrap()
    }

    fn on(&self, day: NaiveDate) -> Timestamp {
        if let Some((_, odd)) = self.odd.iter().find(|(odd, _)| *odd == day.to_string()) {
            return utc(odd);
        }
        let at =
            |offset: i64| Utc.from_utc_datetime(&day.and_time(self.wall())) - chrono::Duration::hours(offset);
        let (_, offset) = self.offsets.iter().rev().find(|(from, offset)| at(*offset) >= utc(from)).unwrap();
        at(*offset)
    }

    fn all(&self, from: Timestamp, last: Timestamp) -> impl Iterator<Item = Timestamp> {
        let days = from.date_naive().iter_days().take(400);
        days.map(|day| self.on(day)).filter(move |at| *at > from && *at <= last)
    }
}

/// Some bells for each local time; returns when each has to ring.
async fn hang(
    bench: &Bench,
    from: Timestamp,
    last: Timestamp,
    each: usize,
) -> BTreeMap<Id<ids::Run>, Vec<Timestamp>> {
    let mut due = BTreeMap::new();
    let mut runs = Vec::new();
    for daily in DAILY.iter().flat_map(|daily| std::iter::repeat_n(daily, each)) {
        let id = bench.node.ids.make();
        let bell = Bell { zone: daily.zone.to_string(), wall: daily.wall(), last, until: None };
        runs.push(bench::wanted(id, bench.tenant, "alarm", id.to_string(), serde_json::json!(bell)));
        due.insert(id, daily.all(from, last).collect());
    }
    bench.node.enqueue_runs(bench.tenant, &runs).await;
    due
}

/// When each run made its steps.
async fn steps(bench: &Bench) -> BTreeMap<Id<ids::Run>, Vec<Timestamp>> {
    let engine = bench.node.store.engine_connection();
    let sql = "SELECT run_id, at FROM run_history ORDER BY run_id, revision";
    let rows =
        engine.query_all_raw(Statement::from_string(engine.get_database_backend(), sql)).await.unwrap();
    let mut steps: BTreeMap<Id<ids::Run>, Vec<Timestamp>> = BTreeMap::new();
    for row in rows {
        steps.entry(row.try_get("", "run_id").unwrap()).or_default().push(row.try_get("", "at").unwrap());
    }
    steps
}

/// Rings every bell on every day, with the clock set back an hour now and then: just before the work is taken, and
/// while it is being done.
async fn every_bell_rings_once_and_on_the_second(bench: Bench, from: &str, last: &str, each: usize) {
    let (from, last, clock) = (utc(from), utc(last), &bench.clock);
    clock.advance(from - clock.now());
    let due = hang(&bench, from, last, each).await;
    assert_eq!(bench.engine.run_until_idle().await.unwrap(), due.len());
    let mut instants: BTreeMap<Timestamp, usize> = BTreeMap::new();
    for at in due.values().flatten() {
        *instants.entry(*at).or_default() += 1;
    }
    let (second, hour) = (chrono::Duration::seconds(1), chrono::Duration::hours(1));
    for (n, (at, bells)) in instants.iter().enumerate() {
        clock.advance(*at - second - clock.now());
        assert_eq!(bench.sweep().await, [], "nothing rings early, at {at}");
        clock.advance(second);
        if n % 20 == 7 {
            clock.advance(-hour);
            assert_eq!(bench.engine.run_until_idle().await.unwrap(), 0, "it is not {at} any more");
            clock.advance(hour);
        }
        if n % 20 == 13 {
            let works = bench.engine.claim(&bench.sweep().await).await.unwrap();
            clock.advance(-hour);
            let results = bench.work(&works).await;
            assert!(bench.engine.commit(results).await.iter().all(|(_, written)| *written));
            assert_eq!(
                (works.len(), bench.engine.run_until_idle().await.unwrap()),
                (*bells, 0),
                "once, at {at}"
            );
            clock.advance(hour);
            assert_eq!(
                bench.engine.run_until_idle().await.unwrap(),
                0,
                "{at} comes again, and rings no bell again"
            );
            continue;
        }
        assert_eq!(bench.engine.run_until_idle().await.unwrap(), *bells, "all bells ring at {at}");
    }
    let steps = steps(&bench).await;
    for (run, due) in due {
        let expected: Vec<Timestamp> = std::iter::once(from).chain(due).collect();
        assert_eq!(steps[&run], expected, "each rang when it had to");
        assert_eq!(bench.run(run).await.status, RunStatus::Done);
    }
}

fn alarm() -> Vec<Box<dyn Workflow<TestContext>>> {
    vec![Box::new(Alarm)]
}

/// Ten thousand timers over both switches of both zones.
#[tokio::test]
async fn sqlite_rings_every_bell_once_and_on_the_second() {
    let bench = bench::still(false, alarm()).await;
    every_bell_rings_once_and_on_the_second(bench, "2024-10-20T12:00:00Z", "2025-04-05T12:00:00Z", 12).await;
}

/// Both switches in spring.
#[tokio::test]
async fn postgres_rings_every_bell_once_and_on_the_second() {
    let bench = bench::still(true, alarm()).await;
    every_bell_rings_once_and_on_the_second(bench, "2025-03-06T12:00:00Z", "2025-04-01T12:00:00Z", 4).await;
}

/// What is long due is offered oldest first, whatever the order in which it was written.
async fn after_an_outage_the_oldest_come_first(bench: Bench) {
    let clock = &bench.clock;
    let from = utc("2025-01-01T00:00:00Z");
    clock.advance(from - clock.now());
    let due = hang(&bench, from, utc("2025-01-01T00:00:01Z"), 40).await;
    // Each is to ring at a second of its own, in an order that is not the order of the ids.
    let owner = entity::Store::connect_as_owner(&bench.url).await.unwrap();
    let mut expected = Vec::new();
    for (n, run) in due.keys().enumerate() {
        let at = from + chrono::Duration::seconds((n as i64 * 7_919) % 100_003);
        let sql = "UPDATE job SET due_at = $1, offered_at = NULL WHERE run_id = $2";
        let values = [at.into(), (*run).into()];
        let statement = Statement::from_sql_and_values(owner.get_database_backend(), sql, values);
        owner.execute_raw(statement).await.unwrap();
        expected.push((at, *run));
    }
    expected.sort_unstable();
    clock.advance(chrono::Duration::days(60));
    for chunk in expected.chunks(64) {
        let hints = bench.node.storage.sweep(None, 64).await.unwrap();
        let mut offered: Vec<Id<ids::Run>> = hints.iter().map(|hint| hint.run).collect();
        let mut oldest: Vec<Id<ids::Run>> = chunk.iter().map(|(_, run)| *run).collect();
        offered.sort_unstable();
        oldest.sort_unstable();
        assert_eq!(offered, oldest);
    }
    assert_eq!(bench.engine.run_until_idle().await.unwrap(), due.len());
}

#[tokio::test]
async fn sqlite_offers_the_oldest_first_after_an_outage() {
    after_an_outage_the_oldest_come_first(bench::still(false, alarm()).await).await;
}

#[tokio::test]
async fn postgres_offers_the_oldest_first_after_an_outage() {
    after_an_outage_the_oldest_come_first(bench::still(true, alarm()).await).await;
}

/// Wrong clocks are PostgreSQL's matter: SQLite has no clock of its own.
mod wrong_clocks {
    use super::*;
    use crate::bench::Node;

    engine::workflow! {
        /// Is refused for half an hour, then sleeps; when it wakes it asks the database for the time.
        Sleeper = "sleeper" v 1 (TestContext, Night);

        Knock: knock | nothing | STANDARD | [Sleep];
        Sleep: sleep | nothing | NEVER    | [];
    }

    #[derive(Debug, Serialize, Deserialize)]
    struct Night {
        /// Whether it is refused at first.
        refused: bool,
        sleep_ms: i64,
        until: Option<Timestamp>,
    }

    const REFUSED: Duration = Duration::from_mins(30);

    async fn knock(_context: &TestContext, at: &mut Step<Night>) -> Outcome<State> {
        if at.memory.refused && at.attempt == 0 {
            let reason = domain::Reason::new("REFUSED", Message::verbatim("Come back in half an hour."));
            return Err(StepError::Retry { reason, after: Some(REFUSED) });
        }
        Ok(Next::Go(State::Sleep))
    }

    async fn sleep(context: &TestContext, at: &mut Step<Night>) -> Outcome<State> {
        let now = database_time(&context.store).await;
        let off = now - at.now;
        if off.num_seconds().abs() > 60 {
            return Err(StepError::fail(
                "WRONG",
                Message::verbatim(format!("The step's time is {off} behind the database's.")),
            ));
        }
        match at.memory.until {
            Some(until) if now < until => {
                Err(StepError::fail("EARLY", Message::verbatim("It was woken early.")))
            }
            Some(_) => Ok(Next::Done),
            None => {
                let until = at.now + chrono::Duration::milliseconds(at.memory.sleep_ms);
                at.memory.until = Some(until);
                Ok(Next::Wait { until: Some(until), or: None })
            }
        }
    }

    async fn database_time(store: &entity::Store) -> Timestamp {
        let (engine, sql) = (store.engine_connection(), "SELECT clock_timestamp() AS at");
        let row = engine.query_one_raw(Statement::from_string(engine.get_database_backend(), sql)).await;
        row.unwrap().unwrap().try_get("", "at").unwrap()
    }

    async fn bench(hours: i64) -> Bench {
        let clock = TestClock::at(Timestamp::UNIX_EPOCH);
        bench::at(true, clock, Arc::new(Wrong(hours)), vec![Box::new(Sleeper)]).await
    }

    async fn enqueue(bench: &Bench, night: Night) -> Id<ids::Run> {
        let id = bench.node.ids.make();
        let run = bench::wanted(id, bench.tenant, "sleeper", id.to_string(), serde_json::json!(night));
        bench.node.enqueue_runs(bench.tenant, &[run]).await;
        id
    }

    /// In how many minutes of the database's clock the only job is due.
    async fn due_in_minutes(bench: &Bench) -> i64 {
        let (engine, sql) = (bench.node.store.engine_connection(), "SELECT due_at FROM job");
        let row = engine.query_one_raw(Statement::from_string(engine.get_database_backend(), sql)).await;
        let due: Timestamp = row.unwrap().unwrap().try_get("", "due_at").unwrap();
        let left = due - database_time(&bench.node.store).await;
        (left.num_seconds() + 30).div_euclid(60)
    }

    async fn due_now(bench: &Bench) {
        let owner = entity::Store::connect_as_owner(&bench.url).await.unwrap();
        owner.execute_unprepared("UPDATE job SET due_at = now(), offered_at = NULL").await.unwrap();
        owner.close().await.unwrap();
    }

    async fn retries_and_waits_are_due_by_the_databases_clock(hours: i64) {
        let bench = bench(hours).await;
        let run = enqueue(&bench, Night { refused: true, sleep_ms: 2_400_000, until: None }).await;
        assert_eq!(
            bench.engine.run_until_idle().await.unwrap(),
            1,
            "it is due at once, whatever the node thinks"
        );
        assert_eq!(due_in_minutes(&bench).await, 30);
        due_now(&bench).await;
        assert_eq!(bench.engine.run_until_idle().await.unwrap(), 2, "it goes on, and sleeps");
        assert_eq!((bench.run(run).await.status.as_str(), due_in_minutes(&bench).await), ("WAITING", 40));
        assert_eq!(bench.engine.run_until_idle().await.unwrap(), 0, "it is not woken early");
    }

    #[tokio::test]
    async fn a_node_an_hour_ahead_sets_its_timers_right() {
        retries_and_waits_are_due_by_the_databases_clock(1).await;
    }

    #[tokio::test]
    async fn a_node_an_hour_behind_sets_its_timers_right() {
        retries_and_waits_are_due_by_the_databases_clock(-1).await;
    }

    #[tokio::test]
    async fn two_nodes_two_hours_apart_wake_every_run_once_and_none_early() {
        const RUNS: usize = 120;
        let bench = bench(1).await;
        let store = entity::Store::connect(&entity::Logins::from_url(&bench.url), 4).await.unwrap();
        let behind = Node::new("behind", store, Arc::new(Wrong(-1)), vec![Box::new(Sleeper)]);
        let engines = [bench.engine.clone(), behind.engine.clone()];
        let (mut here, mut there) = (bench.subscribe(&bench.node), bench.subscribe(&behind));
        let (tracker, stop) = (TaskTracker::new(), CancellationToken::new());
        for engine in &engines {
            engine.start(&tracker, &stop, 8);
        }
        for n in 0..RUNS as i64 {
            enqueue(&bench, Night { refused: false, sleep_ms: 300 + n * 10, until: None }).await;
        }
        let all_woken = async {
            while bench.count("SELECT count(*) AS n FROM run WHERE finished_at IS NULL").await > 0 {
                tokio::select! { _ = here.next() => {}, _ = there.next() => {} }
            }
        };
        tokio::time::timeout(Duration::from_mins(1), all_woken).await.expect("every run wakes");
        stop.cancel();
        tracker.close();
        tracker.wait().await;
        let count = async |sql: &str| bench.count(sql).await;
        assert_eq!(count("SELECT count(*) AS n FROM run WHERE status = 'DONE'").await, RUNS as i64);
        assert_eq!(count("SELECT count(*) AS n FROM run_history").await, 3 * RUNS as i64, "nothing twice");
        assert_eq!(count("SELECT count(DISTINCT node) AS n FROM run_history").await, 2, "both took part");
    }
}
