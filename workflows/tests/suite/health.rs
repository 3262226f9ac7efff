//! What one mailbox returns and what it means for others: for their turn, and for the state of their integration.
//!
//! The PostgreSQL half needs `MUSTER_TEST_POSTGRES`, the URL of a server on which databases may be made.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod mailbox;
mod rounds;

use std::sync::Arc;

use chrono::Duration;
use domain::{Id, Message, ids, state::ConnectionState};
use providers::{
    Error, ErrorKind, Remedy,
    memory::{Memory, Method, Request},
};
use sea_orm::{ActiveModelTrait, ActiveValue::Set, ColumnTrait, QueryFilter, QueryOrder};
use services::grants::Connectors;
use workflows::{Engine, reconcile::Reconciler};

use self::{
    mailbox::{
        an_administrator_decides_which_calendars_of_a_mailbox_count,
        b2_writing_is_proven_by_probes_that_are_gone_and_each_mailbox_is_measured,
        days_stand_in_the_zone_of_the_mailbox_else_of_the_user_else_of_the_tenant,
        the_verification_names_the_mailboxes_with_items_that_cannot_be_read,
    },
    rounds::{
        a_directory_that_never_answers_holds_up_no_other_tenant,
        a_mailbox_that_fails_waits_longer_each_time_and_delays_no_other,
        what_is_enqueued_is_not_enqueued_again_and_leaves_room_for_the_rest,
    },
};
use crate::{
    calendar::{self, DIRECTORY, busy, lost, out_of_scope, refused},
    setup::Setup,
};

/// A tenant whose mailboxes were read, with a calendar system at hand.
struct App {
    setup: Setup,
    calendars: Memory,
    engine: Engine,
}

/// Creates setups on one of the stores.
#[derive(Clone, Copy)]
enum Apps {
    Sqlite,
    Postgres,
}

impl Apps {
    async fn make(self, people: usize) -> App {
        let calendars = calendar::system();
        let connectors = Connectors::default().with_provider(Arc::new(calendars.clone()));
        let setup = match self {
            Self::Sqlite => Setup::sqlite_with(connectors).await,
            Self::Postgres => Setup::postgres_with(connectors).await,
        };
        let engine = workflows::engine(&setup.services, "node");
        for _ in 0..people {
            setup.person(&[]).await;
        }
        App { setup, calendars, engine }
    }
}

/// What is not the calendar system that it should be.
fn not_a_calendar() -> Error {
    Error::new(
        ErrorKind::Misconfigured,
        Remedy::Never,
        "not_exchange",
        Message::verbatim("This is not an Exchange server."),
    )
}

impl App {
    fn tenant(&self) -> Id<ids::Tenant> {
        self.setup.tenant
    }

    /// The connections, in the order in which they were made.
    async fn connections(&self) -> Vec<entity::connection::Model> {
        let txn = self.setup.services.store.read(self.tenant()).await.unwrap();
        let rows = entity::connection::of(self.tenant()).order_by_asc(entity::connection::Column::Id);
        rows.all(&txn).await.unwrap()
    }

    /// Changes a connection behind everybody's back.
    async fn set(
        &self,
        row: &entity::connection::Model,
        change: impl FnOnce(&mut entity::connection::ActiveModel),
    ) {
        let txn = self.setup.services.store.write(self.tenant()).await.unwrap();
        let mut changed = entity::connection::ActiveModel { id: Set(row.id), ..Default::default() };
        change(&mut changed);
        changed.update(&txn).await.unwrap();
        txn.commit().await.unwrap();
    }

    /// The integration is bound to an organisation, as the calendar system calls it.
    async fn belong_to(&self, organisation: &str) {
        let (integration, at) = (self.setup.integration, self.setup.services.now());
        let binding = entity::external_binding::Model {
            provider: domain::ProviderKind::Microsoft365.into(),
            external_tenant: organisation.to_owned(),
            tenant_id: self.tenant(),
            integration_id: integration,
            bound_at: at,
            domains: None,
        };
        self.setup.insert(self.setup.tenant, entity::external_binding::ActiveModel::from(binding)).await;
        let row = entity::integration::ActiveModel {
            id: Set(integration),
            external_tenant: Set(Some(organisation.to_owned())),
            ..Default::default()
        };
        let txn = self.setup.services.store.write(self.tenant()).await.unwrap();
        row.update(&txn).await.unwrap();
        txn.commit().await.unwrap();
    }

    /// The titles of what is kept of a calendar.
    async fn titles(&self, connection: Id<ids::Connection>) -> Vec<String> {
        use entity::calendar_event::{Column, of};
        let txn = self.setup.services.store.read(self.tenant()).await.unwrap();
        let rows = of(self.tenant()).filter(Column::ConnectionId.eq(connection)).order_by_asc(Column::Title);
        rows.all(&txn).await.unwrap().into_iter().map(|row| row.title).collect()
    }

    async fn integration(&self) -> String {
        let integrations = self.setup.services.integrations();
        integrations
            .by_ids(self.setup.services.tenant_scope(self.tenant()), &[self.setup.integration])
            .await
            .unwrap()
            .remove(0)
            .state
            .to_string()
    }

