//! One tenant with an integration, people and rooms whose calendars were read, and a clock that stands still.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use chrono::Duration;
use domain::{
    AccessLevel, BusyKind, BusyTime, CallerKind, Clock, Id, Ids, ProviderKind, Route, StandardRole,
    TestClock, TimeRange, Timestamp, UnreadableItem, UnreadableReason,
    connect::SecretKind,
    ids,
    state::{IntegrationState, Plan},
};
use entity::{Logins, Store, TrustedCode};
use providers::Event;
use sea_orm::{ActiveModelTrait, EntityTrait, IntoActiveModel};
use serde_json::json;
use services::{
    Caller, Change, Settings, System, Vault, bookings::NewBooking, change::CalendarCopy, grants::Connectors,
};
use testing::Database;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// The surroundings of a test: use cases, clock, tenant and integration.
pub struct Setup {
    /// The use cases under test.
    pub services: System,
    /// The clock; it stands still unless a test moves it.
    pub clock: TestClock,
    /// The only customer, unless a test adds another with [`Setup::tenant`].
    pub tenant: Id<ids::Tenant>,
    /// The tenant's only integration.
    pub integration: Id<ids::Integration>,
    count: AtomicU32,
    _database: Database,
}

/// Monday, 1 June 2026, 06:00 UTC.
fn start() -> Timestamp {
    "2026-06-01T06:00:00Z".parse().unwrap()
}

/// A time on that Monday.
pub fn at(hour: i64, minute: i64) -> Timestamp {
    start() + Duration::minutes((hour - 6) * 60 + minute)
}

pub fn range(from: Timestamp, to: Timestamp) -> TimeRange {
    TimeRange::new(from, to).unwrap()
}

/// A caller with all permissions of some tenant.
pub fn of(tenant: Id<ids::Tenant>, user: &str) -> Caller {
    let kind = CallerKind::User(Id::from_uuid(user.parse().unwrap()));
    let permissions = StandardRole::Administrator.permissions();
    Caller::new(TrustedCode, kind, Some(tenant), permissions)
}

impl Setup {
    /// A setup with an SQLite file of its own.
    pub async fn sqlite() -> Self {
        Self::sqlite_with(Connectors::default()).await
    }

    /// Like [`Self::sqlite`], with calendar systems.
    pub async fn sqlite_with(connectors: Connectors) -> Self {
        Self::on(Database::sqlite(), connectors).await
    }

    /// A setup with a PostgreSQL database of its own.
    pub async fn postgres() -> Self {
        Self::postgres_with(Connectors::default()).await
    }

    /// Like [`Self::postgres`], with calendar systems.
    pub async fn postgres_with(connectors: Connectors) -> Self {
        Self::on(Database::postgres().await, connectors).await
    }

    async fn on(database: Database, connectors: Connectors) -> Self {
        let url = database.url();
        let owner = Store::connect_as_owner(url).await.unwrap();
        migration::up(&owner).await.unwrap();
        owner.close().await.unwrap();
        let clock = TestClock::at(start());
        let shared: domain::SharedClock = Arc::new(clock.clone());
        let ids = Ids::seeded(shared.clone(), 7);
        let store = Store::connect(&Logins::from_url(url), 8).await.unwrap();
        let (tracker, token) = (TaskTracker::new(), CancellationToken::new());
        let queue = lanes::connect("memory:", "test", shared.clone(), ids.clone(), &tracker, &token).unwrap();
        let vault = Vault::new([7; 32], ids.clone());
        let settings = Settings::for_url("http://localhost:8080".parse().unwrap());
        let services = System::new(store, shared, ids, queue, vault, connectors, settings);
        let (tenant, integration) = (services.ids.make(), Id::nil());
        let count = AtomicU32::new(0);
        let mut setup = Self { services, clock, tenant, integration, count, _database: database };
        setup.tenant(tenant).await;
        setup.integration = setup.integration(tenant).await;
        setup
    }

    /// A caller with all permissions in the setup's tenant.
    pub fn admin(&self) -> Caller {
        of(self.tenant, "0190a000-0000-7000-8000-00000000000a")
    }

    /// Another caller with all permissions in the setup's tenant.
    pub fn colleague(&self) -> Caller {
        of(self.tenant, "0190a000-0000-7000-8000-00000000000b")
    }

    pub async fn insert<A>(&self, tenant: Id<ids::Tenant>, row: A)
    where
        A: ActiveModelTrait + Send,
        <A::Entity as EntityTrait>::Model: IntoActiveModel<A> + Send,
    {
        let txn = self.services.store.write(tenant).await.unwrap();
        A::Entity::insert(row).exec_without_returning(&txn).await.unwrap();
        txn.commit().await.unwrap();
    }

