//! Users, roles, the organisation and mailbox settings.

use serde_json::{Value, json};

use super::{
    CallContext, SETTINGS,
    failure::{Failure, RequestError},
    odata,
};
use crate::{
    model::{Hosting, Mailbox, MailboxPurpose},
    wire::WireResponse,
};

const ADMINISTRATOR: &str = "62e90394-69f5-4237-9190-012177145e10";
const PAGE: usize = 100;
const PAGE_MOST: usize = 999;
const DEFAULT: &str = "businessPhones,displayName,givenName,id,jobTitle,mail,mobilePhone,officeLocation,\
preferredLanguage,surname,userPrincipalName";
const DIRECTORY: &[&str] = &["User.Read.All", "Directory.Read.All"];
const OWN: &[&str] = &["User.Read", "User.Read.All", "Directory.Read.All", "RoleManagement.Read.Directory"];

/// Handles `GET /users`.
pub fn list_users(call: &mut CallContext<'_>) -> Result<WireResponse, RequestError> {
    allow(call, DIRECTORY)?;
    let (skip, top) =
        (odata::parse_skip(call.request, "$skiptoken")?, odata::parse_top(call.request, PAGE, PAGE_MOST)?);
    let filter = call.request.query("$filter").map(Filter::read).transpose()?;
    let store = call.app.store();
    let users: Vec<Value> = call
        .organisation(store.state())?
        .mailboxes
        .values()
        .filter(|user| filter.as_ref().is_none_or(|filter| filter.matches(user)))
        .map(|user| show(call, user))
        .collect();
    Ok(WireResponse::json(
        200,
        odata::collection_page(call.request, "users", &users, (skip, top), "$skiptoken"),
    ))
}

/// Handles `GET /users/{id | userPrincipalName}` and `GET /me`.
pub fn get_user(call: &mut CallContext<'_>, key: &str) -> Result<WireResponse, RequestError> {
    let own = call.bearer.delegated && call.bearer.object == key;
    allow(call, if own { OWN } else { DIRECTORY })?;
    let store = call.app.store();
    let user = user(call, store.state(), key)?;
    let mut value = show(call, user);
    value["@odata.context"] = odata::odata_context("users/$entity");
    Ok(WireResponse::json(200, value))
}

/// Handles `GET /me/transitiveMemberOf/microsoft.graph.directoryRole`.
pub fn list_roles(call: &mut CallContext<'_>, key: &str) -> Result<WireResponse, RequestError> {
    let own = call.bearer.delegated && call.bearer.object == key;
    allow(call, if own { OWN } else { DIRECTORY })?;
    let store = call.app.store();
    let user = user(call, store.state(), key)?;
    let role = json!({
        "@odata.type": "#microsoft.graph.directoryRole",
        "id": "5f9d6f6c-3d1b-4d3e-8b7e-2c8a1c6b7f10",
        "deletedDateTime": null,
        "description": "Can manage all aspects of the directory and of services that use its identities.",
        "displayName": "Global Administrator",
        "roleTemplateId": ADMINISTRATOR,
    });
    let held = if user.admin { vec![odata::apply_select(call.request, role)] } else { Vec::new() };
    Ok(WireResponse::json(
        200,
        odata::collection_page(call.request, "directoryRoles", &held, (0, PAGE), "$skiptoken"),
    ))
}

/// Handles `GET /organization`.
pub fn get_organisation(call: &mut CallContext<'_>) -> Result<WireResponse, RequestError> {
    if call.bearer.permissions.is_empty() {
        return Err(Failure::directory_access_denied().into());
    }
    let store = call.app.store();
    let found = call.organisation(store.state())?;
    let value = json!({
        "id": found.id,
        "displayName": found.name,
        "tenantType": "AAD",
        "countryLetterCode": "GB",
        "preferredLanguage": "en",
        "createdDateTime": found.created_at.format("%Y-%m-%dT%H:%M:%SZ").to_string(),
        "verifiedDomains": [{
            "capabilities": "Email, OfficeCommunicationsOnline",
            "isDefault": true, "isInitial": true, "name": found.domain, "type": "Managed",
        }],
    });
    let value = odata::apply_select(call.request, value);
    Ok(WireResponse::json(
        200,
        odata::collection_page(call.request, "organization", &[value], (0, PAGE), "$skiptoken"),
    ))
}

