//! The Admin SDK's Directory API, which only administrators may call: the customer, users, rooms and buildings.

use std::collections::BTreeSet;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::{
    caller::CallContext,
    failure::{Failure, RequestError},
};
use crate::{
    microsoft::identity::keys::sha256,
    model::{Hosting, Mailbox, MailboxPurpose, Organisation},
    store::State,
    wire::WireResponse,
};

const USERS: &[&str] = &["admin.directory.user.readonly", "admin.directory.user"];
const CUSTOMER: &[&str] = &["admin.directory.customer.readonly", "admin.directory.customer"];
const DOMAINS: &[&str] = &["admin.directory.domain.readonly", "admin.directory.domain"];
const RESOURCES: &[&str] =
    &["admin.directory.resource.calendar.readonly", "admin.directory.resource.calendar"];
const PAGE: usize = 100;
const PAGE_MOST: usize = 500;

/// Handles a request below `/admin/directory/v1`.
pub fn dispatch(call: &mut CallContext<'_>, rest: &[&str]) -> Result<WireResponse, RequestError> {
    let store = call.app.store();
    let state = store.state();
    let organisation = call.organisation(state)?;
    let scopes = match rest {
        ["users", ..] => USERS,
        ["customers", _] => CUSTOMER,
        ["customer", _, "domains"] => DOMAINS,
        _ => RESOURCES,
    };
    call.require_scope(scopes)?;
    if !call.own_mailbox(state)?.admin {
        return Err(Failure::not_administrator().into());
    }
    match (call.request.method.as_str(), rest) {
        ("GET", ["customers", key]) if ours(organisation, key) => {
            Ok(WireResponse::json(200, customer(organisation)))
        }
        ("GET", ["users"]) => users(call, organisation),
        ("GET", ["users", key]) => {
            let resold = resold(state, organisation);
            let mut seen = std::iter::once(organisation).chain(resold);
            let found = seen.find_map(|one| Some((one, one.find(key).or_else(|| by_number(one, key))?)));
            let found = found.filter(|(_, found)| found.purpose != MailboxPurpose::Room);
            let found = found.filter(|(_, found)| found.hosting != Hosting::OnPrem);
            let missing = || Failure::new(404, "global", "notFound", "Resource Not Found: userKey");
            let (owner, found) = found.ok_or_else(missing)?;
            call.note.mailbox = Some(found.address.clone());
            Ok(WireResponse::json(200, user(owner, found)))
        }
        ("GET", ["customer", key, "domains"]) if ours(organisation, key) => {
            Ok(WireResponse::json(200, domains(state, organisation)))
        }
        ("GET", ["customer", key, "resources", "calendars"]) if ours(organisation, key) => {
            resources(call, organisation)
        }
        ("GET", ["customer", key, "resources", "calendars", id]) if ours(organisation, key) => {
            let found = rooms(organisation).into_iter().find(|room| numeric_directory_id(&room.id) == *id);
            Ok(WireResponse::json(200, resource(found.ok_or_else(Failure::not_found)?)))
        }
        ("GET", ["customer", key, "resources", "buildings"]) if ours(organisation, key) => {
            buildings(call, organisation)
        }
        _ => Err(Failure::not_found().into()),
    }
}

/// The organisations that this one resells; a reseller's administrators see their directories.
fn resold<'s>(state: &'s State, reseller: &Organisation) -> impl Iterator<Item = &'s Organisation> {
    let ours = state.google.resold.iter().filter(move |(of, _)| *of == reseller.id);
    ours.filter_map(|(_, customer)| state.organisations.get(customer))
}

fn by_number<'a>(organisation: &'a Organisation, key: &str) -> Option<&'a Mailbox> {
    organisation.mailboxes.values().find(|mailbox| numeric_directory_id(&mailbox.id) == key)
}

