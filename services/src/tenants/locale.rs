//! The time zone and language of a tenant.

use domain::{Zone, language};
use entity::{tenant, tenant_user};

use crate::{Refusal, Result, availability};

/// The time zone for a user's all-day events and times without a zone if the calendar has none: the user's own, else
/// the tenant's. A zone name that this version does not support is ignored. `None` if neither is known; the caller must
/// then report that, because no zone may be assumed silently.
pub fn owner_zone<'a>(user: Option<&'a tenant_user::Model>, tenant: &'a tenant::Model) -> Option<&'a str> {
    let own = user.and_then(|user| user.time_zone.as_deref());
    [own, tenant.time_zone.as_deref()].into_iter().flatten().find(|name| Zone::from_name(name).is_some())
}

/// Validates the name of an IANA time zone, or refuses with `ZONE_UNKNOWN`.
pub(crate) fn validate_zone(name: String) -> Result<String> {
    availability::parse_zone(&name)?;
    Ok(name)
}

/// Normalises a well-formed language tag, or refuses with `LANGUAGE_UNKNOWN`.
pub(super) fn normalize_language(tag: &str) -> Result<String> {
    language::parse_tag(tag).ok_or_else(|| {
        let message = "This is not a language tag. Use a BCP 47 tag such as de or en-GB.";
        Refusal::new("LANGUAGE_UNKNOWN", message).at("language").into()
    })
}

#[cfg(test)]
mod tests {
    use domain::{Id, Timestamp};

    use super::*;

    fn tenant(zone: Option<&str>) -> tenant::Model {
        tenant::Model {
            id: Id::nil(),
            name: String::new(),
            plan: domain::state::Plan::Basic.into(),
            return_urls: serde_json::json!([]),
            time_zone: zone.map(str::to_owned),
            language: None,
            providers: None,
            data_key: Vec::new(),
            data_key_rotation: None,
            erasing_since: None,
            version: 1,
            created_at: Timestamp::UNIX_EPOCH,
        }
    }

    fn user(zone: Option<&str>) -> tenant_user::Model {
        tenant_user::Model {
            id: Id::nil(),
            tenant_id: Id::nil(),
            email_set_with: serde_json::json!([]),
            email: String::new(),
            name: String::new(),
            calendar_address: None,
            time_zone: zone.map(str::to_owned),
            tokens_since: None,
            version: 1,
            created_at: Timestamp::UNIX_EPOCH,
        }
    }

    #[test]
    fn a_persons_zone_is_the_users_else_the_tenants_and_never_made_up() {
        let (berlin, tokyo) = (Some("Europe/Berlin"), Some("Asia/Tokyo"));
        for (own, of_tenant, expected) in [
            (berlin, tokyo, berlin),
            (berlin, None, berlin),
            (None, tokyo, tokyo),
            (Some("Mars/Olympus"), tokyo, tokyo),
            (Some("Mars/Olympus"), None, None),
            (None, None, None),
        ] {
            let (user, tenant) = (user(own), tenant(of_tenant));
            assert_eq!(owner_zone(Some(&user), &tenant), expected, "{own:?} in {of_tenant:?}");
        }
        assert_eq!(owner_zone(None, &tenant(tokyo)), tokyo, "a room has no user");
    }
}
