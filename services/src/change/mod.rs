//! Changes that workflow steps request, as values.
//!
//! A step is executed outside any transaction. It returns its writes as [`Change`]s, and the committer applies them in
//! the transaction that also updates the run, through [`runs::ChangeWriter`]. Each kind of change has its own writer.

mod bookings;
mod calendars;
mod campaigns;
mod failures;
mod integrations;
mod tenants;
mod unreadable_summary;

use async_trait::async_trait;
use domain::{
    AnyId, Id, ids,
    state::{Lane, RunStatus},
};
use runs::{ChangeWriter, CommittedRuns, Transition, WriteError};
use sea_orm::{DatabaseTransaction, prelude::Json};

pub use bookings::{BookingChange, OwnEvent, WriteTarget};
pub use calendars::{CalendarCopy, UnchangedCalendar};
pub use campaigns::ItemResult;
pub use failures::MailboxFailure;
pub use integrations::{ConnectionChange, IntegrationChange, NewConnection, RoomList, VerificationResult};
pub(crate) use integrations::{pending_connection, stored_copy_range};
pub use tenants::TenantLocale;

use crate::{
    Result, Services, System,
    audit::{self, AuditFacts, AuditRecord},
    connect::domains,
    events::topic,
    run_inputs::RunInput,
    tx::AfterCommit,
};

/// One write requested by a step.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// Changes an integration's state or data.
    Integration(IntegrationChange),
    /// Changes a connection's state or data.
    Connection(ConnectionChange),
    /// Records a failed attempt to access a mailbox. A successful read ends the mailbox's series of failures.
    Failure(MailboxFailure),
    /// Adds mailboxes that were found in the directory and are not stored yet.
    NewConnections(Vec<NewConnection>),
    /// Replaces the rooms of an integration by those in the directory.
    Rooms(RoomList),
    /// Stores the result of a verification.
    Verification(VerificationResult),
    /// Stores the tenant's locale from its directory.
    Locale(TenantLocale),
    /// Stores the current data of the organisation to which an integration is bound.
    Organisation {
        /// Identifier of the bound integration.
        integration: Id<ids::Integration>,
        /// Name, identifier and verified domains at the provider.
        organisation: providers::Organisation,
    },
    /// Makes a verified service mailbox the integration's current one.
    ServiceMailbox {
        /// Integration that owns the service mailbox.
        integration: Id<ids::Integration>,
        /// Email address of the mailbox.
        address: String,
        /// Display name of the mailbox.
        name: String,
    },
    /// Replaces a calendar's stored events with newly read ones.
    Calendar(Box<CalendarCopy>),
    /// Confirms that a calendar has not changed since its copy was read.
    UnchangedCalendar(UnchangedCalendar),
    /// Adds, moves or removes an event written by Muster in stored calendar copies.
    OwnEvent(OwnEvent),
    /// Records the result of a campaign for one mailbox.
    Item(ItemResult),
    /// Starts a campaign for an integration, unless one is running.
    StartCampaign(Id<ids::Integration>),
    /// Ends a campaign, once every item has a result.
    CampaignFinished(Id<ids::Campaign>),
    /// Changes the state or data of a booking.
    Booking(BookingChange),
    /// Enqueues a run.
    RunInput(RunInput, Lane),
    /// Sends a signal to another run.
    Signal {
        /// Identifier of the receiving run.
        run: Id<ids::Run>,
        /// One of the signals that the run's workflow accepts in its current state.
        name: &'static str,
        /// Data of the signal.
        payload: Json,
    },
    /// Requests that another run be stopped and its steps be undone; no change if it has ended.
    CancelRun(Id<ids::Run>),
    /// Adds an entry to the audit log.
    Audit {
        /// Who acted.
        actor: String,
        /// Kind of action.
        action: &'static str,
        /// Identifier of the changed object.
        subject: String,
        /// Facts about the action; never a secret.
        details: Json,
    },
}

/// The engine writes the changes that steps return through the [`System`] of its node.
#[async_trait]
impl ChangeWriter for System {
    type Change = Change;
    type AfterCommit = AfterCommit;

    /// The audit log attributes the writes to the run. If a run is quarantined, subscribers are notified.
    async fn write(
        &self,
        txn: &DatabaseTransaction,
        transition: &Transition,
        changes: &[Change],
        after: &mut AfterCommit,
    ) -> std::result::Result<(), WriteError> {
        let (run, tenant, asked_by) = (transition.run, transition.tenant, &transition.asked_by);
        let mut writer = Writer::new(self, txn, tenant, asked_by, after);
        audit::with_request_id(run.to_string(), writer.write(changes.to_vec())).await?;
        if transition.status == RunStatus::Quarantined {
            writer.add_event(topic::RUN_PARKED, run);
        }
        Ok(())
    }

    async fn store(
        &self,
        txn: &DatabaseTransaction,
        after: &mut AfterCommit,
    ) -> std::result::Result<(), WriteError> {
        Ok(after.store(self, txn).await?)
    }

