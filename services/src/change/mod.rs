//! What a step of a workflow wants written, as values.
//!
//! A step runs outside any transaction. What it wants to be true afterwards it returns as [`Change`]s, and the
//! committer writes them in the one transaction that also moves the run. Each kind has its own writer; changes of
//! one kind are written together.

mod bookings;
mod calendars;
mod campaigns;
mod failures;
mod integrations;
mod marks;
mod tenants;

use domain::state::Lane;
use queue::jobs;
use sea_orm::{DatabaseTransaction, prelude::Json};
use uuid::Uuid;

pub use bookings::{BookingChange, OwnEvent, Via};
pub(crate) use calendars::busy_word;
pub use calendars::{CalendarCopy, SameCalendar};
pub use campaigns::ItemResult;
pub use failures::MailboxFailure;
pub use integrations::{ConnectionChange, IntegrationChange, NewConnection, NewVerification, RoomList};
pub(crate) use integrations::{pending_connection, window};
pub use tenants::TenantLocale;

use crate::{
    Result, Services,
    audit::{self, Facts, Recorded},
    connect::domains,
    events,
    orders::Order,
    tx::After,
};

/// One thing that a step wants written.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// An integration's state and facts.
    Integration(IntegrationChange),
    /// A connection's state and facts.
    Connection(ConnectionChange),
    /// A failed attempt at a mailbox. A reading that succeeds ends its failures.
    Failure(MailboxFailure),
    /// Mailboxes that were found and are not known yet.
    NewConnections(Vec<NewConnection>),
    /// The rooms of an integration, as the directory lists them.
    Rooms(RoomList),
    /// A climbed ladder.
    Verification(NewVerification),
    /// What the directory tells of the tenant.
    Locale(TenantLocale),
    /// The organisation that an integration is bound to, as its directory tells it now.
    Organisation {
        /// The integration.
        integration: Uuid,
        /// The organisation.
        organisation: providers::Organisation,
    },
    /// A service mailbox that passed becomes the integration's current one.
    ServiceMailbox {
        /// The integration.
        integration: Uuid,
        /// The address.
        address: String,
        /// The name, for people.
        name: String,
    },
    /// A calendar's window, read anew.
    Calendar(Box<CalendarCopy>),
    /// Nothing has changed in a calendar since its copy was read.
    SameCalendar(SameCalendar),
    /// An event of our own in calendars that were read before: put there, moved, or taken out.
    OwnEvent(OwnEvent),
    /// One mailbox's result in a campaign.
    Item(ItemResult),
    /// A campaign for an integration, unless one is running.
    StartCampaign(Uuid),
    /// A campaign has every result.
    CampaignFinished(Uuid),
    /// A booking's state and facts.
    Booking(BookingChange),
    /// A run that follows.
    Order(Order, Lane),
    /// A signal to another run.
    Signal {
        /// The run.
        run: Uuid,
        /// The signal.
        name: &'static str,
        /// What it says.
        payload: Json,
    },
    /// Something for the audit log.
    Audit {
        /// Who.
        actor: String,
        /// What.
        action: &'static str,
        /// About what.
        subject: String,
        /// The facts; never a secret.
        details: Json,
    },
}

/// Writes changes of one tenant within a committer's transaction.
pub struct Writer<'a> {
    services: &'a Services,
    txn: &'a DatabaseTransaction,
    tenant: Uuid,
    at: domain::Timestamp,
    asked_by: &'a str,
    after: &'a mut After,
}

impl<'a> Writer<'a> {
    /// A writer for one run's changes. What is to be told afterwards is added to `after`.
    pub fn new(
        services: &'a Services,
        txn: &'a DatabaseTransaction,
        tenant: Uuid,
        asked_by: &'a str,
        after: &'a mut After,
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
            Change::Integration(change) => self.integration(change).await,
            Change::Connection(change) => self.connection(change).await,
            Change::Failure(failure) => Box::pin(self.failure(failure)).await,
            Change::NewConnections(found) => self.new_connections(found).await,
            Change::Rooms(list) => self.rooms(list).await,
            Change::Verification(verification) => self.verification(verification).await,
            Change::Locale(locale) => self.locale(locale).await,
            Change::Organisation { integration, organisation } => {
                domains::store(self.txn, self.tenant, integration, &organisation).await
            }
            Change::ServiceMailbox { integration, address, name } => {
                self.service_mailbox(integration, address, name).await
            }
            Change::Calendar(copy) => self.calendar(*copy).await,
            Change::SameCalendar(same) => self.same_calendar(same).await,
            Change::OwnEvent(event) => self.own_event(event).await,
            Change::Item(result) => self.item(result).await,
            Change::StartCampaign(integration) => self.start_campaign(integration).await,
            Change::CampaignFinished(campaign) => self.campaign_finished(campaign).await,
            Change::Booking(change) => self.booking(change).await,
            Change::Order(order, lane) => self.order(order, lane).await,
            Change::Signal { run, name, payload } => self.signal(run, name, payload).await,
            Change::Audit { actor, action, subject, details } => {
                self.audit(actor, action, subject, details);
                Ok(())
            }
        }
    }

    /// Tells subscribers that something changed.
    pub fn event(&mut self, topic: &'static str, subject: Uuid) {
        let event = events::row(&self.services.ids, self.tenant, topic, subject, self.at);
        self.after.events.push(event);
    }

    async fn order(&mut self, order: Order, lane: Lane) -> Result<()> {
        let run = order.into_run(self.services.ids.uuid(), self.tenant, self.asked_by, lane);
        let hints = jobs::order(self.txn, &[run], self.at).await?;
        self.after.hints.extend(hints);
        Ok(())
    }

    async fn signal(&mut self, run: Uuid, name: &str, payload: Json) -> Result<()> {
        let id = self.services.ids.uuid();
        let hint = jobs::signal(self.txn, id, (self.tenant, run), name, payload, self.at).await?;
        self.after.hints.extend(hint);
        Ok(())
    }

    fn audit(&mut self, actor: String, action: &'static str, subject: String, facts: impl Into<Facts>) {
        let (chain, facts, at) = (self.tenant, facts.into(), self.at);
        let request = audit::request();
        self.after.acts.push(Recorded { chain, actor, action, subject, facts, request, at });
    }
}

impl Services {
    /// Writes changes in a transaction of their own: how reconcilers write, which are no runs.
    pub async fn write(&self, tenant: Uuid, actor: &str, changes: Vec<Change>) -> Result<()> {
        let txn = self.store.write(tenant).await?;
        let mut after = After::default();
        Writer::new(self, &txn, tenant, actor, &mut after).write(changes).await?;
        after.store(self, &txn).await?;
        txn.commit().await?;
        after.tell(self).await;
        Ok(())
    }
}

/// A reason as it is stored.
pub(crate) fn reason_json(reason: Option<domain::Reason>) -> Option<Json> {
    reason.and_then(|reason| serde_json::to_value(reason).ok())
}