/// Handles `GET /users/{id}/mailboxSettings`.
pub fn get_mailbox_settings(call: &mut CallContext<'_>, key: &str) -> Result<WireResponse, RequestError> {
    let store = call.app.store();
    let state = store.state();
    let (_, mailbox) = call.mailbox(state, key, SETTINGS)?;
    let zone = &call.organisation(state)?.zone;
    Ok(WireResponse::json(
        200,
        odata::apply_select(
            call.request,
            json!({
                "@odata.context": odata::odata_context(&format!("users('{}')/mailboxSettings", mailbox.id)),
                "archiveFolder": null,
                "timeZone": zone,
                "delegateMeetingMessageDeliveryOptions": "sendToDelegateOnly",
                "dateFormat": "yyyy-MM-dd",
                "timeFormat": "HH:mm",
                "userPurpose": mailbox.purpose,
                "automaticRepliesSetting": {
                    "status": "disabled", "externalAudience": "all",
                    "internalReplyMessage": "", "externalReplyMessage": "",
                },
                "language": { "locale": "en-GB", "displayName": "English (United Kingdom)" },
                "workingHours": working_hours(zone),
            }),
        ),
    ))
}

/// Working hours from Monday to Friday, eight to five.
pub fn working_hours(zone: &str) -> Value {
    json!({
        "daysOfWeek": ["monday", "tuesday", "wednesday", "thursday", "friday"],
        "startTime": "08:00:00.0000000",
        "endTime": "17:00:00.0000000",
        "timeZone": { "name": zone },
    })
}

fn allow(call: &CallContext<'_>, permissions: &[&str]) -> Result<(), Failure> {
    call.bearer.has_any_permission(permissions).then_some(()).ok_or_else(Failure::directory_access_denied)
}

fn user<'s>(
    call: &CallContext<'_>,
    state: &'s crate::store::State,
    key: &str,
) -> Result<&'s Mailbox, Failure> {
    // The directory takes ids and sign-in names as keys, but not further addresses.
    let found = call.organisation(state)?.find(key);
    found
        .filter(|user| user.id.eq_ignore_ascii_case(key) || user.upn.eq_ignore_ascii_case(key))
        .ok_or_else(|| Failure::no_such_object(key))
}

fn show(call: &CallContext<'_>, user: &Mailbox) -> Value {
    let (given, family) = user.name.split_once(' ').unwrap_or((&user.name, ""));
    let has_mailbox = user.hosting != Hosting::None;
    let person = user.purpose == MailboxPurpose::User;
    let mut proxies = vec![format!("SMTP:{}", user.address)];
    proxies.extend(user.aliases.iter().map(|alias| format!("smtp:{alias}")));
    let all = json!({
        "businessPhones": [],
        "displayName": user.name,
        "givenName": person.then_some(given),
        "id": user.id,
        "jobTitle": null,
        "mail": has_mailbox.then_some(&user.address),
        "mobilePhone": null,
        "officeLocation": null,
        "preferredLanguage": null,
        "surname": person.then_some(family),
        "userPrincipalName": user.upn,
        "accountEnabled": person,
        "userType": "Member",
        "proxyAddresses": if has_mailbox { proxies } else { Vec::new() },
    });
    let selected = call.request.query("$select").unwrap_or(DEFAULT);
    let names: Vec<&str> = selected.split(',').map(str::trim).collect();
    let Value::Object(members) = all else { return all };
    members.into_iter().filter(|(name, _)| name == "id" || names.contains(&name.as_str())).collect()
}

/// Comparisons joined by `or`.
struct Filter(Vec<(Field, String)>);

#[derive(Clone, Copy)]
enum Field {
    Mail,
    Upn,
    Proxy,
}

impl Filter {
    fn read(text: &str) -> Result<Self, Failure> {
        let unsupported = || Failure::new(400, "Request_UnsupportedQuery", "Unsupported Query.");
        let mut clauses = Vec::new();
        for clause in text.split(" or ") {
            let field = match odata::normalise_expression(clause).as_str() {
                "maileq''" => Field::Mail,
                "userprincipalnameeq''" => Field::Upn,
                "proxyaddresses/any(p:peq'')" | "proxyaddresses/any(x:xeq'')" => Field::Proxy,
                _ => return Err(unsupported()),
            };
            clauses.push((field, odata::string_literals(clause).pop().ok_or_else(unsupported)?));
        }
        Ok(Self(clauses))
    }

    fn matches(&self, user: &Mailbox) -> bool {
        let has_mailbox = user.hosting != Hosting::None;
        self.0.iter().any(|(field, wanted)| match field {
            Field::Mail => has_mailbox && user.address.eq_ignore_ascii_case(wanted),
            Field::Upn => user.upn.eq_ignore_ascii_case(wanted),
            Field::Proxy => {
                let address = wanted.get(..5).filter(|start| start.eq_ignore_ascii_case("smtp:"));
                let address = address.map_or(wanted.as_str(), |_| &wanted[5..]);
                let mut known = std::iter::once(&user.address).chain(&user.aliases);
                has_mailbox && known.any(|known| known.eq_ignore_ascii_case(address))
            }
        })
    }
}
