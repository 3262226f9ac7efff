//! The UserInfo endpoint (OpenID Connect Core section 5.3), where many issuers publish the email address
//! exclusively.

use http::{Client, Method, Request};
use oauth2::AccessToken;
use url::Url;

use super::{
    claims::{Claims, UniqueMembers},
    refused,
};
use crate::Result;

/// Adds the email address from UserInfo, and whether the issuer has verified it. All other claims are those of the
/// ID token. A response about another subject is refused (section 5.3.4).
pub(super) async fn add_email(
    client: &Client,
    endpoint: &Url,
    token: &AccessToken,
    mut claims: Claims,
    claim: &str,
) -> Result<Claims> {
    let request =
        Request::new(Method::GET, endpoint.clone()).authorization(&format!("Bearer {}", token.secret()));
    let answer = client.send(request).await?;
    if !answer.status.is_success() {
        tracing::info!(status = answer.status.as_u16(), "an issuer told nothing of a person");
        return Ok(claims);
    }
    let told: UniqueMembers =
        serde_json::from_slice(&answer.body).map_err(|_| refused("USERINFO_MALFORMED"))?;
    if told.string("sub").is_none() || told.string("sub") != claims.subject("sub") {
        return Err(refused("USERINFO_SUBJECT"));
    }
    claims.replace_claims(told, &[claim, "email_verified"]);
    Ok(claims)
}
