//! Change detection by revision numbers.

use async_trait::async_trait;
use domain::TimeRange;
use serde::{Deserialize, Serialize};

use super::{
    Memory, Method, PAGE, Request, messages,
    record::{StoredEvent, SystemState},
};
use crate::{ChangeCheck, ChangeFeed, Changes, Error, ErrorKind, Remedy, Result, Session};

/// A position in the sequence of changes of one mailbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Position {
    mailbox: String,
    window: TimeRange,
    epoch: u64,
    revision: u64,
}

#[async_trait]
impl ChangeFeed for Memory {
    async fn changes(
        &self,
        session: &Session,
        mailbox: &str,
        window: TimeRange,
        cursor: Option<&str>,
    ) -> Result<Changes> {
        let request = Request::new(Method::Changes, mailbox, session);
        self.call(session, request, |record| {
            record.require_mailbox(mailbox)?;
            match cursor {
                Some(cursor) => {
                    let position = record.read(cursor).filter(|position| position.mailbox == mailbox);
                    Ok(record.since(&position.ok_or_else(forgotten)?, false))
                }
                None => Ok(record.since(&record.position(mailbox, window, 0), true)),
            }
        })
        .await
    }

    async fn poll_changes(
        &self,
        session: &Session,
        mailbox: &str,
        window: TimeRange,
        watermark: Option<&str>,
    ) -> Result<ChangeCheck> {
        if !self.record().tells_changes {
            return Ok(ChangeCheck::Changed(None));
        }
        let request = Request::new(Method::PollChanges, mailbox, session);
        self.call(session, request, |record| {
            record.require_mailbox(mailbox)?;
            let known = watermark.and_then(|text| record.read(text));
            let known = known.filter(|known| known.mailbox == mailbox && known.window == window);
            let now = record.position(mailbox, window, record.revision).write();
            let is_same = known.is_some_and(|known| record.touched(&known).next().is_none());
            Ok(if is_same { ChangeCheck::Same(now) } else { ChangeCheck::Changed(Some(now)) })
        })
        .await
    }
}

impl Position {
    /// Serialises the position.
    fn write(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

impl SystemState {
    fn position(&self, mailbox: &str, window: TimeRange, revision: u64) -> Position {
        Position { mailbox: mailbox.to_owned(), window, epoch: self.epoch, revision }
    }

    /// Parses a position; `None` unless it was issued and is still valid.
    fn read(&self, text: &str) -> Option<Position> {
        let position: Position = serde_json::from_str(text).ok()?;
        Some(position).filter(|position| position.epoch == self.epoch && position.revision <= self.revision)
    }

    /// The events of a mailbox that changed since a position, including deleted ones.
    fn touched<'a>(&'a self, since: &'a Position) -> impl Iterator<Item = &'a StoredEvent> {
        let entries = self.entries.values().filter(|entry| entry.mailbox == since.mailbox);
        entries.filter(|entry| entry.revision > since.revision)
    }

    /// One page of changes, oldest first. `is_first` omits events that are deleted or outside the time range.
    fn since(&self, position: &Position, is_first: bool) -> Changes {
        let is_here = |entry: &&StoredEvent| !entry.deleted && entry.event.range.overlaps(&position.window);
        let mut touched: Vec<&StoredEvent> =
            self.touched(position).filter(|entry| !is_first || is_here(entry)).collect();
        touched.sort_by_key(|entry| entry.revision);
        let more = touched.len() > PAGE;
        touched.truncate(PAGE);
        let revision = match touched.last().filter(|_| more) {
            Some(last) => last.revision,
            None => self.revision,
        };
        let (changed, gone): (Vec<&StoredEvent>, Vec<&StoredEvent>) = touched.into_iter().partition(is_here);
        Changes {
            gone: gone.into_iter().map(|entry| entry.event.id.clone()).collect(),
            changed: changed.into_iter().map(|entry| entry.event.clone()).collect(),
            unreadable: Vec::new(),
            cursor: Position { revision, ..position.clone() }.write(),
            more,
        }
    }
}

fn forgotten() -> Error {
    let message = messages::memory_changes_forgotten();
    Error::new(ErrorKind::Gone, Remedy::Resync, "CURSOR_FORGOTTEN", message)
}