    /// A vendor key, which exists: what a caller may do is read again before a user is changed.
    async fn vendor(&self) -> services::Caller {
        let (services, secret) =
            (&self.setup.services, format!("muster_{}", self.setup.services.ids.random_secret()));
        services.keys().ensure_first_key(services, Some(&secret), "vendor").await.unwrap();
        let (bearer, tenant) = (format!("Bearer {secret}"), self.tenant().to_string());
        services.access().authenticate(services::Anyone, Some(&bearer), Some(&tenant)).await.unwrap().caller
    }

    /// Does one round of a reconciler, and works off the runs that it enqueued.
    async fn reconcile(&self, reconciler: Reconciler) {
        reconciler.run_round(&self.setup.services).await.unwrap();
        self.engine.run_until_idle().await.unwrap();
    }

    /// Lets time pass and reads what is old by then. Returns who was asked for events, in order.
    async fn round(&self, minutes: i64) -> Vec<String> {
        self.setup.clock.advance(Duration::minutes(minutes));
        self.read();
        self.reconcile(Reconciler::Calendars).await;
        self.read()
    }

    /// The mailboxes, and calendars where one is named, that were asked for their events since this was last called.
    fn read(&self) -> Vec<String> {
        let asked = self.calendars.take_requests().into_iter().filter(|asked| asked.method == Method::Events);
        let named = |asked: Request| match asked.calendar {
            Some(calendar) => format!("{} {calendar}", asked.mailbox),
            None => asked.mailbox,
        };
        asked.map(named).collect()
    }

    /// In which zone a mailbox's days stood when it was asked for its events last.
    fn zone(&self, mailbox: &str) -> Option<String> {
        let is_meant = |asked: &&Request| asked.method == Method::Events && asked.mailbox == mailbox;
        self.calendars.requests().iter().rfind(is_meant).and_then(|asked| asked.zone.clone())
    }

    /// The accesses by which directories were asked, in order.
    fn directories(&self) -> Vec<String> {
        let asked = self.calendars.requests().into_iter();
        asked.filter(|asked| asked.method == Method::Organisation).map(|asked| asked.scope).collect()
    }

    async fn activate(&self, connection: Id<ids::Connection>) {
        let connections = self.setup.services.connections();
        connections.activate(&self.setup.admin().allow().unwrap(), connection).await.unwrap();
        self.work().await;
    }

    /// Works off everything, moving the clock for those who try again.
    async fn work(&self) {
        for _ in 0..600 {
            self.engine.run_until_idle().await.unwrap();
            let txn = self.setup.services.store.read(self.tenant()).await.unwrap();
            let live = entity::run::of(self.tenant()).all(&txn).await.unwrap();
            if live.iter().all(|run| run.finished_at.is_some()) {
                return;
            }
            self.setup.clock.advance(Duration::seconds(10));
        }
        panic!("the runs do not end");
    }
}

async fn s3_10_what_one_mailbox_returns_degrades_its_integration_at_most(apps: Apps) {
    for error in [not_a_calendar(), lost(), refused(), out_of_scope()] {
        let app = apps.make(4).await;
        let bad = app.connections().await[0].clone();
        app.calendars.refuse_requests(None, &bad.address, error.clone());
        let mut states = Vec::new();
        for _ in 0..12 {
            app.round(16).await;
            states.push(app.integration().await);
            app.reconcile(Reconciler::Health).await;
            states.push(app.integration().await);
            app.engine.run_until_idle().await.unwrap();
        }
        assert!(!states.iter().any(|state| state == "FAILING"), "{}: {states:?}", error.code);
        assert_eq!(states.last().unwrap(), "DEGRADED", "{}", error.code);
        assert_eq!(app.connections().await[0].state, ConnectionState::Unreachable, "{}", error.code);
        assert!(app.connections().await[1..].iter().all(|row| row.state == ConnectionState::Active));
    }
}

async fn a_refusal_that_lasts_is_retried_and_heals_by_itself(apps: Apps) {
    let app = apps.make(4).await;
    let bad = app.connections().await[0].clone();
    app.calendars.refuse_requests(None, &bad.address, not_a_calendar());
    app.round(16).await;
    assert_eq!(
        (app.connections().await[0].state.as_str(), app.integration().await.as_str()),
        ("ACTIVE", "ACTIVE")
    );
    app.round(16).await;
    let row = app.connections().await[0].clone();
    assert_eq!((row.state.as_str(), app.integration().await.as_str()), ("UNREACHABLE", "DEGRADED"));
    assert!(row.retry_at.is_some());
    app.calendars.stop_refusing(&bad.address);
    app.round(60).await;
    app.work().await;
    let row = app.connections().await[0].clone();
    assert_eq!((row.state.as_str(), row.route.as_str(), row.failures), ("ACTIVE", "DELEGATED", 0));
    app.reconcile(Reconciler::Health).await;
    assert_eq!(app.integration().await, "ACTIVE");
}