/// A directory id in Google's format: digits only.
pub fn numeric_directory_id(id: &str) -> String {
    let hash = sha256(id.as_bytes());
    let value = hash.iter().take(8).fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
    format!("1{value:020}")
}

/// The customer id of an organisation.
pub fn customer_id(organisation: &Organisation) -> String {
    let hash = URL_SAFE_NO_PAD.encode(sha256(organisation.id.as_bytes()));
    let letters: String = hash.chars().filter(char::is_ascii_alphanumeric).take(8).collect();
    format!("C0{}", letters.to_lowercase())
}

fn ours(organisation: &Organisation, key: &str) -> bool {
    key == "my_customer" || key == customer_id(organisation)
}

fn customer(organisation: &Organisation) -> Value {
    json!({
        "kind": "admin#directory#customer",
        "id": customer_id(organisation),
        "etag": etag(&organisation.name),
        "customerDomain": organisation.domain,
        "customerCreationTime": organisation.created_at.to_rfc3339_opts(chrono::SecondsFormat::Millis, true),
        "postalAddress": { "organizationName": organisation.name, "countryCode": "DE" },
        "language": "en",
    })
}

/// The organisation's own domain and its added domains.
fn domains(state: &State, organisation: &Organisation) -> Value {
    let domain = |name: &str, verified: bool| {
        json!({
            "kind": "admin#directory#domain", "etag": etag(name), "domainName": name, "verified": verified,
            "isPrimary": name == organisation.domain,
            "creationTime": organisation.created_at.timestamp_millis().to_string(),
        })
    };
    let added = state.google.domains.iter().filter(|((owner, _), _)| *owner == organisation.id);
    let own = std::iter::once(domain(&organisation.domain, true));
    let all: Vec<Value> = own.chain(added.map(|((_, name), verified)| domain(name, *verified))).collect();
    json!({ "kind": "admin#directory#domains", "etag": etag("domains"), "domains": all })
}

fn users(call: &CallContext<'_>, organisation: &Organisation) -> Result<WireResponse, RequestError> {
    let query = |name| call.request.query(name);
    let named = query("customer").is_some_and(|key| ours(organisation, key))
        || query("domain").is_some_and(|domain| domain.eq_ignore_ascii_case(&organisation.domain));
    if !named {
        return Err(Failure::new(400, "global", "badRequest", "Bad Request").into());
    }
    let wants = |mailbox: &Mailbox| match query("query") {
        Some("isSuspended=true") => false,
        Some(query) => query.strip_prefix("email=").is_none_or(|email| mailbox.address == email),
        None => true,
    };
    let mut found: Vec<&Mailbox> = organisation
        .mailboxes
        .values()
        .filter(|mailbox| mailbox.purpose != MailboxPurpose::Room && mailbox.hosting != Hosting::OnPrem)
        .filter(|mailbox| wants(mailbox))
        .collect();
    found.sort_by_key(|mailbox| &mailbox.address);
    let values: Vec<Value> = found.into_iter().map(|mailbox| user(organisation, mailbox)).collect();
    page(call, "admin#directory#users", "users", values)
}

fn user(organisation: &Organisation, mailbox: &Mailbox) -> Value {
    let (given, family) = mailbox.name.split_once(' ').unwrap_or((&mailbox.name, "-"));
    json!({
        "kind": "admin#directory#user",
        "id": numeric_directory_id(&mailbox.id),
        "etag": etag(&mailbox.address),
        "primaryEmail": mailbox.address,
        "name": { "givenName": given, "familyName": family, "fullName": mailbox.name },
        "isAdmin": mailbox.admin,
        "isDelegatedAdmin": false,
        "agreedToTerms": true,
        "suspended": false,
        "archived": false,
        "changePasswordAtNextLogin": false,
        "ipWhitelisted": false,
        "aliases": mailbox.aliases,
        "customerId": customer_id(organisation),
        "orgUnitPath": "/",
        "isMailboxSetup": mailbox.hosting == Hosting::Normal,
        "includeInGlobalAddressList": true,
    })
}

