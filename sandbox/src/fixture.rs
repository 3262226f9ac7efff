//! Descriptions of organisations for tests, from which the sandbox creates the organisations.

use std::collections::BTreeMap;

use domain::{TimeRange, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    app::App,
    microsoft::graph::{
        events::blank_event,
        meetings::{MeetingChanges, event_id},
        zones::Zone,
    },
    model::{
        Attendee, AttendeeRole, DelaySettings, Event, Hosting, InvitationResponse, Mailbox, MailboxPurpose,
        NamedAddress, Organisation, Room, ShowAs,
    },
    store::Change,
};

/// The description of an organisation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OrganisationFixture {
    /// The display name.
    pub name: String,
    /// The mail domain of all addresses; unique in the sandbox.
    pub domain: String,
    /// The zone of the mailboxes; a Windows or IANA name.
    #[serde(default = "zone")]
    pub zone: String,
    /// People and shared mailboxes. `it-admin@…` is added if no account is an administrator.
    #[serde(default)]
    pub users: Vec<UserFixture>,
    /// The bookable rooms, each with a mailbox of its own.
    #[serde(default)]
    pub rooms: Vec<RoomFixture>,
    /// Meetings already in the calendars.
    #[serde(default)]
    pub events: Vec<MeetingFixture>,
    /// The delays with which the organisation's services react.
    #[serde(default)]
    pub settings: DelaySettings,
}

/// A person or a shared mailbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserFixture {
    /// The primary address, also the sign-in name.
    pub address: String,
    /// The display name.
    pub name: String,
    /// Whether the person is a Global Administrator.
    #[serde(default)]
    pub admin: bool,
    /// Whether the account has a mailbox.
    #[serde(default = "yes")]
    pub licensed: bool,
    /// Whether applications can access the mailbox.
    #[serde(default = "yes")]
    pub in_scope: bool,
    /// Whether other users see only when the owner is busy.
    #[serde(default)]
    pub hides_details: bool,
    /// Who uses the mailbox.
    #[serde(default = "user")]
    pub purpose: MailboxPurpose,
    /// Further addresses of the mailbox.
    #[serde(default)]
    pub aliases: Vec<String>,
}

/// The description of a bookable room with a mailbox of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoomFixture {
    /// The primary address of the room's mailbox.
    pub address: String,
    /// The display name.
    pub name: String,
    /// Number of seats; `None` if the directory does not list it.
    pub capacity: Option<u32>,
    /// Building of the room; `None` if the directory does not list it.
    pub building: Option<String>,
    /// Floor number; `None` if the directory does not list it.
    pub floor: Option<i32>,
    /// Equipment of the room, as listed in the directory.
    #[serde(default)]
    pub equipment: Vec<String>,
    /// Whether the room responds to invitations automatically.
    #[serde(default = "yes")]
    pub auto_accept: bool,
    /// Whether the room accepts overlapping meetings.
    #[serde(default)]
    pub allow_conflicts: bool,
    /// The email address of the person who approves the room's meetings; `None` if no approval is needed.
    #[serde(default)]
    pub approver: Option<String>,
    /// Whether the room's calendar shows the organiser's name in place of the title.
    #[serde(default = "yes")]
    pub replaces_titles: bool,
    /// Whether applications can access the mailbox.
    #[serde(default = "yes")]
    pub in_scope: bool,
}

/// A meeting that all attendees have already accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MeetingFixture {
    /// The organiser's email address.
    pub mailbox: String,
    /// The title.
    pub subject: String,
    /// When the meeting begins.
    pub start: Timestamp,
    /// When the meeting ends, exclusive.
    pub end: Timestamp,
    /// The free/busy status of the meeting.
    #[serde(default = "busy")]
    pub show_as: ShowAs,
    /// `normal`, `personal`, `private` or `confidential`.
    #[serde(default = "normal")]
    pub sensitivity: String,
    /// Whether the meeting is an all-day event.
    #[serde(default)]
    pub all_day: bool,
    /// The email addresses of the participating people and rooms.
    #[serde(default)]
    pub attendees: Vec<String>,
}

fn zone() -> String {
    "W. Europe Standard Time".to_owned()
}

fn yes() -> bool {
    true
}

fn user() -> MailboxPurpose {
    MailboxPurpose::User
}

fn busy() -> ShowAs {
    ShowAs::Busy
}

fn normal() -> String {
    "normal".to_owned()
}

/// Why an organisation cannot be created from a fixture.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FixtureError {
    /// Another organisation already has this domain.
    #[error("the domain {0} is taken by another organisation")]
    DomainTaken(String),
    /// Another mailbox has this address.
    #[error("the address {0} is there twice")]
    AddressTaken(String),
    /// The time zone with this name does not exist.
    #[error("{0} is not a time zone")]
    UnknownZone(String),
    /// An event or a room refers to an email address without a mailbox.
    #[error("there is no mailbox {0}")]
    UnknownMailbox(String),
    /// An event ends before it begins.
    #[error("the event {0} must end after its start")]
    EmptyEvent(String),
}

