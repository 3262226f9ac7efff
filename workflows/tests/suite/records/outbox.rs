//! An event that is written in a transaction reaches its reader, however late the transaction commits and whichever
//! reader dies.
//!
//! Ids are made before the commit, so a late transaction adds to the log what lies before things that were read
//! already. SQLite has one writer at a time; there only a clock that is set back makes ids go back.
//!
//! `MUSTER_TEST_ROWS` sets how many transactions the writers begin.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use domain::{AnyId, Id, ids};
use entity::{Logins, Store};
use futures::future::join_all;
use sea_orm::{ConnectionTrait, Statement};
use services::{System, Tx, events::topic};

use crate::records::bench::{self, Bench};

const WRITERS: usize = 20;

/// How many transactions each writer begins.
fn each() -> usize {
    testing::number_from_env("MUSTER_TEST_ROWS").map_or(25, |rows| rows as usize / WRITERS)
}

/// A node with a connection for every writer.
async fn wide(bench: &Bench) -> System {
    let store = Store::connect(&Logins::from_url(&bench.url), WRITERS as u32 + 8).await.unwrap();
    bench::services(store, Arc::new(bench.clock.clone()))
}

/// How much a reader takes at a time: little, so that it stops in every place.
fn portion() -> usize {
    each().div_ceil(4)
}

/// Writes something, so that the database gives the transaction its place in the order of all.
async fn write_something(services: &System, tx: &mut Tx) -> AnyId {
    let id: Id<ids::Run> = services.ids.make();
    let run = bench::wanted(id, tx.tenant(), "toy", id.uuid().to_string(), serde_json::json!({ "mode": "" }));
    assert_eq!(runs::enqueue(tx.conn(), &[run], tx.now()).await.unwrap().len(), 1);
    id.any()
}

/// Lets others go first for a while.
async fn dawdle(services: &System, tx: &Tx) {
    for _ in 0..services.ids.random_below(12) {
        let ping = Statement::from_string(tx.conn().get_database_backend(), "SELECT 1");
        tx.conn().query_one_raw(ping).await.unwrap();
    }
}

/// Writers that commit late and out of order, and now and then not at all. Returns what was committed.
async fn write_at_once(services: &System, tenant: Id<ids::Tenant>) -> BTreeSet<AnyId> {
    let writer = async |writer: usize| {
        let mut committed = Vec::new();
        for n in 0..each() {
            let mut tx = services.begin(tenant).await.unwrap();
            let early = (writer + n).is_multiple_of(2);
            let subject = if early {
                write_something(services, &mut tx).await
            } else {
                AnyId::from_uuid(services.ids.uuid())
            };
            tx.add_event(topic::RUN, subject);
            dawdle(services, &tx).await;
            if (writer + n) % 10 == 9 {
                continue;
            }
            tx.commit().await.unwrap();
            committed.push(subject);
        }
        committed
    };
    join_all((0..WRITERS).map(writer)).await.into_iter().flatten().collect()
}

/// What a reader keeps, whatever happens to it: the last event it has dealt with.
#[derive(Default)]
struct Kept {
    cursor: Mutex<Id<ids::Event>>,
    heard: Mutex<BTreeMap<AnyId, usize>>,
    /// Events that came after one whose id is greater.
    late: AtomicUsize,
}

impl Kept {
    /// Reads on from the last event, for ever.
    async fn read_on(&self, services: &System, tenant: Id<ids::Tenant>) {
        loop {
            let cursor = *self.cursor.lock().unwrap();
            for event in services
                .events()
                .list_after(services, tenant, topic::RUN, cursor, portion() as u64)
                .await
                .unwrap()
            {
                let mut cursor = self.cursor.lock().unwrap();
                self.late.fetch_add(usize::from(event.id < *cursor), Ordering::Relaxed);
                *self.heard.lock().unwrap().entry(event.subject).or_default() += 1;
                *cursor = event.id;
            }
        }
    }

    /// The same by readers that die again and again at any point.
    async fn read_on_and_die(&self, services: &System, tenant: Id<ids::Tenant>, all: impl Fn(usize) -> bool) {
        while !all(self.heard.lock().unwrap().len()) {
            let life = Duration::from_millis(services.ids.random_below(30));
            drop(tokio::time::timeout(life, self.read_on(services, tenant)).await);
        }
    }
}