fn rooms(organisation: &Organisation) -> Vec<&Mailbox> {
    let mut found: Vec<&Mailbox> =
        organisation.mailboxes.values().filter(|mailbox| mailbox.purpose == MailboxPurpose::Room).collect();
    found.sort_by_key(|mailbox| (&mailbox.name, &mailbox.id));
    found
}

fn resources(call: &CallContext<'_>, organisation: &Organisation) -> Result<WireResponse, RequestError> {
    let values = rooms(organisation).into_iter().map(resource).collect();
    page(call, "admin#directory#resources#calendars#calendarResourcesList", "items", values)
}

fn resource(mailbox: &Mailbox) -> Value {
    let mut value = json!({
        "kind": "admin#directory#resources#calendars#CalendarResource",
        "etags": etag(&mailbox.address),
        "resourceId": numeric_directory_id(&mailbox.id),
        "resourceName": mailbox.name,
        "generatedResourceName": mailbox.name,
        "resourceEmail": mailbox.address,
        "resourceCategory": "CONFERENCE_ROOM",
    });
    if let Some(room) = &mailbox.room {
        if let Some(capacity) = room.capacity {
            value["capacity"] = capacity.into();
        }
        if let Some(building) = &room.building {
            value["buildingId"] = building_id(building).into();
        }
        if let Some(floor) = room.floor {
            value["floorName"] = floor.to_string().into();
        }
        let features = room.equipment.iter().map(|name| json!({ "feature": { "name": name } }));
        value["featureInstances"] = features.collect();
    }
    value
}

fn buildings(call: &CallContext<'_>, organisation: &Organisation) -> Result<WireResponse, RequestError> {
    let names: BTreeSet<&str> = organisation
        .mailboxes
        .values()
        .filter_map(|mailbox| mailbox.room.as_ref()?.building.as_deref())
        .collect();
    let building = |name: &str| {
        json!({
            "kind": "admin#directory#resources#buildings#Building", "etags": etag(name),
            "buildingId": building_id(name), "buildingName": name,
        })
    };
    let values = names.into_iter().map(building).collect();
    page(call, "admin#directory#resources#buildings#buildingsList", "buildings", values)
}

fn building_id(name: &str) -> String {
    format!("bld-{}", name.to_lowercase().replace(' ', "-"))
}

fn etag(text: &str) -> String {
    format!("\"{}\"", URL_SAFE_NO_PAD.encode(&sha256(text.as_bytes())[..12]))
}

/// One page of a list. An empty list is omitted, as by Google.
fn page(
    call: &CallContext<'_>,
    kind: &str,
    name: &str,
    values: Vec<Value>,
) -> Result<WireResponse, RequestError> {
    let number = |name: &str| call.request.query(name).map(str::parse::<usize>).transpose();
    let bad = |_| Failure::invalid_request("Invalid Input: maxResults");
    let most = number("maxResults").map_err(bad)?.unwrap_or(PAGE);
    if most == 0 || most > PAGE_MOST {
        return Err(Failure::invalid_request("Invalid Input: maxResults").into());
    }
    let token = call.request.query("pageToken");
    let skip = token.map(|token| token.strip_prefix("~!!~").and_then(|skip| skip.parse::<usize>().ok()));
    let skip = match skip {
        Some(None) => return Err(Failure::invalid_request("Invalid Input: pageToken").into()),
        Some(Some(skip)) => skip,
        None => 0,
    };
    let total = values.len();
    let part: Vec<Value> = values.into_iter().skip(skip).take(most).collect();
    let mut body = json!({ "kind": kind, "etag": etag(kind) });
    if skip + part.len() < total {
        body["nextPageToken"] = format!("~!!~{}", skip + part.len()).into();
    }
    if !part.is_empty() {
        body[name] = part.into();
    }
    Ok(WireResponse::json(200, body))
}
