//! Unrestricted access to the use cases, for the engine, the reconcilers and the operator's commands.

use std::{ops::Deref, sync::Arc};

use domain::{Id, Ids, SharedClock, ids};
use entity::Store;
use lanes::Lanes;
use sea_orm::ConnectionTrait;

use crate::{
    Result, Services, Settings, TenantScope, Tx, Vault, WorkflowCatalogue, audit::INSTALLATION_CHAIN,
    grants::Connectors, vault::SealContext,
};

/// The use cases of a node together with their dependencies. This type gives unrestricted access to every tenant.
///
/// The root crate creates one for each node from a [`Store`]. `api` receives only the [`Services`] in it and cannot
/// create one, because it does not depend on `entity`, which defines the store. Cheap to clone.
#[derive(Debug, Clone)]
pub struct System(Arc<Parts>);

/// The parts of a [`System`].
#[derive(Debug)]
pub struct Parts {
    /// Access to the database.
    pub store: Store,
    /// Hints, fan-out and rate limits.
    pub queue: Lanes,
    /// The master keys.
    pub vault: Vault,
    services: Services,
}

impl Deref for System {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

impl Deref for Parts {
    type Target = Services;

    fn deref(&self) -> &Services {
        &self.services
    }
}

impl System {
    /// Builds the use cases from their parts.
    pub fn new(
        store: Store,
        clock: SharedClock,
        ids: Ids,
        queue: Lanes,
        vault: Vault,
        connectors: Connectors,
        settings: Settings,
    ) -> Self {
        let services =
            Services::new(store.clone(), clock, ids, queue.clone(), vault.clone(), connectors, settings);
        Self(Arc::new(Parts { store, queue, vault, services }))
    }

    /// The use cases alone, without unrestricted access; for `api`.
    pub fn services(&self) -> &Services {
        &self.services
    }

    /// Begins a transaction of one tenant.
    pub async fn begin(&self, tenant: Id<ids::Tenant>) -> Result<Tx> {
        self.services.begin(tenant).await
    }

    /// Begins a transaction that changes the installation, such as its keys. Its audit entries are added to the
    /// installation's chain.
    pub async fn begin_installation(&self) -> Result<Tx> {
        self.begin(INSTALLATION_CHAIN).await
    }

    /// The scope for looking up rows of a tenant.
    pub fn tenant_scope(&self, tenant: Id<ids::Tenant>) -> TenantScope {
        TenantScope::new(tenant)
    }

    /// Seals a secret of a tenant, in the transaction that stores it.
    pub async fn seal(
        &self,
        txn: &impl ConnectionTrait,
        context: SealContext,
        plain: &[u8],
    ) -> Result<Vec<u8>> {
        self.secrets().seal(txn, context, plain).await
    }

    /// Opens a sealed secret of a tenant.
    pub async fn open(&self, context: SealContext, sealed: &[u8]) -> Result<Vec<u8>> {
        self.secrets().open(context, sealed).await
    }

    /// Sets the descriptions of workflows; called once when a node is built.
    pub fn set_catalogue(&self, catalogue: Arc<dyn WorkflowCatalogue>) {
        self.services.set_catalogue(catalogue);
    }
}
