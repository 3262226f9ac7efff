//! The sandbox's state, and the log that makes it durable.
//!
//! Every mutation is a list of [`Change`]s, written as one line of JSON and fsynced before it is applied: a line is
//! complete or absent. At start the log is replayed; an incomplete last line, left by a process that died while
//! writing, is cut off. Changes contain complete records, so replaying needs no rules.

use std::{
    collections::BTreeMap,
    fs::{DirBuilder, File, OpenOptions},
    io::{BufRead, BufReader, Write},
    path::Path,
};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    Error,
    google::state as google,
    history::History,
    model::{
        Application, AuthorisationCode, Consent, DelaySettings, Event, ExchangeServiceAccount, Mail, Mailbox,
        Organisation, PendingResponse, PullSubscription, RefreshToken, Subscription,
    },
};

/// The calendar of a mailbox: the organisation's id and the mailbox's directory id.
pub type CalendarKey = (Uuid, String);

/// The whole state of the sandbox.
#[derive(Debug, Default)]
pub struct State {
    /// Organisations by tenant id.
    pub organisations: BTreeMap<Uuid, Organisation>,
    /// Applications by client id.
    pub applications: BTreeMap<String, Application>,
    /// Events by calendar and id.
    pub events: BTreeMap<CalendarKey, BTreeMap<String, Event>>,
    /// The order in which events were changed.
    pub history: History,
    /// The transaction ids used in each calendar, with their events; kept for ever.
    pub transactions: BTreeMap<(CalendarKey, String), String>,
    /// Responses of rooms that have not been sent yet, by the room's copy of the event.
    pub pending: BTreeMap<(CalendarKey, String), PendingResponse>,
    /// Mails by organisation.
    pub mails: BTreeMap<Uuid, Vec<Mail>>,
    /// Authorisation codes.
    pub codes: BTreeMap<String, AuthorisationCode>,
    /// Refresh tokens.
    pub refreshes: BTreeMap<String, RefreshToken>,
    /// Subscriptions by id.
    pub subscriptions: BTreeMap<String, Subscription>,
    /// Pull subscriptions by id.
    pub pulls: BTreeMap<String, PullSubscription>,
    /// Number of times that all access tokens were expired; tokens of an earlier epoch are invalid.
    pub token_epoch: u64,
    /// Time by which the sandbox's clock is ahead of its clock source, in milliseconds.
    pub offset_ms: i64,
    /// Time by which the clock of the token endpoints is ahead of the sandbox's clock, in seconds; negative if behind.
    pub token_skew_s: i64,
    /// The key that signs tokens: PKCS #8, base64; `None` until it is generated.
    pub signing_key: Option<String>,
    /// Service accounts of Exchange servers, by organisation.
    pub exchange_accounts: BTreeMap<Uuid, ExchangeServiceAccount>,
    /// State of the Google emulator.
    pub google: google::State,
}

/// One mutation of the state.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// A new organisation.
    Organisation(Box<Organisation>),
    /// A new or changed mailbox.
    Mailbox(Uuid, Mailbox),
    /// A new or changed consent of an application.
    Consent(Uuid, String, Consent),
    /// An organisation's delays.
    Settings(Uuid, DelaySettings),
    /// A new or changed application.
    Application(Application),
    /// A new or changed event.
    Event(CalendarKey, Box<Event>),
    /// Removes an event from a calendar, by its id.
    EventGone(CalendarKey, String),
    /// A response of a room is scheduled.
    Pending(PendingResponse),
    /// A room has responded, or its response is no longer due.
    PendingDone(CalendarKey, String),
    /// A mail was sent.
    Mail(Uuid, Mail),
    /// A new or redeemed code.
    Code(String, AuthorisationCode),
    /// A new refresh token.
    Refresh(String, RefreshToken),
    /// All refresh tokens of a client in an organisation become invalid; `None` for those of all clients.
    RefreshesGone(Option<(Uuid, String)>),
    /// A refresh token was withdrawn.
    RefreshGone(String),
    /// A new or changed subscription.
    Subscription(Subscription),
    /// Ends a Graph subscription, by its id.
    SubscriptionGone(String),
    /// A new pull subscription.
    Pull(PullSubscription),
    /// Ends a pull subscription, by its id.
    PullGone(String),
    /// All access tokens issued so far become invalid.
    TokensExpired,
    /// Advances the clock by this number of milliseconds.
    Advanced(i64),
    /// Shifts the clock of the token endpoints by this number of seconds.
    TokenSkew(i64),
    /// All sync cursors issued so far become invalid.
    CursorsForgotten,
    /// Stores the generated private half: PKCS #8, base64.
    SigningKey(String),
    /// A new or changed service account of an Exchange server.
    Technical(Uuid, ExchangeServiceAccount),
    /// A mutation of Google's state.
    Google(google::Change),
}