    /// Adds a tenant.
    pub async fn tenant(&self, id: Id<ids::Tenant>) {
        let row = entity::tenant::Model {
            id,
            name: "Acme".to_owned(),
            plan: Plan::Plus.into(),
            return_urls: json!([]),
            time_zone: None,
            language: None,
            providers: None,
            data_key: vec![1],
            data_key_rotation: None,
            erasing_since: None,
            version: 1,
            created_at: self.clock.now(),
        };
        self.insert(id, entity::tenant::ActiveModel::from(row)).await;
    }

    /// Adds an integration in use.
    pub async fn integration(&self, tenant: Id<ids::Tenant>) -> Id<ids::Integration> {
        let id = self.services.ids.make();
        let row = entity::integration::Model {
            id,
            tenant_id: tenant,
            provider: ProviderKind::Microsoft365.into(),
            kind: domain::IntegrationKind::OrganisationWide.into(),
            name: "Office".to_owned(),
            state: IntegrationState::Active.into(),
            reason: None,
            suspended_state: None,
            suspended_reason: None,
            since: self.clock.now(),
            access_level: AccessLevel::Full.into(),
            scope_group: None,
            external_tenant: Some(id.to_string()),
            external_name: None,
            room_rules: None,
            server_url: None,
            service_mailbox: None,
            known_good: None,
            consented_by: None,
            consent_session: None,
            return_url: None,
            created_by: "test".to_owned(),
            created_at: self.clock.now(),
            version: 1,
        };
        self.insert(tenant, entity::integration::ActiveModel::from(row)).await;
        let binding = entity::external_binding::Model {
            provider: ProviderKind::Microsoft365.into(),
            external_tenant: id.to_string(),
            tenant_id: tenant,
            integration_id: id,
            bound_at: self.clock.now(),
            domains: None,
        };
        self.insert(tenant, entity::external_binding::ActiveModel::from(binding)).await;
        let consent = entity::consent_grant::Model {
            id: self.services.ids.make(),
            tenant_id: tenant,
            integration_id: id,
            user_id: None,
            kind: SecretKind::MicrosoftApp.into(),
            account: "app".to_owned(),
            server_url: None,
            secret: vec![1],
            access_token: None,
            expires_at: None,
            lost: false,
            created_at: self.clock.now(),
            version: 1,
        };
        self.insert(tenant, entity::consent_grant::ActiveModel::from(consent)).await;
        id
    }

    /// Adds a user without any calendar.
    pub async fn stranger(&self, tenant: Id<ids::Tenant>) -> Id<ids::User> {
        let n = self.count.fetch_add(1, Ordering::Relaxed);
        let row = entity::tenant_user::Model {
            id: self.services.ids.make(),
            tenant_id: tenant,
            email_set_with: serde_json::json!([]),
            email: format!("person{n}@acme.example"),
            name: format!("Person {n}"),
            calendar_address: None,
            time_zone: None,
            tokens_since: None,
            version: 1,
            created_at: self.clock.now(),
        };
        let id = row.id;
        self.insert(tenant, entity::tenant_user::ActiveModel::from(row)).await;
        id
    }

    /// Adds a user whose calendar was read and holds these busy times.
    pub async fn person(&self, busy: &[TimeRange]) -> Id<ids::User> {
        let user = self.stranger(self.tenant).await;
        let connection = self.connection(Some(user), None, "ACTIVE").await;
        self.read(connection, busy).await;
        user
    }

    /// Adds a room whose calendar was read and holds these busy times.
    pub async fn room(&self, capacity: i32, busy: &[TimeRange]) -> Id<ids::Room> {
        let n = self.count.fetch_add(1, Ordering::Relaxed);
        let row = entity::room::Model {
            id: self.services.ids.make(),
            tenant_id: self.tenant,
            integration_id: self.integration,
            address: format!("room{n}@acme.example"),
            name: format!("Room {n}"),
            capacity: Some(capacity),
            building: Some("North".to_owned()),
            floor: None,
            equipment: json!([]),
            created_at: self.clock.now(),
        };
        let id = row.id;
        self.insert(self.tenant, entity::room::ActiveModel::from(row)).await;
        let connection = self.connection(None, Some(id), "ACTIVE").await;
        self.read(connection, busy).await;
        id
    }

