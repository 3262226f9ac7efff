//! The ladder of checks: does the connection work, and for whom.
//!
//! Every check has a verdict, evidence and the next action. A rung that fails makes the ones above it `SKIPPED`: an
//! unreachable system says nothing about its rooms. Read **and** write are proven, the latter by two probe events at
//! the same time in the service mailbox, which are removed again (S2.6, S4.4).

use domain::{
    BusyKind, TimeRange,
    state::{ConnectionState, Verdict},
};
use futures::StreamExt;
use providers::{Error, ErrorKind, NewEvent, Party, Provider, Remedy, RoomInfo, Session};
use sea_orm::{ColumnTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{Result, Services};

/// How many rooms are looked at at the same time.
const ROOMS_AT_ONCE: usize = 8;
/// How many mailboxes with items that cannot be read are named one by one.
const MARKED: u64 = 20;
/// How many pairs of probe events are tried: one, and one for each earlier climb that died while removing its own.
const PROBES: usize = 5;

/// One check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Check {
    /// Its name, in upper-case words.
    pub name: String,
    /// The mailbox it is about, if it is about one.
    pub mailbox: Option<String>,
    /// The verdict.
    pub verdict: Verdict,
    /// What was seen.
    pub evidence: String,
    /// What to do, where something is to be done.
    pub next_action: Option<String>,
}

/// A climbed ladder.
#[derive(Debug, Clone)]
pub struct Climb {
    /// The checks, in the order in which they were made.
    pub checks: Vec<Check>,
    /// The rooms that the directory lists.
    pub rooms: Vec<RoomInfo>,
    /// The organisation, if it was reached.
    pub organisation: Option<providers::Organisation>,
    /// The name of the service mailbox, if one was proven.
    pub service_name: Option<String>,
    /// The first error that a later climb may not meet: the whole climb should be made again.
    pub again: Option<Error>,
    /// Permissions are missing that a fresh consent may not have spread yet. Never where what is permitted is in force at
    /// once.
    pub spreading: bool,
}

impl Climb {
    /// The verdict of the whole: the worst of its checks, where what was skipped does not count.
    pub fn verdict(&self) -> Verdict {
        let has = |verdict| self.checks.iter().any(|check| check.verdict == verdict);
        match () {
            () if has(Verdict::Failed) => Verdict::Failed,
            () if has(Verdict::Warned) => Verdict::Warned,
            () => Verdict::Passed,
        }
    }

    /// The first failed check.
    pub fn failure(&self) -> Option<&Check> {
        self.checks.iter().find(|check| check.verdict == Verdict::Failed)
    }
}

/// Climbs the ladder of an integration. `mailbox` is the service mailbox to prove; `probe` begins the effect keys of
/// the probe events and was stored before, so that a climb that died half-way leaves nothing.
pub async fn climb(
    services: &Services,
    integration: &entity::integration::Model,
    mailbox: Option<&str>,
    probe: Uuid,
) -> Result<Climb> {
    let (provider, session) = services.grants().session(integration, None).await?;
    let mut ladder = Ladder {
        services,
        provider: &*provider,
        session: &session,
        climb: Climb {
            checks: Vec::new(),
            rooms: Vec::new(),
            organisation: None,
            service_name: None,
            again: None,
            spreading: false,
        },
    };
    if ladder.reach(integration).await && ladder.directory().await {
        ladder.service_mailbox(mailbox, probe).await;
        ladder.each_room().await;
        ladder.unreadable(integration).await?;
    } else {
        for name in ["SERVICE_MAILBOX", "WRITE", "ROOMS"] {
            ladder.note(name, None, Verdict::Skipped, "An earlier check failed.", None);
        }
    }
    Ok(ladder.climb)
}

struct Ladder<'a> {
    services: &'a Services,
    provider: &'a dyn Provider,
    session: &'a Session,
    climb: Climb,
}

