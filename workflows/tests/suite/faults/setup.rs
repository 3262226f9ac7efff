//! One organisation and everything that it stands on. A setup is created once, kept as a template, and copied for every
//! fault.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard},
};

use domain::{
    CallerKind, Id, Ids, SharedClock, StandardRole, TestClock, Timestamp, ids,
    state::{Feature, Plan},
};
use entity::{Logins, Store, TrustedCode};
use providers::memory::Memory;
use sea_orm::EntityTrait;
use services::{
    Anyone, Caller, Settings, System, Vault, grants::Connectors, tenants::NewTenant, users::NewUser,
};
use testing::Database;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use workflows::{Engine, engine_with};

use crate::faults::{
    planted::{Armed, flows},
    system,
};

/// The people, with their mailboxes. The last one's is outside the agreed scope.
pub const PEOPLE: [&str; 3] = ["anna@acme.example", "ben@acme.example", "carl@acme.example"];

/// Which database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum On {
    Sqlite,
    Postgres,
}

/// What is remembered of a setup besides its database.
#[derive(Debug, Clone, Default)]
pub struct Notes {
    /// Users in the order of [`PEOPLE`].
    pub users: Vec<Id<ids::User>>,
    /// The integration, once there is one.
    pub integration: Id<ids::Integration>,
    /// Bookings in the order in which they were made.
    pub bookings: Vec<Id<ids::Booking>>,
    /// The cookie of the administrator's browser.
    pub cookie: String,
    /// What the page last reported of a consent.
    pub consented: serde_json::Value,
    /// The vendor's key.
    pub key: String,
    /// What was done once.
    pub done: BTreeSet<&'static str>,
}

/// An organisation.
pub struct Setup {
    pub services: System,
    pub engine: Engine,
    pub storage: runs::Storage,
    pub armed: Armed,
    pub clock: TestClock,
    pub system: Memory,
    pub tenant: Id<ids::Tenant>,
    notes: Mutex<Notes>,
    database: Database,
    seed: u64,
}

/// An organisation that can be copied.
pub struct Template {
    database: Database,
    system: Memory,
    tenant: Id<ids::Tenant>,
    notes: Notes,
    at: Timestamp,
    /// Of the ids of its copies.
    seed: u64,
}

impl Setup {
    /// An organisation with its people, that has connected nothing yet.
    pub async fn new(on: On) -> Self {
        let database = match on {
            On::Sqlite => Database::sqlite(),
            On::Postgres => Database::postgres().await,
        };
        let owner = Store::connect_as_owner(database.url()).await.unwrap();
        migration::up(&owner).await.unwrap();
        owner.close().await.unwrap();
        let monday = "2026-06-01T06:00:00Z".parse().unwrap();
        let memory = system::new();
        let mut setup = Self::at(database, memory, Id::nil(), Notes::default(), monday, 1).await;
        setup.tenant = setup.organisation().await;
        setup.store_admin().await;
        for address in PEOPLE {
            let new = NewUser {
                email: address.to_owned(),
                name: address.to_owned(),
                calendar_address: Some(address.to_owned()),
                ..NewUser::default()
            };
            let user = setup.services.users().create(&setup.admin().allow().unwrap(), new).await.unwrap();
            setup.notes().users.push(user.id);
        }
        setup
    }

    async fn at(
        database: Database,
        system: Memory,
        tenant: Id<ids::Tenant>,
        notes: Notes,
        at: Timestamp,
        seed: u64,
    ) -> Self {
        let clock = TestClock::at(at);
        let shared: SharedClock = Arc::new(clock.clone());
        let ids = Ids::seeded(Arc::clone(&shared), seed);
        let store = Store::connect(&Logins::from_url(database.url()), 2).await.unwrap();
        let (tracker, stop) = (TaskTracker::new(), CancellationToken::new());
        let queue =
            lanes::connect("memory:", "t", Arc::clone(&shared), ids.clone(), &tracker, &stop).unwrap();
        let vault = Vault::new([7; 32], ids.clone());
        let settings = Settings::for_url("http://localhost:8080".parse().unwrap());
        let connectors = Connectors::default().with_provider(Arc::new(system.clone()));
        let services = System::new(store, shared, ids, queue, vault, connectors, settings);
        let armed = Armed::default();
        let engine = engine_with(&services, "here", flows(&armed));
        let storage =
            runs::Storage::new(services.store.clone(), services.clock.clone(), services.ids.clone());
        let notes = Mutex::new(notes);
        Self { services, engine, storage, armed, clock, system, tenant, notes, database, seed }
    }

