//! The JSON objects of Google's APIs, limited to the fields that Muster reads. Optional fields are parsed leniently.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::json::{self, LenientList};

/// The customer resource of the Directory API: the organisation.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Customer {
    pub id: String,
    #[serde(default, deserialize_with = "json::lenient_string")]
    pub customer_domain: Option<String>,
    #[serde(default, deserialize_with = "json::lenient_value")]
    pub postal_address: Option<PostalAddress>,
    #[serde(default, deserialize_with = "json::lenient_string")]
    pub language: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PostalAddress {
    #[serde(default, deserialize_with = "json::lenient_string")]
    pub organization_name: Option<String>,
}

/// The domains of the organisation.
#[derive(Debug, Deserialize)]
pub(super) struct Domains {
    pub domains: LenientList<Domain>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Domain {
    pub domain_name: String,
    #[serde(default, deserialize_with = "json::lenient_value")]
    pub verified: Option<bool>,
    #[serde(default, deserialize_with = "json::lenient_list")]
    pub domain_aliases: Vec<DomainAlias>,
}

/// An additional name of one of the organisation's domains.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DomainAlias {
    pub domain_alias_name: String,
    #[serde(default, deserialize_with = "json::lenient_value")]
    pub verified: Option<bool>,
}

/// One page of people; `users` is absent when there are none.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Users {
    pub users: LenientList<User>,
    pub next_page_token: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct User {
    pub id: String,
    pub primary_email: String,
    #[serde(default, deserialize_with = "json::lenient_string")]
    pub customer_id: Option<String>,
    #[serde(default, deserialize_with = "json::lenient_value")]
    pub name: Option<UserName>,
    #[serde(default, deserialize_with = "json::lenient_value")]
    pub suspended: Option<bool>,
    #[serde(default, deserialize_with = "json::lenient_value")]
    pub archived: Option<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UserName {
    #[serde(default, deserialize_with = "json::lenient_string")]
    pub full_name: Option<String>,
}

/// One page of rooms and equipment.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Resources {
    pub items: LenientList<Resource>,
    pub next_page_token: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Resource {
    pub resource_id: String,
    #[serde(default, deserialize_with = "json::lenient_string")]
    pub resource_email: Option<String>,
    #[serde(default, deserialize_with = "json::lenient_string")]
    pub resource_name: Option<String>,
    #[serde(default, deserialize_with = "json::lenient_string")]
    pub resource_category: Option<String>,
    #[serde(default, deserialize_with = "json::lenient_value")]
    pub capacity: Option<i32>,
    #[serde(default, deserialize_with = "json::lenient_string")]
    pub building_id: Option<String>,
    #[serde(default, deserialize_with = "json::lenient_string")]
    pub floor_name: Option<String>,
    #[serde(default, deserialize_with = "json::lenient_list")]
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
    pub buildings: LenientList<Building>,
    pub next_page_token: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Building {
    pub building_id: String,
    #[serde(default, deserialize_with = "json::lenient_string")]
    pub building_name: Option<String>,
}

/// A calendar's own metadata (`calendars.get`): its id and zone.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Calendar {
    pub id: String,
    #[serde(default, deserialize_with = "json::lenient_string")]
    pub time_zone: Option<String>,
}

/// One page of a user's calendar list.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CalendarList {
    pub items: LenientList<ListedCalendar>,
    pub next_page_token: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListedCalendar {
    pub id: String,
    #[serde(default, deserialize_with = "json::lenient_string")]
    pub summary: Option<String>,
    #[serde(default, deserialize_with = "json::lenient_string")]
    pub summary_override: Option<String>,
    #[serde(default, deserialize_with = "json::lenient_string")]
    pub access_role: Option<String>,
    #[serde(default, deserialize_with = "json::lenient_value")]
    pub primary: Option<bool>,
    #[serde(default, deserialize_with = "json::lenient_value")]
    pub deleted: Option<bool>,
}

/// Busy times by calendar.
#[derive(Debug, Deserialize)]
pub(super) struct FreeBusy {
    pub calendars: HashMap<String, Box<RawValue>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct BusyCalendar {
    #[serde(default, deserialize_with = "json::lenient_value")]
    pub busy: Option<LenientList<BusyTime>>,
    #[serde(default)]
    pub errors: Option<Box<RawValue>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct BusyTime {
    #[serde(default, deserialize_with = "json::lenient_string")]
    pub start: Option<String>,
    #[serde(default, deserialize_with = "json::lenient_string")]
    pub end: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct BusyError {
    #[serde(default, deserialize_with = "json::lenient_string")]
    pub reason: Option<String>,
}

/// Metadata in a list of events: its calendar and the caller's access to it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CalendarMetadata {
    #[serde(default, deserialize_with = "json::lenient_string")]
    pub summary: Option<String>,
    #[serde(default, deserialize_with = "json::lenient_string")]
    pub time_zone: Option<String>,
    #[serde(default, deserialize_with = "json::lenient_string")]
    pub access_role: Option<String>,
}

/// One page of events.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Events {
    pub items: LenientList<Event>,
    #[serde(default, deserialize_with = "json::lenient_string")]
    pub time_zone: Option<String>,
    pub next_page_token: Option<String>,
    pub next_sync_token: Option<String>,
}

/// One page of events without details, used only to determine whether the page is empty.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct EventsWithoutDetails {
    #[serde(default, deserialize_with = "json::lenient_list")]
    pub items: Vec<serde::de::IgnoredAny>,
    pub next_page_token: Option<String>,
    pub next_sync_token: Option<String>,
}

/// An event. A deleted one has an id, a status and possibly nothing else.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Event {
    #[serde(default, deserialize_with = "json::lenient_string")]
    pub id: Option<String>,
    #[serde(default, deserialize_with = "json::lenient_string")]
    pub status: Option<String>,
    #[serde(default, deserialize_with = "json::lenient_string")]
    pub etag: Option<String>,
    #[serde(rename = "iCalUID", default, deserialize_with = "json::lenient_string")]
    pub ical_uid: Option<String>,
    #[serde(default, deserialize_with = "json::lenient_string")]
    pub summary: Option<String>,
    #[serde(default, deserialize_with = "json::lenient_value")]
    pub start: Option<EventTime>,
    #[serde(default, deserialize_with = "json::lenient_value")]
    pub end: Option<EventTime>,
    #[serde(default, deserialize_with = "json::lenient_string")]
    pub transparency: Option<String>,
    #[serde(default, deserialize_with = "json::lenient_string")]
    pub visibility: Option<String>,
    #[serde(default, deserialize_with = "json::lenient_string")]
    pub event_type: Option<String>,
    #[serde(default, deserialize_with = "json::lenient_string")]
    pub recurring_event_id: Option<String>,
    #[serde(default, deserialize_with = "json::lenient_value")]
    pub organizer: Option<Person>,
    #[serde(default, deserialize_with = "json::lenient_list")]
    pub attendees: Vec<Attendee>,
    #[serde(default, deserialize_with = "json::lenient_value")]
    pub extended_properties: Option<ExtendedProperties>,
    #[serde(default, deserialize_with = "json::lenient_string")]
    pub hangout_link: Option<String>,
    #[serde(default, deserialize_with = "json::lenient_value")]
    pub conference_data: Option<ConferenceData>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ConferenceData {
    #[serde(default, deserialize_with = "json::lenient_value")]
    pub create_request: Option<ConferenceRequest>,
    #[serde(default, deserialize_with = "json::lenient_list")]
    pub entry_points: Vec<EntryPoint>,
}

#[derive(Debug, Deserialize)]
pub(super) struct ConferenceRequest {
    #[serde(default, deserialize_with = "json::lenient_value")]
    pub status: Option<ConferenceStatus>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ConferenceStatus {
    #[serde(default, deserialize_with = "json::lenient_string")]
    pub status_code: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct EntryPoint {
    #[serde(rename = "entryPointType", default, deserialize_with = "json::lenient_string")]
    pub kind: Option<String>,
    #[serde(default, deserialize_with = "json::lenient_string")]
    pub uri: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct EventTime {
    #[serde(default, deserialize_with = "json::lenient_string")]
    pub date: Option<String>,
    #[serde(default, deserialize_with = "json::lenient_string")]
    pub date_time: Option<String>,
    #[serde(default, deserialize_with = "json::lenient_string")]
    pub time_zone: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Person {
    #[serde(default, deserialize_with = "json::lenient_string")]
    pub email: Option<String>,
    #[serde(default, deserialize_with = "json::lenient_string")]
    pub display_name: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Attendee {
    #[serde(default, deserialize_with = "json::lenient_string")]
    pub email: Option<String>,
    #[serde(default, deserialize_with = "json::lenient_string")]
    pub display_name: Option<String>,
    #[serde(default, deserialize_with = "json::lenient_value")]
    pub optional: Option<bool>,
    #[serde(default, deserialize_with = "json::lenient_value")]
    pub resource: Option<bool>,
    #[serde(rename = "self", default, deserialize_with = "json::lenient_value")]
    pub is_self: Option<bool>,
    #[serde(default, deserialize_with = "json::lenient_string")]
    pub response_status: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct ExtendedProperties {
    #[serde(default, deserialize_with = "json::lenient_value")]
    pub private: Option<PrivateProperties>,
}

#[derive(Debug, Deserialize)]
pub(super) struct PrivateProperties {
    /// The value of [`super::EFFECT_KEY_PROPERTY`].
    #[serde(rename = "musterEffectKey", default, deserialize_with = "json::lenient_string")]
    pub effect_key: Option<String>,
}

/// An open notification channel.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Channel {
    pub id: String,
    pub resource_id: String,
    #[serde(default, deserialize_with = "json::lenient_string")]
    pub expiration: Option<String>,
}
