//! Detecting changes in calendars.

use async_trait::async_trait;
use domain::TimeRange;

use crate::{ChangeCheck, Changes, Result, Session};

/// Changes in a calendar since a cursor or watermark issued by the provider.
#[async_trait]
pub trait ChangeFeed: Send + Sync + std::fmt::Debug {
    /// One page of the changes in a calendar since a cursor. Without a cursor, everything that overlaps the time
    /// range, with series expanded; a cursor continues in the mailbox and window of its first call.
    /// [`crate::ErrorKind::Gone`] with [`crate::Remedy::Resync`] if the provider has forgotten the cursor: start again
    /// without a cursor.
    async fn changes(
        &self,
        session: &Session,
        mailbox: &str,
        window: TimeRange,
        cursor: Option<&str>,
    ) -> Result<Changes>;

    /// Whether anything has changed in a calendar since a watermark; one request if nothing has. Without a watermark,
    /// or with one that is forgotten or belongs to another window, returns [`ChangeCheck::Changed`] with a new one.
    /// May report a change outside the time range, but never misses one inside it.
    async fn poll_changes(
        &self,
        _session: &Session,
        _mailbox: &str,
        _window: TimeRange,
        _watermark: Option<&str>,
    ) -> Result<ChangeCheck> {
        Ok(ChangeCheck::Changed(None))
    }
}
