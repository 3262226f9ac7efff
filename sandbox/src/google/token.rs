//! The token endpoint: assertions, codes, refresh tokens.

use std::{collections::BTreeSet, sync::Arc};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::Duration;
use serde_json::json;

use super::{
    assertion, base_url,
    caller::{Caller, TOKEN_LIFETIME_S},
};
use crate::{
    Error,
    app::App,
    microsoft::identity::keys::sha256,
    model::{AuthorisationCode, Grant, Hosting, Mailbox, MailboxPurpose, Organisation, RefreshToken},
    store::{Change, State},
    wire::{Form, JournalDetails, Request, WireResponse},
};

const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
const REFRESH_LIVES_DAYS: i64 = 183;

/// An OAuth error response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OAuthError {
    status: u16,
    error: &'static str,
    description: String,
}

impl OAuthError {
    /// Builds an OAuth error response with its code and description.
    pub fn new(status: u16, error: &'static str, description: impl Into<String>) -> Self {
        Self { status, error, description: description.into() }
    }

    fn to_response(&self) -> WireResponse {
        WireResponse::json(self.status, json!({ "error": self.error, "error_description": self.description }))
    }
}

/// Why no token was issued.
enum RequestError {
    Because(OAuthError),
    Broken(Error),
}

impl From<OAuthError> for RequestError {
    fn from(refusal: OAuthError) -> Self {
        Self::Because(refusal)
    }
}

impl From<Error> for RequestError {
    fn from(error: Error) -> Self {
        Self::Broken(error)
    }
}

/// Handles `POST /token`.
pub fn issue_tokens(
    app: &Arc<App>,
    request: &Request,
    note: &mut JournalDetails,
) -> Result<WireResponse, Error> {
    let form = request.form();
    let result = Endpoint { app, request, form: &form }.answer(note);
    match result {
        Ok(answer) => {
            note.outcome = Some("token");
            Ok(answer.with_header("cache-control", "no-store"))
        }
        Err(RequestError::Because(refusal)) => Ok(refusal.to_response()),
        Err(RequestError::Broken(error)) => Err(error),
    }
}

/// Handles `POST /revoke`.
pub fn revoke_token(app: &Arc<App>, request: &Request) -> Result<WireResponse, Error> {
    let form = request.form();
    let token = form.get("token").or_else(|| request.query("token")).unwrap_or_default().to_owned();
    let mut store = app.store();
    if !store.state().refreshes.contains_key(&token) {
        return Ok(WireResponse::json(
            400,
            json!({ "error": "invalid_token", "error_description": "Token expired or revoked" }),
        ));
    }
    app.commit(&mut store, vec![Change::RefreshGone(token)])?;
    Ok(WireResponse::json(200, json!({})))
}

struct Endpoint<'a> {
    app: &'a App,
    request: &'a Request,
    form: &'a Form,
}

