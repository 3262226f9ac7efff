//! The JSON shapes of Google's APIs, as far as Muster reads them.

use serde::Deserialize;

/// The organisation.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Customer {
    pub id: String,
    pub customer_domain: Option<String>,
    pub postal_address: Option<PostalAddress>,
    pub language: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PostalAddress {
    pub organization_name: Option<String>,
}

/// One page of people; `users` is absent when there are none.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Users {
    #[serde(default)]
    pub users: Vec<User>,
    pub next_page_token: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct User {
    pub id: String,
    pub primary_email: String,
    pub name: Option<UserName>,
    #[serde(default)]
    pub suspended: bool,
    #[serde(default)]
    pub archived: bool,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UserName {
    pub full_name: Option<String>,
}

/// One page of rooms and equipment.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Resources {
    #[serde(default)]
    pub items: Vec<Resource>,
    pub next_page_token: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Resource {
    pub resource_id: String,
    pub resource_email: Option<String>,
    pub resource_name: Option<String>,
    pub resource_category: Option<String>,
    pub capacity: Option<i32>,
    pub building_id: Option<String>,
    pub floor_name: Option<String>,
    #[serde(default)]
    pub feature_instances: Vec<FeatureInstance>,
}

#[derive(Debug, Deserialize)]
pub(super) struct FeatureInstance {
    pub feature: Feature,
}

#[derive(Debug, Deserialize)]
pub(super) struct Feature {
    pub name: String,
}

/// One page of buildings.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Buildings {
    #[serde(default)]
    pub buildings: Vec<Building>,
    pub next_page_token: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Building {
    pub building_id: String,
    pub building_name: Option<String>,
}

/// A calendar.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Calendar {
    pub id: String,
    pub time_zone: Option<String>,
}

/// Busy times by calendar.
#[derive(Debug, Deserialize)]
pub(super) struct FreeBusy {
    #[serde(default)]
    pub calendars: std::collections::HashMap<String, BusyCalendar>,
}

#[derive(Debug, Deserialize)]
pub(super) struct BusyCalendar {
    pub busy: Option<Vec<BusyTime>>,
    #[serde(default)]
    pub errors: Vec<BusyError>,
}

#[derive(Debug, Deserialize)]
pub(super) struct BusyTime {
    pub start: chrono::DateTime<chrono::Utc>,
    pub end: chrono::DateTime<chrono::Utc>,
}

#[derive(Debug, Deserialize)]
pub(super) struct BusyError {
    pub reason: Option<String>,
}

/// One page of events, with what the calendar is and what may be done in it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Events {
    #[serde(default)]
    pub items: Vec<Event>,
    pub summary: Option<String>,
    pub time_zone: Option<String>,
    pub access_role: Option<String>,
    pub next_page_token: Option<String>,
    pub next_sync_token: Option<String>,
}

/// One page of events of which only the number counts.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Touched {
    #[serde(default)]
    pub items: Vec<serde::de::IgnoredAny>,
    pub next_page_token: Option<String>,
    pub next_sync_token: Option<String>,
}

/// An event. One that was deleted has an id, a status and possibly nothing else.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Event {
    pub id: String,
    #[serde(default)]
    pub status: String,
    pub etag: Option<String>,
    #[serde(rename = "iCalUID")]
    pub ical_uid: Option<String>,
    pub summary: Option<String>,
    pub start: Option<EventTime>,
    pub end: Option<EventTime>,
    pub transparency: Option<String>,
    pub visibility: Option<String>,
    pub event_type: Option<String>,
    pub recurring_event_id: Option<String>,
    pub organizer: Option<Person>,
    pub attendees: Option<Vec<Attendee>>,
    pub extended_properties: Option<ExtendedProperties>,
    pub hangout_link: Option<String>,
    pub conference_data: Option<ConferenceData>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ConferenceData {
    pub create_request: Option<ConferenceRequest>,
    #[serde(default)]
    pub entry_points: Vec<EntryPoint>,
}

#[derive(Debug, Deserialize)]
pub(super) struct ConferenceRequest {
    pub status: Option<ConferenceStatus>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ConferenceStatus {
    pub status_code: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct EntryPoint {
    #[serde(rename = "entryPointType")]
    pub kind: Option<String>,
    pub uri: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct EventTime {
    pub date: Option<chrono::NaiveDate>,
    pub date_time: Option<chrono::DateTime<chrono::FixedOffset>>,
    pub time_zone: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Person {
    pub email: Option<String>,
    pub display_name: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Attendee {
    #[serde(flatten)]
    pub person: Person,
    #[serde(default)]
    pub optional: bool,
    #[serde(default)]
    pub resource: bool,
    #[serde(default, rename = "self")]
    pub is_self: bool,
    pub response_status: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct ExtendedProperties {
    #[serde(default)]
    pub private: std::collections::HashMap<String, String>,
}

/// An open channel.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Channel {
    pub id: String,
    pub resource_id: String,
    pub expiration: Option<String>,
}