/// A change of an event, for subscribers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeNotification {
    /// The calendar that contains the event.
    pub owner: CalendarKey,
    /// The id of the changed copy.
    pub event: String,
    /// The copy's version after the change.
    pub etag: String,
    /// `created`, `updated` or `deleted`; `sync` for a new channel, whose id then replaces the event's.
    pub change: &'static str,
}

/// The state and its log.
#[derive(Debug)]
pub struct Store {
    state: State,
    log: Option<File>,
}

impl Store {
    /// Replays the log in the folder `data`, creating the folder if necessary; without a folder nothing is durable.
    pub fn open(data: Option<&Path>) -> Result<Self, Error> {
        let mut store = Self { state: State::default(), log: None };
        let Some(data) = data else { return Ok(store) };
        create_private_folder(data)?;
        let (file, lines) = open_log_file(&data.join("sandbox.log"))?;
        for (number, line) in lines.iter().enumerate() {
            let changes: Vec<Change> =
                serde_json::from_str(line).map_err(|cause| Error::CorruptLog { line: number + 1, cause })?;
            for change in changes {
                store.state.apply(change);
            }
        }
        store.log = Some(file);
        Ok(store)
    }

    /// The current state, with every committed change applied.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Makes the changes durable, then applies them. Returns the notifications for subscribers.
    pub fn commit(&mut self, changes: Vec<Change>) -> Result<Vec<ChangeNotification>, Error> {
        if changes.is_empty() {
            return Ok(Vec::new());
        }
        if let Some(log) = &mut self.log {
            append_line(log, &changes)?;
        }
        Ok(changes.into_iter().filter_map(|change| self.state.apply(change)).collect())
    }
}

impl State {
    /// The existing events of a calendar, ordered by id.
    pub fn calendar_events(&self, owner: &CalendarKey) -> impl Iterator<Item = &Event> {
        self.events.get(owner).into_iter().flat_map(BTreeMap::values)
    }

    fn apply(&mut self, change: Change) -> Option<ChangeNotification> {
        match change {
            Change::Event(owner, event) => return Some(self.put_event(owner, *event)),
            Change::EventGone(owner, id) => return self.remove_event(owner, &id),
            Change::Organisation(mut organisation) => {
                organisation.rebuild_index();
                self.organisations.insert(organisation.id, *organisation);
            }
            Change::Mailbox(tenant, mailbox) => self.change(tenant, |organisation| {
                organisation.mailboxes.insert(mailbox.id.clone(), mailbox);
                organisation.rebuild_index();
            }),
            Change::Consent(tenant, client, consent) => self.change(tenant, |organisation| {
                organisation.consents.insert(client, consent);
            }),
            Change::Settings(tenant, settings) => {
                self.change(tenant, |organisation| organisation.settings = settings);
            }
            Change::Application(app) => drop(self.applications.insert(app.client_id.clone(), app)),
            Change::Pending(pending) => {
                let key = ((pending.tenant, pending.room.clone()), pending.event.clone());
                self.pending.insert(key, pending);
            }
            Change::PendingDone(owner, event) => drop(self.pending.remove(&(owner, event))),
            Change::Mail(tenant, mail) => self.mails.entry(tenant).or_default().push(mail),
            Change::Code(code, record) => drop(self.codes.insert(code, record)),
            Change::Refresh(token, record) => drop(self.refreshes.insert(token, record)),
            Change::RefreshesGone(None) => self.refreshes.clear(),
            Change::RefreshesGone(Some((tenant, client))) => {
                self.refreshes
                    .retain(|_, held| held.grant.tenant != tenant || held.grant.client_id != client);
            }
            Change::Subscription(record) => drop(self.subscriptions.insert(record.id.clone(), record)),
            Change::SubscriptionGone(id) => drop(self.subscriptions.remove(&id)),
            Change::Pull(record) => drop(self.pulls.insert(record.id.clone(), record)),
            Change::PullGone(id) => drop(self.pulls.remove(&id)),
            Change::TokensExpired => self.token_epoch += 1,
            Change::CursorsForgotten => self.history.epoch += 1,
            Change::Advanced(by) => self.offset_ms += by,
            Change::TokenSkew(seconds) => self.token_skew_s = seconds,
            Change::SigningKey(key) => self.signing_key = Some(key),
            Change::Technical(tenant, account) => drop(self.exchange_accounts.insert(tenant, account)),
            Change::RefreshGone(token) => drop(self.refreshes.remove(&token)),
            Change::Google(change) => {
                let channel = self.google.apply(change)?;
                let etag = String::new();
                return Some(ChangeNotification {
                    owner: channel.owner,
                    event: channel.id,
                    etag,
                    change: "sync",
                });
            }
        }
        None
    }

