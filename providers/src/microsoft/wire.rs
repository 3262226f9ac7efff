//! The JSON objects of Microsoft Graph, limited to the fields that Muster reads. Optional fields are parsed leniently.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::json::{self, LenientList};

/// One page of a list of any kind of object.
#[derive(Debug, Deserialize)]
#[serde(bound = "T: serde::de::DeserializeOwned")]
pub(super) struct List<T> {
    pub value: LenientList<T>,
    #[serde(rename = "@odata.nextLink")]
    pub next: Option<String>,
}

/// One page of changes. A deleted event has only its id.
#[derive(Debug, Deserialize)]
pub(super) struct Delta {
    pub value: LenientList<Event>,
    #[serde(rename = "@odata.nextLink")]
    pub next: Option<String>,
    #[serde(rename = "@odata.deltaLink")]
    pub delta: Option<String>,
}

/// The responses of a batch, in any order.
#[derive(Debug, Deserialize)]
pub(super) struct Batch {
    pub responses: LenientList<BatchResponse>,
}

#[derive(Debug, Deserialize)]
pub(super) struct BatchResponse {
    pub id: String,
    pub status: u16,
    #[serde(default, deserialize_with = "json::lenient_value")]
    pub headers: Option<std::collections::BTreeMap<String, String>>,
    pub body: Option<Box<RawValue>>,
}

/// A user of the directory.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct User {
    pub id: String,
    #[serde(default, deserialize_with = "json::lenient_string")]
    pub display_name: Option<String>,
    #[serde(default, deserialize_with = "json::lenient_string")]
    pub mail: Option<String>,
    #[serde(default, deserialize_with = "json::lenient_string")]
    pub user_principal_name: Option<String>,
    #[serde(default, deserialize_with = "json::lenient_string")]
    pub user_type: Option<String>,
    #[serde(default, deserialize_with = "json::lenient_list")]
    pub proxy_addresses: Vec<String>,
}

/// The owner's zone, and whether a person or a room uses the mailbox (`mailboxSettings`).
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct MailboxSettings {
    #[serde(default, deserialize_with = "json::lenient_string")]
    pub time_zone: Option<String>,
    #[serde(default, deserialize_with = "json::lenient_string")]
    pub user_purpose: Option<String>,
}

/// The organization resource: the tenant at Microsoft.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Organization {
    pub id: String,
    #[serde(default, deserialize_with = "json::lenient_string")]
    pub display_name: Option<String>,
    #[serde(default, deserialize_with = "json::lenient_list")]
    pub verified_domains: Vec<Domain>,
    #[serde(default, deserialize_with = "json::lenient_string")]
    pub preferred_language: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Domain {
    pub name: String,
}

/// A directory role assigned to a user.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DirectoryRole {
    #[serde(default, deserialize_with = "json::lenient_string")]
    pub role_template_id: Option<String>,
}

/// A room from the list of places.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Room {
    pub id: String,
    #[serde(default, deserialize_with = "json::lenient_string")]
    pub email_address: Option<String>,
    #[serde(default, deserialize_with = "json::lenient_string")]
    pub display_name: Option<String>,
    #[serde(default, deserialize_with = "json::lenient_value")]
    pub capacity: Option<i32>,
    #[serde(default, deserialize_with = "json::lenient_string")]
    pub building: Option<String>,
    #[serde(default, deserialize_with = "json::lenient_value")]
    pub floor_number: Option<i32>,
    #[serde(default, deserialize_with = "json::lenient_string")]
    pub floor_label: Option<String>,
    #[serde(default, deserialize_with = "json::lenient_string")]
    pub audio_device_name: Option<String>,
    #[serde(default, deserialize_with = "json::lenient_string")]
    pub video_device_name: Option<String>,
    #[serde(default, deserialize_with = "json::lenient_string")]
    pub display_device_name: Option<String>,
    #[serde(default, deserialize_with = "json::lenient_list")]
    pub tags: Vec<String>,
}

/// A calendar of a mailbox: whether it is the default, its owner, and whether the caller may write to it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Calendar {
    pub id: String,
    #[serde(default, deserialize_with = "json::lenient_string")]
    pub name: Option<String>,
    #[serde(default, deserialize_with = "json::lenient_value")]
    pub is_default_calendar: Option<bool>,
    #[serde(default, deserialize_with = "json::lenient_value")]
    pub can_edit: Option<bool>,
    #[serde(default, deserialize_with = "json::lenient_value")]
    pub owner: Option<EmailAddress>,
    #[serde(default, deserialize_with = "json::lenient_list")]
    pub allowed_online_meeting_providers: Vec<String>,
}