#[tokio::test]
async fn an_event_that_is_committed_late_is_not_skipped() {
    let bench = bench::still(true, Vec::new()).await;
    let (tenant, services) = (bench.tenant, wide(&bench).await);
    let since = async |cursor: Id<ids::Event>| {
        let events = services.events().list_after(&services, tenant, topic::RUN, cursor, 10).await.unwrap();
        events.into_iter().map(|event| (event.id, event.subject)).collect::<Vec<_>>()
    };
    let mut late = services.begin(bench.tenant).await.unwrap();
    let first = write_something(&services, &mut late).await;
    late.add_event(topic::RUN, first);
    bench.clock.advance(chrono::Duration::seconds(1));
    let mut quick = services.begin(bench.tenant).await.unwrap();
    let second = write_something(&services, &mut quick).await;
    quick.add_event(topic::RUN, second);
    quick.commit().await.unwrap();
    let before = since(Id::nil()).await;
    late.commit().await.unwrap();
    let cursor = before.last().map_or(Id::nil(), |(id, _)| *id);
    let mut read: Vec<(Id<ids::Event>, AnyId)> = before;
    let both = async {
        while read.len() < 2 {
            read.extend(since(read.last().map_or(cursor, |(id, _)| *id)).await);
        }
    };
    tokio::time::timeout(Duration::from_secs(30), both).await.expect("both events are read");
    assert_eq!(read.iter().map(|(_, subject)| *subject).collect::<Vec<_>>(), [first, second]);
    assert_eq!(since(read[0].0).await, read[1..], "a reader goes on from any event that it read");
    assert_eq!(since(read[1].0).await, [], "and at the end there is nothing");
}

async fn a_clock_that_is_set_back_hides_no_event(bench: Bench) {
    let tell = async |services: &System| {
        let mut tx = services.begin(bench.tenant).await.unwrap();
        let subject = AnyId::from_uuid(services.ids.uuid());
        tx.add_event(topic::RUN, subject);
        tx.commit().await.unwrap();
        subject
    };
    let (first, second) = (tell(&bench.services).await, tell(&bench.services).await);
    bench.clock.advance(chrono::Duration::hours(-1));
    // A program that was running makes no id that is less than its last one; one that is started now does.
    let store = Store::connect(&Logins::from_url(&bench.url), 2).await.unwrap();
    let restarted = bench::services(store, Arc::new(bench.clock.clone()));
    let third = tell(&restarted).await;
    assert!(third < first, "the danger is there");
    let (mut cursor, mut read) = (Id::nil(), Vec::new());
    let all = async {
        while read.len() < 3 {
            for event in bench
                .services
                .events()
                .list_after(&bench.services, bench.tenant, topic::RUN, cursor, 1)
                .await
                .unwrap()
            {
                read.push(event.subject);
                cursor = event.id;
            }
        }
    };
    tokio::time::timeout(Duration::from_mins(1), all).await.expect("all three are read");
    assert_eq!(read, [first, second, third]);
    assert_eq!(
        bench
            .services
            .events()
            .list_after(&bench.services, bench.tenant, topic::BOOKING, Id::nil(), 9)
            .await
            .unwrap(),
        []
    );
}

#[tokio::test]
async fn sqlite_hides_no_event_when_the_clock_is_set_back() {
    a_clock_that_is_set_back_hides_no_event(bench::still(false, Vec::new()).await).await;
}

#[tokio::test]
async fn postgres_hides_no_event_when_the_clock_is_set_back() {
    a_clock_that_is_set_back_hides_no_event(bench::still(true, Vec::new()).await).await;
}

#[tokio::test]
async fn no_event_is_lost_to_readers_that_die_while_writers_commit_late() {
    let bench = bench::still(true, Vec::new()).await;
    let (services, kept) = (wide(&bench).await, Kept::default());
    let committed = AtomicUsize::new(usize::MAX);
    let write = async {
        let all = write_at_once(&services, bench.tenant).await;
        committed.store(all.len(), Ordering::Relaxed);
        all
    };
    let read =
        kept.read_on_and_die(&services, bench.tenant, |heard| heard >= committed.load(Ordering::Relaxed));
    let both = tokio::time::timeout(Duration::from_mins(5), async { tokio::join!(write, read) }).await;
    let heard = kept.heard.lock().unwrap().clone();
    let (all, ()) = both.unwrap_or_else(|_| panic!("{} of {committed:?} were heard", heard.len()));
    assert_eq!(heard.keys().copied().collect::<BTreeSet<_>>(), all);
    assert!(heard.values().all(|times| *times == 1), "the place was kept with each event");
    assert!(kept.late.load(Ordering::Relaxed) > 0, "no transaction was late: nothing was proven");
}
