//! Signing without a key: the token source of the machine that Muster runs on, and `signJwt` of the IAM Credentials
//! API.
//!
//! Google keeps the key of such a service account; accounts with permission to create tokens for it can request
//! signatures.
//!
//! Sources: Google's "Service account credentials API" and "Access VM metadata".

use std::{collections::BTreeSet, sync::Arc};

use chrono::Duration;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{caller::TOKEN_LIFETIME_S, state::ServiceAccount};
use crate::{
    Error,
    app::App,
    microsoft::identity::keys::Signer,
    wire::{JournalDetails, Request, WireResponse},
};

/// The service account that the machine's tokens authenticate.
pub const MACHINE_ACCOUNT: &str = "machine@operator-project.iam.gserviceaccount.com";
/// Prefix of access tokens issued to the machine.
const MARK: &str = "ya29.c.";
/// Maximum validity of a signed assertion in seconds.
const LONGEST_S: i64 = 12 * 3_600;

/// A key that Google keeps for a service account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManagedKey {
    /// The private key as stored; the public key is in the account's list of keys.
    pub private: String,
    /// Accounts that are allowed to sign as this account.
    pub signers: BTreeSet<String>,
}

/// Handles `GET /computeMetadata/v1/instance/service-accounts/default/token`.
pub fn issue_machine_token(
    app: &App,
    request: &Request,
    note: &mut JournalDetails,
) -> Result<WireResponse, Error> {
    if request.header("metadata-flavor") != Some("Google") {
        return Ok(refusal(403, "PERMISSION_DENIED", "Missing Metadata-Flavor:Google header."));
    }
    let epoch = app.store().state().token_epoch;
    let ends = app.now() + Duration::seconds(TOKEN_LIFETIME_S);
    let claims =
        json!({ "machine": MACHINE_ACCOUNT, "all": epoch, "jti": app.new_guid(), "exp": ends.timestamp() });
    note.outcome = Some("token");
    let token = format!("{MARK}{}", app.signer.sign(&claims)?);
    Ok(WireResponse::json(
        200,
        json!({ "access_token": token, "expires_in": TOKEN_LIFETIME_S, "token_type": "Bearer" }),
    ))
}

/// The account that a request with a machine token authenticates.
fn machine(app: &App, request: &Request) -> Option<String> {
    let token = request.header("authorization")?.strip_prefix("Bearer ")?.strip_prefix(MARK)?;
    let claims = app.signer.verify(token)?;
    let epoch = app.store().state().token_epoch;
    let alive = claims["exp"].as_i64()? > app.now().timestamp() && claims["all"] == epoch;
    claims["machine"].as_str().filter(|_| alive).map(str::to_owned)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sign {
    payload: String,
}

/// Handles `POST /v1/projects/-/serviceAccounts/{email}:signJwt`.
pub fn sign_jwt(
    app: &Arc<App>,
    request: &Request,
    account: &str,
    note: &mut JournalDetails,
) -> Result<WireResponse, Error> {
    let Some(caller) = machine(app, request) else {
        let message = "Request had invalid authentication credentials.";
        return Ok(refusal(401, "UNAUTHENTICATED", message));
    };
    note.app = Some(caller.clone());
    let found = app.store().state().google.accounts.get(account).cloned();
    let found = found.and_then(|found| may_sign(found, &caller));
    let Some((account, managed)) = found else {
        let message = "Permission 'iam.serviceAccounts.signJwt' denied on resource (or it may not exist).";
        return Ok(refusal(403, "PERMISSION_DENIED", message));
    };
    let Some(claims) = payload(app, request) else {
        return Ok(refusal(400, "INVALID_ARGUMENT", "Request contains an invalid argument."));
    };
    note.mailbox = claims["sub"].as_str().map(str::to_owned);
    note.key = Some(account.client_id);
    note.outcome = Some("signed");
    let signer = Signer::from_text(&managed.private)?;
    Ok(WireResponse::json(200, json!({ "keyId": signer.key_id(), "signedJwt": signer.sign(&claims)? })))
}

fn may_sign(account: ServiceAccount, caller: &str) -> Option<(ServiceAccount, ManagedKey)> {
    let managed = account.managed.clone().filter(|managed| managed.signers.contains(caller))?;
    (!account.disabled).then_some((account, managed))
}

/// The claims to be signed: a JSON object with an acceptable expiry.
fn payload(app: &App, request: &Request) -> Option<Value> {
    let order: Sign = request.json().ok()?;
    let claims: Value = serde_json::from_str(&order.payload).ok().filter(Value::is_object)?;
    let ends = claims.get("exp").map_or(Some(0), Value::as_i64)?;
    (ends <= app.now().timestamp() + LONGEST_S).then_some(claims)
}

fn refusal(status: u16, word: &str, message: &str) -> WireResponse {
    WireResponse::json(status, json!({ "error": { "code": status, "message": message, "status": word } }))
}
