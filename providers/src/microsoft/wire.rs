//! The JSON shapes of Graph, as far as Muster reads them.

use serde::Deserialize;

use super::zones::DateTimeZone;

/// One page of any list.
#[derive(Debug, Deserialize)]
pub(super) struct List<T> {
    pub value: Vec<T>,
    #[serde(rename = "@odata.nextLink")]
    pub next: Option<String>,
}

/// One page of what has changed. Entries differ: what is gone is only an id.
#[derive(Debug, Deserialize)]
pub(super) struct Delta {
    pub value: Vec<serde_json::Value>,
    #[serde(rename = "@odata.nextLink")]
    pub next: Option<String>,
    #[serde(rename = "@odata.deltaLink")]
    pub delta: Option<String>,
}

/// The answers of a batch, in any order.
#[derive(Debug, Deserialize)]
pub(super) struct Batch {
    pub responses: Vec<BatchAnswer>,
}

#[derive(Debug, Deserialize)]
pub(super) struct BatchAnswer {
    pub id: String,
    pub status: u16,
    #[serde(default)]
    pub headers: std::collections::BTreeMap<String, String>,
    pub body: Option<serde_json::Value>,
}

/// A user of the directory.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct User {
    pub id: String,
    pub display_name: Option<String>,
    pub mail: Option<String>,
    pub user_principal_name: Option<String>,
    pub user_type: Option<String>,
    #[serde(default)]
    pub proxy_addresses: Vec<String>,
}

/// The settings of a mailbox.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct MailboxSettings {
    pub time_zone: Option<String>,
    pub user_purpose: Option<String>,
}

/// The organisation.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Organization {
    pub id: String,
    pub display_name: Option<String>,
    #[serde(default)]
    pub verified_domains: Vec<Domain>,
    pub preferred_language: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Domain {
    pub name: String,
}

/// A role that somebody has in the directory.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DirectoryRole {
    pub role_template_id: Option<String>,
}

/// A room among the places.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Room {
    pub id: String,
    pub email_address: Option<String>,
    pub display_name: Option<String>,
    pub capacity: Option<i32>,
    pub building: Option<String>,
    pub floor_number: Option<i32>,
    pub floor_label: Option<String>,
    pub audio_device_name: Option<String>,
    pub video_device_name: Option<String>,
    pub display_device_name: Option<String>,
    #[serde(default)]
    pub tags: Vec<String>,
}

/// A calendar.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Calendar {
    pub id: String,
    #[serde(default)]
    pub can_edit: bool,
    pub allowed_online_meeting_providers: Option<Vec<String>>,
}

/// One member of a getSchedule answer.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Schedule {
    pub schedule_id: String,
    pub schedule_items: Option<Vec<ScheduleItem>>,
    pub error: Option<ScheduleError>,
}

#[derive(Debug, Deserialize)]
pub(super) struct ScheduleItem {
    pub status: Option<String>,
    pub start: DateTimeZone,
    pub end: DateTimeZone,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ScheduleError {
    /// A name, or a number.
    pub response_code: Option<serde_json::Value>,
}

/// An event.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Event {
    pub id: String,
    #[serde(rename = "@odata.etag")]
    pub etag: Option<String>,
    pub change_key: Option<String>,
    #[serde(rename = "iCalUId")]
    pub ical_uid: Option<String>,
    pub subject: Option<String>,
    pub start: DateTimeZone,
    pub end: DateTimeZone,
    #[serde(default)]
    pub is_all_day: bool,
    #[serde(default)]
    pub is_cancelled: bool,
    pub show_as: Option<String>,
    pub sensitivity: Option<String>,
    pub organizer: Option<Recipient>,
    pub attendees: Option<Vec<Attendee>>,
    pub single_value_extended_properties: Option<Vec<Property>>,
    pub series_master_id: Option<String>,
    pub is_online_meeting: Option<bool>,
    pub online_meeting: Option<OnlineMeeting>,
}

/// How an event is joined, once that is known.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OnlineMeeting {
    pub join_url: Option<String>,
}

/// The text of an event, and its online meeting.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Text {
    pub body: Option<Body>,
    pub is_online_meeting: Option<bool>,
    pub online_meeting: Option<OnlineMeeting>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Body {
    pub content: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Recipient {
    pub email_address: EmailAddress,
}

#[derive(Debug, Deserialize)]
pub(super) struct EmailAddress {
    pub name: Option<String>,
    pub address: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Attendee {
    #[serde(rename = "type")]
    pub kind: Option<String>,
    pub email_address: EmailAddress,
    pub status: Option<ResponseStatus>,
}

#[derive(Debug, Deserialize)]
pub(super) struct ResponseStatus {
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
