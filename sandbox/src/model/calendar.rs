//! Events, and the messages sent about them.

use std::collections::BTreeMap;

use domain::{TimeRange, Timestamp};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// How an attendee has responded, in Graph's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum InvitationResponse {
    /// No response is requested.
    None,
    /// The organiser, who does not respond.
    Organizer,
    /// The attendee may come.
    TentativelyAccepted,
    /// The invitation is accepted without reservation.
    Accepted,
    /// The invitation is refused.
    Declined,
    /// The attendee has not responded yet.
    NotResponded,
}

/// Free/busy status of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ShowAs {
    /// The time stays free.
    Free,
    /// The time is tentatively blocked.
    Tentative,
    /// The time is blocked.
    Busy,
    /// The time is blocked because the person is out of the office.
    Oof,
    /// The time stays free and the person works elsewhere.
    WorkingElsewhere,
    /// The client did not specify a free/busy status.
    Unknown,
}

/// The role in which an attendee takes part in an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum AttendeeRole {
    /// A person whose attendance is required.
    Required,
    /// A person whose attendance is optional.
    Optional,
    /// A room or a piece of equipment.
    Resource,
}

/// A display name and a mail address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamedAddress {
    /// A display name.
    pub name: String,
    /// The mail address, as the client spelt it.
    pub address: String,
}

/// An invited person or room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attendee {
    /// The invited name and mail address.
    #[serde(flatten)]
    pub party: NamedAddress,
    /// Whether the attendee is required, optional, or a room.
    pub part: AttendeeRole,
    /// The response so far.
    pub response: InvitationResponse,
    /// The time of the response; `None` before it.
    pub responded_at: Option<Timestamp>,
}

/// One copy of an event, in one calendar.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// The id, valid in this mailbox.
    pub id: String,
    /// Number of changes; part of the ETag.
    pub change: u64,
    /// The iCalendar UID, the same in all copies.
    pub ical_uid: String,
    /// The title.
    pub subject: String,
    /// The format of the body: `html` or `text`.
    pub body_type: String,
    /// The content, in the format of `body_type`.
    pub body: String,
    /// Start and end, in UTC.
    pub range: TimeRange,
    /// The names of the time zones in which the client specified start and end.
    pub zones: (String, String),
    /// Whether this is an all-day event.
    pub all_day: bool,
    /// The location, as the client sent it.
    pub location: Option<serde_json::Value>,
    /// The organiser's name and address.
    pub organizer: NamedAddress,
    /// Whether this is the organiser's copy.
    pub is_organizer: bool,
    /// The invited people and rooms.
    pub attendees: Vec<Attendee>,
    /// The response of this copy's owner.
    pub response: InvitationResponse,
    /// The time of the owner's response; `None` before it.
    pub responded_at: Option<Timestamp>,
    /// Free/busy status of the event.
    pub show_as: ShowAs,
    /// `normal`, `personal`, `private` or `confidential`.
    pub sensitivity: String,
    /// The client's idempotency key for the creation.
    pub transaction_id: Option<String>,
    /// Extended properties, by their ids.
    pub extended: BTreeMap<String, String>,
    /// The online meeting; `None` if none was requested.
    #[serde(default)]
    pub meeting: Option<Meeting>,
    /// Fields that are stored as received, such as importance and reminder.
    pub extra: BTreeMap<String, serde_json::Value>,
    /// When this copy was created.
    pub created_at: Timestamp,
    /// When this copy was last changed.
    pub modified_at: Timestamp,
}

/// The online meeting of an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Meeting {
    /// The time from which the meeting can be joined.
    pub ready_at: Timestamp,
    /// The client's id of the request for the meeting; `None` for providers without one.
    pub request: Option<String>,
}

impl Event {
    /// The ETag without the surrounding `W/"…"`.
    pub fn change_key(&self) -> String {
        use base64::Engine as _;
        base64::engine::general_purpose::STANDARD.encode(format!("{}:{:08}", &self.ical_uid, self.change))
    }

    /// The version of this copy, as `If-Match` compares it: `W/"…"` around the change key.
    pub fn etag(&self) -> String {
        format!("W/\"{}\"", self.change_key())
    }

    /// The effect key: the client's idempotency key, else the value of an extended property.
    pub fn effect_key(&self) -> Option<String> {
        self.extended.values().next().or(self.transaction_id.as_ref()).cloned()
    }

    /// Whether the event makes its calendar busy.
    pub fn blocks_time(&self) -> bool {
        matches!(self.show_as, ShowAs::Tentative | ShowAs::Busy | ShowAs::Oof)
    }
}

/// A response of a room that has not been sent yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingResponse {
    /// The id of the organisation.
    pub tenant: Uuid,
    /// The room's directory id.
    pub room: String,
    /// The event's id in the room's calendar.
    pub event: String,
    /// When the room responds.
    pub due: Timestamp,
}

/// A mail that the provider would have sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mail {
    /// When the provider would have sent the mail.
    pub at: Timestamp,
    /// The sender's address.
    pub from: String,
    /// The recipient's address.
    pub to: String,
    /// The subject line.
    pub subject: String,
    /// The purpose of the mail.
    pub kind: MailKind,
    /// The UID of the meeting that the mail is about.
    pub ical_uid: String,
}

/// The purpose of a meeting mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum MailKind {
    /// Invites an attendee.
    Request,
    /// Announces a change.
    Update,
    /// Announces that the meeting is cancelled.
    Cancel,
    /// Responds to an invitation.
    Response,
}

/// A subscription to change notifications.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subscription {
    /// The subscription's primary key, which notifications carry.
    pub id: String,
    /// The id of the organisation.
    pub tenant: Uuid,
    /// The client id that created the subscription.
    pub client_id: String,
    /// The directory id of the account or service principal that created it.
    pub creator: String,
    /// The mailbox's directory id.
    pub mailbox: String,
    /// The path of the watched resource, as requested.
    pub resource: String,
    /// The kinds of change to report, such as `created,updated,deleted`.
    pub change_type: String,
    /// The URL for change notifications.
    pub notification_url: String,
    /// The URL for lifecycle notifications; `None` for none.
    pub lifecycle_url: Option<String>,
    /// The client's secret, sent with each notification.
    pub client_state: Option<String>,
    /// When the subscription expires unless it is renewed.
    pub expires_at: Timestamp,
}

/// An Exchange pull subscription: keeps the change events of a calendar until the client requests them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PullSubscription {
    /// The subscription's primary key, which GetEvents names.
    pub id: String,
    /// The calendar: the organisation and the mailbox's directory id.
    pub owner: (Uuid, String),
    /// The kinds of events to report.
    pub kinds: Vec<String>,
    /// Lifetime of the subscription after the last GetEvents, in minutes.
    pub timeout_minutes: i64,
    /// The value of [`crate::history::History::epoch`] at its creation.
    pub epoch: u64,
}