impl Ladder<'_> {
    fn note(
        &mut self,
        name: &str,
        mailbox: Option<&str>,
        verdict: Verdict,
        evidence: impl Into<String>,
        next: Option<&str>,
    ) {
        self.climb.checks.push(Check {
            name: name.to_owned(),
            mailbox: mailbox.map(str::to_owned),
            verdict,
            evidence: evidence.into(),
            next_action: next.map(str::to_owned),
        });
    }

    /// Notes a failed check. Whether it is failed or only to be repeated is the remedy's to say.
    fn fail(&mut self, name: &str, mailbox: Option<&str>, error: &Error, next: &str) {
        if matches!(error.remedy, Remedy::RetryAfter(_)) && self.climb.again.is_none() {
            self.climb.again = Some(error.clone());
        }
        if self.provider.offers().propagates
            && matches!(error.kind, ErrorKind::GrantLost | ErrorKind::TokenRefused | ErrorKind::OutOfScope)
        {
            self.climb.spreading = true;
        }
        let evidence = format!("{} ({})", error.message, error.code);
        self.note(name, mailbox, Verdict::Failed, evidence, Some(next));
    }

    /// Is the system there, are we let in, and is it still the same organisation? Unreachable is told apart from
    /// refused.
    async fn reach(&mut self, integration: &entity::integration::Model) -> bool {
        let organisation = match self.provider.organisation(self.session).await {
            Ok(organisation) => organisation,
            Err(error) => {
                let (name, next) = match error.kind {
                    ErrorKind::Unavailable | ErrorKind::Throttled => {
                        ("REACHABLE", "Check that the calendar system can be reached from the internet.")
                    }
                    _ => {
                        let next = error.operators_action();
                        let again = "Connect the calendar system again, as an administrator.";
                        ("ACCEPTED", next.unwrap_or(again))
                    }
                };
                self.fail(name, None, &error, next);
                return false;
            }
        };
        self.note("REACHABLE", None, Verdict::Passed, "The calendar system answers.", None);
        self.note("ACCEPTED", None, Verdict::Passed, "The calendar system lets us in.", None);
        let same = integration.external_tenant.as_deref().is_none_or(|known| known == organisation.id);
        let verdict = if same { Verdict::Passed } else { Verdict::Failed };
        let evidence = format!("It belongs to {}.", organisation.name);
        let next = (!same).then_some("Connect with an account of the organisation that was connected first.");
        self.note("ORGANISATION", None, verdict, evidence, next);
        self.climb.organisation = Some(organisation);
        same
    }

    /// Are people and rooms listed?
    async fn directory(&mut self) -> bool {
        match self.provider.people(self.session, None).await {
            Ok(page) => {
                let more = if page.next.is_some() { " or more" } else { "" };
                let evidence = format!("{}{more} people are listed.", page.items.len());
                self.note("PEOPLE", None, Verdict::Passed, evidence, None);
            }
            Err(error) => {
                self.fail(
                    "PEOPLE",
                    None,
                    &error,
                    "Grant the permission to list the people of the organisation.",
                );
                return false;
            }
        }
        let mut after = None;
        loop {
            match self.provider.rooms(self.session, after.as_deref()).await {
                Ok(page) => {
                    self.climb.rooms.extend(page.items);
                    after = page.next;
                    if after.is_none() {
                        return true;
                    }
                }
                Err(error) => {
                    self.fail(
                        "ROOMS",
                        None,
                        &error,
                        "Grant the permission to list the rooms of the organisation.",
                    );
                    return false;
                }
            }
        }
    }

    /// Does the service mailbox exist, and does it take two events at the same time?
    async fn service_mailbox(&mut self, mailbox: Option<&str>, probe: Uuid) {
        let Some(address) = mailbox else {
            let next = "Add a service mailbox, so that bookings are possible for people whose mailbox cannot be reached.";
            self.note("SERVICE_MAILBOX", None, Verdict::Warned, "No service mailbox is chosen.", Some(next));
            return self.note(
                "WRITE",
                None,
                Verdict::Skipped,
                "There is no service mailbox to write to.",
                None,
            );
        };
        let found = match self.provider.mailbox(self.session, address).await {
            Ok(found) => found,
            Err(error) => {
                let next = "Check the address, and that the mailbox lies within the agreed scope.";
                self.fail("SERVICE_MAILBOX", Some(address), &error, next);
                return self.note(
                    "WRITE",
                    Some(address),
                    Verdict::Skipped,
                    "The mailbox was not found.",
                    None,
                );
            }
        };
        self.climb.service_name = Some(found.name.clone());
        let evidence = format!("The mailbox of {} is there.", found.name);
        self.note("SERVICE_MAILBOX", Some(address), Verdict::Passed, evidence, None);
        match self.probe(address, &found.name, probe).await {
            Ok(()) => {
                let evidence = "Two events at the same time were written and removed again.";
                self.note("WRITE", Some(address), Verdict::Passed, evidence, None);
            }
            Err(error) => {
                let next = "Allow writing to this mailbox, and overlapping events in it.";
                self.fail("WRITE", Some(address), &error, next);
            }
        }
    }

    /// Writes two overlapping events and removes them. What an earlier, broken climb left is found by its keys; where
    /// it had begun to remove, its keys are used up for good at some providers, and the next pair is taken.
    async fn probe(&self, address: &str, name: &str, probe: Uuid) -> providers::Result<()> {
        let mut keys: Vec<String> = Vec::new();
        let mut proven = Ok(());
        for round in 1..=PROBES {
            let pair = [2 * round - 1, 2 * round].map(|number| format!("{}-probe-{number}", probe.simple()));
            keys.extend_from_slice(&pair);
            proven = self.write_both(address, name, &pair).await;
            if !matches!(&proven, Err(error) if error.kind == ErrorKind::Gone) {
                break;
            }
        }
        for key in &keys {
            if let Some(event) = self.provider.find_event(self.session, address, key).await? {
                self.provider.delete_event(self.session, address, &event.id).await?;
            }
        }
        proven
    }

    async fn write_both(&self, address: &str, name: &str, keys: &[String]) -> providers::Result<()> {
        for key in keys {
            let event = self.probe_event(address, name, key);
            self.provider.create_event(self.session, address, &event).await?;
        }
        self.both_are_there(address, keys).await
    }

    async fn both_are_there(&self, address: &str, keys: &[String]) -> providers::Result<()> {
        for key in keys {
            if self.provider.find_event(self.session, address, key).await?.is_none() {
                let message =
                    "An event that was written is not there: the mailbox does not keep overlapping events.";
                return Err(Error::new(ErrorKind::Invalid, Remedy::Never, "probe_missing", message));
            }
        }
        Ok(())
    }

    fn probe_event(&self, address: &str, name: &str, key: &str) -> NewEvent {
        let day = crate::calendars::window(self.services).end - chrono::Duration::days(2);
        NewEvent {
            effect_key: key.to_owned(),
            title: "Connection test".to_owned(),
            text: "This entry tests that appointments can be written. It removes itself.".to_owned(),
            range: TimeRange { start: day, end: day + chrono::Duration::minutes(30) },
            zone: "UTC".to_owned(),
            location: None,
            organiser: Party { name: name.to_owned(), address: address.to_owned() },
            attendees: Vec::new(),
            busy: Some(BusyKind::Busy),
            online_meeting: false,
        }
    }

    /// Which mailboxes hold items that cannot be read? They count as busy, or, where nothing is known of their times,
    /// not at all.
    async fn unreadable(&mut self, integration: &entity::integration::Model) -> Result<()> {
        use entity::connection::{Column, of};
        let txn = self.services.store.read(integration.tenant_id).await?;
        let marked =
            of(integration.tenant_id)
                .filter(Column::IntegrationId.eq(integration.id))
                .filter(Column::State.is_in(
                    [ConnectionState::Active, ConnectionState::FreeBusyOnly].map(ConnectionState::as_str),
                ))
                .filter(Column::UnreadableCount.gt(0));
        let total = marked.clone().count(&txn).await?;
        let shown = marked
            .order_by_desc(Column::UnknownCount)
            .order_by_asc(Column::Id)
            .limit(MARKED)
            .all(&txn)
            .await?;
        drop(txn);
        let next = "Ask the mailbox's owner to correct or delete these items; the connection's `unreadable` names them.";
        for row in &shown {
            let (count, unknown) = (row.unreadable_count, row.unknown_count);
            let evidence = format!(
                "Number of items that cannot be read: {count}. Of these, {unknown} block no time, because nothing is known of their times."
            );
            self.note("UNREADABLE", Some(&row.address), Verdict::Warned, evidence, Some(next));
        }
        if total > MARKED {
            let evidence = format!("{} more mailboxes hold items that cannot be read.", total - MARKED);
            self.note("UNREADABLE", None, Verdict::Warned, evidence, Some(next));
        }
        Ok(())
    }

    /// Is every room reached? A room that is not is a warning: partial access is a normal state (S4.12). Busy times
    /// alone prove nothing: Microsoft tells them of every room to whoever may ask one mailbox.
    async fn each_room(&mut self) {
        let addresses: Vec<String> = self.climb.rooms.iter().map(|room| room.address.clone()).collect();
        if addresses.is_empty() {
            return self.note("ROOMS", None, Verdict::Warned, "No rooms are listed.", None);
        }
        let (provider, session) = (self.provider, self.session);
        let looks = addresses.into_iter().map(|address| async move {
            let found = provider.calendar(session, &address).await;
            (address, found)
        });
        let verdicts: Vec<_> = futures::stream::iter(looks).buffered(ROOMS_AT_ONCE).collect().await;
        for (address, verdict) in verdicts {
            match verdict {
                Ok(_) => self.note("ROOM", Some(&address), Verdict::Passed, "The room can be read.", None),
                Err(error) => {
                    if matches!(error.remedy, Remedy::RetryAfter(_)) && self.climb.again.is_none() {
                        self.climb.again = Some(error.clone());
                    }
                    let next = "Add the room to the agreed scope, or leave it out.";
                    let evidence = format!("{} ({})", error.message, error.code);
                    self.note("ROOM", Some(&address), Verdict::Warned, evidence, Some(next));
                }
            }
        }
    }
}

/// The service mailbox that a climb should prove: the candidate, or the present one.
pub fn mailbox_to_prove<'a>(
    integration: &'a entity::integration::Model,
    candidate: Option<&'a str>,
) -> Option<&'a str> {
    candidate.or(integration.service_mailbox.as_deref())
}
