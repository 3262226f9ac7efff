//! Maps the tenant in the first segment of a path to an organisation.

use uuid::Uuid;

use super::failure::Failure;
use crate::{
    model::{Application, Mailbox, Organisation},
    store::State,
};

/// The tenant that the first path segment names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TenantSegment {
    /// The organisation to which the signing-in account belongs.
    Any,
    /// The organisation with this id.
    One(Uuid),
}

impl TenantSegment {
    /// Parses a tenant segment: a GUID, a verified domain, `organizations` or `common`.
    pub fn parse(state: &State, segment: &str) -> Result<Self, Failure> {
        if segment == "organizations" || segment == "common" {
            return Ok(Self::Any);
        }
        find_organisation(state, segment).map(|organisation| Self::One(organisation.id)).ok_or_else(|| {
            Failure::new(
                90002,
                format!("Tenant '{segment}' not found. Check to make sure you have the correct tenant ID and are signing into the correct cloud."),
            )
        })
    }

    /// Whether the segment includes an organisation.
    pub fn includes(self, tenant: Uuid) -> bool {
        self == Self::Any || self == Self::One(tenant)
    }
}

/// Finds an organisation by GUID or domain.
pub fn find_organisation<'a>(state: &'a State, key: &str) -> Option<&'a Organisation> {
    match Uuid::try_parse(key) {
        Ok(id) => state.organisations.get(&id),
        Err(_) => {
            state.organisations.values().find(|organisation| organisation.domain.eq_ignore_ascii_case(key))
        }
    }
}

/// Finds a registered application.
pub fn find_application<'a>(
    state: &'a State,
    client_id: &str,
    tenant: &str,
) -> Result<&'a Application, Failure> {
    state.applications.get(client_id).ok_or_else(|| Failure::unknown_application(client_id, tenant))
}

/// The accounts that may sign in: the hinted one first, then organisation by organisation, newest first.
pub fn sign_in_accounts<'a>(
    state: &'a State,
    tenant: TenantSegment,
    domain: Option<&str>,
    hint: Option<&str>,
) -> Vec<(&'a Organisation, &'a Mailbox)> {
    let mut organisations: Vec<&Organisation> = state
        .organisations
        .values()
        .filter(|found| tenant.includes(found.id))
        .filter(|found| domain.is_none_or(|domain| found.domain.eq_ignore_ascii_case(domain)))
        .collect();
    organisations.sort_by_key(|found| std::cmp::Reverse(found.serial));
    let mut accounts: Vec<_> = organisations
        .into_iter()
        .flat_map(|found| found.sign_in_accounts().into_iter().map(move |account| (found, account)))
        .collect();
    if let Some(hint) = hint {
        accounts
            .sort_by_key(|(found, account)| found.find(hint).is_none_or(|hinted| hinted.id != account.id));
    }
    accounts
}
