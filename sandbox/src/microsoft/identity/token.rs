//! The token endpoint of the identity platform.

use std::{collections::BTreeSet, sync::Arc};

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use chrono::Duration;
use serde_json::json;

use super::{
    assertion,
    directory::{self, TenantSegment},
    failure::Failure,
    grants::{TokenIssuer, effective_consent, format_scopes},
    keys::sha256,
    permissions::{self, RequestedScopes},
};
use crate::{
    Error,
    app::App,
    model::{Application, AuthorisationCode, Grant, Organisation, RefreshToken},
    store::{Change, State},
    wire::{Form, JournalDetails, Request, WireResponse},
};

const REFRESH_LIVES_DAYS: i64 = 90;
const APPLICATION_LIVES_S: i64 = 3599;

/// Why no token was issued.
enum RequestError {
    /// The request must be refused.
    Because(Failure),
    /// An internal error of the sandbox.
    Broken(Error),
}

impl From<Failure> for RequestError {
    fn from(failure: Failure) -> Self {
        Self::Because(failure)
    }
}

impl From<Error> for RequestError {
    fn from(error: Error) -> Self {
        Self::Broken(error)
    }
}

/// Handles `POST /{tenant}/oauth2/v2.0/token`.
pub fn issue_tokens(
    app: &Arc<App>,
    request: &Request,
    tenant: &str,
    note: &mut JournalDetails,
) -> Result<WireResponse, Error> {
    let form = request.form();
    let client = client_id(request, &form);
    note.app.clone_from(&client);
    let result = client.ok_or_else(|| RequestError::from(Failure::missing_parameter("client_id"))).and_then(
        |client_id| Endpoint { app, request, tenant, form: &form, client_id: &client_id }.answer(note),
    );
    match result {
        Ok(answer) => Ok(answer.with_header("cache-control", "no-store").with_header("pragma", "no-cache")),
        Err(RequestError::Because(failure)) => Ok(failure.to_response(app, request)),
        Err(RequestError::Broken(error)) => Err(error),
    }
}

struct Endpoint<'a> {
    app: &'a App,
    request: &'a Request,
    tenant: &'a str,
    form: &'a Form,
    client_id: &'a str,
}

