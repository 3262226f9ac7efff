//! Use cases, one module for each noun of the domain.
//!
//! Every use case has the same structure: refuse early; one transaction ([`tx::Tx`]); consequences (runs, signals,
//! events, audit) are written in the same transaction; commit; then notifications, which may be lost. Each use case
//! requires a proof of its caller ([`proof`]), and every finder is limited to the tenant that the proof contains.

pub mod access;
pub mod audit;
mod authority;
pub mod availability;
pub mod bookings;
pub mod calendars;
pub mod caller;
pub mod campaigns;
pub mod catalogue;
pub mod change;
pub mod channels;
pub mod connect;
pub mod connections;
mod customer_calls;
pub mod departure;
pub mod error;
pub mod events;
mod gate;
pub mod grants;
pub mod health;
pub mod idempotency;
pub mod integrations;
pub mod issuers;
mod keyed_semaphores;
pub mod keys;
pub mod links;
pub mod maintenance;
pub mod messages;
pub mod page;
pub mod proof;
pub mod quotas;
mod reader;
pub mod roles;
pub mod rooms;
pub mod rows;
pub mod run_inputs;
pub mod runs;
pub mod secrets;
pub mod service_accounts;
pub mod settings;
pub mod sign_in;
pub mod steps;
pub mod suspension;
mod system;
mod tenant_lock;
pub mod tenants;
mod text;
pub mod tx;
pub mod users;
pub mod vault;
pub mod verification;

use std::sync::{Arc, OnceLock};

use domain::{Id, Ids, SharedClock, Timestamp, ids};
use entity::{ReadTransaction, Store};
use lanes::Lanes;

use self::reader::RequestReader;
pub use caller::Caller;
pub use catalogue::WorkflowCatalogue;
pub use change::Change;
pub use domain::may;
pub use error::{Error, ExceededLimit, Refusal, RefusalMessage};
pub use gate::{OWN_RATE_LIMIT_CODE, SUSPENDED_REQUEST_CODE, SUSPENSION_PAUSE, is_unsent};
pub use page::{Page, PageArgs};
pub use proof::{Allowed, Anyone, Member, Own, OwnOr, Staff, TenantScope};
pub use providers;
pub use settings::Settings;
pub use steps::{StepCommits, StepServices};
pub use system::System;
pub use tx::Tx;
pub use vault::Vault;

/// Result of a use case.
pub type Result<T> = std::result::Result<T, Error>;

/// The dependencies of all use cases. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Services {
    inner: Arc<ServiceDependencies>,
    /// The read-only transaction of a request; `None` outside of requests, where every use case begins its own.
    reader: Option<Arc<RequestReader>>,
}

/// The parts of [`Services`].
#[derive(Debug)]
pub struct ServiceDependencies {
    /// Access to the database.
    pub(crate) store: Store,
    /// Source of the current time.
    pub clock: SharedClock,
    /// Source of ids and random secrets.
    pub ids: Ids,
    /// Hints, fan-out and rate limits.
    pub(crate) queue: Lanes,
    /// The master keys.
    pub(crate) vault: Vault,
    /// The connectors, by kind of calendar system.
    pub connectors: grants::Connectors,
    /// The operator's settings.
    pub settings: Settings,
    /// Provides the audit key.
    sealer: audit::AuditKeyProvider,
    /// This node's cache of authentication results.
    identities: access::IdentityCache,
    /// This node's cache of opened keys.
    signing: OnceLock<keys::OpenedKeyCache>,
    /// Descriptions of workflows; set after construction.
    catalogue: OnceLock<Arc<dyn WorkflowCatalogue>>,
    /// Limits the calls of this node that wait for customers' servers.
    foreign_calls: customer_calls::CustomerCalls,
    /// Serialises this node's transactions that lock the same tenant.
    tenant_locks: keyed_semaphores::KeyedSemaphores<Id<ids::Tenant>>,
    /// The share of each tenant's requests in this node's connections for reading, so that those of one tenant never use
    /// them up.
    read_shares: keyed_semaphores::KeyedSemaphores<Id<ids::Tenant>>,
    /// The share of each tenant in the connect pages of this node that are followed.
    followed_pages: keyed_semaphores::KeyedSemaphores<Id<ids::Tenant>>,
    /// Serialises calls to an issuer for sign-ins from the same address.
    sign_in_locks:
        keyed_semaphores::KeyedSemaphores<(std::net::IpAddr, domain::Id<domain::ids::OpenIdIssuer>)>,
}

/// Number of connect pages of one tenant that a node lets follow their progress.
const FOLLOWED_PAGES: usize = 16;

impl std::ops::Deref for Services {
    type Target = ServiceDependencies;

    fn deref(&self) -> &ServiceDependencies {
        &self.inner
    }
}

impl Services {
    pub(crate) fn new(
        store: Store,
        clock: SharedClock,
        ids: Ids,
        queue: Lanes,
        vault: Vault,
        connectors: grants::Connectors,
        settings: Settings,
    ) -> Self {
        let identities = access::IdentityCache::new(&*queue.fanout);
        let sealer = audit::AuditKeyProvider::new(vault.clone(), ids.clone());
        let (signing, catalogue) = (OnceLock::new(), OnceLock::new());
        let read_shares =
            keyed_semaphores::KeyedSemaphores::with_permits(store.reading_connections() as usize / 2);
        let inner = Arc::new(ServiceDependencies {
            store,
            clock,
            ids,
            queue,
            vault,
            connectors,
            settings,
            sealer,
            identities,
            signing,
            catalogue,
            foreign_calls: customer_calls::CustomerCalls::default(),
            tenant_locks: keyed_semaphores::KeyedSemaphores::default(),
            read_shares,
            followed_pages: keyed_semaphores::KeyedSemaphores::with_permits(FOLLOWED_PAGES),
            sign_in_locks: keyed_semaphores::KeyedSemaphores::default(),
        });
        Self { inner, reader: None }
    }

