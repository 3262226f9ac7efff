//! What steps of workflows work with.
//!
//! Every step has a [`StepServices`]: it reads, and opens sessions with calendar systems. Nothing here leads to a
//! transaction, to a [`System`] or to the use cases of a noun, some of which commit for everybody. What a step wants
//! written is in its output. A step that must commit by itself has a [`StepCommits`] too, which the engine passes only
//! to functions whose row in the workflow's table is marked `commits`
//! (`a_step_commits_nothing_unless_its_table_says_so`).

mod bookings;
mod commits;
mod departures;
mod mailboxes;

use std::sync::Arc;

use domain::{Id, Reason, TimeRange, Timestamp, ids};
use entity::{connection, integration};
use providers::{Provider, Secret, Session};
use uuid::Uuid;

pub use self::commits::StepCommits;
use crate::{
    Change, Result, Settings, System, calendars, health,
    verification::{self, Report},
};

/// The reads and provider sessions of steps. Has no means to commit; see [`steps`](self). Cheap to clone.
#[derive(Debug, Clone)]
pub struct StepServices {
    /// Private, because it can do everything.
    system: System,
}

impl System {
    /// What steps read and call, for the engine's context of steps.
    pub fn for_steps(&self) -> StepServices {
        StepServices { system: self.clone() }
    }

    /// What steps commit whose row says so, for the engine's committing context.
    pub fn step_commits(&self) -> StepCommits {
        StepCommits::new(self.clone())
    }
}

impl StepServices {
    /// The current time.
    pub fn now(&self) -> Timestamp {
        self.system.now()
    }

    /// The operator's settings.
    pub fn settings(&self) -> &Settings {
        &self.system.settings
    }

    /// Makes an identifier to be stored by this step and sent to a provider by a later one.
    pub fn new_uuid(&self) -> Uuid {
        self.system.ids.uuid()
    }

    /// An integration of a tenant; `None` if it was removed.
    pub async fn integration(
        &self,
        tenant: Id<ids::Tenant>,
        id: Id<ids::Integration>,
    ) -> Result<Option<integration::Model>> {
        let rows = self.system.integrations().by_ids(self.system.tenant_scope(tenant), &[id]).await?;
        Ok(rows.into_iter().next())
    }

    /// A connection of a tenant; `None` if it was removed.
    pub async fn connection(
        &self,
        tenant: Id<ids::Tenant>,
        id: Id<ids::Connection>,
    ) -> Result<Option<connection::Model>> {
        let rows = self.system.connections().by_ids(self.system.tenant_scope(tenant), &[id]).await?;
        Ok(rows.into_iter().next())
    }

    /// Opens a session through the integration's service account. Refused while the integration is suspended or in a
    /// state that this version does not know.
    pub async fn open_session(
        &self,
        integration: &integration::Model,
    ) -> Result<(Arc<dyn Provider>, Session)> {
        self.system.grants().open_session(&self.system, integration, None).await
    }

    /// Opens a session for one mailbox, with its owner's own consent if there is one; see
    /// [`Grants::open_for_mailbox`](crate::grants::Grants::open_for_mailbox).
    pub async fn open_for_mailbox(
        &self,
        integration: &integration::Model,
        connection: &connection::Model,
    ) -> Result<(Arc<dyn Provider>, Session)> {
        self.system.grants().open_for_mailbox(&self.system, integration, connection).await
    }

    /// Opens a session with a consent that is not in effect yet, to try it.
    pub fn open_test_session(
        &self,
        integration: &integration::Model,
        secret: &Secret,
        account: &str,
        server: Option<url::Url>,
    ) -> Result<(Arc<dyn Provider>, Session)> {
        self.system.grants().open_test_session(&self.system, integration, secret, account, server)
    }

    /// The consent that the connect page stored for the integration's run, opened.
    pub async fn stored_consent(
        &self,
        tenant: Id<ids::Tenant>,
        integration: Id<ids::Integration>,
        session: Id<ids::ConnectSession>,
    ) -> Result<Secret> {
        self.system.connect().stored_consent(&self.system, tenant, integration, session).await
    }

    /// Verifies an integration; see [`verification::run`].
    pub async fn verify(
        &self,
        integration: &integration::Model,
        mailbox: Option<&str>,
        probe: Uuid,
    ) -> Result<Report> {
        verification::run(&self.system, integration, mailbox, probe).await
    }

    /// The window that copies of calendars cover; see [`calendars::calendar_copy_range`].
    pub fn calendar_copy_range(&self) -> TimeRange {
        calendars::calendar_copy_range(&self.system)
    }

    /// Builds the change that records a failed attempt to access a mailbox; see [`health::record_mailbox_failure`].
    pub fn record_mailbox_failure(
        &self,
        connection: &connection::Model,
        error: &providers::Error,
        counts: bool,
    ) -> Change {
        health::record_mailbox_failure(&self.system, connection, error, counts)
    }

    /// Builds the change that records a failed attempt to access a mailbox, for a run that could not continue.
    pub fn record_mailbox_failure_because(&self, connection: &connection::Model, reason: &Reason) -> Change {
        health::record_mailbox_failure_because(&self.system, connection, reason)
    }

    /// Whether a mailbox has been failing in this way for longer than one retry cycle.
    pub fn is_persistent_failure(&self, connection: &connection::Model, error: &providers::Error) -> bool {
        health::is_persistent_failure(&self.system, connection, error)
    }
}
