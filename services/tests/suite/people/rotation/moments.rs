//! Stopped, dropped or beside a writer: whatever the moment, nothing is lost and the next rotation goes on.

use std::{
    collections::BTreeMap,
    future::Future,
    ops::ControlFlow,
    pin::Pin,
    task::{Context, Poll},
};

use domain::{Id, ids};
use sea_orm::{ColumnTrait, ConnectionTrait, DatabaseBackend, QueryFilter, Statement, sea_query::Expr};
use services::{
    System, Vault,
    secrets::{RotationProgress, RotationScope},
    vault::Column,
};

use super::{CONSENTS, data_key, filled, reseal, rotate, snapshot, status};
use crate::people::harness::{Harness, refused};

on_both!(
    a_rotation_that_is_stopped_anywhere_goes_on_and_loses_nothing,
    a_rotation_that_is_dropped_at_any_moment_leaves_everything_readable,
    what_is_sealed_before_a_rotation_and_stored_after_it_began_is_sealed_anew,
    what_is_written_during_rotations_is_not_lost,
);

/// After every transaction that changed something the process is as if killed, and another one begins.
async fn a_rotation_that_is_stopped_anywhere_goes_on_and_loses_nothing(h: Harness) {
    let tenants = [filled(&h, "acme", CONSENTS).await, filled(&h, "other", 2).await];
    let before = [snapshot(&h.services, tenants[0]).await, snapshot(&h.services, tenants[1]).await];
    let vault = Vault::with_former(h.services.ids.random_bytes(), &[h.master], h.services.ids.clone());
    let (mut stops, mut new_keys) = (0, 0);
    loop {
        let node = h.node(vault.clone());
        let mut once = |progress| match progress {
            RotationProgress::Tenant(..) => ControlFlow::Continue(()),
            progress => {
                new_keys += usize::from(matches!(progress, RotationProgress::NewDataKey(_)));
                ControlFlow::Break(())
            }
        };
        let ended = node.secrets().rotate(&node, RotationScope::DataKeys, &mut once).await;
        for (tenant, before) in tenants.iter().zip(&before) {
            assert_eq!(&snapshot(&h.node(vault.clone()), *tenant).await, before, "after {stops} stops");
        }
        if ended.is_ok() {
            break;
        }
        assert_eq!(refused(ended.map(|_| ())), "ROTATION_STOPPED");
        assert_eq!(stops > 0, status(&node).await.under_way > 0, "after {stops} stops");
        stops += 1;
    }
    // The master key; of acme a key, two lots of consents, channels, sessions; of the other the same with one lot.
    assert_eq!((stops, new_keys), (1 + 5 + 4, 2));
    assert!(reseal(&h, &vault).await, "the audit's key is the owner's");
    assert!(!reseal(&h, &vault).await, "once");
    let seen = status(&h.node(vault.clone())).await;
    assert_eq!((seen.values_to_do, seen.under_way, seen.needs_rotation()), (0, 0, false), "{seen:?}");
}

/// Drops a future after this number of polls, wherever it stands.
struct Polls<F> {
    inner: Pin<Box<F>>,
    left: usize,
}

impl<F: Future> Future for Polls<F> {
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        self.left -= 1;
        self.inner.as_mut().poll(context).map(Some)
    }
}

async fn a_rotation_that_is_dropped_at_any_moment_leaves_everything_readable(h: Harness) {
    let tenant = filled(&h, "acme", 12).await;
    let before = snapshot(&h.services, tenant).await;
    let (mut dropped, mut done) = (0, 0);
    for polls in 1..120 {
        let node = h.node(h.vault.clone());
        let secrets = node.secrets();
        let mut on = |_: RotationProgress| ControlFlow::Continue(());
        let rotation = Box::pin(secrets.rotate(&node, RotationScope::DataKeys, &mut on));
        match (Polls { inner: rotation, left: polls }).await {
            Some(ended) => done += usize::from(ended.is_ok()),
            None => dropped += 1,
        }
        assert_eq!(snapshot(&h.node(h.vault.clone()), tenant).await, before, "dropped at poll {polls}");
    }
    assert!(dropped > 20 && done > 0, "dropped {dropped} times, done {done} times");
    rotate(&h.services, RotationScope::DataKeys).await;
    assert_eq!(status(&h.services).await.values_to_do, 0);
    assert_eq!(snapshot(&h.services, tenant).await, before);
}

