//! Propagates a change of one calendar to other calendars: copies for attendees, responses for organisers, and mails.
//!
//! A [`MeetingChanges`] collects changes that are committed together, so that a meeting never exists for only some of
//! its participants.

use chrono::Duration;
use domain::Timestamp;
use uuid::Uuid;

use crate::{
    app::App,
    model::{
        Attendee, Event, Hosting, InvitationResponse, Mail, MailKind, Mailbox, Organisation, PendingResponse,
        ShowAs,
    },
    store::{CalendarKey, Change, State},
};

/// Changes of an organisation's calendars that are committed together.
#[derive(Debug)]
pub struct MeetingChanges<'a> {
    app: &'a App,
    state: &'a State,
    organisation: &'a Organisation,
    now: Timestamp,
    /// The changes to commit.
    pub changes: Vec<Change>,
}

impl<'a> MeetingChanges<'a> {
    /// Creates an empty set of changes.
    pub fn new(app: &'a App, state: &'a State, organisation: &'a Organisation) -> Self {
        Self { app, state, organisation, now: app.now(), changes: Vec::new() }
    }

    /// Adds a new event of an organiser, with its effects on the calendars of attendees.
    pub fn create_event(&mut self, owner: &CalendarKey, event: Event) {
        for attendee in invited(&event) {
            self.invite(&event, attendee, MailKind::Request);
        }
        self.put_event(owner, event);
    }

    /// Adds a changed event of an organiser, with its effects on the calendars of attendees.
    pub fn update_event(&mut self, owner: &CalendarKey, before: &Event, mut after: Event) {
        if before.range != after.range {
            for attendee in &mut after.attendees {
                attendee.response = InvitationResponse::None;
                attendee.responded_at = None;
            }
        }
        let told = before.range != after.range
            || before.subject != after.subject
            || before.body != after.body
            || before.location != after.location;
        for attendee in invited(before) {
            if !after.attendees.iter().any(|kept| same(kept, attendee)) {
                self.uninvite(before, attendee);
            }
        }
        for attendee in invited(&after) {
            let known = before.attendees.iter().any(|known| same(known, attendee));
            match (known, told) {
                (false, _) => self.invite(&after, attendee, MailKind::Request),
                (true, true) => self.invite(&after, attendee, MailKind::Update),
                (true, false) => {}
            }
        }
        self.put_event(owner, after);
    }

    /// Removes an organiser's event from all calendars.
    pub fn cancel_event(&mut self, owner: &CalendarKey, event: &Event) {
        for attendee in invited(event) {
            self.uninvite(event, attendee);
        }
        self.changes.push(Change::EventGone(owner.clone(), event.id.clone()));
    }

    /// Adds an attendee's response; if `mail` is true, the organiser is also notified by mail.
    pub fn respond_to_invitation(
        &mut self,
        owner: &CalendarKey,
        copy: &Event,
        response: InvitationResponse,
        mail: bool,
    ) {
        if response == InvitationResponse::Declined {
            self.changes.push(Change::EventGone(owner.clone(), copy.id.clone()));
        } else {
            let show_as =
                if response == InvitationResponse::Accepted { ShowAs::Busy } else { ShowAs::Tentative };
            let answered = Event { response, responded_at: Some(self.now), show_as, ..copy.clone() };
            self.put_event(owner, answered);
        }
        let Some(attendee) = self.organisation.mailboxes.get(&owner.1) else { return };
        if mail {
            self.mail(MailKind::Response, &attendee.address, &copy.organizer.address, copy);
        }
        let Some(organizer) = self.organisation.find(&copy.organizer.address) else { return };
        let Some(mut original) = self.copy_of(organizer, copy).filter(|found| found.is_organizer).cloned()
        else {
            return;
        };
        for listed in &mut original.attendees {
            if self.organisation.find(&listed.party.address).is_some_and(|found| found.id == attendee.id) {
                listed.response = response;
                listed.responded_at = Some(self.now);
            }
        }
        self.put_event(&(self.organisation.id, organizer.id.clone()), original);
    }

