//! A whole installation on a fresh database, with a clock that stands still.

use std::{
    future::Future,
    sync::{Arc, atomic::AtomicU64},
};

use chrono::Duration;
use domain::{
    Id, Ids, StandardRole, TestClock, Timestamp, ids,
    state::{Feature, Plan},
};
use entity::{Logins, Store};
use providers::{caldav, exchange, google, microsoft};
use sea_orm::{ConnectionTrait, DatabaseConnection};
use services::{
    Anyone, Caller, Error, Settings, Staff, System, Vault, grants::Connectors, tenants::NewTenant,
    users::NewUser,
};
use testing::Database;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Makes each of these tests twice, over SQLite and over PostgreSQL.
macro_rules! on_both {
    ($($test:ident),* $(,)?) => {
        mod on_sqlite {
            $(#[tokio::test] async fn $test() { $crate::people::harness::on_sqlite(super::$test).await; })*
        }
        mod on_postgres {
            $(#[tokio::test] async fn $test() { $crate::people::harness::on_postgres(super::$test).await; })*
        }
    };
}

/// Runs a test on a file of its own.
pub async fn on_sqlite<F: Future<Output = ()>>(test: impl FnOnce(Harness) -> F) {
    let database = Database::sqlite();
    test(Harness::at(database.url()).await).await;
}

/// Runs a test on a database of its own.
pub async fn on_postgres<F: Future<Output = ()>>(test: impl FnOnce(Harness) -> F) {
    let database = Database::postgres().await;
    test(Harness::at(database.url()).await).await;
}

/// An installation with one vendor key.
pub struct Harness {
    pub services: System,
    pub clock: TestClock,
    pub vault: Vault,
    /// The database, as its owner.
    pub url: String,
    /// Its master key.
    pub master: [u8; 32],
    pub key: String,
    pub staff: Staff,
    /// How many statements were sent.
    pub statements: Arc<AtomicU64>,
}

impl Harness {
    async fn at(url: &str) -> Self {
        migration::up(&Store::connect_as_owner(url).await.unwrap()).await.unwrap();
        let statements = Arc::default();
        let store = Store::connect(&Logins::from_url(url), 4).await.unwrap().count_statements(&statements);
        let clock = TestClock::at(Timestamp::UNIX_EPOCH + Duration::days(20_400));
        let shared: domain::SharedClock = Arc::new(clock.clone());
        let ids = Ids::random(shared.clone());
        let (tracker, token) = (TaskTracker::new(), CancellationToken::new());
        let queue =
            lanes::connect("memory:", "people", shared.clone(), ids.clone(), &tracker, &token).unwrap();
        let master = ids.random_bytes();
        let vault = Vault::new(master, ids.clone());
        let settings = Settings::for_url("https://muster.example".parse().unwrap());
        let connectors = connectors(&shared, &ids);
        let services = System::new(store, shared, ids, queue, vault.clone(), connectors, settings);
        let (_, key) = services.keys().ensure_first_key(&services, None, "the first").await.unwrap().unwrap();
        let caller = services
            .access()
            .authenticate(Anyone, Some(&format!("Bearer {key}")), None)
            .await
            .unwrap()
            .caller;
        Self {
            services,
            clock,
            vault,
            master,
            key,
            staff: caller.allow_staff().unwrap(),
            statements,
            url: url.to_owned(),
        }
    }

    /// The database as its owner, past the services.
    pub async fn owner(&self) -> DatabaseConnection {
        Store::connect_as_owner(&self.url).await.unwrap()
    }

    /// Another node on the same database, with other keys.
    pub fn node(&self, vault: Vault) -> System {
        let own = &self.services;
        let ids = Ids::random(own.clock.clone());
        let (store, clock, queue) = (own.store.clone(), own.clock.clone(), own.queue.clone());
        System::new(store, clock, ids, queue, vault, Connectors::default(), own.settings.clone())
    }

    /// The same node over other connections.
    pub fn over(&self, store: Store) -> System {
        let own = &self.services;
        let (clock, queue, vault) = (own.clock.clone(), own.queue.clone(), own.vault.clone());
        let connectors = own.connectors.clone();
        System::new(store, clock, own.ids.clone(), queue, vault, connectors, own.settings.clone())
    }

    /// A tenant on the plan PLUS with the service account switched on.
    pub async fn tenant(&self, name: &str) -> Id<ids::Tenant> {
        let tenant = self.plain_tenant(name, Plan::Plus).await;
        self.services
            .tenants()
            .set_feature(&self.staff, tenant, Feature::ServiceAccount, true)
            .await
            .unwrap();
        tenant
    }

    /// A tenant for whom nothing is switched on.
    pub async fn plain_tenant(&self, name: &str, plan: Plan) -> Id<ids::Tenant> {
        let return_urls = vec![format!("https://{name}.example/settings")];
        let new = NewTenant { name: name.to_owned(), plan, return_urls, time_zone: None, language: None };
        self.services.tenants().create(&self.staff, new).await.unwrap().id
    }

    /// The vendor, acting for a tenant.
    pub async fn vendor(&self, tenant: Id<ids::Tenant>) -> Caller {
        let authorization = format!("Bearer {}", self.key);
        let named = tenant.to_string();
        let access = self.services.access();
        let known = access.authenticate(Anyone, Some(&authorization), Some(&named)).await.unwrap();
        known.caller
    }

    /// A new user with one role, as the user's own token shows the user.
    pub async fn caller(&self, tenant: Id<ids::Tenant>, role: StandardRole) -> Caller {
        let by = self.vendor(tenant).await;
        let role = self.role(tenant, role.as_str()).await;
        let mut new = person(&self.services.ids.uuid().simple().to_string());
        new.roles = vec![role];
        let user = self.services.users().create(&by.allow().unwrap(), new).await.unwrap();
        self.bearer(tenant, user.id).await
    }

    /// A user, as a fresh token shows the user.
    pub async fn bearer(&self, tenant: Id<ids::Tenant>, user: Id<ids::User>) -> Caller {
        let access = self.services.access();
        let token = access.issue(&self.staff, tenant, user, None).await.unwrap().token;
        access.authenticate(Anyone, Some(&format!("Bearer {token}")), None).await.unwrap().caller
    }

    /// A role of a tenant, by its name.
    pub async fn role(&self, tenant: Id<ids::Tenant>, name: &str) -> Id<ids::Role> {
        let roles = self.services.roles().list(&self.vendor(tenant).await.allow().unwrap()).await.unwrap();
        roles.iter().find(|role| role.name == name).unwrap().id
    }

    /// How many jobs a tenant has.
    pub async fn jobs(&self, tenant: Id<ids::Tenant>) -> usize {
        let txn = self.services.store.read(tenant).await.unwrap();
        let sql = "SELECT run_id FROM job WHERE tenant_id = $1";
        let backend = self.services.store.backend();
        let statement = sea_orm::Statement::from_sql_and_values(backend, sql, [tenant.into()]);
        txn.query_all_raw(statement).await.unwrap().len()
    }
}

/// Calendar systems that are nowhere: what is tested here calls nobody.
fn connectors(clock: &domain::SharedClock, ids: &Ids) -> Connectors {
    let client = http::Client::new(http::Config::default()).unwrap();
    let nowhere: url::Url = "https://nowhere.invalid/".parse().unwrap();
    let secret = microsoft::ClientCredential::Secret(ids.random_secret().into());
    let config = microsoft::Config::new(nowhere.clone(), nowhere.clone(), "client", secret);
    let graph = microsoft::Microsoft::new(config, client.clone(), clock.clone(), ids.clone());
    let ews = exchange::Exchange::new(exchange::Config::default(), client.clone(), ids.clone());
    let dav = caldav::CalDav::new(caldav::Config::default(), client.clone(), clock.clone(), ids.clone());
    let config = google::Config {
        token: nowhere.clone(),
        accounts: nowhere.clone(),
        calendar: nowhere.clone(),
        directory: nowhere,
        application: None,
        keyless: None,
    };
    let google = google::Google::new(config, client, clock.clone(), ids.clone());
    Connectors::default()
        .with_provider(Arc::new(google))
        .with_provider(Arc::new(graph))
        .with_provider(Arc::new(ews))
        .with_provider(Arc::new(dav))
}

/// A user named `name`.
pub fn person(name: &str) -> NewUser {
    NewUser { email: format!("{name}@acme.example"), name: name.to_owned(), ..NewUser::default() }
}

/// The code of a refusal.
pub fn refused<T: std::fmt::Debug>(answer: Result<T, Error>) -> &'static str {
    answer.expect_err("this must be refused").code()
}