    async fn organisation(&self) -> Id<ids::Tenant> {
        let key = format!("muster_{}", self.services.ids.random_secret());
        self.services.keys().ensure_first_key(&self.services, Some(&key), "test").await.unwrap();
        self.notes().key = key;
        let staff = self.staff().await;
        let new = NewTenant {
            name: "Acme".to_owned(),
            plan: Plan::Plus,
            return_urls: Vec::new(),
            time_zone: None,
            language: None,
        };
        let id = self.services.tenants().create(&staff, new).await.unwrap().id;
        self.services.tenants().set_feature(&staff, id, Feature::ServiceAccount, true).await.unwrap();
        id
    }

    /// The vendor's staff.
    pub async fn staff(&self) -> services::Staff {
        let bearer = format!("Bearer {}", self.notes().key);
        let caller = self.services.access().authenticate(Anyone, Some(&bearer), None).await.unwrap().caller;
        caller.allow_staff().unwrap()
    }

    /// Stores [`Self::admin`], whom changes of access look up again.
    async fn store_admin(&self) {
        let by = self.admin().allow_own().unwrap();
        let tx = self.services.begin(self.tenant).await.unwrap();
        let roles = entity::role::of(self.tenant).all(tx.conn()).await.unwrap();
        let role = roles.iter().find(|role| role.name == StandardRole::Administrator.as_str()).unwrap();
        let user = entity::tenant_user::Model {
            id: by.user(),
            tenant_id: self.tenant,
            email_set_with: serde_json::json!([]),
            email: "admin@acme.example".to_owned(),
            name: "Admin".to_owned(),
            calendar_address: None,
            time_zone: None,
            tokens_since: None,
            version: 1,
            created_at: tx.now(),
        };
        let held = entity::user_role::Model { tenant_id: self.tenant, user_id: user.id, role_id: role.id };
        let user = entity::tenant_user::ActiveModel::from(user);
        entity::tenant_user::Entity::insert(user).exec_without_returning(tx.conn()).await.unwrap();
        let held = entity::user_role::ActiveModel::from(held);
        entity::user_role::Entity::insert(held).exec_without_returning(tx.conn()).await.unwrap();
        tx.commit().await.unwrap();
    }

    /// A caller of the organisation who may do everything within it.
    pub fn admin(&self) -> Caller {
        let kind = CallerKind::User(Id::from_uuid("0190a000-0000-7000-8000-00000000000a".parse().unwrap()));
        let permissions = StandardRole::Administrator.permissions();
        Caller::new(TrustedCode, kind, Some(self.tenant), permissions)
    }

    /// What is remembered of the setup.
    pub fn notes(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock().unwrap()
    }

    /// Whether something is done for the first time.
    pub fn once(&self, what: &'static str) -> bool {
        self.notes().done.insert(what)
    }

    async fn disconnect(&self) {
        // The writing one last: it puts everything into the one file that is copied.
        for pool in [self.services.store.installation_connection(), self.services.store.engine_connection()] {
            pool.clone().close().await.unwrap();
        }
    }

    /// Turns the setup into a template.
    pub async fn leave(self) -> Template {
        let at = self.services.now();
        self.disconnect().await;
        let (notes, seed) = (self.notes().clone(), self.seed + 1);
        Template { database: self.database, system: self.system, tenant: self.tenant, notes, at, seed }
    }

    /// Closes the setup's database connections.
    pub async fn close(self) {
        self.disconnect().await;
    }
}

impl Template {
    /// Creates a setup from the template.
    pub async fn open(&self) -> Setup {
        let database = self.database.copy().await;
        Setup::at(database, self.system.fork(), self.tenant, self.notes.clone(), self.at, self.seed).await
    }
}
