//! OpenID Connect discovery.

use serde_json::json;

use super::directory::{self, TenantSegment};
use crate::{
    app::App,
    wire::{Request, WireResponse},
};

/// Handles `GET /{tenant}/v2.0/.well-known/openid-configuration`.
pub fn openid_configuration(app: &App, request: &Request, tenant: &str) -> WireResponse {
    let issuer = match issuer(app, request, tenant) {
        Ok(issuer) => issuer,
        Err(answer) => return answer,
    };
    let base = format!("{}/{tenant}", request.origin);
    WireResponse::json(
        200,
        json!({
            "token_endpoint": format!("{base}/oauth2/v2.0/token"),
            "token_endpoint_auth_methods_supported":
                ["client_secret_post", "private_key_jwt", "client_secret_basic"],
            "jwks_uri": format!("{base}/discovery/v2.0/keys"),
            "response_modes_supported": ["query"],
            "subject_types_supported": ["pairwise"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "response_types_supported": ["code"],
            "scopes_supported": ["openid", "profile", "email", "offline_access"],
            "issuer": issuer,
            "request_uri_parameter_supported": false,
            "userinfo_endpoint": "https://graph.microsoft.com/oidc/userinfo",
            "authorization_endpoint": format!("{base}/oauth2/v2.0/authorize"),
            "http_logout_supported": true,
            "claims_supported": ["sub", "iss", "aud", "exp", "iat", "nonce", "preferred_username", "name",
                "tid", "ver", "oid", "email"],
            "tenant_region_scope": "EU",
            "msgraph_host": "graph.microsoft.com",
        }),
    )
}

/// Handles `GET /{tenant}/discovery/v2.0/keys`.
pub fn signing_keys(app: &App, request: &Request, tenant: &str) -> WireResponse {
    match issuer(app, request, tenant) {
        Ok(issuer) => WireResponse::json(200, json!({ "keys": [app.signer.public_jwk(&issuer)] })),
        Err(answer) => answer,
    }
}

/// The issuer; a template for `organizations`, as at Microsoft.
fn issuer(app: &App, request: &Request, tenant: &str) -> Result<String, WireResponse> {
    let store = app.store();
    TenantSegment::parse(store.state(), tenant).map_err(|failure| failure.to_response(app, request))?;
    let id =
        directory::find_organisation(store.state(), tenant).map(|organisation| organisation.id.to_string());
    Ok(format!("{}/{}/v2.0", request.origin, id.as_deref().unwrap_or("{tenantid}")))
}
