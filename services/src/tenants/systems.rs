//! The calendar systems that a tenant may connect: all that the installation offers, or those that the vendor's staff
//! chose for the tenant (S1.7).

use domain::ProviderKind;
use entity::tenant::Model;
use sea_orm::prelude::Json;
use serde_json::json;

use crate::{Error, Refusal, Result, connect::provider_label, grants::Connectors, messages};

/// The calendar systems that a tenant may connect. A word that only a newer version knows is left out.
pub fn providers(connectors: &Connectors, tenant: &Model) -> Vec<ProviderKind> {
    let chosen = tenant.providers.as_ref().and_then(Json::as_array);
    let chosen: Option<Vec<_>> =
        chosen.map(|words| words.iter().filter_map(|word| ProviderKind::parse(word.as_str()?)).collect());
    connectors.kinds().filter(|kind| chosen.as_ref().is_none_or(|chosen| chosen.contains(kind))).collect()
}

/// Refuses a calendar system that the tenant may not connect, with `PROVIDER_NOT_OFFERED`.
pub(crate) fn require_provider(
    connectors: &Connectors,
    tenant: &Model,
    provider: ProviderKind,
) -> Result<()> {
    connectors.get(provider)?;
    if providers(connectors, tenant).contains(&provider) {
        return Ok(());
    }
    let message = messages::system_not_offered(provider_label(provider));
    Err(Error::from(Refusal::new("PROVIDER_NOT_OFFERED", message).at("provider")))
}

/// The stored form of a choice, without repetitions. Refuses an empty choice, and systems that the installation does
/// not offer.
pub(super) fn stored(connectors: &Connectors, chosen: &[ProviderKind]) -> Result<Json> {
    if chosen.is_empty() {
        let message = messages::choose_a_system();
        return Err(Refusal::new("PROVIDERS_MISSING", message).at("providers").into());
    }
    for kind in chosen {
        connectors.get(*kind)?;
    }
    let words = ProviderKind::ALL.iter().filter(|kind| chosen.contains(kind)).map(|kind| kind.as_str());
    Ok(json!(words.collect::<Vec<_>>()))
}