    async fn publish(&self, after: Vec<AfterCommit>, runs: CommittedRuns) {
        let mut all = AfterCommit::default();
        for one in after {
            all.merge(one);
        }
        all.hints.extend(runs.hints);
        all.events.extend(runs.events);
        all.publish(self).await;
    }
}

/// Writes changes of one tenant within a committer's transaction.
pub struct Writer<'a> {
    services: &'a Services,
    txn: &'a DatabaseTransaction,
    tenant: Id<ids::Tenant>,
    at: domain::Timestamp,
    asked_by: &'a str,
    after: &'a mut AfterCommit,
}

impl<'a> Writer<'a> {
    /// Creates a writer for the changes of one run. Notifications to be sent after the commit are added to `after`.
    pub fn new(
        services: &'a Services,
        txn: &'a DatabaseTransaction,
        tenant: Id<ids::Tenant>,
        asked_by: &'a str,
        after: &'a mut AfterCommit,
    ) -> Self {
        Self { services, txn, tenant, at: services.now(), asked_by, after }
    }

    /// Writes the changes in their order.
    pub async fn write(&mut self, changes: Vec<Change>) -> Result<()> {
        for change in changes {
            self.one(change).await?;
        }
        Ok(())
    }

    async fn one(&mut self, change: Change) -> Result<()> {
        match change {
            Change::Integration(change) => self.write_integration(change).await,
            Change::Connection(change) => self.write_connection(change).await,
            Change::Failure(failure) => Box::pin(self.record_failure(failure)).await,
            Change::NewConnections(found) => self.insert_connections(found).await,
            Change::Rooms(list) => self.replace_rooms(list).await,
            Change::Verification(verification) => self.insert_verification(verification).await,
            Change::Locale(locale) => self.fill_locale(locale).await,
            Change::Organisation { integration, organisation } => {
                let connectors = &self.services.connectors;
                domains::store_domains(connectors, self.txn, self.tenant, integration, &organisation).await
            }
            Change::ServiceMailbox { integration, address, name } => {
                self.set_service_mailbox(integration, address, name).await
            }
            Change::Calendar(copy) => self.store_copy(*copy).await,
            Change::UnchangedCalendar(same) => self.confirm_unchanged(same).await,
            Change::OwnEvent(event) => self.write_own_event(event).await,
            Change::Item(result) => self.record_item_result(result).await,
            Change::StartCampaign(integration) => self.start_campaign(integration).await,
            Change::CampaignFinished(campaign) => self.finish_campaign(campaign).await,
            Change::Booking(change) => self.write_booking(change).await,
            Change::RunInput(order, lane) => self.enqueue(order, lane).await,
            Change::Signal { run, name, payload } => self.signal(run, name, payload).await,
            Change::CancelRun(run) => self.cancel_run(run).await,
            Change::Audit { actor, action, subject, details } => {
                self.audit(actor, action, subject, details);
                Ok(())
            }
        }
    }

    /// Notifies subscribers that something changed.
    pub fn add_event(&mut self, topic: domain::Topic, subject: impl Into<AnyId>) {
        let event = entity::event_log::new(&self.services.ids, self.tenant, topic, subject.into(), self.at);
        self.after.events.push(event);
    }

    async fn enqueue(&mut self, order: RunInput, lane: Lane) -> Result<()> {
        let run = order.into_run(self.services.ids.make(), self.tenant, self.asked_by, lane);
        let hints = runs::enqueue(self.txn, &[run], self.at).await?;
        self.after.hints.extend(hints);
        Ok(())
    }

    async fn signal(&mut self, run: Id<ids::Run>, name: &str, payload: Json) -> Result<()> {
        let id = self.services.ids.make();
        let hint = runs::signal(self.txn, id, (self.tenant, run), name, payload, self.at).await?;
        self.after.hints.extend(hint);
        Ok(())
    }

    async fn cancel_run(&mut self, run: Id<ids::Run>) -> Result<()> {
        let hint = runs::request_cancel(self.txn, self.tenant, run, self.at).await?;
        self.after.hints.extend(hint);
        Ok(())
    }

    fn audit(&mut self, actor: String, action: &'static str, subject: String, facts: impl Into<AuditFacts>) {
        let (chain, facts, at) = (self.tenant, facts.into(), self.at);
        let request = audit::current_request_id();
        self.after.acts.push(AuditRecord { chain, actor, action, subject, facts, request, at });
    }
}

impl System {
    /// Writes changes in a separate transaction; called by reconcilers, which are not runs.
    pub async fn write(&self, tenant: Id<ids::Tenant>, actor: &str, changes: Vec<Change>) -> Result<()> {
        let txn = self.store.write(tenant).await?;
        let mut after = AfterCommit::default();
        Writer::new(self.services(), &txn, tenant, actor, &mut after).write(changes).await?;
        after.store(self, &txn).await?;
        txn.commit().await?;
        after.publish(self).await;
        Ok(())
    }
}

/// Serialises a reason for storage.
pub(crate) fn reason_to_json(reason: Option<domain::Reason>) -> Option<Json> {
    reason.and_then(|reason| serde_json::to_value(reason).ok())
}