    /// Adds a mailbox in a given state, unread so far.
    pub async fn connection(
        &self,
        user: Option<Id<ids::User>>,
        room: Option<Id<ids::Room>>,
        state: &str,
    ) -> Id<ids::Connection> {
        let n = self.count.fetch_add(1, Ordering::Relaxed);
        let row = entity::connection::Model {
            id: self.services.ids.make(),
            tenant_id: self.tenant,
            integration_id: self.integration,
            user_id: user,
            room_id: room,
            address: format!("box{n}@acme.example"),
            state: entity::Stored::from_text(state.to_owned()),
            reason: None,
            since: self.clock.now(),
            route: Route::Delegated.into(),
            capabilities: json!({
                "list": true, "freeBusy": true, "readDetails": true, "create": true, "update": true, "delete": true,
                "onlineMeetings": true
            }),
            time_zone: None,
            as_of: None,
            read_from: None,
            read_until: None,
            watermark: None,
            unreadable_count: 0,
            unknown_count: 0,
            unreadable: serde_json::json!([]),
            calendars: None,
            counted_calendars: None,
            failing_since: None,
            failing_code: None,
            failures: 0,
            retry_at: None,
            version: 1,
        };
        let id = row.id;
        self.insert(self.tenant, entity::connection::ActiveModel::from(row)).await;
        id
    }

    /// Stores a copy of a mailbox's calendar, from the day before to thirty days ahead, with these busy times.
    pub async fn read(&self, connection: Id<ids::Connection>, busy: &[TimeRange]) {
        let busy: Vec<BusyTime> =
            busy.iter().map(|range| BusyTime { range: *range, kind: BusyKind::Busy }).collect();
        self.read_kinds(connection, &busy).await;
    }

    /// Like [`Self::read`], with tentative times.
    pub async fn read_kinds(&self, connection: Id<ids::Connection>, busy: &[BusyTime]) {
        self.read_with(connection, busy, &[]).await;
    }

    /// Like [`Self::read`], with unreadable items.
    pub async fn read_with(
        &self,
        connection: Id<ids::Connection>,
        busy: &[BusyTime],
        unreadable: &[UnreadableItem],
    ) {
        let event = |(n, busy): (usize, &BusyTime)| Event {
            id: format!("event-{n}"),
            uid: format!("uid-{connection}-{n}"),
            version: "1".to_owned(),
            series: None,
            effect_key: None,
            title: Some("Meeting".to_owned()),
            range: busy.range,
            all_day: false,
            busy: Some(busy.kind),
            private: false,
            organiser: None,
            attendees: Vec::new(),
            online_meeting: None,
        };
        let copy = CalendarCopy {
            connection,
            window: range(start() - Duration::days(1), start() + Duration::days(30)),
            events: busy.iter().enumerate().map(event).collect(),
            unreadable: unreadable.to_vec(),
            as_of: self.clock.now(),
            watermark: None,
        };
        self.change(vec![Change::Calendar(Box::new(copy))]).await;
    }

    /// Applies changes as a workflow's step would.
    pub async fn change(&self, changes: Vec<Change>) {
        self.services.write(self.tenant, "test", changes).await.unwrap();
    }

    /// Gives the integration a service mailbox.
    pub async fn service_mailbox(&self) {
        let (integration, address) = (self.integration, "service@acme.example".to_owned());
        self.change(vec![Change::ServiceMailbox { integration, address, name: "Service".to_owned() }]).await;
    }

    /// The number of rows of `occupancy` that a booking has.
    pub async fn occupied(&self, booking: Id<ids::Booking>) -> usize {
        use sea_orm::{ColumnTrait, QueryFilter};
        let txn = self.services.store.read(self.tenant).await.unwrap();
        let rows = entity::occupancy::of(self.tenant);
        rows.filter(entity::occupancy::Column::BookingId.eq(booking)).all(&txn).await.unwrap().len()
    }
}

/// A booking of one user, without guests, rooms or buffers.
pub fn booking(organiser: Id<ids::User>, from: Timestamp, to: Timestamp) -> NewBooking {
    NewBooking {
        organiser,
        title: "Interview".to_owned(),
        description: String::new(),
        start: from,
        end: to,
        zone: "UTC".to_owned(),
        users: Vec::new(),
        rooms: Vec::new(),
        guests: Vec::new(),
        buffer_before_minutes: 0,
        buffer_after_minutes: 0,
        ignore_unknown: false,
        on_unreadable: services::availability::UnreadableItemPolicy::Offer,
        online_meeting: false,
    }
}

/// An unreadable item that blocks time, or whose times are unknown.
pub fn unreadable(uid: &str, blocks: bool) -> UnreadableItem {
    let reason = if blocks { UnreadableReason::Recurrence } else { UnreadableReason::NoTimes };
    UnreadableItem { uid: uid.to_owned(), reason, blocks }
}
