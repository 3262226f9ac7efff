//! The copies of calendars that several writers change at once.

use domain::Timestamp;
use services::{
    Change,
    change::{OwnEvent, Writer},
    tx::After,
};
use uuid::Uuid;

use crate::world::{World, at, range};

fn own(connection: Uuid, uid: &str, from: Timestamp, to: Timestamp) -> Change {
    Change::OwnEvent(OwnEvent {
        external_id: uid.to_owned(),
        uid: uid.to_owned(),
        title: "Interview".to_owned(),
        connections: vec![connection],
        range: Some(range(from, to)),
    })
}

async fn bits(world: &World) -> Vec<Vec<u8>> {
    use sea_orm::QueryOrder;
    let tenant = world.tenant.uuid();
    let txn = world.services.store.read(tenant).await.unwrap();
    let rows = entity::busy_bitmap::of(tenant).order_by_asc(entity::busy_bitmap::Column::Plane);
    rows.all(&txn).await.unwrap().into_iter().map(|row| row.bits).collect()
}

async fn two_events_written_at_once_are_both_in_the_bitmap(world: &World) {
    let (tenant, connection) = (world.tenant.uuid(), world.connection(None, None, "ACTIVE").await);
    world.read(connection, &[]).await;
    let empty = bits(world).await;
    let services = world.services.clone();
    let txn = services.store.write(tenant).await.unwrap();
    let mut after = After::default();
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
    let drawn = bits(world).await;
    assert_ne!(drawn, empty);
    world.change(vec![own(connection, "second", at(14, 0), at(15, 0))]).await;
    assert_eq!(drawn, bits(world).await, "drawing it anew shows the same");
}

on_both_stores! {
    two_events_written_at_once_are_both_in_the_bitmap,
}