    fn invite(&mut self, event: &Event, attendee: &Attendee, kind: MailKind) {
        self.mail(kind, &event.organizer.address, &attendee.party.address, event);
        let Some(mailbox) = self.reachable(attendee) else { return };
        let known = self.copy_of(mailbox, event);
        let answered = known.filter(|known| known.range == event.range);
        let open = if event.show_as == ShowAs::Free { ShowAs::Free } else { ShowAs::Tentative };
        let copy = Event {
            id: known.map_or_else(|| event_id(self.app), |known| known.id.clone()),
            change: known.map_or(0, |known| known.change),
            created_at: known.map_or(self.now, |known| known.created_at),
            // Most rooms' calendars show who booked them instead of what for.
            subject: if mailbox.room.as_ref().is_some_and(|room| room.replaces_titles) {
                event.organizer.name.clone()
            } else {
                event.subject.clone()
            },
            is_organizer: false,
            // An answer holds as long as the time does.
            response: answered.map_or(InvitationResponse::NotResponded, |known| known.response),
            responded_at: answered.and_then(|known| known.responded_at),
            show_as: answered.map_or(open, |known| known.show_as),
            transaction_id: None,
            extended: std::collections::BTreeMap::new(),
            ..event.clone()
        };
        if answered.is_none() && mailbox.room.as_ref().is_some_and(|room| room.auto_accept) {
            self.ask(mailbox, &copy);
        }
        let owner = (self.organisation.id, mailbox.id.clone());
        self.put_event(&owner, copy);
    }

    /// Schedules a room's response.
    fn ask(&mut self, room: &Mailbox, copy: &Event) {
        let delay = Duration::seconds(i64::from(self.organisation.settings.room_delay_s));
        self.changes.push(Change::Pending(PendingResponse {
            tenant: self.organisation.id,
            room: room.id.clone(),
            event: copy.id.clone(),
            due: self.now + delay,
        }));
    }

    /// Requests approval of a meeting from the person who approves the room's meetings.
    pub fn request_approval(&mut self, room: &CalendarKey, approver: &str, copy: &Event) {
        if let Some(room) = self.organisation.mailboxes.get(&room.1) {
            self.mail(MailKind::Request, &room.address, approver, copy);
        }
    }

    fn uninvite(&mut self, event: &Event, attendee: &Attendee) {
        self.mail(MailKind::Cancel, &event.organizer.address, &attendee.party.address, event);
        let Some(mailbox) = self.reachable(attendee) else { return };
        if let Some(copy) = self.copy_of(mailbox, event) {
            self.changes.push(Change::EventGone((self.organisation.id, mailbox.id.clone()), copy.id.clone()));
        }
    }

    fn reachable(&self, attendee: &Attendee) -> Option<&'a Mailbox> {
        self.organisation.find(&attendee.party.address).filter(|mailbox| mailbox.hosting == Hosting::Normal)
    }

    fn copy_of(&self, mailbox: &Mailbox, event: &Event) -> Option<&'a Event> {
        let owner = (self.organisation.id, mailbox.id.clone());
        self.state.calendar_events(&owner).find(|copy| copy.ical_uid == event.ical_uid)
    }

    fn mail(&mut self, kind: MailKind, from: &str, to: &str, event: &Event) {
        self.changes.push(Change::Mail(
            self.organisation.id,
            Mail {
                at: self.now,
                from: from.to_owned(),
                to: to.to_owned(),
                subject: event.subject.clone(),
                kind,
                ical_uid: event.ical_uid.clone(),
            },
        ));
    }

    /// Writes an event with its next change number.
    pub fn put_event(&mut self, owner: &CalendarKey, event: Event) {
        let event = Event { change: event.change + 1, modified_at: self.now, ..event };
        self.changes.push(Change::Event(owner.clone(), Box::new(event)));
    }
}

/// A new event id, with characters that clients must escape.
pub fn event_id(app: &App) -> String {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
    format!(
        "AAMkAD{}/AAA+{}=",
        URL_SAFE_NO_PAD.encode(app.ids.random_bytes::<18>()),
        URL_SAFE_NO_PAD.encode(app.ids.random_bytes::<15>())
    )
}

/// A new iCalUId for an event.
pub fn ical_uid(app: &App) -> String {
    let random = Uuid::from_bytes(app.ids.random_bytes::<16>()).simple().to_string().to_uppercase();
    format!("040000008200E00074C5B7101A82E00800000000{random}")
}

/// The attendees other than the organiser.
fn invited(event: &Event) -> impl Iterator<Item = &Attendee> {
    let organizer = &event.organizer.address;
    event.attendees.iter().filter(move |attendee| !attendee.party.address.eq_ignore_ascii_case(organizer))
}

fn same(one: &Attendee, other: &Attendee) -> bool {
    one.party.address.eq_ignore_ascii_case(&other.party.address)
}