/// Creates an organisation from a fixture: the changes to commit, and its record.
pub fn build_organisation(
    app: &App,
    serial: u64,
    taken: bool,
    fixture: OrganisationFixture,
) -> Result<(Organisation, Vec<Change>), FixtureError> {
    if taken {
        return Err(FixtureError::DomainTaken(fixture.domain));
    }
    Zone::find(&fixture.zone).map_err(|_| FixtureError::UnknownZone(fixture.zone.clone()))?;
    let mut organisation = Organisation {
        id: app.new_guid(),
        serial,
        name: fixture.name,
        domain: fixture.domain.to_lowercase(),
        zone: fixture.zone,
        created_at: app.now(),
        mailboxes: BTreeMap::new(),
        consents: BTreeMap::new(),
        settings: fixture.settings,
        addresses: BTreeMap::new(),
    };
    let administrated = fixture.users.iter().any(|user| user.admin);
    let administrator = (!administrated).then(|| default_administrator(&organisation.domain));
    let people = administrator.into_iter().chain(fixture.users).map(|user| person(app, user));
    for mailbox in people.chain(fixture.rooms.into_iter().map(|fixture| room(app, fixture))) {
        let known = |address: &String| organisation.addresses.contains_key(&address.to_lowercase());
        if let Some(address) = std::iter::once(&mailbox.address).chain(&mailbox.aliases).find(|at| known(at))
        {
            return Err(FixtureError::AddressTaken(address.clone()));
        }
        for address in std::iter::once(&mailbox.address).chain(&mailbox.aliases) {
            organisation.addresses.insert(address.to_lowercase(), mailbox.id.clone());
        }
        organisation.mailboxes.insert(mailbox.id.clone(), mailbox);
    }
    let rooms = organisation.mailboxes.values().filter_map(|mailbox| mailbox.room.as_ref());
    for approver in rooms.filter_map(|room| room.approver.as_ref()) {
        organisation.find(approver).ok_or_else(|| FixtureError::UnknownMailbox(approver.clone()))?;
    }
    let mut changes = vec![Change::Organisation(Box::new(organisation.clone()))];
    for planted in fixture.events {
        changes.extend(add_accepted_meeting(app, &organisation, planted)?.1);
    }
    Ok((organisation, changes))
}

/// The account that is added if no other account is an administrator.
pub fn default_administrator(domain: &str) -> UserFixture {
    UserFixture {
        address: format!("it-admin@{domain}"),
        name: "IT Administrator".to_owned(),
        admin: true,
        licensed: true,
        in_scope: true,
        hides_details: false,
        purpose: MailboxPurpose::User,
        aliases: Vec::new(),
    }
}

fn person(app: &App, user: UserFixture) -> Mailbox {
    Mailbox {
        id: app.new_guid().to_string(),
        upn: user.address.clone(),
        address: user.address,
        aliases: user.aliases,
        name: user.name,
        purpose: user.purpose,
        admin: user.admin,
        hosting: if user.licensed { Hosting::Normal } else { Hosting::None },
        in_scope: user.in_scope,
        hides_details: user.hides_details,
        online_meetings: true,
        room: None,
    }
}

fn room(app: &App, room: RoomFixture) -> Mailbox {
    Mailbox {
        id: app.new_guid().to_string(),
        upn: room.address.clone(),
        address: room.address,
        aliases: Vec::new(),
        name: room.name,
        purpose: MailboxPurpose::Room,
        admin: false,
        hosting: Hosting::Normal,
        in_scope: room.in_scope,
        hides_details: false,
        online_meetings: true,
        room: Some(Room {
            capacity: room.capacity,
            building: room.building,
            floor: room.floor,
            equipment: room.equipment,
            auto_accept: room.auto_accept,
            allow_conflicts: room.allow_conflicts,
            approver: room.approver,
            replaces_titles: room.replaces_titles,
        }),
    }
}

/// Adds a meeting that all participants have accepted to their calendars. Returns the id of the organiser's copy.
pub fn add_accepted_meeting(
    app: &App,
    organisation: &Organisation,
    planted: MeetingFixture,
) -> Result<(String, Vec<Change>), FixtureError> {
    let find = |address: &str| {
        organisation.find(address).ok_or_else(|| FixtureError::UnknownMailbox(address.to_owned()))
    };
    let organizer = find(&planted.mailbox)?;
    let range = TimeRange::new(planted.start, planted.end)
        .ok_or_else(|| FixtureError::EmptyEvent(planted.subject.clone()))?;
    let guests = planted.attendees.iter().map(|address| find(address)).collect::<Result<Vec<_>, _>>()?;
    let location = guests.iter().find(|guest| guest.room.is_some()).map(|room| place(room));
    let event = Event {
        subject: planted.subject,
        zones: (organisation.zone.clone(), organisation.zone.clone()),
        all_day: planted.all_day,
        show_as: planted.show_as,
        sensitivity: planted.sensitivity,
        attendees: guests.iter().map(|guest| accepted(guest, app.now())).collect(),
        location,
        ..blank_event(app, organizer, range)
    };
    let id = event.id.clone();
    let store = crate::store::State::default();
    let mut draft = MeetingChanges::new(app, &store, organisation);
    for guest in guests.into_iter().filter(|guest| guest.id != organizer.id) {
        let replaces = guest.room.as_ref().is_some_and(|room| room.replaces_titles);
        let subject = if replaces { &organizer.name } else { &event.subject };
        let copy = Event {
            id: event_id(app),
            subject: subject.clone(),
            is_organizer: false,
            response: InvitationResponse::Accepted,
            responded_at: Some(app.now()),
            ..event.clone()
        };
        draft.put_event(&(organisation.id, guest.id.clone()), copy);
    }
    draft.put_event(&(organisation.id, organizer.id.clone()), event);
    Ok((id, draft.changes))
}

fn accepted(guest: &Mailbox, now: Timestamp) -> Attendee {
    Attendee {
        party: NamedAddress { name: guest.name.clone(), address: guest.address.clone() },
        part: if guest.room.is_some() { AttendeeRole::Resource } else { AttendeeRole::Required },
        response: InvitationResponse::Accepted,
        responded_at: Some(now),
    }
}

fn place(room: &Mailbox) -> Value {
    json!({
        "displayName": room.name,
        "locationEmailAddress": room.address,
        "locationUri": room.address,
        "locationType": "conferenceRoom",
        "uniqueId": room.address,
        "uniqueIdType": "directory",
    })
}
