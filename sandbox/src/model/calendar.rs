//! Events, and what is sent about them.

use std::collections::BTreeMap;

use domain::{TimeRange, Timestamp};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// What somebody answered to an invitation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Response {
    /// Nothing is asked.
    None,
    /// Is the organiser.
    Organizer,
    /// Perhaps.
    TentativelyAccepted,
    /// Yes.
    Accepted,
    /// No.
    Declined,
    /// Not yet.
    NotResponded,
}

/// How an event blocks a calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ShowAs {
    /// Not at all.
    Free,
    /// Perhaps.
    Tentative,
    /// Fully.
    Busy,
    /// Fully, and the person is away.
    Oof,
    /// Not at all, the person is elsewhere.
    WorkingElsewhere,
    /// Not known.
    Unknown,
}

/// What an attendee is to an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Part {
    /// Has to come.
    Required,
    /// May come.
    Optional,
    /// Is a room.
    Resource,
}

/// A name and an address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Party {
    /// The name, for people.
    pub name: String,
    /// The address.
    pub address: String,
}

/// Somebody who is invited.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attendee {
    /// Who.
    #[serde(flatten)]
    pub party: Party,
    /// As what.
    pub part: Part,
    /// What was answered.
    pub response: Response,
    /// When.
    pub responded_at: Option<Timestamp>,
}

/// One copy of an event, in one calendar.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// The id, in this mailbox.
    pub id: String,
    /// Counts changes; makes the ETag.
    pub change: u64,
    /// The same in all copies.
    pub ical_uid: String,
    /// The title.
    pub subject: String,
    /// `html` or `text`.
    pub body_type: String,
    /// The text.
    pub body: String,
    /// When.
    pub range: TimeRange,
    /// The zone names that start and end were given in.
    pub zones: (String, String),
    /// Whether it covers whole days.
    pub all_day: bool,
    /// The place, as it was given.
    pub location: Option<serde_json::Value>,
    /// Who organises it.
    pub organizer: Party,
    /// Whether this is the organiser's copy.
    pub is_organizer: bool,
    /// Who is invited.
    pub attendees: Vec<Attendee>,
    /// What the owner of this copy answered.
    pub response: Response,
    /// When.
    pub responded_at: Option<Timestamp>,
    /// How it blocks the calendar.
    pub show_as: ShowAs,
    /// `normal`, `personal`, `private` or `confidential`.
    pub sensitivity: String,
    /// The client's key of its making.
    pub transaction_id: Option<String>,
    /// Extended properties, by their ids.
    pub extended: BTreeMap<String, String>,
    /// Its online meeting.
    #[serde(default)]
    pub meeting: Option<Meeting>,
    /// Members that are kept as they came: importance, reminder and the like.
    pub extra: BTreeMap<String, serde_json::Value>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub modified_at: Timestamp,
}

/// The online meeting of an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Meeting {
    /// From when on it can be joined.
    pub ready_at: Timestamp,
    /// The client's id of the request for it, where there is such a thing.
    pub request: Option<String>,
}

impl Event {
    /// The ETag without the `W/"…"` around it.
    pub fn change_key(&self) -> String {
        use base64::Engine as _;
        base64::engine::general_purpose::STANDARD.encode(format!("{}:{:08}", &self.ical_uid, self.change))
    }

    /// The ETag.
    pub fn etag(&self) -> String {
        format!("W/\"{}\"", self.change_key())
    }

    /// What identifies the effect: the client's key, else the value of an extended property.
    pub fn effect_key(&self) -> Option<String> {
        self.extended.values().next().or(self.transaction_id.as_ref()).cloned()
    }

    /// Whether it takes time from the calendar.
    pub fn blocks(&self) -> bool {
        matches!(self.show_as, ShowAs::Tentative | ShowAs::Busy | ShowAs::Oof)
    }
}

/// A room that still has to answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pending {
    /// The organisation.
    pub tenant: Uuid,
    /// The room's directory id.
    pub room: String,
    /// The event's id in the room's calendar.
    pub event: String,
    /// When it answers.
    pub due: Timestamp,
}

/// A mail that would have been sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mail {
    /// When.
    pub at: Timestamp,
    /// The sender's address.
    pub from: String,
    /// The receiver's address.
    pub to: String,
    /// The subject line.
    pub subject: String,
    /// What it does.
    pub kind: MailKind,
    /// Which meeting it is about.
    pub ical_uid: String,
}

/// What a meeting mail does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum MailKind {
    /// Invites.
    Request,
    /// Changes.
    Update,
    /// Cancels.
    Cancel,
    /// Answers.
    Response,
}

/// A standing request for notifications.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subscription {
    /// The id.
    pub id: String,
    /// The organisation.
    pub tenant: Uuid,
    /// Who made it: the client id.
    pub client_id: String,
    /// The account's or service principal's id.
    pub creator: String,
    /// The mailbox's directory id.
    pub mailbox: String,
    /// The resource, as it was asked.
    pub resource: String,
    /// `created,updated,deleted`.
    pub change_type: String,
    /// Where notifications go.
    pub notification_url: String,
    /// Where lifecycle notifications go.
    pub lifecycle_url: Option<String>,
    /// The client's secret word.
    pub client_state: Option<String>,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// A standing request to keep in mind what happens in a calendar until it is asked for, as Exchange has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pull {
    /// The id.
    pub id: String,
    /// Whose calendar: the organisation and the mailbox's directory id.
    pub owner: (Uuid, String),
    /// Which kinds of events are told.
    pub kinds: Vec<String>,
    /// How long it lives after it was asked last.
    pub timeout_minutes: i64,
    /// How often all cursors had been forgotten when it was made.
    pub epoch: u64,
}
