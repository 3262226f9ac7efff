//! Verification of an integration: checks whether it works, and for which mailboxes.
//!
//! Every check has a verdict, evidence and a next action. If a check fails, those that depend on it are `SKIPPED`: an
//! unreachable system proves nothing about its rooms. Both reading **and** writing are verified, the latter with two
//! simultaneous probe events in the service mailbox, which are removed again (S2.6, S4.4).

mod made;

use domain::{
    BusyKind, Id, Message, TimeRange, ids,
    state::{ConnectionState, Verdict},
};
use futures::StreamExt;
use providers::{Error, ErrorKind, NamedAddress, NewEvent, Provider, Remedy, RoomInfo, Session};
use sea_orm::{ColumnTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub(crate) use self::made::{CHECKS, ChecksMade};
use crate::{Result, Services, System, messages};

/// Number of rooms checked concurrently.
const ROOMS_AT_ONCE: usize = 8;
/// Maximum number of mailboxes with unreadable items that are listed individually.
const MARKED: u64 = 20;
/// Maximum number of pairs of probe events that are tried: one, plus one for each earlier verification that was
/// interrupted while removing its events.
const PROBES: usize = 5;

/// One check of a verification.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Check {
    /// Name of the check, in upper case.
    pub name: String,
    /// The mailbox that was checked; `None` if the check applies to the whole calendar system.
    pub mailbox: Option<String>,
    /// Result of the check.
    pub verdict: Verdict,
    /// The evidence that the check found, as a sentence.
    pub evidence: Message,
    /// What to do about the result; `None` if nothing has to be done.
    pub next_action: Option<Message>,
}

/// Result of a verification.
#[derive(Debug, Clone)]
pub struct Report {
    /// The checks, in the order in which they ran.
    pub checks: Vec<Check>,
    /// Rooms listed in the directory.
    pub rooms: Vec<RoomInfo>,
    /// The organisation, if the calendar system was reached.
    pub organisation: Option<providers::Organisation>,
    /// Display name of the service mailbox, if one was verified.
    pub service_name: Option<String>,
    /// The first temporary error, because of which the verification must be repeated.
    pub again: Option<Error>,
    /// Whether permissions may be missing only because the provider has not fully applied a fresh consent yet. Always
    /// `false` for providers whose permissions take effect immediately.
    pub spreading: bool,
}

impl Report {
    /// Overall verdict: the worst of the checks, ignoring skipped ones.
    pub fn verdict(&self) -> Verdict {
        let has = |verdict| self.checks.iter().any(|check| check.verdict == verdict);
        match () {
            () if has(Verdict::Failed) => Verdict::Failed,
            () if has(Verdict::Warned) => Verdict::Warned,
            () => Verdict::Passed,
        }
    }

    /// The first failed check.
    pub fn first_failure(&self) -> Option<&Check> {
        self.checks.iter().find(|check| check.verdict == Verdict::Failed)
    }
}

/// Verifies an integration. `mailbox` is the service mailbox to verify. `probe` is the prefix of the probe events'
/// keys; the caller stores it beforehand, so that events left by an interrupted verification can be found and removed.
pub async fn run(
    system: &System,
    integration: &entity::integration::Model,
    mailbox: Option<&str>,
    probe: Uuid,
) -> Result<Report> {
    let (provider, session) = system.grants().open_session(system, integration, None).await?;
    let mut checklist = Checklist {
        services: system.services(),
        provider: &*provider,
        session: &session,
        integration: (integration.tenant_id, integration.id),
        reported: 0,
        report: Report {
            checks: Vec::new(),
            rooms: Vec::new(),
            organisation: None,
            service_name: None,
            again: None,
            spreading: false,
        },
    };
    let is_reached = checklist.reach(integration).await;
    checklist.publish().await;
    if is_reached && checklist.directory().await {
        checklist.publish().await;
        checklist.service_mailbox(mailbox, probe).await;
        checklist.publish().await;
        checklist.each_room().await;
        checklist.unreadable(integration).await?;
    } else {
        for name in ["SERVICE_MAILBOX", "WRITE", "ROOMS"] {
            checklist.note(name, None, Verdict::Skipped, messages::earlier_check_failed(), None);
        }
    }
    checklist.publish().await;
    Ok(checklist.report)
}

struct Checklist<'a> {
    services: &'a Services,
    provider: &'a dyn Provider,
    session: &'a Session,
    integration: (Id<ids::Tenant>, Id<ids::Integration>),
    /// How many of the report's checks the pages have been told.
    reported: usize,
    report: Report,
}

