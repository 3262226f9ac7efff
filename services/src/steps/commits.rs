//! What steps commit by themselves, because it takes locks or stores a secret.

use domain::{Id, ids};
use entity::{connection, integration};
use providers::{Organisation, Secret};

use crate::{
    Result, System,
    bookings::{BookingDetails, FoundEvent},
    campaigns,
    connect::ConsentSignal,
    departure::{Closing, Departing},
    run_inputs,
};

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

    /// Withdraws a consent completely, because the attempt has ended or an answer was corrected. Safe to call if it never
    /// took effect.
    pub async fn withdraw_consent(
        &self,
        tenant: Id<ids::Tenant>,
        integration: Id<ids::Integration>,
        is_corrected: bool,
    ) -> Result<()> {
        self.system.connect().withdraw(&self.system, tenant, integration, is_corrected).await
    }

    /// Deletes the consents that the connect page stored for an integration's run and that were not tried.
    pub async fn delete_consents_of_finished_run(
        &self,
        tenant: Id<ids::Tenant>,
        integration: Id<ids::Integration>,
    ) -> Result<()> {
        self.system.connect().delete_consents_of_finished_run(&self.system, tenant, integration).await
    }

    /// Takes over what was found of a booking's event, under the locks of its participants; see
    /// [`Bookings::follow`](crate::bookings::Bookings::follow).
    pub async fn follow_booking(&self, seen: &BookingDetails, found: &FoundEvent) -> Result<()> {
        self.system.bookings().follow(&self.system, seen, found).await
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

    /// Closes some of the channels of what departs; see [`Closing`].
    pub async fn close_channels(
        &self,
        tenant: Id<ids::Tenant>,
        departing: Departing,
        patient: bool,
    ) -> Result<Closing> {
        self.system.close_channels(tenant, departing, patient).await
    }

    /// Withdraws some of the consents of what departs at the provider, where it can.
    pub async fn revoke_consents(
        &self,
        tenant: Id<ids::Tenant>,
        departing: Departing,
        patient: bool,
    ) -> Result<Closing> {
        self.system.revoke_consents(tenant, departing, patient).await
    }

    /// Deletes what is stored of a disconnected mailbox.
    pub async fn delete_mailbox(
        &self,
        tenant: Id<ids::Tenant>,
        connection: Id<ids::Connection>,
    ) -> Result<()> {
        self.system.delete_mailbox(tenant, connection).await
    }

    /// Deletes some of the mailboxes of an integration that is being disconnected, with their copies.
    pub async fn delete_mailboxes(
        &self,
        tenant: Id<ids::Tenant>,
        integration: Id<ids::Integration>,
    ) -> Result<Closing> {
        self.system.delete_mailboxes(tenant, integration).await
    }

    /// Deletes what else is stored of an integration that is being disconnected; afterwards it is removed.
    pub async fn finish_disconnection(
        &self,
        tenant: Id<ids::Tenant>,
        integration: Id<ids::Integration>,
    ) -> Result<()> {
        self.system.finish_disconnection(tenant, integration).await
    }

    /// Destroys the data keys of a tenant that is being erased.
    pub async fn destroy_data_keys(&self, tenant: Id<ids::Tenant>) -> Result<()> {
        self.system.destroy_data_keys(tenant).await
    }

    /// Deletes some rows of a tenant that is being erased; the last ones with the tenant, its runs and its audit chain.
    pub async fn erase_rows(&self, tenant: Id<ids::Tenant>) -> Result<Closing> {
        self.system.erase_rows(tenant).await
    }
}
