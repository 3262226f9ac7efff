//! Prerequisites for connecting a calendar system, shown before the user starts (S1.4).

use async_graphql::{Context, Object, SimpleObject};
use domain::{may, state::Feature};

use crate::{
    graphql::{
        context::ContextExt,
        enums::ProviderKind,
        failure::{Result, null_if_missing},
        scalar::Url,
    },
    guides,
};

/// A prerequisite for connecting a calendar system.
#[derive(Debug, PartialEq, Eq, SimpleObject)]
pub struct ConnectPrerequisite {
    /// Stable, machine-readable name of the prerequisite: `FEATURE`, `PERMISSION`, `PROVIDER`, `REACHABLE` or
    /// `CREDENTIALS`.
    name: &'static str,
    /// Whether the prerequisite is met; null if Muster can determine this only by trying to connect.
    met: Option<bool>,
    /// What the prerequisite is and how to meet it, in one sentence.
    hint: &'static str,
    /// Link to a guide that helps to meet the prerequisite; null if none is needed.
    guide: Option<Url>,
}

/// Facts about the caller, tenant and installation from which the list of prerequisites is built.
#[derive(Debug, Clone, Copy)]
struct Known {
    provider: domain::ProviderKind,
    feature: bool,
    permission: bool,
    available: bool,
}

fn list(known: Known, guide: &str) -> Vec<ConnectPrerequisite> {
    let one = |name, met, hint| ConnectPrerequisite { name, met, hint, guide: None };
    let guided =
        |name, hint| ConnectPrerequisite { name, met: None, hint, guide: Some(Url(guide.to_owned())) };
    vec![
        one(
            "FEATURE",
            Some(known.feature),
            "Your vendor must have switched on connections through a service account.",
        ),
        one(
            "PERMISSION",
            Some(known.permission),
            "You need the permission to connect calendars, or the permissions to view, edit, create and delete users.",
        ),
        one(
            "PROVIDER",
            Some(known.available),
            "The operator must have set up this installation for your calendar system.",
        ),
        guided("REACHABLE", reachable(known.provider)),
        guided("CREDENTIALS", credentials(known.provider)),
    ]
}

fn reachable(provider: domain::ProviderKind) -> &'static str {
    use domain::ProviderKind as P;
    match provider {
        P::Microsoft365 | P::GoogleWorkspace => {
            "Your organisation's calendars must be in the provider's cloud."
        }
        P::Exchange | P::CalDav => "Your server must be reachable from the internet over HTTPS.",
    }
}

fn credentials(provider: domain::ProviderKind) -> &'static str {
    use domain::ProviderKind as P;
    match provider {
        P::Microsoft365 => "You need a Microsoft 365 administrator who may consent for the organisation.",
        P::GoogleWorkspace => {
            "You need a Google Workspace super administrator and the key of a service account."
        }
        P::Exchange => "You need the user name and password of an account with impersonation rights.",
        P::CalDav => "You need the user name and password of an account that can access the calendars.",
    }
}

#[derive(Default)]
pub struct PrerequisiteQuery;

#[Object]
impl PrerequisiteQuery {
    /// Lists the prerequisites for connecting a calendar system, and which of them are met. Any user of the tenant may
    /// call it.
    async fn connect_prerequisites(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Calendar system to connect.")] provider: ProviderKind,
    ) -> Option<Result<Vec<ConnectPrerequisite>>> {
        null_if_missing(async {
            let (by, services) = (ctx.caller().allow_member()?, ctx.services());
            let provider = domain::ProviderKind::from(provider);
            let feature = services.tenants().features(&by).await?.contains(&Feature::ServiceAccount);
            let permission = ctx.caller().allow::<may::ConnectCalendars>().is_ok();
            let available = services.connectors.kinds().any(|kind| kind == provider);
            let known = Known { provider, feature, permission, available };
            Ok(list(known, &services.settings.absolute_url(&guides::path(provider))))
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s1_4_every_provider_has_its_prerequisites_and_its_guide() {
        for provider in domain::ProviderKind::ALL.iter().copied() {
            let known = Known { provider, feature: true, permission: false, available: true };
            let shown = list(known, &guides::path(provider));
            let met: Vec<_> = shown.iter().map(|one| (one.name, one.met)).collect();
            let told = [("FEATURE", Some(true)), ("PERMISSION", Some(false)), ("PROVIDER", Some(true))];
            assert_eq!(met[..3], told, "{provider}");
            assert_eq!(met[3..], [("REACHABLE", None), ("CREDENTIALS", None)], "{provider}");
            assert!(shown[4].guide.as_ref().is_some_and(|url| url.0.starts_with("/guides/")), "{provider}");
        }
    }
}
