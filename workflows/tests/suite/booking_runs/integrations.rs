//! Failures of a mailbox or a consent while bookings are written, and the resulting state of the integration.

use chrono::Duration;
use domain::state::IntegrationState;
use providers::memory::Method;

use crate::{
    booking_runs::Apps,
    calendar::{DIRECTORY, calls, lost, out_of_scope, refused},
    setup::{at, booking},
};

pub async fn a_lost_consent_is_said_of_the_integration_and_of_the_booking(apps: Apps) {
    let app = apps.make().await;
    let organiser = app.setup.person(&[]).await;
    let integration = async || {
        let integrations = app.setup.services.integrations();
        integrations
            .by_ids(app.setup.services.tenant_scope(app.setup.tenant), &[app.setup.integration])
            .await
            .unwrap()
            .remove(0)
            .state
    };
    app.calendars.refuse_requests(None, &app.mailbox_of(organiser).await.address, lost());
    for (hour, closed, expected) in
        [(10, "no mailbox", IntegrationState::Active), (12, DIRECTORY, IntegrationState::Failing)]
    {
        app.calendars.refuse_requests(None, closed, lost());
        let new = booking(organiser, at(hour, 0), at(hour + 1, 0));
        let bookings = app.setup.services.bookings();
        let receipt =
            bookings.create(&app.setup.admin().allow().unwrap(), new, &format!("at {hour}")).await.unwrap();
        app.work_through(receipt.booking.id).await;
        let id = receipt.booking.id;
        assert_eq!(
            (app.state(id).await.as_str(), app.code(id).await.as_deref()),
            ("FAILED", Some("CONSENT_LOST"))
        );
        assert_eq!(integration().await, expected, "the directory decides");
    }
}

pub async fn a_mailbox_that_was_left_out_is_not_touched_until_somebody_asks_for_it(apps: Apps) {
    let app = apps.make().await;
    let user = app.setup.person(&[]).await;
    let (admin, connections) = (app.setup.admin(), app.setup.services.connections());
    let mailbox = app.mailbox_of(user).await;
    connections.exclude(&admin.allow().unwrap(), mailbox.id).await.unwrap();
    let mut tx = app.setup.services.begin(app.setup.tenant).await.unwrap();
    let order = services::run_inputs::Activate { connection: mailbox.id, campaign: None };
    tx.enqueue(services::run_inputs::RunInput::Activate(order), "push", domain::state::Lane::Background)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    app.work_through(mailbox.id.any().with_kind()).await;
    assert_eq!(
        (app.mailbox_of(user).await.state.as_str(), calls(&app.calendars, Method::Mailbox)),
        ("EXCLUDED", 0)
    );
    app.calendars.refuse_requests(Method::Mailbox, &mailbox.address, refused());
    connections.activate(&admin.allow().unwrap(), mailbox.id).await.unwrap();
    app.work_through(mailbox.id.any().with_kind()).await;
    assert_eq!(
        (app.mailbox_of(user).await.state.as_str(), calls(&app.calendars, Method::Mailbox)),
        ("UNREACHABLE", 1)
    );
}

pub async fn one_mailbox_that_leaves_the_scope_is_not_the_end_of_the_integration(apps: Apps) {
    use workflows::reconcile::Reconciler;
    let app = apps.make().await;
    let (services, tenant) = (&app.setup.services, app.setup.tenant);
    let (known, other) = (app.setup.person(&[]).await, app.setup.person(&[]).await);
    let (known, other) = (app.mailbox_of(known).await, app.mailbox_of(other).await);
    let change = services::change::IntegrationChange {
        id: app.setup.integration,
        known_good: Some(known.address.clone()),
        ..Default::default()
    };
    app.setup.change(vec![services::Change::Integration(change)]).await;
    let row = async || {
        services
            .integrations()
            .by_ids(services.tenant_scope(tenant), &[app.setup.integration])
            .await
            .unwrap()
            .remove(0)
    };
    app.calendars.refuse_requests(None, &known.address, out_of_scope());
    app.reconcile(Reconciler::Health).await;
    assert_eq!((row().await.state.as_str(), row().await.known_good), ("ACTIVE", Some(other.address.clone())));
    app.calendars.refuse_requests(None, &other.address, out_of_scope());
    app.reconcile(Reconciler::Health).await;
    assert_eq!(row().await.state, IntegrationState::Active, "it may pass");
    app.setup.clock.advance(Duration::minutes(16));
    app.reconcile(Reconciler::Health).await;
    assert_eq!(row().await.state, IntegrationState::Failing, "nobody is in scope");
    app.calendars.stop_refusing(&other.address);
    app.reconcile(Reconciler::Health).await;
    assert_eq!(row().await.state, IntegrationState::Active);
}

pub async fn a_degraded_integration_is_whole_again_when_its_lost_mailbox_is_left_out(apps: Apps) {
    use workflows::reconcile::Reconciler;
    let app = apps.make().await;
    let (services, tenant) = (&app.setup.services, app.setup.tenant);
    let mailbox = app.setup.person(&[]).await;
    let mailbox = app.mailbox_of(mailbox).await;
    let row = async || {
        services
            .integrations()
            .by_ids(services.tenant_scope(tenant), &[app.setup.integration])
            .await
            .unwrap()
            .remove(0)
    };
    app.calendars.refuse_requests(None, &mailbox.address, out_of_scope());
    app.setup.services.connections().activate(&app.setup.admin().allow().unwrap(), mailbox.id).await.unwrap();
    app.work_through(mailbox.id.any().with_kind()).await;
    app.reconcile(Reconciler::Health).await;
    assert_eq!(row().await.state, IntegrationState::Degraded, "a mailbox that was active is not");
    services.connections().exclude(&app.setup.admin().allow().unwrap(), mailbox.id).await.unwrap();
    app.reconcile(Reconciler::Health).await;
    assert_eq!((row().await.state.as_str(), row().await.reason), ("ACTIVE", None));
}