impl Endpoint<'_> {
    fn answer(&self, note: &mut JournalDetails) -> Result<WireResponse, RequestError> {
        let mut store = self.app.store();
        let state = store.state();
        let place = TenantSegment::parse(state, self.tenant)?;
        let application = directory::find_application(state, self.client_id, self.tenant)?;
        self.authenticate(state, application)?;
        let (answer, changes) = match self.form.get("grant_type") {
            Some("client_credentials") => (self.client_credentials(state, place)?, Vec::new()),
            Some("authorization_code") => self.code(state, place, note)?,
            Some("refresh_token") => self.refresh(state, place, note)?,
            Some(other) => {
                return Err(Failure::new(
                    70003,
                    format!("The app requested an unsupported grant type '{other}'."),
                )
                .into());
            }
            None => return Err(Failure::missing_parameter("grant_type").into()),
        };
        note.outcome = Some("token");
        self.app.commit(&mut store, changes)?;
        Ok(answer)
    }

    fn authenticate(&self, state: &State, application: &Application) -> Result<(), Failure> {
        let basic = basic(self.request).map(|(_, secret)| secret);
        if let Some(assertion) = self.form.get("client_assertion") {
            if self.form.get("client_assertion_type") != Some(assertion::ASSERTION_TYPE) {
                return Err(Failure::missing_parameter("client_assertion_type"));
            }
            return assertion::verify_assertion(
                application,
                assertion,
                &self.endpoints(state),
                self.app.now(),
            );
        }
        match self.form.get("client_secret").map(str::to_owned).or(basic) {
            Some(secret) if application.secret.as_ref() == Some(&secret) => {
                let expired = application.secret_expires_at.is_some_and(|end| end <= self.app.now());
                if expired { Err(Failure::expired_secret(self.client_id)) } else { Ok(()) }
            }
            Some(_) => Err(Failure::new(
                7_000_215,
                format!(
                    "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret ID, for a secret added to app '{}'.",
                    self.client_id
                ),
            )),
            None => Err(Failure::new(
                7_000_218,
                "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.",
            )),
        }
    }

    /// The URLs that an assertion may name as this endpoint's audience.
    fn endpoints(&self, state: &State) -> Vec<String> {
        let found = directory::find_organisation(state, self.tenant);
        let ids = found.map(|found| [found.id.to_string(), found.domain.clone()]);
        ids.into_iter()
            .flatten()
            .chain([self.tenant.to_owned()])
            .map(|name| format!("{}/{name}/oauth2/v2.0/token", self.request.origin))
            .collect()
    }

    fn client_credentials(&self, state: &State, place: TenantSegment) -> Result<WireResponse, RequestError> {
        let TenantSegment::One(tenant) = place else {
            return Err(Failure::new(9_001_023, "The grant type is not supported over the /common or /consumers endpoints. Please use the /organizations or tenant-specific endpoint.").into());
        };
        let scope = self.form.get("scope").ok_or_else(|| Failure::missing_parameter("scope"))?;
        if permissions::parse_scope(scope)? != RequestedScopes::Default {
            return Err(Failure::new(70011, format!("The provided value for the input parameter 'scope' is not valid. The scope {scope} is not valid. Client credential flows must have a scope value with /.default suffixed to the resource identifier.")).into());
        }
        let organisation = known(state, tenant)?;
        let consent = effective_consent(organisation, self.client_id)?;
        let token = self.issuer(state, organisation).issue_app_token(consent, APPLICATION_LIVES_S)?;
        Ok(WireResponse::json(
            200,
            json!({
                "token_type": "Bearer",
                "expires_in": APPLICATION_LIVES_S,
                "ext_expires_in": APPLICATION_LIVES_S,
                "access_token": token,
            }),
        ))
    }

    fn code(
        &self,
        state: &State,
        place: TenantSegment,
        note: &mut JournalDetails,
    ) -> Result<(WireResponse, Vec<Change>), RequestError> {
        let value = self.form.get("code").ok_or_else(|| Failure::missing_parameter("code"))?;
        let malformed = || Failure::new(9_002_313, "Invalid request. Request is malformed or invalid.");
        let code = state.codes.get(value).filter(|code| code.grant.client_id == self.client_id);
        let code = code.ok_or_else(malformed)?;
        self.check(code, place)?;
        let redeemed = Change::Code(value.to_owned(), AuthorisationCode { used: true, ..code.clone() });
        let (answer, mut changes) =
            self.grant(state, &code.grant, code.grant.scopes.clone(), code.nonce.as_deref(), note)?;
        changes.push(redeemed);
        Ok((answer, changes))
    }

    fn check(&self, code: &AuthorisationCode, place: TenantSegment) -> Result<(), Failure> {
        if !place.includes(code.grant.tenant) {
            return Err(Failure::new(
                700_005,
                "Provided Authorization Code is intended to use against other tenant, thus rejected.",
            ));
        }
        if code.used {
            return Err(Failure::new(
                54005,
                "OAuth2 Authorization code was already redeemed, please retry with a new valid code or use an existing refresh token.",
            ));
        }
        if code.expires_at <= self.app.now() {
            return Err(Failure::new(
                70008,
                "The provided authorization code or refresh token has expired due to inactivity. Send a new interactive authorization request for this user and resource.",
            ));
        }
        if self.form.get("redirect_uri") != Some(&code.redirect_uri) {
            return Err(Failure::new(
                50011,
                "The redirect URI is not the one that the authorization code was requested with.",
            ));
        }
        let verifier =
            self.form.get("code_verifier").map(|text| URL_SAFE_NO_PAD.encode(sha256(text.as_bytes())));
        if verifier != code.challenge {
            return Err(Failure::new(
                501_481,
                "The Code_Verifier does not match the code_challenge supplied in the authorization request.",
            ));
        }
        Ok(())
    }

    fn refresh(
        &self,
        state: &State,
        place: TenantSegment,
        note: &mut JournalDetails,
    ) -> Result<(WireResponse, Vec<Change>), RequestError> {
        let value =
            self.form.get("refresh_token").ok_or_else(|| Failure::missing_parameter("refresh_token"))?;
        let held = state.refreshes.get(value);
        let held = held
            .filter(|held| held.grant.client_id == self.client_id && place.includes(held.grant.tenant))
            .ok_or_else(|| Failure::new(70000, "Provided grant is invalid or malformed."))?;
        if held.expires_at <= self.app.now() {
            return Err(Failure::new(700_082, "The refresh token has expired due to inactivity.").into());
        }
        let scopes = match self.form.get("scope").map(permissions::parse_scope).transpose()? {
            None | Some(RequestedScopes::Default) => held.grant.scopes.clone(),
            Some(RequestedScopes::These(asked)) if asked.is_subset(&held.grant.scopes) => asked,
            Some(RequestedScopes::These(_)) => return Err(self.no_consent(state).into()),
        };
        self.grant(state, &held.grant, scopes, None, note)
    }

    fn grant(
        &self,
        state: &State,
        grant: &Grant,
        scopes: BTreeSet<String>,
        nonce: Option<&str>,
        note: &mut JournalDetails,
    ) -> Result<(WireResponse, Vec<Change>), RequestError> {
        let organisation = known(state, grant.tenant)?;
        let consent = effective_consent(organisation, self.client_id)?;
        let account = organisation
            .mailboxes
            .get(&grant.account)
            .ok_or_else(|| Failure::new(70000, "The account is gone from the directory."))?;
        note.mailbox = Some(account.address.clone());
        if consent.epoch != grant.epoch {
            return Err(self.no_consent(state).into());
        }
        let lifetime_s = 3600 + self.app.ids.random_below(1800) as i64;
        let issuer = self.issuer(state, organisation);
        let mut body = json!({
            "token_type": "Bearer",
            "scope": format_scopes(&scopes),
            "expires_in": lifetime_s,
            "ext_expires_in": lifetime_s,
            "access_token": issuer.issue_delegated_token(consent, account, &scopes, lifetime_s)?,
        });
        let mut changes = Vec::new();
        if grant.scopes.contains("offline_access") {
            let value = format!("1.AX{}", self.app.ids.random_secret());
            let expires_at = self.app.now() + Duration::days(REFRESH_LIVES_DAYS);
            body["refresh_token"] = value.clone().into();
            changes.push(Change::Refresh(value, RefreshToken { grant: grant.clone(), expires_at }));
        }
        if scopes.contains("openid") {
            body["id_token"] = issuer.issue_id_token(account, &scopes, nonce)?.into();
        }
        Ok((WireResponse::json(200, body), changes))
    }

    fn issuer<'b>(&'b self, state: &State, organisation: &'b Organisation) -> TokenIssuer<'b> {
        TokenIssuer {
            app: self.app,
            origin: &self.request.origin,
            organisation,
            client_id: self.client_id,
            token_epoch: state.token_epoch,
            skew_s: state.token_skew_s,
        }
    }

    fn no_consent(&self, state: &State) -> Failure {
        let name = state.applications.get(self.client_id).map_or("", |found| found.name.as_str());
        Failure::no_consent(self.client_id, name)
    }
}

fn known(state: &State, tenant: uuid::Uuid) -> Result<&Organisation, Failure> {
    state
        .organisations
        .get(&tenant)
        .ok_or_else(|| Failure::new(90002, format!("Tenant '{tenant}' not found.")))
}

fn client_id(request: &Request, form: &Form) -> Option<String> {
    form.get("client_id").map(str::to_owned).or_else(|| basic(request).map(|(id, _)| id))
}

/// Client id and secret in an `Authorization: Basic` header, both form-encoded (RFC 6749, 2.3.1).
fn basic(request: &Request) -> Option<(String, String)> {
    let text = STANDARD.decode(request.header("authorization")?.strip_prefix("Basic ")?).ok()?;
    let text = String::from_utf8(text).ok()?;
    let (id, secret) = text.split_once(':')?;
    let decode = |part: &str| {
        url::form_urlencoded::parse(format!("v={part}").as_bytes())
            .next()
            .map(|(_, value)| value.into_owned())
    };
    Some((decode(id)?, decode(secret)?))
}
