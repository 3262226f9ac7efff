//! Client secrets of applications.

use domain::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::ControlError;
use crate::{app::App, model::Application, store::Change};

/// The body of `POST apps/{client}/secret`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SecretChange {
    /// The new secret; if absent, the current one is kept.
    secret: Option<String>,
    /// When the secret expires; never if absent.
    expires_at: Option<Timestamp>,
}

/// Changes an application's client secret, or sets when the current one expires.
pub(super) fn change_secret(app: &App, client: &str, new: SecretChange) -> Result<Value, ControlError> {
    let mut store = app.store();
    let known = store.state().applications.get(client).ok_or(ControlError::NotFound("application"))?;
    let changed = Application {
        secret: new.secret.or_else(|| known.secret.clone()),
        secret_expires_at: new.expires_at,
        ..known.clone()
    };
    app.commit(&mut store, vec![Change::Application(changed)])?;
    Ok(json!({ "client_id": client, "secret_expires_at": new.expires_at }))
}