    fn change(&mut self, tenant: Uuid, edit: impl FnOnce(&mut Organisation)) {
        if let Some(organisation) = self.organisations.get_mut(&tenant) {
            edit(organisation);
        }
    }

    fn put_event(&mut self, owner: CalendarKey, event: Event) -> ChangeNotification {
        if let (true, Some(key)) = (event.is_organizer, &event.transaction_id) {
            self.transactions.insert((owner.clone(), key.clone()), event.id.clone());
        }
        self.history.record_change(&owner, &event.id, None);
        let notice = ChangeNotification {
            owner: owner.clone(),
            event: event.id.clone(),
            etag: event.etag(),
            change: "updated",
        };
        let known = self.events.entry(owner).or_default().insert(event.id.clone(), event);
        ChangeNotification { change: if known.is_some() { "updated" } else { "created" }, ..notice }
    }

    fn remove_event(&mut self, owner: CalendarKey, id: &str) -> Option<ChangeNotification> {
        let event = self.events.get_mut(&owner)?.remove(id)?;
        self.history.record_change(&owner, id, Some(event.clone()));
        self.pending.remove(&(owner.clone(), id.to_owned()));
        Some(ChangeNotification { owner, etag: event.etag(), event: event.id, change: "deleted" })
    }
}

/// Creates a folder that only its owner can read; an existing folder is not changed.
pub(crate) fn create_private_folder(path: &Path) -> std::io::Result<()> {
    let mut folder = DirBuilder::new();
    folder.recursive(true);
    std::os::unix::fs::DirBuilderExt::mode(&mut folder, 0o700);
    folder.create(path)
}

/// Opens a log file for appending and reads its complete lines; an incomplete last line is removed. The file contains
/// tokens and keys, so access is restricted to its owner, also for an existing file.
pub fn open_log_file(path: &Path) -> Result<(File, Vec<String>), Error> {
    let mut options = OpenOptions::new();
    options.read(true).append(true).create(true);
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path)?;
    file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    let mut reader = BufReader::new(&file);
    let (mut lines, mut whole) = (Vec::new(), 0);
    loop {
        let mut line = Vec::new();
        let read = reader.read_until(b'\n', &mut line)?;
        if read == 0 || line.pop() != Some(b'\n') {
            break;
        }
        whole += read as u64;
        lines.push(String::from_utf8_lossy(&line).into_owned());
    }
    if file.metadata()?.len() > whole {
        file.set_len(whole)?;
        file.sync_data()?;
    }
    Ok((file, lines))
}

/// Appends a line and waits until it is on disk.
pub fn append_line(file: &mut File, value: &impl Serialize) -> Result<(), Error> {
    let mut line = serde_json::to_vec(value).map_err(std::io::Error::from)?;
    line.push(b'\n');
    file.write_all(&line)?;
    file.sync_data()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_that_ends_at_any_byte_gives_every_whole_line_and_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("sandbox.log");
        let mut store = Store::open(Some(folder.path())).unwrap();
        for _ in 0..3 {
            store.commit(vec![Change::TokensExpired, Change::Advanced(1)]).unwrap();
        }
        drop(store);
        let whole = std::fs::read(&log).unwrap();
        for length in 0..=whole.len() {
            std::fs::write(&log, &whole[..length]).unwrap();
            let lines = whole[..length].split(|byte| *byte == b'\n').count() as u64 - 1;
            let mut store = Store::open(Some(folder.path())).unwrap();
            let state = store.state();
            assert_eq!((state.token_epoch, state.offset_ms), (lines, lines as i64), "{length} bytes");
            store.commit(vec![Change::TokensExpired]).unwrap();
            drop(store);
            assert_eq!(Store::open(Some(folder.path())).unwrap().state().token_epoch, lines + 1);
        }
    }

    #[test]
    fn a_broken_line_in_the_middle_is_an_error_and_not_a_silent_loss() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("sandbox.log"), "[\"tokens_expired\"]\nrubbish\n[]\n").unwrap();
        let error = Store::open(Some(folder.path())).unwrap_err();
        assert!(matches!(error, Error::CorruptLog { line: 2, .. }), "{error}");
    }
}
