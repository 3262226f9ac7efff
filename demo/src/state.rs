//! The objects that the demo has created, recorded as it proceeds.
//!
//! With `--state FILE` a restarted demo continues where it stopped: completed steps are not repeated, and partially
//! completed steps are repeated with the same idempotency keys.

use std::{collections::BTreeMap, io::Write as _, os::unix::fs::OpenOptionsExt as _, path::PathBuf};

use domain::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    error::{Error, Result},
    plan::Step,
};

/// A user of the tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// The user's id.
    pub id: String,
    /// The display name.
    pub name: String,
    /// The email address of the user's mailbox.
    pub address: String,
}

/// A meeting room of the tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Room {
    /// Identifier in the API, `rom_...`.
    pub id: String,
    /// The display name.
    pub name: String,
    /// The email address of the room's mailbox.
    pub address: String,
}

/// A slot that the API offered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slot {
    /// The start of the offered time.
    pub start: Timestamp,
    /// The end of the offered time, exclusive.
    pub end: Timestamp,
    /// The rooms that are free at that time.
    pub rooms: Vec<String>,
}

/// A booking that the demo made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BookingRecord {
    /// Identifier in the API, `bkg_...`.
    pub id: String,
    /// The title, unique per demo, by which the event is found.
    pub title: String,
    /// The email address of the mailbox whose calendar contains the event.
    pub mailbox: String,
    /// The email address of the room's mailbox.
    pub room: String,
    /// The UID shared by all copies of the event; `None` if the provider cannot be queried.
    pub uid: Option<String>,
}

/// Everything that the demo has created so far, as recorded in the file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CreatedObjects {
    /// Name that distinguishes this run of the demo from other runs on the same server.
    pub name: String,
    /// The id of the organisation at the provider's sandbox.
    pub organisation: Option<String>,
    /// The id of the tenant in Muster, `ten_...`; `None` before its creation.
    pub tenant: Option<String>,
    /// The URL of the latest invitation.
    pub link: Option<String>,
    /// The id of the integration, `int_...`; `None` before its creation.
    pub integration: Option<String>,
    /// The email address of the service mailbox, which receives the bookings of unreachable organisers; `None` until
    /// it is selected.
    pub service_mailbox: Option<String>,
    /// The people, in the order of the directory.
    pub people: Vec<Person>,
    /// The person whose mailbox is out of scope.
    pub outsider: Option<Person>,
    /// The person who is added at the end.
    pub newcomer: Option<Person>,
    /// The id of the bulk activation, `cmp_...`; `None` before it starts.
    pub campaign: Option<String>,
    /// The rooms, in the order of the API.
    pub rooms: Vec<Room>,
    /// The times that the API offered.
    pub slots: Vec<Slot>,
    /// The bookings, by their purpose.
    pub bookings: BTreeMap<String, BookingRecord>,
    /// The idempotency keys of all writes at the provider, by their purpose.
    pub keys: BTreeMap<String, String>,
    /// The service account of the organisation at the provider's sandbox; `None` if it has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// The service account's current password if the demo has changed it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
    /// The completed steps with their observed results.
    pub done: BTreeMap<String, String>,
}

/// [`CreatedObjects`], and the file that records it.
#[derive(Debug)]
pub struct State {
    /// The recorded objects, which [`State::save`] writes to the file.
    pub made: CreatedObjects,
    file: Option<PathBuf>,
}

impl State {
    /// Reads the file of an earlier run of the demo, or starts a new run called `name`.
    pub fn open(file: Option<PathBuf>, name: impl FnOnce() -> String) -> Result<Self> {
        let read = file.as_ref().map(std::fs::read_to_string);
        let made = match read {
            Some(Ok(text)) => serde_json::from_str(&text)
                .map_err(|error| at(file.as_ref(), std::io::Error::other(error)))?,
            Some(Err(error)) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(at(file.as_ref(), error));
            }
            _ => CreatedObjects { name: name(), ..CreatedObjects::default() },
        };
        let state = Self { made, file };
        state.save()?;
        Ok(state)
    }

    /// Writes the file atomically.
    pub fn save(&self) -> Result<()> {
        let Some(file) = &self.file else { return Ok(()) };
        let fresh = file.with_extension("partly");
        let text = serde_json::to_vec_pretty(&self.made).map_err(std::io::Error::other);
        let write = text.and_then(|text| {
            // Links and passwords are in it.
            let mut options = std::fs::OpenOptions::new();
            let mut out = options.write(true).create(true).truncate(true).mode(0o600).open(&fresh)?;
            out.write_all(&text)?;
            out.sync_all()?;
            std::fs::rename(&fresh, file)
        });
        write.map_err(|error| at(Some(file), error))
    }

    /// The idempotency key for a purpose; a repeated call returns the same key.
    pub fn idempotency_key(&mut self, what: &str) -> Result<String> {
        if let Some(key) = self.made.keys.get(what) {
            return Ok(key.clone());
        }
        let key = format!("{}-{what}", self.made.name);
        self.made.keys.insert(what.to_owned(), key.clone());
        self.save()?;
        Ok(key)
    }

    /// The result that an earlier run observed when it completed the step; `None` if it did not complete the step.
    pub fn recorded_result(&self, step: Step) -> Option<&str> {
        self.made.done.get(step.name()).map(String::as_str)
    }

    /// Records that a step is finished.
    pub fn record_result(&mut self, step: Step, note: &str) -> Result<()> {
        self.made.done.insert(step.name().to_owned(), note.to_owned());
        self.save()
    }
}

fn at(file: Option<&PathBuf>, source: std::io::Error) -> Error {
    Error::File { path: file.map(|file| file.display().to_string()).unwrap_or_default(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_demo_that_is_started_again_goes_on_with_what_it_had() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("demo.json");
        let mut first = State::open(Some(file.clone()), || "demo-1".to_owned()).unwrap();
        let key = first.idempotency_key("book").unwrap();
        first.made.tenant = Some("ten_1".to_owned());
        first.record_result(Step::CreateTenant, "made").unwrap();
        let mut second = State::open(Some(file), || "demo-2".to_owned()).unwrap();
        assert_eq!(second.made, first.made);
        assert_eq!(second.idempotency_key("book").unwrap(), key, "the key of a booking never changes");
        assert_eq!(second.recorded_result(Step::CreateTenant), Some("made"));
        assert_eq!(second.recorded_result(Step::Invite), None);
    }

    #[test]
    fn a_file_that_is_not_its_own_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("notes.txt");
        std::fs::write(&file, "shopping list").unwrap();
        assert!(State::open(Some(file.clone()), || "demo".to_owned()).is_err());
        assert_eq!(std::fs::read_to_string(file).unwrap(), "shopping list");
    }
}
