//! What the demo has made, written down as it goes.
//!
//! With `--state FILE` a demo that is started again goes on where it was: steps that are done are not repeated, and
//! what may have been half done is done with the same keys.

use std::{collections::BTreeMap, io::Write as _, os::unix::fs::OpenOptionsExt as _, path::PathBuf};

use domain::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    error::{Error, Result},
    plan::Step,
};

/// A person of the tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// The user's id.
    pub id: String,
    /// The name.
    pub name: String,
    /// The mailbox.
    pub address: String,
}

/// A room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Room {
    /// The room's id.
    pub id: String,
    /// The name.
    pub name: String,
    /// The mailbox.
    pub address: String,
}

/// A time that was offered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slot {
    /// When it begins.
    pub start: Timestamp,
    /// When it ends.
    pub end: Timestamp,
    /// The rooms that are free then.
    pub rooms: Vec<String>,
}

/// A booking that was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Booked {
    /// Its id.
    pub id: String,
    /// The title that it is found by.
    pub title: String,
    /// The mailbox it is written to.
    pub mailbox: String,
    /// The room's mailbox.
    pub room: String,
    /// What all copies of the event share; absent where nobody can look.
    pub uid: Option<String>,
}

/// What was made.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Made {
    /// Distinguishes this demo from others on the same server.
    pub name: String,
    /// The organisation at the provider's sandbox.
    pub organisation: Option<String>,
    /// The tenant.
    pub tenant: Option<String>,
    /// The latest invitation.
    pub link: Option<String>,
    /// The integration.
    pub integration: Option<String>,
    /// The service mailbox.
    pub service_mailbox: Option<String>,
    /// The people, in the order of the directory.
    pub people: Vec<Person>,
    /// The one whose mailbox is out of reach.
    pub outsider: Option<Person>,
    /// The one who is added at the end.
    pub newcomer: Option<Person>,
    /// The campaign.
    pub campaign: Option<String>,
    /// The rooms.
    pub rooms: Vec<Room>,
    /// The times that were offered.
    pub slots: Vec<Slot>,
    /// The bookings, by what they are for.
    pub bookings: BTreeMap<String, Booked>,
    /// The keys of everything that is written at the provider, by what they are for.
    pub keys: BTreeMap<String, String>,
    /// The technical account of the organisation at the provider's sandbox, where it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// The technical account's password, once the demo changed it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
    /// The steps that are done, with what was seen.
    pub done: BTreeMap<String, String>,
}

/// [`Made`], and the file that it is kept in.
#[derive(Debug)]
pub struct State {
    /// What was made.
    pub made: Made,
    file: Option<PathBuf>,
}

impl State {
    /// Reads what an earlier run left, or begins with `name`.
    pub fn open(file: Option<PathBuf>, name: impl FnOnce() -> String) -> Result<Self> {
        let read = file.as_ref().map(std::fs::read_to_string);
        let made = match read {
            Some(Ok(text)) => serde_json::from_str(&text)
                .map_err(|error| at(file.as_ref(), std::io::Error::other(error)))?,
            Some(Err(error)) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(at(file.as_ref(), error));
            }
            _ => Made { name: name(), ..Made::default() },
        };
        let state = Self { made, file };
        state.keep()?;
        Ok(state)
    }

    /// Writes it down: whole or not at all.
    pub fn keep(&self) -> Result<()> {
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

    /// The idempotency key of something; the same at every repetition.
    pub fn key(&mut self, what: &str) -> Result<String> {
        if let Some(key) = self.made.keys.get(what) {
            return Ok(key.clone());
        }
        let key = format!("{}-{what}", self.made.name);
        self.made.keys.insert(what.to_owned(), key.clone());
        self.keep()?;
        Ok(key)
    }

    /// What was seen when the step was done by an earlier run.
    pub fn done(&self, step: Step) -> Option<&str> {
        self.made.done.get(step.name()).map(String::as_str)
    }

    /// Notes that a step is done.
    pub fn finish(&mut self, step: Step, note: &str) -> Result<()> {
        self.made.done.insert(step.name().to_owned(), note.to_owned());
        self.keep()
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
        let key = first.key("book").unwrap();
        first.made.tenant = Some("ten_1".to_owned());
        first.finish(Step::CreateTenant, "made").unwrap();
        let mut second = State::open(Some(file), || "demo-2".to_owned()).unwrap();
        assert_eq!(second.made, first.made);
        assert_eq!(second.key("book").unwrap(), key, "the key of a booking never changes");
        assert_eq!(second.done(Step::CreateTenant), Some("made"));
        assert_eq!(second.done(Step::Invite), None);
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
