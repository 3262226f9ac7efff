//! Control requests for the Google emulator: `/control/google` and `/control/organisations/{id}/google`.

use std::collections::BTreeSet;

use aws_lc_rs::{
    encoding::{AsDer, Pkcs8V1Der},
    rsa::KeySize,
    signature::{KeyPair, RsaKeyPair},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use chrono::Duration;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    PATH_PREFIX,
    iam::{MACHINE_ACCOUNT, ManagedKey},
    state::{Change, Delegation, ServiceAccount},
};
use crate::{
    Error,
    app::App,
    control::{ControlError, find_organisation, parse_body},
    microsoft::identity::keys::Signer,
    model::Organisation,
    store::{self, State},
    wire::Request,
};

/// Handles a request below `/control/google`.
pub(crate) fn route_installation(
    app: &App,
    request: &Request,
    method: &str,
    rest: &[&str],
) -> Result<Value, ControlError> {
    match (method, rest) {
        ("POST", ["service-accounts"]) => Ok(create(app, &request.origin, &parse_body(request)?)?),
        ("POST", ["service-accounts", email, "rotate"]) => {
            rotate(app, &request.origin, email)?.ok_or(ControlError::NotFound("service account"))
        }
        ("POST", ["service-accounts", email, "signers"]) => {
            let Signers { signers } = parse_body(request)?;
            let allowed = allow(app, email, signers.into_iter().collect())?;
            allowed.ok_or(ControlError::NotFound("service account without a key"))
        }
        _ => Err(ControlError::NotFound("control")),
    }
}

/// Handles a request below `/control/organisations/{id}/google`.
pub(crate) fn route_organisation(
    app: &App,
    request: &Request,
    method: &str,
    id: Uuid,
    rest: &[&str],
) -> Result<Value, ControlError> {
    find_organisation(app.store().state(), id)?;
    match (method, rest) {
        ("GET", []) => {
            let store = app.store();
            Ok(show(store.state(), find_organisation(store.state(), id)?))
        }
        ("POST", ["delegations"]) => Ok(authorise(app, id, parse_body(request)?)?),
        ("POST", ["delegations", "revoke"]) => Ok(revoke(app, id, parse_body(request)?)?),
        ("POST", ["domains"]) => {
            let Domain { name, verified } = parse_body(request)?;
            Ok(write(app, Change::Domain(id, name, verified))?)
        }
        ("POST", ["hosted"]) => {
            let Hosted { address, domain } = parse_body(request)?;
            let account =
                find_organisation(app.store().state(), id)?.find(&address).map(|account| account.id.clone());
            Ok(write(app, Change::Hosted(account.ok_or(ControlError::NotFound("mailbox"))?, domain))?)
        }
        ("POST", ["namesakes"]) => {
            let Namesake { address } = parse_body(request)?;
            let account =
                find_organisation(app.store().state(), id)?.find(&address).map(|account| account.id.clone());
            Ok(write(app, Change::Namesake(account.ok_or(ControlError::NotFound("mailbox"))?))?)
        }
        ("POST", ["resold"]) => {
            let Resold { organisation } = parse_body(request)?;
            find_organisation(app.store().state(), organisation)?;
            Ok(write(app, Change::Resold(id, organisation))?)
        }
        _ => Err(ControlError::NotFound("control")),
    }
}

/// The body for creating a service account.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewAccount {
    /// The part of the service account's email address before the `@`.
    #[serde(default = "muster")]
    name: String,
    /// The id of the Google Cloud project that owns the account; part of its address.
    #[serde(default = "project")]
    project: String,
    /// Whether Google keeps the key, so that the machine on which Muster runs can request signatures.
    #[serde(default)]
    keyless: bool,
}

/// The accounts that may create tokens for a service account.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Signers {
    signers: Vec<String>,
}

fn muster() -> String {
    "muster".to_owned()
}

fn project() -> String {
    "calendar-project".to_owned()
}

/// Creates a service account with a first key and returns its key file. An existing account keeps its id and gets
/// another key.
fn create(app: &App, origin: &str, new: &NewAccount) -> Result<Value, Error> {
    let email = format!("{}@{}.iam.gserviceaccount.com", new.name, new.project);
    let known = app.store().state().google.accounts.get(&email).cloned();
    let account = known.unwrap_or_else(|| ServiceAccount {
        client_id: super::directory::numeric_directory_id(&email),
        project: new.project.clone(),
        keys: std::collections::BTreeMap::new(),
        disabled: false,
        managed: None,
        email,
    });
    if new.keyless { manage_key(app, account) } else { give_key(app, origin, account) }
}

/// Creates a key that Google keeps for a service account; returns the account as its owner sees it.
fn manage_key(app: &App, mut account: ServiceAccount) -> Result<Value, Error> {
    let (signer, private) = Signer::generate()?;
    account.keys.insert(signer.key_id().to_owned(), STANDARD.encode(signer.public_key_der()));
    account.managed = Some(ManagedKey { private, signers: [MACHINE_ACCOUNT.to_owned()].into() });
    let known = json!({ "client_email": account.email, "client_id": account.client_id, "signers": [MACHINE_ACCOUNT] });
    let mut store = app.store();
    app.commit(&mut store, vec![store::Change::Google(Change::Account(account))])?;
    Ok(known)
}

