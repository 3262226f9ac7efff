//! The copies of calendars that several writers change at once.

use domain::{Id, Timestamp, ids};
use services::{
    Change,
    change::{OwnEvent, Writer},
    connections,
    events::topic,
    tx::AfterCommit,
};

use crate::bookings::setup::{Setup, at, range, unreadable};

fn own(connection: Id<ids::Connection>, uid: &str, from: Timestamp, to: Timestamp) -> Change {
    Change::OwnEvent(OwnEvent {
        external_id: uid.to_owned(),
        uid: uid.to_owned(),
        title: "Interview".to_owned(),
        connections: vec![connection],
        range: Some(range(from, to)),
    })
}

async fn bits(setup: &Setup) -> Vec<Vec<u8>> {
    use sea_orm::QueryOrder;
    let tenant = setup.tenant;
    let txn = setup.services.store.read(tenant).await.unwrap();
    let rows = entity::busy_bitmap::of(tenant).order_by_asc(entity::busy_bitmap::Column::Plane);
    rows.all(&txn).await.unwrap().into_iter().map(|row| row.bits).collect()
}

async fn two_events_written_at_once_are_both_in_the_bitmap(setup: &Setup) {
    let (tenant, connection) = (setup.tenant, setup.connection(None, None, "ACTIVE").await);
    setup.read(connection, &[]).await;
    let empty = bits(setup).await;
    let services = setup.services.clone();
    let txn = services.store.write(tenant).await.unwrap();
    let mut after = AfterCommit::default();
    let first = vec![own(connection, "first", at(10, 0), at(11, 0))];
    Writer::new(&services, &txn, tenant, "test", &mut after).write(first).await.unwrap();
    // The second begins before the first has committed, and may see nothing of it.
    let second = services.write(tenant, "test", vec![own(connection, "second", at(14, 0), at(15, 0))]);
    let (both, ()) = tokio::join!(second, async {
        for _ in 0..50 {
            tokio::task::yield_now().await;
        }
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        txn.commit().await.unwrap();
    });
    both.unwrap();
    let drawn = bits(setup).await;
    assert_ne!(drawn, empty);
    setup.change(vec![own(connection, "second", at(14, 0), at(15, 0))]).await;
    assert_eq!(drawn, bits(setup).await, "drawing it anew shows the same");
}

async fn row(setup: &Setup, connection: Id<ids::Connection>) -> entity::connection::Model {
    setup
        .services
        .connections()
        .by_ids(setup.services.tenant_scope(setup.tenant), &[connection])
        .await
        .unwrap()
        .remove(0)
}

/// How many changes of the connection subscribers are told: counted in the log itself, because a reader of it hears
/// nothing that is younger than any transaction still open on the server, another test's included.
async fn told(setup: &Setup, connection: Id<ids::Connection>) -> usize {
    let tenant = setup.tenant;
    let txn = setup.services.store.read(tenant).await.unwrap();
    let events = entity::event_log::of(tenant).all(&txn).await.unwrap();
    events.iter().filter(|event| event.topic == topic::CONNECTION && event.subject == connection).count()
}

async fn what_cannot_be_read_is_marked_until_a_reading_without_it(setup: &Setup) {
    let connection = setup.connection(None, None, "ACTIVE").await;
    setup.read(connection, &[]).await;
    let clean = row(setup, connection).await;
    assert_eq!((clean.unreadable_count, clean.unknown_count, clean.version), (0, 0, 1));
    assert_eq!(told(setup, connection).await, 0, "a clean reading changes nothing that is watched");

    let mut items: Vec<_> = (0..30).map(|n| unreadable(&format!("rule-{n:02}"), true)).collect();
    items.extend([unreadable("nowhere\0", false), unreadable("rule-03", true)]);
    setup.read_with(connection, &[], &items).await;
    let marked = row(setup, connection).await;
    assert_eq!((marked.unreadable_count, marked.unknown_count, marked.version), (31, 1, 2));
    let examples = connections::unreadable_examples(&marked);
    assert_eq!((examples.len(), examples[0].uid.as_str(), examples[0].blocks), (20, "nowhere", false));
    assert_eq!(told(setup, connection).await, 1);

    items.reverse();
    setup.read_with(connection, &[], &items).await;
    assert_eq!(row(setup, connection).await, marked, "the same items are the same mark");
    assert_eq!(told(setup, connection).await, 1);

    setup.read_with(connection, &[], &items[..1]).await;
    assert_eq!((row(setup, connection).await.unreadable_count, told(setup, connection).await), (1, 2));
    setup.read(connection, &[]).await;
    let again = row(setup, connection).await;
    assert_eq!((again.unreadable_count, again.unknown_count, again.version), (0, 0, 4));
    assert_eq!((connections::unreadable_examples(&again).len(), told(setup, connection).await), (0, 3));
}

on_both_stores! {
    what_cannot_be_read_is_marked_until_a_reading_without_it,
    two_events_written_at_once_are_both_in_the_bitmap,
}
