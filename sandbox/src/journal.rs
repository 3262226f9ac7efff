//! The append-only journal of provider requests, which tests that kill a server use to verify the results.
//!
//! An entry is on disk before the response is sent, so the journal contains an entry for every response that a client
//! has received.

use std::{fs::File, path::Path, sync::Mutex};

use domain::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::{
    Error,
    store::{append_line, create_private_folder, open_log_file},
};

/// A provider request and its result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Sequence number, from 1.
    pub n: u64,
    /// Time of the request, by the sandbox's clock.
    pub at: Timestamp,
    /// Client id of the caller, if known.
    pub app: Option<String>,
    /// The HTTP method.
    pub method: String,
    /// The path, without the query.
    pub path: String,
    /// Email address of the mailbox that the request was about.
    pub mailbox: Option<String>,
    /// The effect key of a write.
    pub key: Option<String>,
    /// `created`, `updated`, `cancelled`, `deleted`, `read`, `duplicate`, `refused`, ...
    pub outcome: String,
    /// HTTP status; 0 if the connection was cut without a response.
    pub status: u16,
    /// Id of the event that the request was about.
    pub event_id: Option<String>,
}

/// The journal, in memory and optionally also in a file.
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
    /// Continues the journal in the file `path`; without a path it is kept in memory.
    pub fn open(path: Option<&Path>) -> Result<Self, Error> {
        let mut written = Written { entries: Vec::new(), file: None };
        if let Some(path) = path {
            if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
                create_private_folder(folder)?;
            }
            let (file, lines) = open_log_file(path)?;
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

    /// Assigns a sequence number to an entry and makes the entry durable.
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

    /// The entries with a sequence number greater than `n`.
    pub fn entries_after(&self, n: u64) -> Vec<Entry> {
        let written = self.written.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        written.entries.get(usize::try_from(n).unwrap_or(usize::MAX)..).unwrap_or_default().to_vec()
    }

    /// Waits until there is an entry with a sequence number greater than `n`.
    pub async fn wait_after(&self, n: u64) {
        // The sender lives as long as `self`, so waiting cannot fail.
        let _ = self.last.subscribe().wait_for(|last| *last > n).await;
    }
}
