//! Consent of an administrator for a whole organisation: the v2.0 endpoint and the older one.
//!
//! The redirect names the tenant, as at Microsoft. The redirect proves nothing, because an attacker who knows the
//! redirect URI can forge it.

use std::{collections::BTreeSet, sync::Arc};

use chrono::Duration;
use serde::{Deserialize, Serialize};

use super::{
    authorize,
    directory::{self, TenantSegment},
    failure::Failure,
    page::{self, ConsentSubject},
    permissions::{self, RequestedScopes},
};
use crate::{
    Error,
    app::App,
    model::{Mailbox, Organisation},
    store::{Change, State},
    wire::{JournalDetails, Request, WireResponse},
};

/// Parameters with which the consent flow began.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Ask {
    tenant: String,
    client_id: String,
    redirect_uri: String,
    state: Option<String>,
    /// Delegated permissions requested one by one; `None` for everything that is configured.
    scopes: Option<BTreeSet<String>>,
    v2: bool,
}

/// Handles `GET /{tenant}/v2.0/adminconsent` and `GET /{tenant}/adminconsent`.
pub fn begin_consent(
    app: &App,
    request: &Request,
    tenant: &str,
    v2: bool,
    note: &mut JournalDetails,
) -> WireResponse {
    note.app = request.query("client_id").map(str::to_owned);
    let store = app.store();
    let checked =
        authorize::check_client(store.state(), request, tenant).and_then(|(redirect_uri, place)| {
            let scopes = if v2 {
                asked(request.query("scope").ok_or_else(|| Failure::missing_parameter("scope"))?)?
            } else {
                None
            };
            let client_id = request.query("client_id").unwrap_or_default().to_owned();
            let state = request.query("state").map(str::to_owned);
            Ok((Ask { tenant: tenant.to_owned(), client_id, redirect_uri, state, scopes, v2 }, place))
        });
    match checked {
        Ok((ask, place)) => choose(store.state(), place, &request.path, &ask),
        Err(failure) => {
            page::error_page(400, "Sorry, but we're having trouble signing you in", &failure.description())
        }
    }
}

fn asked(scope: &str) -> Result<Option<BTreeSet<String>>, Failure> {
    Ok(match permissions::parse_scope(scope)? {
        RequestedScopes::Default => None,
        RequestedScopes::These(scopes) => Some(scopes),
    })
}

/// Handles a form submitted from one of the consent pages.
pub fn handle_form(
    app: &Arc<App>,
    request: &Request,
    note: &mut JournalDetails,
) -> Result<WireResponse, Error> {
    let form = request.form();
    let Some(ask) = form.get("flow").and_then(page::decode_flow::<Ask>) else {
        return Ok(page::error_page(400, "Start again", "This consent was not begun here."));
    };
    note.app = Some(ask.client_id.clone());
    if form.get("decision") == Some("refuse") {
        note.outcome = Some("refused");
        return Ok(refused(&ask));
    }
    let mut store = app.store();
    let state = store.state();
    let Ok(place) = TenantSegment::parse(state, &ask.tenant) else {
        return Ok(page::error_page(400, "Start again", "The organisation is gone."));
    };
    if form.get("step") == Some("choose") {
        return Ok(choose(state, place, &request.path, &ask));
    }
    let Some((organisation, account)) = authorize::select_account(state, place, &form) else {
        let text = "AADSTS50034: The user account does not exist in this directory.";
        return Ok(page::error_page(400, "We couldn't find an account", text));
    };
    note.mailbox = Some(account.address.clone());
    if !account.admin || form.get("decision") != Some("accept") {
        return Ok(ask_consent(state, &request.path, &ask, organisation, account));
    }
    let (answer, change) = accept(app, state, &ask, organisation);
    note.outcome = Some("consented");
    app.commit(&mut store, vec![change])?;
    Ok(answer)
}

fn choose(state: &State, place: TenantSegment, path: &str, ask: &Ask) -> WireResponse {
    let accounts = directory::sign_in_accounts(state, place, None, None);
    page::account_page(path, &page::encode_flow(ask), "Pick an administrator account", &accounts)
}

fn ask_consent(
    state: &State,
    path: &str,
    ask: &Ask,
    organisation: &Organisation,
    account: &Mailbox,
) -> WireResponse {
    let application = state.applications.get(&ask.client_id);
    let key = format!("{}/{}", organisation.id, account.id);
    let shown = ConsentSubject {
        key: &key,
        upn: &account.upn,
        application: application.map_or("", |found| found.name.as_str()),
        organisation: &organisation.name,
    };
    let flow = page::encode_flow(ask);
    if !account.admin {
        return page::administrator_page(path, &flow, &shown);
    }
    let configured = application.map(|found| found.permissions.clone()).unwrap_or_default();
    let asked: Vec<String> = ask.scopes.clone().unwrap_or(configured).into_iter().collect();
    page::consent_page(path, &flow, &shown, &asked, true)
}

fn accept(app: &App, state: &State, ask: &Ask, organisation: &Organisation) -> (WireResponse, Change) {
    let mut consent = organisation.consents.get(&ask.client_id).cloned().unwrap_or_default();
    consent.present = true;
    consent.disabled = false;
    let granted = match &ask.scopes {
        Some(scopes) => {
            consent.scopes.extend(scopes.iter().cloned());
            scopes
                .iter()
                .map(|scope| format!("{}/{scope}", permissions::GRAPH_RESOURCE))
                .collect::<Vec<_>>()
                .join(" ")
        }
        None => {
            let delay = Duration::seconds(i64::from(organisation.settings.consent_delay_s));
            consent.roles = state
                .applications
                .get(&ask.client_id)
                .map(|found| found.permissions.clone())
                .unwrap_or_default();
            let soonest = app.now() + delay;
            let from = organisation.settings.consent_from;
            consent.effective_at = Some(from.map_or(soonest, |from| from.max(soonest)));
            format!("{}/.default", permissions::GRAPH_RESOURCE)
        }
    };
    let tenant = organisation.id.to_string();
    let members: [(&str, Option<&str>); 4] = if ask.v2 {
        [
            ("admin_consent", Some("True")),
            ("tenant", Some(&tenant)),
            ("scope", Some(&granted)),
            ("state", ask.state.as_deref()),
        ]
    } else {
        [
            ("tenant", Some(&tenant)),
            ("state", ask.state.as_deref()),
            ("admin_consent", Some("True")),
            ("", None),
        ]
    };
    let answer = WireResponse::redirect(page::redirect_url(&ask.redirect_uri, &members));
    (answer, Change::Consent(organisation.id, ask.client_id.clone(), consent))
}

fn refused(ask: &Ask) -> WireResponse {
    let failure = Failure::new(65004, "The resource owner or authorization server denied the request.");
    let members: &[(&str, Option<&str>)] = if ask.v2 {
        &[
            ("admin_consent", Some("True")),
            ("error", Some("consent_required")),
            ("error_description", Some(&failure.description())),
            ("state", ask.state.as_deref()),
        ]
    } else {
        &[("error", Some("permission_denied")), ("error_description", Some("The admin canceled the request"))]
    };
    WireResponse::redirect(page::redirect_url(&ask.redirect_uri, members))
}