impl Checklist<'_> {
    /// Tells pages that follow the verification about the checks made since the last call. Messages may be lost.
    async fn publish(&mut self) {
        let (tenant, integration) = self.integration;
        let checks = self.report.checks[self.reported..].to_vec();
        let made = ChecksMade { integration, is_first: self.reported == 0, checks };
        self.reported = self.report.checks.len();
        let payload = serde_json::to_value(made).unwrap_or_default();
        let (id, topic) = (self.services.ids.make(), CHECKS.to_owned());
        self.services.queue.fanout.publish(vec![lanes::Message { tenant, topic, id, payload }]).await;
    }

    fn note(
        &mut self,
        name: &str,
        mailbox: Option<&str>,
        verdict: Verdict,
        evidence: Message,
        next: Option<Message>,
    ) {
        self.report.checks.push(Check {
            name: name.to_owned(),
            mailbox: mailbox.map(str::to_owned),
            verdict,
            evidence,
            next_action: next,
        });
    }

    /// Records a failed check. The error's remedy determines whether the check failed or must be repeated.
    fn fail(&mut self, name: &str, mailbox: Option<&str>, error: &Error, next: Message) {
        if matches!(error.remedy, Remedy::RetryAfter(_)) && self.report.again.is_none() {
            self.report.again = Some(error.clone());
        }
        if self.provider.features().propagates
            && matches!(error.kind, ErrorKind::GrantLost | ErrorKind::TokenRefused | ErrorKind::OutOfScope)
        {
            self.report.spreading = true;
        }
        let evidence = messages::evidence_of_failure(error.message.clone(), error.code.as_str());
        self.note(name, mailbox, Verdict::Failed, evidence, Some(next));
    }

    /// Checks that the calendar system is reachable, grants access, and still belongs to the same organisation.
    /// Distinguishes an unreachable system from one that denies access.
    async fn reach(&mut self, integration: &entity::integration::Model) -> bool {
        let organisation = match self.provider.organisation(self.session).await {
            Ok(organisation) => organisation,
            Err(error) => {
                let (name, next) = match error.kind {
                    ErrorKind::Unavailable | ErrorKind::Throttled => {
                        ("REACHABLE", messages::check_that_the_system_is_reachable())
                    }
                    _ => {
                        let next = error.operator_action();
                        ("ACCEPTED", next.unwrap_or_else(messages::connect_again_as_administrator))
                    }
                };
                self.fail(name, None, &error, next);
                return false;
            }
        };
        self.note("REACHABLE", None, Verdict::Passed, messages::system_responds(), None);
        self.note("ACCEPTED", None, Verdict::Passed, messages::system_grants_access(), None);
        let same = integration.external_tenant.as_deref().is_none_or(|known| known == organisation.id);
        let verdict = if same { Verdict::Passed } else { Verdict::Failed };
        let evidence = messages::system_belongs_to(organisation.name.as_str());
        let next = (!same).then(messages::connect_with_the_first_organisation);
        self.note("ORGANISATION", None, verdict, evidence, next);
        self.report.organisation = Some(organisation);
        same
    }

    /// Checks that people and rooms are listed in the directory.
    async fn directory(&mut self) -> bool {
        match self.provider.people(self.session, None).await {
            Ok(page) => {
                let evidence = match page.next {
                    Some(_) => messages::people_listed_or_more(page.items.len()),
                    None => messages::people_listed(page.items.len()),
                };
                self.note("PEOPLE", None, Verdict::Passed, evidence, None);
            }
            Err(error) => {
                self.fail("PEOPLE", None, &error, messages::grant_listing_people());
                return false;
            }
        }
        let mut after = None;
        loop {
            match self.provider.rooms(self.session, after.as_deref()).await {
                Ok(page) => {
                    self.report.rooms.extend(page.items);
                    after = page.next;
                    if after.is_none() {
                        return true;
                    }
                }
                Err(error) => {
                    self.fail("ROOMS", None, &error, messages::grant_listing_rooms());
                    return false;
                }
            }
        }
    }

    /// Checks that the service mailbox exists and accepts two events at the same time.
    async fn service_mailbox(&mut self, mailbox: Option<&str>, probe: Uuid) {
        let Some(address) = mailbox else {
            let next = messages::add_a_service_mailbox();
            self.note("SERVICE_MAILBOX", None, Verdict::Warned, messages::no_service_mailbox(), Some(next));
            return self.note("WRITE", None, Verdict::Skipped, messages::no_service_mailbox(), None);
        };
        let found = match self.provider.mailbox(self.session, address).await {
            Ok(found) => found,
            Err(error) => {
                let next = messages::check_the_address_and_scope();
                self.fail("SERVICE_MAILBOX", Some(address), &error, next);
                return self.note(
                    "WRITE",
                    Some(address),
                    Verdict::Skipped,
                    messages::mailbox_not_found(),
                    None,
                );
            }
        };
        self.report.service_name = Some(found.name.clone());
        let evidence = messages::mailbox_exists(found.name.as_str());
        self.note("SERVICE_MAILBOX", Some(address), Verdict::Passed, evidence, None);
        match self.probe(address, &found.name, probe).await {
            Ok(()) => {
                let evidence = messages::two_events_written();
                self.note("WRITE", Some(address), Verdict::Passed, evidence, None);
            }
            Err(error) => {
                let next = messages::allow_overlapping_events();
                self.fail("WRITE", Some(address), &error, next);
            }
        }
    }

    /// Writes two overlapping events and removes them. Events left by an earlier, interrupted verification are
    /// found by their keys; some providers never accept the key of a removed event again, so the next pair is used
    /// then.
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
                let message = messages::written_event_missing();
                return Err(Error::new(ErrorKind::Invalid, Remedy::Never, "probe_missing", message));
            }
        }
        Ok(())
    }

    fn probe_event(&self, address: &str, name: &str, key: &str) -> NewEvent {
        let day = crate::calendars::calendar_copy_range(self.services).end - chrono::Duration::days(2);
        NewEvent {
            effect_key: key.to_owned(),
            title: "Connection test".to_owned(),
            text: "Muster created this entry to check that it can write appointments, and will remove it."
                .to_owned(),
            range: TimeRange { start: day, end: day + chrono::Duration::minutes(30) },
            zone: "UTC".to_owned(),
            location: None,
            organiser: NamedAddress { name: name.to_owned(), address: address.to_owned() },
            attendees: Vec::new(),
            busy: Some(BusyKind::Busy),
            online_meeting: false,
        }
    }

    /// Checks which mailboxes contain unreadable items. These items count as busy or, if their times are unknown, block
    /// no time.
    async fn unreadable(&mut self, integration: &entity::integration::Model) -> Result<()> {
        use entity::connection::{Column, of};
        let txn = self.services.read(integration.tenant_id).await?;
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
        let next = messages::ask_the_owner_to_correct_listed_items;
        for row in &shown {
            let (count, unknown) = (row.unreadable_count, row.unknown_count);
            let evidence = messages::unreadable_items_of_mailbox(count, unknown);
            self.note("UNREADABLE", Some(&row.address), Verdict::Warned, evidence, Some(next()));
        }
        if total > MARKED {
            let evidence = messages::more_mailboxes_with_unreadable_items(total - MARKED);
            self.note("UNREADABLE", None, Verdict::Warned, evidence, Some(next()));
        }
        Ok(())
    }

    /// Checks that every room is accessible. An inaccessible room is a warning: partial access is a normal state
    /// (S4.12). Busy times alone prove nothing, because Microsoft returns them for every room to anybody who may query
    /// one mailbox.
    async fn each_room(&mut self) {
        let addresses: Vec<String> = self.report.rooms.iter().map(|room| room.address.clone()).collect();
        if addresses.is_empty() {
            return self.note("ROOMS", None, Verdict::Warned, messages::no_rooms_listed(), None);
        }
        let (provider, session) = (self.provider, self.session);
        let looks = addresses.into_iter().map(|address| async move {
            let found = provider.calendar(session, &address).await;
            (address, found)
        });
        let verdicts: Vec<_> = futures::stream::iter(looks).buffered(ROOMS_AT_ONCE).collect().await;
        for (address, verdict) in verdicts {
            match verdict {
                Ok(_) => self.note("ROOM", Some(&address), Verdict::Passed, messages::room_readable(), None),
                Err(error) => {
                    if matches!(error.remedy, Remedy::RetryAfter(_)) && self.report.again.is_none() {
                        self.report.again = Some(error.clone());
                    }
                    let next = messages::add_the_room_to_the_scope();
                    let evidence = messages::evidence_of_failure(error.message.clone(), error.code);
                    self.note("ROOM", Some(&address), Verdict::Warned, evidence, Some(next));
                }
            }
        }
    }
}

/// The service mailbox to verify: the candidate or, if there is none, the current service mailbox.
pub fn mailbox_to_verify<'a>(
    integration: &'a entity::integration::Model,
    candidate: Option<&'a str>,
) -> Option<&'a str> {
    candidate.or(integration.service_mailbox.as_deref())
}
