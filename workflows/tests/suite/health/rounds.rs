//! Rounds of the reconcilers: one failing mailbox or directory delays no other, and no run is enqueued twice.

use chrono::Duration;
use providers::memory::Method;
use sea_orm::{ColumnTrait, QueryFilter};
use workflows::reconcile::Reconciler;

use crate::{calendar::busy, health::Apps};

pub async fn a_mailbox_that_fails_waits_longer_each_time_and_delays_no_other(apps: Apps) {
    let app = apps.make(12).await;
    // The oldest: it was the first of every round.
    let bad = app.connections().await[0].clone();
    app.calendars.refuse_requests(None, &bad.address, busy());
    let first = app.round(16).await;
    assert_eq!((first.len(), app.connections().await[0].failures), (12, 1));
    let (mut attempts, mut last, mut waits) = (vec![app.setup.services.now()], 0, Vec::new());
    for _ in 0..96 {
        let asked = app.round(16).await;
        assert_eq!(asked.iter().filter(|one| **one != bad.address).count(), 11, "every other one is read");
        if asked.contains(&bad.address) {
            let now = app.setup.services.now();
            waits.push((now - *attempts.last().unwrap()).num_minutes());
            attempts.push(now);
            last += 1;
        }
    }
    assert!((8..=12).contains(&last), "{last} attempts in 26 hours: {waits:?}");
    assert!(waits.windows(2).all(|pair| pair[0] <= pair[1] + 64), "longer and longer: {waits:?}");
    assert!(waits.iter().all(|wait| *wait <= 4 * 60 + 16) && waits[0] <= 32, "{waits:?}");
    let row = app.connections().await[0].clone();
    assert_eq!(
        (row.state.as_str(), row.failing_code.as_deref()),
        ("ACTIVE", Some("PROVIDER_UNAVAILABLE 503"))
    );
    assert_eq!(app.integration().await, "ACTIVE", "a bad moment turns nothing");

    app.calendars.stop_refusing(&bad.address);
    app.round(5 * 60).await;
    let row = app.connections().await[0].clone();
    assert_eq!((row.failures, row.failing_code, row.failing_since, row.retry_at), (0, None, None, None));
}

pub async fn a_directory_that_never_answers_holds_up_no_other_tenant(apps: Apps) {
    let app = apps.make(0).await;
    let other = app.setup.services.ids.make();
    app.setup.tenant(other).await;
    app.setup.integration(other).await;
    app.calendars.hang_next(Method::Organisation);
    let both = async {
        while app.directories().len() < 2 {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        () = app.reconcile(Reconciler::Health) => panic!("one never answers"),
        () = both => {}
        () = tokio::time::sleep(std::time::Duration::from_secs(20)) => panic!("the other one is not asked"),
    }
}

pub async fn what_is_enqueued_is_not_enqueued_again_and_leaves_room_for_the_rest(apps: Apps) {
    use services::maintenance::RefreshSelection;
    let app = apps.make(12).await;
    let (services, tenant) = (&app.setup.services, app.tenant());
    app.setup.clock.advance(Duration::minutes(16));
    let upkeep = services.maintenance();
    let mut begun = Vec::new();
    for _ in 0..4 {
        begun.push(upkeep.refresh_calendars(services, tenant, RefreshSelection::Healthy, 5).await.unwrap());
    }
    assert_eq!(begun, [5, 5, 2, 0], "the oldest first, and nothing twice");
    for expected in [1, 0] {
        assert_eq!(upkeep.check_integrations(services, tenant).await.unwrap(), expected);
    }
    let txn = services.store.read(tenant).await.unwrap();
    let runs =
        entity::run::of(tenant).filter(entity::run::Column::FinishedAt.is_null()).all(&txn).await.unwrap();
    drop(txn);
    let subjects: std::collections::BTreeSet<_> =
        runs.iter().map(|run| (&run.workflow, run.subject)).collect();
    assert_eq!((runs.len(), subjects.len()), (13, 13));
    app.read();
    app.work().await;
    assert_eq!(app.read().len(), 12);
    assert_eq!(upkeep.refresh_calendars(services, tenant, RefreshSelection::Healthy, 5).await.unwrap(), 0);
}