/// Whether somebody waits for a lock of somebody else's on this database.
async fn somebody_waits(services: &System) -> bool {
    let sql = "SELECT count(*) AS n FROM pg_stat_activity
               WHERE datname = current_database() AND wait_event_type = 'Lock'";
    let conn = services.store.installation_connection();
    let row = conn.query_one_raw(Statement::from_string(conn.get_database_backend(), sql)).await.unwrap();
    row.unwrap().try_get::<i64>("", "n").unwrap() > 0
}

/// The slowest of writers: it has sealed a value, and stores it when a rotation has begun.
async fn what_is_sealed_before_a_rotation_and_stored_after_it_began_is_sealed_anew(h: Harness) {
    let tenant = filled(&h, "acme", 1).await;
    let there = h.node(h.vault.clone());
    let tx = there.begin(tenant).await.unwrap();
    let row = entity::consent_grant::of(tenant).one(tx.conn()).await.unwrap().unwrap();
    let place = Column::ConsentGrantSecret.at(tenant, row.id);
    let sealed = there.seal(tx.conn(), place, b"late").await.unwrap();
    let secrets = h.services.secrets();
    let mut on = |_: RotationProgress| ControlFlow::Continue(());
    let mut rotation = Box::pin(secrets.rotate(&h.services, RotationScope::DataKeys, &mut on));
    let mut ended = None;
    for _ in 0..10_000 {
        tokio::select! {
            biased;
            report = &mut rotation, if ended.is_none() => ended = Some(report),
            () = tokio::task::yield_now() => {}
        }
        let waits = match h.services.store.backend() {
            DatabaseBackend::Postgres => somebody_waits(&h.services).await,
            _ => false,
        };
        if ended.is_some() || waits {
            break;
        }
    }
    let early = ended.is_some();
    store(&tx, tenant, row.id, sealed).await;
    tx.commit().await.unwrap();
    match ended {
        Some(report) => report.unwrap(),
        None => rotation.await.unwrap(),
    };
    assert!(!early, "it did not wait for who had sealed with the former key");
    assert_eq!(status(&h.services).await.values_to_do, 0, "nothing is left under the former key");
    assert_eq!(snapshot(&h.services, tenant).await[&("consent", row.id.any())], b"late");
}

async fn store(tx: &services::Tx, tenant: Id<ids::Tenant>, row: Id<ids::Grant>, sealed: Vec<u8>) {
    entity::consent_grant::update(tenant)
        .filter(entity::consent_grant::Column::Id.eq(row))
        .col_expr(entity::consent_grant::Column::Secret, Expr::value(sealed))
        .exec(tx.conn())
        .await
        .unwrap();
}

/// A node stores consents one after the other while all keys are replaced several times.
async fn what_is_written_during_rotations_is_not_lost(h: Harness) {
    let tenant = filled(&h, "acme", 40).await;
    let there = h.node(h.vault.clone());
    let rows: Vec<Id<ids::Grant>> = {
        let txn = h.services.store.read(tenant).await.unwrap();
        let rows = entity::consent_grant::of(tenant).all(&txn).await.unwrap();
        rows.into_iter().map(|row| row.id).collect()
    };
    let rotations = async {
        let mut keys = vec![data_key(&h.services, tenant).await];
        for _ in 0..5 {
            rotate(&h.services, RotationScope::DataKeys).await;
            keys.push(data_key(&h.services, tenant).await);
        }
        keys
    };
    let mut rotations = Box::pin(rotations);
    let mut written: BTreeMap<Id<ids::Grant>, Vec<u8>> = BTreeMap::new();
    let mut count = 0_u32;
    let writes = async {
        for row in rows.iter().cycle() {
            let tx = there.begin(tenant).await.unwrap();
            let place = Column::ConsentGrantSecret.at(tenant, *row);
            let plain = format!("written {count}").into_bytes();
            let sealed = there.seal(tx.conn(), place, &plain).await.unwrap();
            store(&tx, tenant, *row, sealed).await;
            tx.commit().await.unwrap();
            written.insert(*row, plain);
            count += 1;
        }
    };
    let keys = tokio::select! {
        keys = &mut rotations => keys,
        () = writes => unreachable!("it goes on for ever"),
    };
    let different: std::collections::BTreeSet<_> = keys.iter().collect();
    assert_eq!(different.len(), 6, "each rotation made another key");
    assert!(count > 10, "{count} values were written meanwhile");
    let seen = snapshot(&h.node(h.vault.clone()), tenant).await;
    for (row, plain) in &written {
        // The last one may have been cut off after it was committed.
        let (stored, cut_off) = (&seen[&("consent", row.any())], format!("written {count}").into_bytes());
        assert!(stored == plain || stored == &cut_off, "{row}");
    }
    rotate(&h.services, RotationScope::Master).await;
    assert_eq!(status(&h.services).await.values_to_do, 0);
}
