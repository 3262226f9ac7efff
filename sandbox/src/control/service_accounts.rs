//! Control requests that create the service accounts of Exchange servers, change their passwords, and remove their
//! role.

use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{ControlError, find_organisation};
use crate::{app::App, model::ExchangeServiceAccount, store::Change};

/// The body for changing a service account; omitted fields keep their value.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ServiceAccountChange {
    user: Option<String>,
    password: Option<String>,
    impersonates: Option<bool>,
}

/// Creates or changes the service account of an organisation's Exchange server.
pub(super) fn save_service_account(
    app: &App,
    id: Uuid,
    account: ServiceAccountChange,
) -> Result<Value, ControlError> {
    let mut store = app.store();
    let domain = &find_organisation(store.state(), id)?.domain;
    let known = store.state().exchange_accounts.get(&id);
    let user = account.user.or_else(|| known.map(|known| known.user.clone()));
    let user = user.unwrap_or_else(|| format!("svc-calendar@{domain}"));
    let password = account.password.or_else(|| known.map(|known| known.password.clone()));
    let password =
        password.ok_or_else(|| ControlError::Invalid("a new account needs a password".to_owned()))?;
    let impersonates = account.impersonates.or_else(|| known.map(|known| known.impersonates)).unwrap_or(true);
    let mut others = store.state().exchange_accounts.iter().filter(|(other, _)| **other != id);
    if others.any(|(_, other)| other.user.eq_ignore_ascii_case(&user)) {
        return Err(ControlError::Invalid(format!("the user name {user} is taken by another organisation")));
    }
    let answer = json!({ "user": user, "impersonates": impersonates });
    let account = ExchangeServiceAccount { user, password, impersonates };
    app.commit(&mut store, vec![Change::Technical(id, account)])?;
    Ok(answer)
}
