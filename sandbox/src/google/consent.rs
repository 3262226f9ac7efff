//! The authorisation endpoint: a person chooses an account, grants or denies access, and returns with a code.

use std::{collections::BTreeSet, sync::Arc};

use chrono::Duration;
use serde::{Deserialize, Serialize};

use super::{assertion, page};
use crate::{
    Error,
    app::App,
    microsoft::identity::page::{decode_flow, encode_flow, redirect_url},
    model::{AuthorisationCode, Grant, Mailbox, Organisation},
    store::{Change, State},
    wire::{JournalDetails, Request, WireResponse},
};

const CODE_LIVES_MINUTES: i64 = 10;

/// Parameters with which the flow began.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Ask {
    client_id: String,
    redirect_uri: String,
    scopes: Vec<String>,
    state: Option<String>,
    nonce: Option<String>,
    hint: Option<String>,
    domain: Option<String>,
    challenge: Option<String>,
    offline: bool,
    always: bool,
}

/// Handles `GET /o/oauth2/v2/auth`.
pub fn begin_consent(app: &App, request: &Request, note: &mut JournalDetails) -> WireResponse {
    note.app = request.query("client_id").map(str::to_owned);
    let store = app.store();
    let state = store.state();
    let take = |name: &str| request.query(name).filter(|value| !value.is_empty()).map(str::to_owned);
    let Some(application) = take("client_id").and_then(|id| state.applications.get(&id)) else {
        return page::error_page(401, "invalid_client", "The OAuth client was not found.");
    };
    let registered = |uri: &String| application.redirect_uris.contains(uri);
    let Some(redirect_uri) = take("redirect_uri").filter(registered) else {
        return page::error_page(400, "redirect_uri_mismatch", "The redirect URI is not registered.");
    };
    let scopes: Vec<String> =
        take("scope").unwrap_or_default().split_whitespace().map(str::to_owned).collect();
    if scopes.is_empty() || scopes.iter().any(|scope| !assertion::is_known_scope(scope)) {
        return page::error_page(400, "invalid_scope", "Some requested scopes cannot be shown.");
    }
    if request.query("response_type") != Some("code") {
        return page::error_page(400, "unsupported_response_type", "The sandbox gives codes only.");
    }
    let challenge = take("code_challenge");
    if challenge.is_some() && request.query("code_challenge_method") != Some("S256") {
        return page::error_page(400, "invalid_request", "The code challenge must be of the method S256.");
    }
    let ask = Ask {
        client_id: application.client_id.clone(),
        redirect_uri,
        scopes,
        state: take("state"),
        nonce: take("nonce"),
        hint: take("login_hint"),
        domain: take("hd").filter(|domain| domain != "*"),
        challenge,
        offline: request.query("access_type") == Some("offline"),
        always: request.query("prompt").is_some_and(|prompt| prompt.contains("consent")),
    };
    let accounts = accounts(state, ask.domain.as_deref(), ask.hint.as_deref());
    page::account_page(&request.path, &encode_flow(&ask), &application.name, &accounts)
}

/// Handles a form submitted from one of the consent pages.
pub fn handle_form(
    app: &Arc<App>,
    request: &Request,
    note: &mut JournalDetails,
) -> Result<WireResponse, Error> {
    let form = request.form();
    let Some(ask) = form.get("flow").and_then(decode_flow::<Ask>) else {
        return Ok(page::error_page(400, "invalid_request", "This sign-in was not begun here."));
    };
    note.app = Some(ask.client_id.clone());
    let back =
        |members: &[(&str, Option<&str>)]| WireResponse::redirect(redirect_url(&ask.redirect_uri, members));
    if form.get("decision") == Some("refuse") {
        note.outcome = Some("refused");
        return Ok(back(&[("error", Some("access_denied")), ("state", ask.state.as_deref())]));
    }
    let mut store = app.store();
    let state = store.state();
    let named = form.get("address").or_else(|| form.get("account"));
    let found = named
        .and_then(|address| state.organisations.values().find_map(|one| Some((one, one.find(address)?))));
    let Some((organisation, account)) = found else {
        return Ok(page::error_page(400, "invalid_account", "Couldn't find this Google account."));
    };
    note.mailbox = Some(account.address.clone());
    let (openid, asked): (Vec<&str>, Vec<&str>) =
        ask.scopes.iter().map(String::as_str).partition(|scope| !scope.starts_with("https://"));
    let mut consent = organisation.consents.get(&ask.client_id).cloned().unwrap_or_default();
    let held = consent.by_account.get(&account.id).cloned().unwrap_or_default();
    let known = consent.present && asked.iter().all(|scope| held.contains(*scope));
    if form.get("step") != Some("consent") && (!known || ask.always) {
        let name = state.applications.get(&ask.client_id).map_or("", |found| found.name.as_str());
        return Ok(page::consent_page(&request.path, &encode_flow(&ask), name, account, &asked));
    }
    let ticked: BTreeSet<String> = match form.get("step") {
        Some("consent") => {
            form.get_all("scope").filter(|scope| asked.contains(scope)).map(str::to_owned).collect()
        }
        _ => held.clone(),
    };
    let first = !known;
    consent.present = true;
    consent.by_account.entry(account.id.clone()).or_default().extend(ticked.iter().cloned());
    let mut scopes = ticked;
    scopes.extend(openid.into_iter().map(str::to_owned));
    // A refresh token comes with the first consent and with one that was asked for anew.
    scopes.extend((ask.offline && (first || ask.always)).then(|| "offline".to_owned()));
    let value = format!("4/{}", app.ids.random_secret());
    let code = AuthorisationCode {
        grant: Grant {
            tenant: organisation.id,
            account: account.id.clone(),
            client_id: ask.client_id.clone(),
            scopes: scopes.clone(),
            epoch: consent.epoch,
        },
        redirect_uri: ask.redirect_uri.clone(),
        challenge: ask.challenge.clone(),
        nonce: ask.nonce.clone(),
        expires_at: app.now() + Duration::minutes(CODE_LIVES_MINUTES),
        used: false,
    };
    scopes.remove("offline");
    let granted = scopes.into_iter().collect::<Vec<_>>().join(" ");
    let answer = back(&[
        ("state", ask.state.as_deref()),
        ("code", Some(&value)),
        ("scope", Some(&granted)),
        ("hd", Some(&organisation.domain)),
    ]);
    note.outcome = Some("signed in");
    let changes =
        vec![Change::Consent(organisation.id, ask.client_id.clone(), consent), Change::Code(value, code)];
    app.commit(&mut store, changes)?;
    Ok(answer)
}

/// The accounts that may sign in: the hinted one first, then organisation by organisation, newest first.
fn accounts<'s>(
    state: &'s State,
    domain: Option<&str>,
    hint: Option<&str>,
) -> Vec<(&'s Organisation, &'s Mailbox)> {
    let mut organisations: Vec<&Organisation> = state
        .organisations
        .values()
        .filter(|found| domain.is_none_or(|domain| found.domain.eq_ignore_ascii_case(domain)))
        .collect();
    organisations.sort_by_key(|found| std::cmp::Reverse(found.serial));
    let people = organisations
        .into_iter()
        .flat_map(|one| one.sign_in_accounts().into_iter().map(move |who| (one, who)));
    let mut people: Vec<_> = people.collect();
    people.sort_by_key(|(_, who)| hint.is_none_or(|hint| !who.address.eq_ignore_ascii_case(hint)));
    people
}