impl Endpoint<'_> {
    fn answer(&self, note: &mut JournalDetails) -> Result<WireResponse, RequestError> {
        match self.form.get("grant_type") {
            Some(JWT_BEARER) => self.service_account(note),
            Some("authorization_code") => self.code(note),
            Some("refresh_token") => self.refresh(note),
            Some(other) => {
                Err(OAuthError::new(400, "unsupported_grant_type", format!("Invalid grant_type: {other}"))
                    .into())
            }
            None => Err(missing("grant_type").into()),
        }
    }

    fn service_account(&self, note: &mut JournalDetails) -> Result<WireResponse, RequestError> {
        let store = self.app.store();
        let state = store.state();
        let text = self.form.get("assertion").ok_or_else(|| missing("assertion"))?;
        let endpoint = format!("{}/token", base_url(self.request));
        let stated = assertion::verify_assertion(self.app, state, text, &endpoint)?;
        note.app = Some(stated.account.client_id.clone());
        let subject = stated.subject.ok_or_else(|| {
            // A service account by itself has no calendar here, and no organisation.
            OAuthError::new(
                401,
                "unauthorized_client",
                "The sandbox gives a service account no token of its own.",
            )
        })?;
        let (organisation, account) = subject_of(state, &subject)?;
        note.mailbox = Some(account.address.clone());
        self.allowed(state, organisation, &stated.account.client_id, &stated.scopes)?;
        let caller = Caller {
            organisation: organisation.id,
            account: account.id.clone(),
            client_id: stated.account.client_id,
            delegated: true,
            scopes: stated.scopes.into_iter().collect(),
            epoch: 0,
        };
        let token = caller.issue_token(self.app, state.token_epoch)?;
        Ok(WireResponse::json(
            200,
            json!({ "access_token": token, "expires_in": TOKEN_LIFETIME_S, "token_type": "Bearer" }),
        ))
    }

    /// The scopes that the organisation's administrator has authorised.
    fn allowed(
        &self,
        state: &State,
        organisation: &Organisation,
        client_id: &str,
        scopes: &[String],
    ) -> Result<(), OAuthError> {
        let held = state.google.delegations.get(&(organisation.id, client_id.to_owned()));
        let Some(held) = held.filter(|held| held.effective_at <= self.app.now()) else {
            return Err(OAuthError::new(
                401,
                "unauthorized_client",
                "Client is unauthorized to retrieve access tokens using this method, or client not authorized for any of the scopes requested.",
            ));
        };
        if scopes.iter().all(|scope| held.scopes.contains(scope)) {
            return Ok(());
        }
        Err(OAuthError::new(401, "access_denied", "Requested client not authorized."))
    }

    /// The application of this request, authenticated by its secret.
    fn application(&self, state: &State, note: &mut JournalDetails) -> Result<String, OAuthError> {
        let client_id = self.form.get("client_id").ok_or_else(|| missing("client_id"))?;
        note.app = Some(client_id.to_owned());
        let known = state.applications.get(client_id);
        let known =
            known.ok_or_else(|| OAuthError::new(401, "invalid_client", "The OAuth client was not found."))?;
        if known.secret.as_deref() != self.form.get("client_secret") {
            return Err(OAuthError::new(401, "invalid_client", "Unauthorized"));
        }
        Ok(client_id.to_owned())
    }

    fn code(&self, note: &mut JournalDetails) -> Result<WireResponse, RequestError> {
        let mut store = self.app.store();
        let state = store.state();
        let client_id = self.application(state, note)?;
        let value = self.form.get("code").ok_or_else(|| missing("code"))?;
        let code = state.codes.get(value).filter(|code| code.grant.client_id == client_id);
        let malformed = || OAuthError::new(400, "invalid_grant", "Malformed auth code.");
        let code = code.ok_or_else(malformed)?.clone();
        if code.used || code.expires_at <= self.app.now() {
            return Err(OAuthError::new(400, "invalid_grant", "Bad Request").into());
        }
        if self.form.get("redirect_uri") != Some(&code.redirect_uri) {
            return Err(OAuthError::new(400, "redirect_uri_mismatch", "Bad Request").into());
        }
        let verifier = self.form.get("code_verifier");
        let verifier = verifier.map(|text| URL_SAFE_NO_PAD.encode(sha256(text.as_bytes())));
        if verifier != code.challenge {
            return Err(OAuthError::new(400, "invalid_grant", "Invalid code verifier.").into());
        }
        let mut body = self.grant(state, &code.grant)?;
        body["id_token"] = self.identity(state, &code)?.into();
        let mut changes =
            vec![Change::Code(value.to_owned(), AuthorisationCode { used: true, ..code.clone() })];
        if code.grant.scopes.contains("offline") {
            let token = format!("1//{}", self.app.ids.random_secret());
            let expires_at = self.app.now() + Duration::days(REFRESH_LIVES_DAYS);
            body["refresh_token"] = token.clone().into();
            changes.push(Change::Refresh(token, RefreshToken { grant: code.grant, expires_at }));
        }
        self.app.commit(&mut store, changes)?;
        Ok(WireResponse::json(200, body))
    }

    fn refresh(&self, note: &mut JournalDetails) -> Result<WireResponse, RequestError> {
        let store = self.app.store();
        let state = store.state();
        let client_id = self.application(state, note)?;
        let value = self.form.get("refresh_token").ok_or_else(|| missing("refresh_token"))?;
        let held = state.refreshes.get(value).filter(|held| held.grant.client_id == client_id);
        let held = held.filter(|held| held.expires_at > self.app.now()).ok_or_else(dead)?;
        Ok(WireResponse::json(200, self.grant(state, &held.grant)?))
    }

    /// Issues the tokens of a consent that is still valid.
    fn grant(&self, state: &State, grant: &Grant) -> Result<serde_json::Value, RequestError> {
        let organisation = state.organisations.get(&grant.tenant).ok_or_else(dead)?;
        let consent = organisation.consents.get(&grant.client_id).ok_or_else(dead)?;
        if !consent.present || consent.disabled || consent.epoch != grant.epoch {
            return Err(dead().into());
        }
        let scopes: BTreeSet<String> =
            grant.scopes.iter().filter(|scope| *scope != "offline").cloned().collect();
        let caller = Caller {
            organisation: grant.tenant,
            account: grant.account.clone(),
            client_id: grant.client_id.clone(),
            delegated: false,
            scopes: scopes.clone(),
            epoch: grant.epoch,
        };
        let text = scopes.into_iter().collect::<Vec<_>>().join(" ");
        Ok(json!({
            "access_token": caller.issue_token(self.app, state.token_epoch)?,
            "expires_in": TOKEN_LIFETIME_S, "scope": text, "token_type": "Bearer",
        }))
    }

    fn identity(&self, state: &State, code: &AuthorisationCode) -> Result<String, RequestError> {
        let organisation = state.organisations.get(&code.grant.tenant).ok_or_else(dead)?;
        let account = organisation.mailboxes.get(&code.grant.account).ok_or_else(dead)?;
        let now = self.app.now().timestamp();
        let domain = state.google.hosted.get(&account.id).unwrap_or(&organisation.domain);
        let subject = match state.google.namesakes.contains(&account.id) {
            true => super::directory::numeric_directory_id(&format!("namesake of {}", account.id)),
            false => super::directory::numeric_directory_id(&account.id),
        };
        let mut claims = json!({
            "iss": base_url(self.request), "azp": code.grant.client_id, "aud": code.grant.client_id,
            "sub": subject, "hd": domain,
            "email": account.address, "email_verified": true, "iat": now, "exp": now + 3_600,
        });
        if let Some(nonce) = &code.nonce {
            claims["nonce"] = nonce.clone().into();
        }
        Ok(self.app.signer.sign(&claims)?)
    }
}

fn subject_of<'s>(state: &'s State, subject: &str) -> Result<(&'s Organisation, &'s Mailbox), OAuthError> {
    if !subject.contains('@') {
        return Err(OAuthError::new(400, "invalid_request", "Invalid impersonation prn email address."));
    }
    let found = state.organisations.values().find_map(|one| Some((one, one.find(subject)?)));
    // A room is no user: nobody can act for it.
    let person = found.filter(|(_, mailbox)| mailbox.purpose != MailboxPurpose::Room);
    let alive = person.filter(|(_, mailbox)| mailbox.hosting != Hosting::OnPrem);
    alive.ok_or_else(|| OAuthError::new(400, "invalid_grant", "Invalid email or User ID"))
}

fn missing(name: &str) -> OAuthError {
    OAuthError::new(400, "invalid_request", format!("Required parameter is missing: {name}"))
}

fn dead() -> OAuthError {
    OAuthError::new(400, "invalid_grant", "Token has been expired or revoked.")
}
