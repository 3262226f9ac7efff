//! The authorisation endpoint: sign-in, consent of an account, authorisation code with PKCE.

use std::{collections::BTreeSet, sync::Arc};

use chrono::Duration;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    directory::{self, TenantSegment},
    failure::Failure,
    page::{self, ConsentSubject},
    permissions::{self, RequestedScopes},
};
use crate::{
    Error,
    app::App,
    model::{AuthorisationCode, Consent, Grant, Mailbox, Organisation},
    store::{Change, State},
    wire::{Form, JournalDetails, Request, WireResponse},
};

const CODE_LIVES_MINUTES: i64 = 10;

/// Parameters with which the sign-in began.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Ask {
    tenant: String,
    client_id: String,
    redirect_uri: String,
    scopes: BTreeSet<String>,
    state: Option<String>,
    nonce: Option<String>,
    prompt: Option<String>,
    hint: Option<String>,
    domain: Option<String>,
    challenge: Option<String>,
}

/// Handles `GET /{tenant}/oauth2/v2.0/authorize`.
pub fn begin_sign_in(app: &App, request: &Request, tenant: &str, note: &mut JournalDetails) -> WireResponse {
    note.app = request.query("client_id").map(str::to_owned);
    let store = app.store();
    let (redirect_uri, place) = match check_client(store.state(), request, tenant) {
        Ok(checked) => checked,
        Err(failure) => {
            return page::error_page(
                400,
                "Sorry, but we're having trouble signing you in",
                &failure.description(),
            );
        }
    };
    let ask = match read(request, tenant, redirect_uri.clone(), store.state()) {
        Ok(ask) => ask,
        Err(failure) => return refusal(&redirect_uri, request.query("state"), &failure),
    };
    if ask.prompt.as_deref() == Some("none") {
        let failure = Failure::new(50058, "A silent sign-in request was sent but no user is signed in.");
        return refusal(&ask.redirect_uri, ask.state.as_deref(), &failure);
    }
    choose(store.state(), place, &request.path, &ask, ask.hint.as_deref())
}

/// Handles a form submitted from one of the sign-in pages.
pub fn handle_form(
    app: &Arc<App>,
    request: &Request,
    note: &mut JournalDetails,
) -> Result<WireResponse, Error> {
    let form = request.form();
    let Some(ask) = form.get("flow").and_then(page::decode_flow::<Ask>) else {
        return Ok(page::error_page(400, "Start again", "This sign-in was not begun here."));
    };
    note.app = Some(ask.client_id.clone());
    if form.get("decision") == Some("refuse") {
        note.outcome = Some("refused");
        let failure = Failure::new(65004, "User declined to consent to access the app.");
        return Ok(refusal(&ask.redirect_uri, ask.state.as_deref(), &failure));
    }
    let mut store = app.store();
    let state = store.state();
    let Ok(place) = TenantSegment::parse(state, &ask.tenant) else {
        return Ok(page::error_page(400, "Start again", "The organisation is gone."));
    };
    if form.get("step") == Some("choose") {
        return Ok(choose(state, place, &request.path, &ask, None));
    }
    let Some((organisation, account)) = select_account(state, place, &form) else {
        let text = "AADSTS50034: The user account does not exist in this directory.";
        return Ok(page::error_page(400, "We couldn't find an account", text));
    };
    note.mailbox = Some(account.address.clone());
    let consent = organisation.consents.get(&ask.client_id).cloned().unwrap_or_default();
    if consent.disabled {
        let failure = Failure::disabled_application(&ask.client_id);
        return Ok(refusal(&ask.redirect_uri, ask.state.as_deref(), &failure));
    }
    let granted = covered(&consent, account, &ask.scopes) && ask.prompt.as_deref() != Some("consent");
    if !granted && form.get("decision") != Some("accept") {
        return Ok(ask_consent(state, &request.path, &ask, organisation, account));
    }
    let (answer, changes) = accept(app, &ask, organisation, account, consent);
    note.outcome = Some("signed in");
    app.commit(&mut store, changes)?;
    Ok(answer)
}

/// Checks client and redirect URI. Errors are shown on a page, because an unknown client or unregistered redirect
/// URI must not be redirected to.
pub(super) fn check_client(
    state: &State,
    request: &Request,
    tenant: &str,
) -> Result<(String, TenantSegment), Failure> {
    let client_id = request.query("client_id").ok_or_else(|| Failure::missing_parameter("client_id"))?;
    let place = TenantSegment::parse(state, tenant)?;
    let application = directory::find_application(state, client_id, tenant)?;
    let uri = request.query("redirect_uri").ok_or_else(|| Failure::missing_parameter("redirect_uri"))?;
    if !application.redirect_uris.iter().any(|known| known == uri) {
        return Err(Failure::new(
            50011,
            format!(
                "The redirect URI '{uri}' specified in the request does not match the redirect URIs configured for the application '{client_id}'."
            ),
        ));
    }
    Ok((uri.to_owned(), place))
}

