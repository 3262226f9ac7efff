//! Validates the registration of an issuer before it is stored.

use domain::{Id, ids, openid::SigningAlgorithm, text::LineMode};
use entity::openid_issuer::Model;
use sea_orm::prelude::Json;
use secrecy::{ExposeSecret, SecretString};

use super::{IssuerChange, NewIssuer, audience_of};
use crate::{Refusal, Result, Services, tenants::validate_name, text};

/// Maximum length of an issuer, audience, client id or client secret, in characters.
const LONGEST: usize = 500;
/// Longest name of a claim in characters.
const LONGEST_CLAIM: usize = 100;

/// Creates the row of a new registration, without its client secret.
pub(super) fn new_row(
    id: Id<ids::OpenIdIssuer>,
    tenant: Id<ids::Tenant>,
    new: &NewIssuer,
    services: &Services,
) -> Result<Model> {
    secret(new.client_secret.as_ref())?;
    let own = audience_of(&services.settings, tenant);
    let issuer = word(&new.issuer, "issuer")?;
    if issuer == services.settings.absolute_url("") {
        return Err(Refusal::new(
            "ISSUER_UNUSABLE",
            "This is Muster's own URL. Enter the issuer of your organisation.",
        )
        .at("issuer")
        .into());
    }
    Ok(Model {
        id,
        tenant_id: tenant,
        name: validate_name(&new.name)?,
        issuer,
        client_id: word(&new.client_id, "clientId")?,
        client_secret: None,
        algorithms: algorithms(&new.algorithms)?,
        accepts: new.accepts.into(),
        audience: new.audience.as_deref().map_or(Ok(own), |text| word(text, "audience"))?,
        subject_claim: claim(&new.subject_claim, "subjectClaim")?,
        email_claim: new.email_claim.as_deref().map(|name| claim(name, "emailClaim")).transpose()?,
        created_at: services.now(),
        version: 1,
    })
}

/// Creates the row of a changed registration, with its previous client secret.
pub(super) fn apply_change(before: &Model, change: IssuerChange) -> Result<Model> {
    if let Some(new) = &change.client_secret {
        secret(new.as_ref())?;
    }
    let kept = before.clone();
    Ok(Model {
        name: change.name.map_or(Ok(kept.name), |name| validate_name(&name))?,
        client_id: change.client_id.map_or(Ok(kept.client_id), |text| word(&text, "clientId"))?,
        algorithms: change.algorithms.map_or(Ok(kept.algorithms), |list| algorithms(&list))?,
        accepts: change.accepts.map_or(kept.accepts, Into::into),
        audience: change.audience.map_or(Ok(kept.audience), |text| word(&text, "audience"))?,
        email_claim: match change.email_claim {
            None => kept.email_claim,
            Some(name) => name.as_deref().map(|name| claim(name, "emailClaim")).transpose()?,
        },
        version: before.version + 1,
        ..before.clone()
    })
}

/// Requires a non-empty text on one line.
fn word(text: &str, field: &'static str) -> Result<String> {
    text::check(text, LineMode::Line, LONGEST, field)?;
    if text.is_empty() || text.trim() != text {
        return Err(Refusal::new("TEXT_MALFORMED", "Remove the spaces before and after this value.")
            .at(field)
            .into());
    }
    Ok(text.to_owned())
}

fn claim(name: &str, field: &'static str) -> Result<String> {
    text::check(name, LineMode::Line, LONGEST_CLAIM, field)?;
    word(name, field)
}

fn secret(secret: Option<&SecretString>) -> Result<()> {
    secret.map_or(Ok(()), |secret| word(secret.expose_secret(), "clientSecret").map(|_| ()))
}

fn algorithms(list: &[SigningAlgorithm]) -> Result<Json> {
    if list.is_empty() {
        let message = "Choose at least one signature algorithm.";
        return Err(Refusal::new("ALGORITHM_MISSING", message).at("algorithms").into());
    }
    let known = SigningAlgorithm::ALL.iter().filter(|algorithm| list.contains(algorithm));
    Ok(known.map(|algorithm| algorithm.as_str()).collect())
}