async fn mailboxes_that_all_fail_in_the_same_way_turn_their_integration_when_it_lasts(apps: Apps) {
    for people in [1, 2, 3, 5] {
        let app = apps.make(people).await;
        for row in app.connections().await {
            app.calendars.refuse_requests(None, &row.address, not_a_calendar());
        }
        app.round(16).await;
        assert_eq!(app.integration().await, "ACTIVE", "{people}: one round proves nothing");
        app.round(16).await;
        assert_eq!(app.integration().await, "FAILING", "{people}");
    }
}

async fn mailboxes_that_fail_while_others_are_read_or_each_in_its_way_turn_nothing(apps: Apps) {
    for different in [false, true] {
        let app = apps.make(5).await;
        let rows = app.connections().await;
        let bad = if different { &rows[..] } else { &rows[..4] };
        for (n, row) in bad.iter().enumerate() {
            let code = if different { format!("code-{n}") } else { "same".to_owned() };
            app.calendars.refuse_requests(None, &row.address, Error { code, ..not_a_calendar() });
        }
        for _ in 0..4 {
            app.round(16).await;
            assert_ne!(app.integration().await, "FAILING", "different: {different}");
        }
    }
}

async fn a_lost_consent_turns_the_integration_at_once(apps: Apps) {
    let app = apps.make(4).await;
    for row in app.connections().await {
        app.calendars.refuse_requests(None, &row.address, lost());
    }
    app.calendars.refuse_requests(None, DIRECTORY, lost());
    app.round(16).await;
    assert_eq!(app.integration().await, "FAILING");
    assert!(
        app.connections().await.iter().all(|row| row.state == ConnectionState::Active),
        "mailboxes keep their state"
    );
    app.calendars.stop_refusing(DIRECTORY);
    for row in app.connections().await {
        app.calendars.stop_refusing(&row.address);
    }
    app.reconcile(Reconciler::Health).await;
    assert_eq!((app.integration().await.as_str(), app.round(1).await.len()), ("ACTIVE", 4));
}

async fn a_person_whose_own_consent_is_gone_turns_nothing_for_others(apps: Apps) {
    let app = apps.make(3).await;
    let row = app.connections().await[0].clone();
    app.set(&row, |row| row.route = Set(domain::Route::Own.into())).await;
    // There is no consent of this person's at all.
    app.round(16).await;
    let row = app.connections().await[0].clone();
    assert_eq!((row.state.as_str(), app.integration().await.as_str()), ("UNREACHABLE", "DEGRADED"));
}

async fn an_activation_that_failed_or_was_lost_is_tried_again(apps: Apps) {
    let app = apps.make(1).await;
    let connection = async |state: &str| {
        let user = app.setup.stranger(app.tenant()).await;
        app.setup.connection(Some(user), None, state).await
    };
    let failed = connection("PENDING").await;
    let stuck = connection("VERIFYING").await;
    let pending = connection("PENDING").await;
    let state = async |id: Id<ids::Connection>| {
        let rows = app.connections().await;
        rows.into_iter().find(|row| row.id == id).unwrap()
    };
    app.calendars.refuse_requests(None, &state(failed).await.address, busy());
    app.activate(failed).await;
    let row = state(failed).await;
    assert_eq!((row.state.as_str(), row.failures), ("UNREACHABLE", 1));
    assert!(row.retry_at.is_some_and(|at| at > app.setup.services.now()));
    app.calendars.stop_refusing(&row.address);
    app.round(16).await;
    app.work().await;
    assert_eq!(state(failed).await.state, ConnectionState::Active);
    assert_eq!(state(stuck).await.state, ConnectionState::Active, "its run is gone");
    assert_eq!(state(pending).await.state, ConnectionState::Pending, "nobody asked for it");
}

/// Runs every test on both stores.
macro_rules! on_both_stores {
    ($($name:ident),+ $(,)?) => {
        mod sqlite { $(
            #[tokio::test]
            async fn $name() {
                super::$name(super::Apps::Sqlite).await;
            }
        )+ }

        mod postgres { $(
            #[tokio::test]
            async fn $name() {
                super::$name(super::Apps::Postgres).await;
            }
        )+ }
    };
}

on_both_stores! {
    b2_writing_is_proven_by_probes_that_are_gone_and_each_mailbox_is_measured,
    days_stand_in_the_zone_of_the_mailbox_else_of_the_user_else_of_the_tenant,
    an_administrator_decides_which_calendars_of_a_mailbox_count,
    the_verification_names_the_mailboxes_with_items_that_cannot_be_read,
    a_mailbox_that_fails_waits_longer_each_time_and_delays_no_other,
    s3_10_what_one_mailbox_returns_degrades_its_integration_at_most,
    a_refusal_that_lasts_is_retried_and_heals_by_itself,
    mailboxes_that_all_fail_in_the_same_way_turn_their_integration_when_it_lasts,
    mailboxes_that_fail_while_others_are_read_or_each_in_its_way_turn_nothing,
    a_lost_consent_turns_the_integration_at_once,
    a_person_whose_own_consent_is_gone_turns_nothing_for_others,
    an_activation_that_failed_or_was_lost_is_tried_again,
    a_directory_that_never_answers_holds_up_no_other_tenant,
    what_is_enqueued_is_not_enqueued_again_and_leaves_room_for_the_rest,
}