fn read(request: &Request, tenant: &str, redirect_uri: String, state: &State) -> Result<Ask, Failure> {
    let take = |name: &str| request.query(name).filter(|value| !value.is_empty()).map(str::to_owned);
    match request.query("response_type") {
        Some("code") => {}
        Some(other) => {
            return Err(Failure::new(
                700_051,
                format!("response_type '{other}' is not enabled for the application."),
            ));
        }
        None => return Err(Failure::missing_parameter("response_type")),
    }
    if request.query("response_mode").is_some_and(|mode| mode != "query") {
        return Err(Failure::new(
            9_002_313,
            "Invalid request. The sandbox knows response_mode 'query' only.",
        ));
    }
    let challenge = take("code_challenge");
    if challenge.is_some() && request.query("code_challenge_method") != Some("S256") {
        return Err(Failure::new(
            501_491,
            "Invalid size of Code_Challenge or unsupported Code_Challenge_Method; S256 is supported.",
        ));
    }
    let client_id = take("client_id").unwrap_or_default();
    let scopes =
        match permissions::parse_scope(&take("scope").ok_or_else(|| Failure::missing_parameter("scope"))?)? {
            RequestedScopes::These(scopes) => scopes,
            RequestedScopes::Default => {
                directory::find_application(state, &client_id, tenant)?.permissions.clone()
            }
        };
    Ok(Ask {
        tenant: tenant.to_owned(),
        client_id,
        redirect_uri,
        scopes,
        state: take("state"),
        nonce: take("nonce"),
        prompt: take("prompt"),
        hint: take("login_hint"),
        domain: take("domain_hint").filter(|hint| hint.contains('.')),
        challenge,
    })
}

fn choose(state: &State, place: TenantSegment, path: &str, ask: &Ask, hint: Option<&str>) -> WireResponse {
    let accounts = directory::sign_in_accounts(state, place, ask.domain.as_deref(), hint);
    page::account_page(path, &page::encode_flow(ask), "Pick an account", &accounts)
}

/// The account selected in a form: by address if one was typed, otherwise the selected one.
pub(super) fn select_account<'a>(
    state: &'a State,
    place: TenantSegment,
    form: &Form,
) -> Option<(&'a Organisation, &'a Mailbox)> {
    if let Some(address) = form.get("address") {
        let typed = |found: &&Organisation| place.includes(found.id) && found.find(address).is_some();
        let organisation = state.organisations.values().find(typed)?;
        return Some((organisation, organisation.find(address)?));
    }
    let (tenant, account) = form.get("account")?.split_once('/')?;
    let organisation = state.organisations.get(&Uuid::try_parse(tenant).ok()?)?;
    place.includes(organisation.id).then_some(())?;
    Some((organisation, organisation.mailboxes.get(account)?))
}

fn covered(consent: &Consent, account: &Mailbox, asked: &BTreeSet<String>) -> bool {
    let own = consent.by_account.get(&account.id);
    consent.present
        && asked
            .iter()
            .all(|scope| consent.scopes.contains(scope) || own.is_some_and(|own| own.contains(scope)))
}

fn ask_consent(
    state: &State,
    path: &str,
    ask: &Ask,
    organisation: &Organisation,
    account: &Mailbox,
) -> WireResponse {
    let key = format!("{}/{}", organisation.id, account.id);
    let shown = ConsentSubject {
        key: &key,
        upn: &account.upn,
        application: state.applications.get(&ask.client_id).map_or("", |found| found.name.as_str()),
        organisation: &organisation.name,
    };
    let flow = page::encode_flow(ask);
    if !account.admin && ask.scopes.iter().any(|scope| permissions::needs_admin_consent(scope)) {
        return page::administrator_page(path, &flow, &shown);
    }
    let asked: Vec<String> = ask.scopes.iter().cloned().collect();
    page::consent_page(path, &flow, &shown, &asked, false)
}

fn accept(
    app: &App,
    ask: &Ask,
    organisation: &Organisation,
    account: &Mailbox,
    mut consent: Consent,
) -> (WireResponse, Vec<Change>) {
    consent.present = true;
    consent.by_account.entry(account.id.clone()).or_default().extend(ask.scopes.iter().cloned());
    let code = AuthorisationCode {
        grant: Grant {
            tenant: organisation.id,
            account: account.id.clone(),
            client_id: ask.client_id.clone(),
            scopes: ask.scopes.clone(),
            epoch: consent.epoch,
        },
        redirect_uri: ask.redirect_uri.clone(),
        challenge: ask.challenge.clone(),
        nonce: ask.nonce.clone(),
        expires_at: app.now() + Duration::minutes(CODE_LIVES_MINUTES),
        used: false,
    };
    let value = format!("1.A{}", app.ids.random_secret());
    let session = app.new_guid().to_string();
    let answer = WireResponse::redirect(page::redirect_url(
        &ask.redirect_uri,
        &[("code", Some(&value)), ("state", ask.state.as_deref()), ("session_state", Some(&session))],
    ));
    let changes =
        vec![Change::Consent(organisation.id, ask.client_id.clone(), consent), Change::Code(value, code)];
    (answer, changes)
}

fn refusal(redirect_uri: &str, state: Option<&str>, failure: &Failure) -> WireResponse {
    WireResponse::redirect(page::redirect_url(
        redirect_uri,
        &[
            ("error", Some(failure.error_code())),
            ("error_description", Some(&failure.description())),
            ("state", state),
        ],
    ))
}
