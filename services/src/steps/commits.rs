//! What steps commit by themselves, because it takes locks or stores a secret.

use domain::{Id, ids};
use entity::{connection, integration};
use providers::{Organisation, Secret};

use crate::{Result, System, campaigns, connect::ConsentSignal, run_inputs};

/// The use cases that commit for steps. Each commits a transaction of its own, so it must be safe to repeat.
#[derive(Debug, Clone)]
pub struct StepCommits {
    /// Private, because it can do everything.
    system: System,
}

impl StepCommits {
    pub(super) fn new(system: System) -> Self {
        Self { system }
    }

    /// Makes a tried consent permanent, under the tenant's lock; see
    /// [`Connect::activate_consent`](crate::connect::Connect::activate_consent).
    pub async fn activate_consent(
        &self,
        integration: &integration::Model,
        consented: &ConsentSignal,
        secret: &Secret,
        organisation: &Organisation,
    ) -> Result<()> {
        let connect = self.system.connect();
        connect.activate_consent(&self.system, integration, consented, secret, organisation).await
    }

    /// Withdraws a consent completely. Safe to call if it never took effect.
    pub async fn withdraw_consent(
        &self,
        tenant: Id<ids::Tenant>,
        integration: Id<ids::Integration>,
    ) -> Result<()> {
        self.system.connect().withdraw(&self.system, tenant, integration).await
    }

    /// Deletes the consents that the connect page stored for an integration's run and that were not tried.
    pub async fn delete_consents_of_finished_run(
        &self,
        tenant: Id<ids::Tenant>,
        integration: Id<ids::Integration>,
    ) -> Result<()> {
        self.system.connect().delete_consents_of_finished_run(&self.system, tenant, integration).await
    }

    /// Lists the mailboxes that a campaign must activate and enqueues their activations; see
    /// [`campaigns::enqueue_activations`]. Returns the number of mailboxes.
    pub async fn enqueue_activations(
        &self,
        tenant: Id<ids::Tenant>,
        campaign: &run_inputs::Campaign,
        actor: &str,
    ) -> Result<usize> {
        campaigns::enqueue_activations(&self.system, tenant, campaign, actor).await
    }

    /// Opens the push channel of a connection, or renews it, and stores its secret.
    pub async fn open_or_renew_channel(&self, connection: &connection::Model) -> Result<()> {
        self.system.channels().open_or_renew(&self.system, connection).await
    }
}
