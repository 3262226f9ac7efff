//! The append-only record of provider requests: the judge of every test that kills a server.
//!
//! A line is on the disk before the answer leaves, so whoever has seen an answer finds its line here.

use std::{fs::File, path::Path, sync::Mutex};

use domain::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::{
    Error,
    store::{append_line, open_lines, own_folder},
};

/// One provider request and what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Counts from 1.
    pub n: u64,
    /// When, by the sandbox's clock.
    pub at: Timestamp,
    /// The client id, as far as it was told.
    pub app: Option<String>,
    /// The HTTP method.
    pub method: String,
    /// The path, without the query.
    pub path: String,
    /// The address of the mailbox it was about.
    pub mailbox: Option<String>,
    /// For writes: what identifies the effect.
    pub key: Option<String>,
    /// `created`, `updated`, `cancelled`, `deleted`, `read`, `duplicate`, `refused`, ...
    pub outcome: String,
    /// The HTTP status; 0 when the connection was cut without an answer.
    pub status: u16,
    /// The event it was about.
    pub event_id: Option<String>,
}

/// The record.
#[derive(Debug)]
pub struct Journal {
    written: Mutex<Written>,
    last: watch::Sender<u64>,
}

#[derive(Debug)]
struct Written {
    entries: Vec<Entry>,
    file: Option<File>,
}

impl Journal {
    /// Continues the journal at `path`; without a path it lives in memory.
    pub fn open(path: Option<&Path>) -> Result<Self, Error> {
        let mut written = Written { entries: Vec::new(), file: None };
        if let Some(path) = path {
            if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
                own_folder(folder)?;
            }
            let (file, lines) = open_lines(path)?;
            for (number, line) in lines.iter().enumerate() {
                let entry = serde_json::from_str(line)
                    .map_err(|cause| Error::CorruptLog { line: number + 1, cause })?;
                written.entries.push(entry);
            }
            written.file = Some(file);
        }
        let last = watch::Sender::new(written.entries.len() as u64);
        Ok(Self { written: Mutex::new(written), last })
    }

    /// Numbers the entry and makes it last.
    pub fn append(&self, mut entry: Entry) -> Result<(), Error> {
        let mut written = self.written.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        entry.n = written.entries.len() as u64 + 1;
        if let Some(file) = &mut written.file {
            append_line(file, &entry)?;
        }
        self.last.send_replace(entry.n);
        written.entries.push(entry);
        Ok(())
    }

    /// The entries after the `n`-th.
    pub fn after(&self, n: u64) -> Vec<Entry> {
        let written = self.written.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        written.entries.get(usize::try_from(n).unwrap_or(usize::MAX)..).unwrap_or_default().to_vec()
    }

    /// Waits until there is an entry after the `n`-th.
    pub async fn wait_after(&self, n: u64) {
        // The sender lives as long as `self`, so waiting cannot fail.
        let _ = self.last.subscribe().wait_for(|last| *last > n).await;
    }
}
