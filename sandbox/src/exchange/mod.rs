//! Exchange on-premises: Exchange Web Services and Autodiscover, for the same organisations as the cloud.
//!
//! A request is authenticated as the service account of an organisation, accesses the mailbox that it impersonates,
//! and contains one or more operations. Errors about the whole request are SOAP faults with HTTP 500, those about one
//! item are messages inside a 200.

mod account;
mod autodiscover;
mod availability;
mod bias;
mod create;
mod failure;
mod fields;
mod folders;
mod items;
mod names;
mod pull;
mod remove;
mod render;
mod restriction;
mod rooms;
mod sync;
mod update;
mod xml;
mod zones;

use std::sync::Arc;

pub use self::failure::{error_response, outage_response, throttle_response};
use self::{
    account::CallContext,
    failure::{Failure, RequestError},
    xml::{Element, SOAP, TYPES},
};
use crate::{
    Error,
    app::App,
    wire::{JournalDetails, Request, WireResponse},
};

/// Whether a request is addressed to Exchange, judging by its path.
pub fn is_exchange_request(request: &Request) -> bool {
    let first = request.segments.first().map(|first| first.to_ascii_lowercase());
    matches!(first.as_deref(), Some("ews" | "autodiscover"))
}

/// Handles a request to Exchange.
pub fn route(app: &Arc<App>, request: &Request, note: &mut JournalDetails) -> Result<WireResponse, Error> {
    let answered = match path(request).as_slice() {
        ["ews", "exchange.asmx"] if request.method == "POST" => serve(app, request, note),
        ["autodiscover", "autodiscover.xml"] if request.method == "POST" => {
            autodiscover::handle_autodiscover(app, request, note)
        }
        _ => Ok(WireResponse::empty(404)),
    };
    match answered {
        Ok(answer) => Ok(answer.with_header("request-id", app.new_guid().to_string())),
        Err(RequestError::Because(failure)) => Ok(failure.to_soap_fault()),
        Err(RequestError::NotLoggedIn) => {
            Ok(WireResponse::empty(401).with_header("www-authenticate", "Basic realm=\"exchange.test\""))
        }
        Err(RequestError::Broken(error)) => Err(error),
    }
}

/// The segments of the path, compared case-insensitively as by IIS.
fn path(request: &Request) -> Vec<&'static str> {
    const KNOWN: [&str; 4] = ["ews", "exchange.asmx", "autodiscover", "autodiscover.xml"];
    let known = |segment: &String| {
        KNOWN.into_iter().find(|known| segment.eq_ignore_ascii_case(known)).unwrap_or_default()
    };
    request.segments.iter().map(known).collect()
}

fn serve(app: &Arc<App>, request: &Request, note: &mut JournalDetails) -> Result<WireResponse, RequestError> {
    let (tenant, account) = account::log_in(app, request)?;
    note.app = Some(account.user.clone());
    let schema = |text: &str| Failure::new("ErrorSchemaValidation", text);
    let envelope = Element::parse(&request.body)
        .filter(|root| root.has_name(SOAP, "Envelope"))
        .ok_or_else(|| schema("The request failed schema validation: it is no SOAP envelope."))?;
    let operation = envelope
        .child(SOAP, "Body")
        .and_then(|body| body.children.first())
        .ok_or_else(|| schema("The request failed schema validation: the body is empty."))?;
    let header = envelope.child(SOAP, "Header").cloned().unwrap_or_default();
    check_version(&header)?;
    let mut call = CallContext::from_request(app, note, tenant, account, &header)?;
    let response = dispatch(&mut call, operation)?;
    Ok(WireResponse::xml(200, xml::soap_envelope(&response)))
}

const VERSIONS: [&str; 8] = [
    "Exchange2007",
    "Exchange2007_SP1",
    "Exchange2010",
    "Exchange2010_SP1",
    "Exchange2010_SP2",
    "Exchange2013",
    "Exchange2013_SP1",
    "Exchange2016",
];

fn check_version(header: &Element) -> Result<(), Failure> {
    let version = header.child(TYPES, "RequestServerVersion").and_then(|one| one.attribute("Version"));
    // A request without a version speaks the oldest one.
    match version {
        Some(version) if !VERSIONS.contains(&version) => {
            Err(Failure::new("ErrorInvalidServerVersion", "The specified server version is invalid."))
        }
        _ => Ok(()),
    }
}

fn dispatch(call: &mut CallContext<'_>, operation: &Element) -> Result<String, RequestError> {
    match operation.name.as_str() {
        "GetFolder" => Ok(folders::get_folder(call, operation)),
        "FindFolder" => Ok(folders::find_folder(call, operation)),
        "FindItem" => Ok(items::find_item(call, operation)),
        "GetItem" => Ok(items::get_item(call, operation)),
        "ConvertId" => Ok(items::convert_id(operation)),
        "CreateItem" => create::create_item(call, operation),
        "UpdateItem" => update::update_item(call, operation),
        "DeleteItem" => remove::delete_item(call, operation),
        "SyncFolderItems" => Ok(sync::sync_folder_items(call, operation)),
        "Subscribe" => pull::subscribe(call, operation),
        "GetEvents" => Ok(pull::get_events(call, operation)),
        "Unsubscribe" => pull::unsubscribe(call, operation),
        "GetUserAvailabilityRequest" => Ok(availability::get_user_availability(call, operation)?),
        "ResolveNames" => Ok(names::resolve_names(call, operation)?),
        "GetRoomLists" => Ok(rooms::get_room_lists(call)?),
        "GetRooms" => Ok(rooms::get_rooms(call, operation)?),
        "GetServerTimeZones" => Ok(zones::get_server_time_zones(call, operation)),
        name => Err(Failure::new(
            "ErrorInvalidRequest",
            format!("The request is invalid: this server has no operation {name}."),
        )
        .into()),
    }
}