    /// Returns services for one request, whose reads share a transaction until a write or
    /// [`Services::end_read_transaction`].
    #[must_use]
    pub fn for_request(&self) -> Self {
        Self { inner: Arc::clone(&self.inner), reader: Some(Arc::default()) }
    }

    /// Returns services for work that outlasts a request, such as a subscription; they keep no transaction open.
    #[must_use]
    pub fn without_request(&self) -> Self {
        Self { inner: Arc::clone(&self.inner), reader: None }
    }

    /// Begins a read-only transaction for the rows of one tenant, or continues the one of the request.
    pub(crate) async fn read(&self, tenant: Id<ids::Tenant>) -> Result<ReadTransaction> {
        match &self.reader {
            Some(reader) => Ok(reader.read(&self.store, &self.read_shares, tenant).await?),
            None => Ok(self.store.read(tenant).await?),
        }
    }

    /// Ends the request's read-only transaction before the request waits for an external server.
    pub(crate) async fn release_read_transaction(&self) {
        if let Some(reader) = &self.reader {
            reader.release().await;
        }
    }

    /// Ends the read-only transaction of the request.
    pub async fn end_read_transaction(&self) {
        if let Some(reader) = &self.reader {
            reader.end().await;
        }
    }

    /// The current time.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Begins a transaction of one tenant.
    pub(crate) async fn begin(&self, tenant: Id<ids::Tenant>) -> Result<Tx> {
        self.end_read_transaction().await;
        Ok(Tx::new(self.clone(), self.store.write(tenant).await?, tenant))
    }

    /// Begins a transaction of one tenant for the vendor's staff: its audit entries are added to the chains of the
    /// tenant and of the installation.
    pub(crate) async fn begin_as_staff(&self, tenant: Id<ids::Tenant>) -> Result<Tx> {
        self.end_read_transaction().await;
        let txn = self.store.write_both([tenant, audit::INSTALLATION_CHAIN]).await?;
        Ok(Tx::new(self.clone(), txn, tenant).with_installation_audit())
    }

    /// Begins a transaction that changes the installation, such as its keys. Its audit entries are added to the
    /// installation's chain.
    pub(crate) async fn begin_installation(&self) -> Result<Tx> {
        self.begin(audit::INSTALLATION_CHAIN).await
    }

    /// Whether the database responds, and this node has the keys to decrypt its content.
    pub async fn is_ready(&self, _by: Anyone) -> bool {
        let opens = self.secrets().has_current_master_key().await;
        opens.is_ok_and(|opens| opens) && self.store.engine_connection().ping().await.is_ok()
    }

    pub(crate) fn set_catalogue(&self, catalogue: Arc<dyn WorkflowCatalogue>) {
        // A second call would come from a second assembly in one process; the first answer stays.
        let _already_set = self.catalogue.set(catalogue);
    }

    /// Descriptions of workflows, for tables and diagrams.
    pub fn catalogue(&self) -> Option<&Arc<dyn WorkflowCatalogue>> {
        self.catalogue.get()
    }
}

/// Declares the accessor for the use cases of each noun: `services.bookings().move_to(..)`.
macro_rules! nouns {
    ($($(#[$doc:meta])* $name:ident: $ty:ty),* $(,)?) => {
        impl Services {
            $($(#[$doc])* pub fn $name(&self) -> $ty { <$ty>::new(self.clone()) })*
        }
    };
}

nouns! {
    /// Authentication of callers by API keys and tokens.
    access: access::Access,
    /// The audit log.
    audit: audit::Audit,
    /// Free times of people and rooms.
    availability: availability::Availability,
    /// Bookings of meetings.
    bookings: bookings::Bookings,
    /// Bulk activations of mailboxes.
    campaigns: campaigns::Campaigns,
    /// Push channels.
    channels: channels::Channels,
    /// Steps of the connect page.
    connect: connect::Connect,
    /// Connections to mailboxes.
    connections: connections::Connections,
    /// Events for subscribers.
    events: events::Events,
    /// The token broker.
    grants: grants::Grants,
    /// Links to calendar systems.
    integrations: integrations::Integrations,
    /// OpenID issuers.
    issuers: issuers::Issuers,
    /// Vendor keys and signing keys.
    keys: keys::Keys,
    /// Invitations for IT administrators.
    links: links::Links,
    /// Quotas of callers.
    quotas: quotas::Quotas,
    /// Roles and permissions.
    roles: roles::Roles,
    /// Meeting rooms.
    rooms: rooms::Rooms,
    /// Runs of workflows.
    runs: runs::Runs,
    /// Encryption at rest.
    secrets: secrets::Secrets,
    /// Service mailboxes.
    service_accounts: service_accounts::ServiceAccounts,
    /// Steps of the sign-in page.
    sign_in: sign_in::SignIn,
    /// Customer organisations.
    tenants: tenants::Tenants,
    /// Periodic maintenance of connections.
    maintenance: maintenance::Maintenance,
    /// Users of a tenant.
    users: users::Users,
}

/// Declares the type that contains the use cases of a noun.
macro_rules! noun {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone)]
        pub struct $name {
            pub(crate) services: $crate::Services,
        }

        impl $name {
            pub(crate) fn new(services: $crate::Services) -> Self {
                Self { services }
            }
        }
    };
}
pub(crate) use noun;