/// Changes which accounts may request signatures of a service account; `None` if Google keeps no key for the account.
fn allow(app: &App, email: &str, signers: BTreeSet<String>) -> Result<Option<Value>, Error> {
    let mut store = app.store();
    let Some(mut account) = store.state().google.accounts.get(email).cloned() else { return Ok(None) };
    let Some(managed) = &mut account.managed else { return Ok(None) };
    let answer = json!({ "signers": signers });
    managed.signers = signers;
    app.commit(&mut store, vec![store::Change::Google(Change::Account(account))])?;
    Ok(Some(answer))
}

/// Deletes all keys of a service account and returns a new key file.
fn rotate(app: &App, origin: &str, email: &str) -> Result<Option<Value>, Error> {
    let known = app.store().state().google.accounts.get(email).cloned();
    let Some(mut account) = known else { return Ok(None) };
    account.keys.clear();
    give_key(app, origin, account).map(Some)
}

fn give_key(app: &App, origin: &str, mut account: ServiceAccount) -> Result<Value, Error> {
    let pair = RsaKeyPair::generate(KeySize::Rsa2048).map_err(|_| Error::SigningKey)?;
    let der = AsDer::<Pkcs8V1Der<'static>>::as_der(&pair).map_err(|_| Error::SigningKey)?;
    let id = app.ids.random_bytes::<20>().iter().fold(String::new(), |id, byte| format!("{id}{byte:02x}"));
    account.keys.insert(id.clone(), STANDARD.encode(pair.public_key().as_ref()));
    let file = json!({
        "type": "service_account",
        "project_id": account.project,
        "private_key_id": id,
        "private_key": pem(der.as_ref()),
        "client_email": account.email,
        "client_id": account.client_id,
        "auth_uri": format!("{origin}/{PATH_PREFIX}/o/oauth2/v2/auth"),
        "token_uri": format!("{origin}/{PATH_PREFIX}/token"),
        "universe_domain": "googleapis.com",
    });
    let mut store = app.store();
    app.commit(&mut store, vec![store::Change::Google(Change::Account(account))])?;
    Ok(file)
}

fn pem(der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let lines: Vec<&str> =
        text.as_bytes().chunks(64).filter_map(|line| std::str::from_utf8(line).ok()).collect();
    format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", lines.join("\n"))
}

/// The body for authorising a client.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Authorise {
    client_id: String,
    scopes: Vec<String>,
    /// Seconds until Google has propagated the authorisation.
    #[serde(default)]
    delay_s: i64,
}

/// Authorises a client for domain-wide delegation.
fn authorise(app: &App, organisation: Uuid, order: Authorise) -> Result<Value, Error> {
    let delegation = Delegation {
        scopes: order.scopes.into_iter().collect(),
        effective_at: app.now() + Duration::seconds(order.delay_s),
    };
    let answer = json!(delegation);
    let change = Change::Delegation(organisation, order.client_id, delegation);
    app.commit(&mut app.store(), vec![store::Change::Google(change)])?;
    Ok(answer)
}

/// The body for withdrawing a client's delegation.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Revoke {
    client_id: String,
}

/// Withdraws a delegation.
fn revoke(app: &App, organisation: Uuid, order: Revoke) -> Result<Value, Error> {
    let change = Change::DelegationGone(organisation, order.client_id);
    app.commit(&mut app.store(), vec![store::Change::Google(change)])?;
    Ok(json!({ "revoked": true }))
}

/// A secondary domain that is added to an organisation.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Domain {
    name: String,
    verified: bool,
}

/// An account whose domain, as reported in ID tokens, differs from that of its organisation.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Hosted {
    address: String,
    domain: String,
}

/// An account whose email address another person uses to sign in, with an account that the directory does not list.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Namesake {
    address: String,
}

/// An organisation that this one resells.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Resold {
    organisation: Uuid,
}

fn write(app: &App, change: Change) -> Result<Value, Error> {
    app.commit(&mut app.store(), vec![store::Change::Google(change)])?;
    Ok(json!({ "done": true }))
}

/// Google's data about an organisation.
fn show(state: &State, organisation: &Organisation) -> Value {
    let delegations: serde_json::Map<String, Value> = state
        .google
        .delegations
        .iter()
        .filter(|((owner, _), _)| *owner == organisation.id)
        .map(|((_, client), delegation)| (client.clone(), json!(delegation)))
        .collect();
    let channels = state.google.channels.values().filter(|channel| channel.owner.0 == organisation.id);
    json!({
        "customer": super::directory::customer_id(organisation),
        "delegations": delegations,
        "channels": channels.map(|channel| channel.id.clone()).collect::<Vec<_>>(),
    })
}