/// The busy times of one mailbox in a getSchedule response.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Schedule {
    #[serde(default, deserialize_with = "json::lenient_string")]
    pub schedule_id: Option<String>,
    #[serde(default, deserialize_with = "json::lenient_value")]
    pub schedule_items: Option<LenientList<ScheduleItem>>,
    #[serde(default, deserialize_with = "json::lenient_string")]
    pub availability_view: Option<String>,
    #[serde(default)]
    pub error: Option<Box<RawValue>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct ScheduleItem {
    #[serde(default, deserialize_with = "json::lenient_string")]
    pub status: Option<String>,
    #[serde(default, deserialize_with = "json::lenient_value")]
    pub start: Option<EventTime>,
    #[serde(default, deserialize_with = "json::lenient_value")]
    pub end: Option<EventTime>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ScheduleError {
    /// Error code of the mailbox: a name or a number.
    #[serde(default, deserialize_with = "json::lenient_string")]
    pub response_code: Option<String>,
}

/// Graph's type `dateTimeTimeZone`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct EventTime {
    #[serde(default, deserialize_with = "json::lenient_string")]
    pub date_time: Option<String>,
    #[serde(default, deserialize_with = "json::lenient_string")]
    pub time_zone: Option<String>,
}

/// An event, or the part of one that a list of changes includes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Event {
    #[serde(default, deserialize_with = "json::lenient_string")]
    pub id: Option<String>,
    #[serde(rename = "@odata.etag", default, deserialize_with = "json::lenient_string")]
    pub etag: Option<String>,
    #[serde(default, deserialize_with = "json::lenient_string")]
    pub change_key: Option<String>,
    #[serde(rename = "iCalUId", default, deserialize_with = "json::lenient_string")]
    pub ical_uid: Option<String>,
    #[serde(default, deserialize_with = "json::lenient_string")]
    pub subject: Option<String>,
    #[serde(default, deserialize_with = "json::lenient_value")]
    pub start: Option<EventTime>,
    #[serde(default, deserialize_with = "json::lenient_value")]
    pub end: Option<EventTime>,
    #[serde(default, deserialize_with = "json::lenient_value")]
    pub is_all_day: Option<bool>,
    #[serde(default, deserialize_with = "json::lenient_value")]
    pub is_cancelled: Option<bool>,
    #[serde(default, deserialize_with = "json::lenient_string")]
    pub show_as: Option<String>,
    #[serde(default, deserialize_with = "json::lenient_string")]
    pub sensitivity: Option<String>,
    #[serde(default, deserialize_with = "json::lenient_value")]
    pub organizer: Option<Recipient>,
    #[serde(default, deserialize_with = "json::lenient_list")]
    pub attendees: Vec<Attendee>,
    #[serde(default, deserialize_with = "json::lenient_list")]
    pub single_value_extended_properties: Vec<Property>,
    #[serde(rename = "type", default, deserialize_with = "json::lenient_string")]
    pub kind: Option<String>,
    #[serde(default, deserialize_with = "json::lenient_string")]
    pub series_master_id: Option<String>,
    #[serde(default, deserialize_with = "json::is_present")]
    pub recurrence: bool,
    #[serde(rename = "@removed", default, deserialize_with = "json::is_present")]
    pub removed: bool,
    #[serde(default, deserialize_with = "json::lenient_value")]
    pub is_online_meeting: Option<bool>,
    #[serde(default, deserialize_with = "json::lenient_value")]
    pub online_meeting: Option<OnlineMeeting>,
}

/// The URL for joining an online meeting; absent until Microsoft has created it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OnlineMeeting {
    #[serde(default, deserialize_with = "json::lenient_string")]
    pub join_url: Option<String>,
}

/// The body of an event and its online meeting, read before the body is replaced.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct EventBodyAndOnlineMeeting {
    #[serde(default, deserialize_with = "json::lenient_value")]
    pub body: Option<Body>,
    #[serde(default, deserialize_with = "json::lenient_value")]
    pub is_online_meeting: Option<bool>,
    #[serde(default, deserialize_with = "json::lenient_value")]
    pub online_meeting: Option<OnlineMeeting>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Body {
    #[serde(default, deserialize_with = "json::lenient_string")]
    pub content: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Recipient {
    #[serde(default, deserialize_with = "json::lenient_value")]
    pub email_address: Option<EmailAddress>,
}

#[derive(Debug, Deserialize)]
pub(super) struct EmailAddress {
    #[serde(default, deserialize_with = "json::lenient_string")]
    pub name: Option<String>,
    #[serde(default, deserialize_with = "json::lenient_string")]
    pub address: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Attendee {
    #[serde(rename = "type", default, deserialize_with = "json::lenient_string")]
    pub kind: Option<String>,
    #[serde(default, deserialize_with = "json::lenient_value")]
    pub email_address: Option<EmailAddress>,
    #[serde(default, deserialize_with = "json::lenient_value")]
    pub status: Option<ResponseStatus>,
}

#[derive(Debug, Deserialize)]
pub(super) struct ResponseStatus {
    #[serde(default, deserialize_with = "json::lenient_string")]
    pub response: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Property {
    pub id: String,
    pub value: String,
}

/// A change-notification subscription.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Subscription {
    pub id: String,
    pub expiration_date_time: chrono::DateTime<chrono::Utc>,
}
