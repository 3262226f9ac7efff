//! The Microsoft identity platform v2: discovery, sign-in, administrators' consent, tokens.

pub mod admin_consent;
pub mod assertion;
pub mod authorize;
pub mod certificate;
pub mod directory;
pub mod discovery;
pub mod failure;
pub mod grants;
pub mod keys;
pub mod page;
pub mod permissions;
pub mod token;

use std::sync::Arc;

use crate::{
    Error,
    app::App,
    wire::{JournalDetails, Request, WireResponse},
};

/// Handles a request.
pub fn route(app: &Arc<App>, request: &Request, note: &mut JournalDetails) -> Result<WireResponse, Error> {
    match (request.method.as_str(), request.path_segments().as_slice()) {
        ("GET", [tenant, "v2.0", ".well-known", "openid-configuration"]) => {
            Ok(discovery::openid_configuration(app, request, tenant))
        }
        ("GET", [tenant, "discovery", "v2.0", "keys"]) => Ok(discovery::signing_keys(app, request, tenant)),
        ("GET", [tenant, "oauth2", "v2.0", "authorize"]) => {
            Ok(authorize::begin_sign_in(app, request, tenant, note))
        }
        ("POST", [_, "oauth2", "v2.0", "authorize"]) => authorize::handle_form(app, request, note),
        ("GET", [tenant, "v2.0", "adminconsent"]) => {
            Ok(admin_consent::begin_consent(app, request, tenant, true, note))
        }
        ("GET", [tenant, "adminconsent"]) => {
            Ok(admin_consent::begin_consent(app, request, tenant, false, note))
        }
        ("POST", [_, "v2.0", "adminconsent"] | [_, "adminconsent"]) => {
            admin_consent::handle_form(app, request, note)
        }
        ("POST", [tenant, "oauth2", "v2.0", "token"]) => token::issue_tokens(app, request, tenant, note),
        _ => Ok(page::error_page(404, "There is nothing here", "This address is not one of the sandbox's.")),
    }
}
