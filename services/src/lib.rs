//! Use cases, one file per noun.
//!
//! Every use case has the same shape: say no early; one transaction ([`tx::Tx`]); what follows (runs, signals,
//! events, audit) is written in the same transaction; commit; then wake-ups that may be lost. Each takes the proof
//! that its caller was asked for a permission ([`domain::Allowed`], [`domain::access::Staff`]), and every finder
//! begins with the tenant that the proof carries.

pub mod access;
pub mod audit;
pub mod availability;
pub mod bookings;
pub mod calendars;
pub mod campaigns;
pub mod catalogue;
pub mod change;
pub mod channels;
pub mod connect;
pub mod connections;
pub mod error;
pub mod events;
mod gate;
pub mod grants;
pub mod health;
pub mod idempotency;
pub mod integrations;
pub mod issuers;
pub mod keys;
pub mod ladder;
pub mod links;
pub mod orders;
pub mod page;
pub mod quotas;
pub mod roles;
pub mod rooms;
pub mod runs;
pub mod secrets;
pub mod service_accounts;
pub mod settings;
pub mod sign_in;
pub mod tenants;
mod text;
pub mod tx;
pub mod users;
pub mod vault;

use std::sync::{Arc, OnceLock};

use domain::{Ids, SharedClock, Timestamp};
use entity::Store;
use queue::Queue;
use uuid::Uuid;

pub use catalogue::Catalogue;
pub use change::Change;
pub use entity;
pub use error::{Error, Excess, Refusal};
pub use gate::OWN_LIMIT;
pub use page::{Page, PageArgs};
pub use providers;
pub use settings::Settings;
pub use tx::Tx;
pub use vault::Vault;

/// What every use case answers.
pub type Result<T> = std::result::Result<T, Error>;

/// Everything that use cases stand on. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Services(Arc<Inner>);

/// The parts of [`Services`].
#[derive(Debug)]
pub struct Inner {
    /// The database.
    pub store: Store,
    /// The time.
    pub clock: SharedClock,
    /// Ids and secrets.
    pub ids: Ids,
    /// Hints, fan-out and limits.
    pub queue: Queue,
    /// The master keys.
    pub vault: Vault,
    /// The connectors, by kind.
    pub connectors: grants::Connectors,
    /// What the operator configured.
    pub settings: Settings,
    /// What has the key of the audit.
    sealer: audit::Sealer,
    /// What this node remembers of who calls.
    identities: access::Identities,
    /// The key that signs access tokens, once it is known.
    signing: OnceLock<keys::Signing>,
    /// The workflows, once they are known.
    catalogue: OnceLock<Arc<dyn Catalogue>>,
}

impl std::ops::Deref for Services {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl Services {
    /// Puts the parts together.
    pub fn new(
        store: Store,
        clock: SharedClock,
        ids: Ids,
        queue: Queue,
        vault: Vault,
        connectors: grants::Connectors,
        settings: Settings,
    ) -> Self {
        let identities = access::Identities::new(&*queue.fanout);
        let sealer = audit::Sealer::new(vault.clone(), ids.clone());
        let (signing, catalogue) = (OnceLock::new(), OnceLock::new());
        Self(Arc::new(Inner {
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
        }))
    }

    /// The present time.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// A transaction of one tenant.
    pub async fn begin(&self, tenant: Uuid) -> Result<Tx> {
        Ok(Tx::new(self.clone(), self.store.write(tenant).await?, tenant))
    }

    /// A transaction of one tenant in which the vendor's staff act: what is recorded in it stands in the chains of the
    /// tenant and of the installation.
    pub async fn begin_as_staff(&self, tenant: Uuid) -> Result<Tx> {
        let txn = self.store.write_both([tenant, audit::INSTALLATION]).await?;
        Ok(Tx::new(self.clone(), txn, tenant).also_of_the_installation())
    }

    /// A transaction about what belongs to the installation: keys, signing keys. What is recorded in it stands in the
    /// installation's chain.
    pub async fn begin_installation(&self) -> Result<Tx> {
        self.begin(audit::INSTALLATION).await
    }

    /// Whether the database answers, and what is stored in it can be opened here.
    pub async fn is_ready(&self) -> bool {
        let opens = self.secrets().has_the_key_in_force().await;
        opens.is_ok_and(|opens| opens) && self.store.engine().ping().await.is_ok()
    }

    /// Tells which workflows there are; called once by whoever puts the node together.
    pub fn set_catalogue(&self, catalogue: Arc<dyn Catalogue>) {
        // A second call would come from a second assembly in one process; the first answer stays.
        let _already_set = self.0.catalogue.set(catalogue);
    }

    /// The workflows, for tables and diagrams.
    pub fn catalogue(&self) -> Option<&Arc<dyn Catalogue>> {
        self.0.catalogue.get()
    }
}

/// Opens one noun's use cases: `services.bookings().move_to(..)`.
macro_rules! nouns {
    ($($(#[$doc:meta])* $name:ident: $ty:ty),* $(,)?) => {
        impl Services {
            $($(#[$doc])* pub fn $name(&self) -> $ty { <$ty>::new(self.clone()) })*
        }
    };
}

nouns! {
    /// Who calls: keys, tokens, roles.
    access: access::Access,
    /// What was done, by whom.
    audit: audit::Audit,
    /// When people and rooms are free.
    availability: availability::Availability,
    /// Appointments.
    bookings: bookings::Bookings,
    /// Copies of calendars.
    calendars: calendars::Calendars,
    /// Bulk activations.
    campaigns: campaigns::Campaigns,
    /// Standing requests for pushes.
    channels: channels::Channels,
    /// The connect page's steps.
    connect: connect::Connect,
    /// Mailboxes.
    connections: connections::Connections,
    /// What subscribers watch.
    events: events::Events,
    /// The token broker.
    grants: grants::Grants,
    /// Links to calendar systems.
    integrations: integrations::Integrations,
    /// OpenID issuers.
    issuers: issuers::Issuers,
    /// Vendor keys and signing keys.
    keys: keys::Keys,
    /// Invitations for IT people.
    links: links::Links,
    /// How much callers may ask for.
    quotas: quotas::Quotas,
    /// Roles and permissions.
    roles: roles::Roles,
    /// Rooms.
    rooms: rooms::Rooms,
    /// Runs of workflows.
    runs: runs::Runs,
    /// What is secret at rest.
    secrets: secrets::Secrets,
    /// Service mailboxes.
    service_accounts: service_accounts::ServiceAccounts,
    /// The sign-in page's steps.
    sign_in: sign_in::SignIn,
    /// Customer organisations.
    tenants: tenants::Tenants,
    /// People.
    users: users::Users,
}

/// Declares the struct behind a noun.
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
