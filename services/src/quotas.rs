//! Request quotas, so that one caller's load does not delay others.
//!
//! The requests of an authenticated caller are charged to two quotas: the caller's own and the tenant's. A vendor key
//! has a separate quota for each tenant that it acts for, so that a back end that exceeds one customer's quota is not
//! stopped for all. Unauthenticated requests are charged to the quota of their IP address, and invalid credentials to
//! another one, so that guessing is slowed down. The quotas of a valid credential never depend on the IP address.

use std::{net::IpAddr, time::Duration};

use crate::{Caller, proof::Anyone};
use domain::CallerKind;
use lanes::{Key, quotas::Balance};

pub use lanes::Quota;

crate::noun! {
    /// Request quotas of callers.
    Quotas
}

/// The quotas; `None` means no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QuotaSettings {
    /// Quota of each user, and of each vendor key per tenant, in cost units.
    pub caller: Option<Quota>,
    /// Quota shared by all callers of a tenant, in cost units.
    pub tenant: Option<Quota>,
    /// Quota of a client IP address for unauthenticated requests and for pages, in cost units.
    pub address: Option<Quota>,
    /// Quota of a client IP address for requests with invalid credentials.
    pub refused: Option<Quota>,
}

impl Default for QuotaSettings {
    fn default() -> Self {
        let each = |units, seconds| Some(Quota { units, per: Duration::from_secs(seconds) });
        Self {
            caller: each(60_000, 30),
            tenant: each(240_000, 30),
            address: each(60_000, 60),
            refused: each(60, 60),
        }
    }
}

/// The caller or IP address whose quotas a request is charged to.
#[derive(Debug, Clone, Copy)]
pub enum QuotaSubject<'a> {
    /// An authenticated caller.
    Caller(&'a Caller),
    /// The IP address of an unauthenticated request.
    Address(IpAddr),
    /// The IP address of a request for a page.
    Page(IpAddr),
    /// The IP address of a request with an invalid credential.
    Refused(IpAddr),
}

/// A quota and its current balance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QuotaBalance {
    /// Name of the quota: `caller`, `tenant`, `address` or `refused`.
    pub name: &'static str,
    /// The quota's rate and burst.
    pub quota: Quota,
    /// The remaining balance of the quota.
    pub balance: Balance,
}

/// The result of charging a request to its quotas.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ChargeResult {
    /// How long to wait before retrying; `None` if the request may proceed.
    pub refused_for: Option<Duration>,
    /// The quotas that were charged.
    pub accounts: Vec<QuotaBalance>,
}

impl Quotas {
    /// Charges a request if all its quotas suffice; otherwise none of the quotas is charged.
    pub async fn charge(&self, _by: Anyone, subject: QuotaSubject<'_>, units: u32) -> ChargeResult {
        let named = subject.quotas(&self.services.settings.quotas);
        if named.is_empty() {
            return ChargeResult::default();
        }
        let quotas: Vec<(Key, Quota)> = named.iter().map(|(_, key, quota)| (key.clone(), *quota)).collect();
        let spending = self.services.queue.quotas.spend(&quotas, units).await;
        let accounts = named.into_iter().zip(spending.balances);
        let accounts =
            accounts.map(|((name, _, quota), balance)| QuotaBalance { name, quota, balance }).collect();
        ChargeResult { refused_for: spending.refused_for, accounts }
    }
}

impl QuotaSubject<'_> {
    fn quotas(self, settings: &QuotaSettings) -> Vec<(&'static str, Key, Quota)> {
        let all = match self {
            Self::Caller(caller) => {
                let tenant = caller.tenant();
                let id = match caller.kind() {
                    CallerKind::Vendor(key) => Some(key.any()),
                    CallerKind::User(user) => Some(user.any()),
                    CallerKind::Anonymous | CallerKind::Operator => None,
                };
                let own = id.map(|id| ("caller", Key::of_caller(tenant, id), settings.caller));
                let tenant = tenant.map(|tenant| ("tenant", Key::of_tenant(tenant), settings.tenant));
                [own, tenant]
            }
            Self::Address(address) => {
                [Some(("address", Key::of_ip_address(address), settings.address)), None]
            }
            Self::Page(address) => {
                let key = Key::of_ip_address(address).with_sub_limit("pages", "");
                [Some(("address", key, settings.address)), None]
            }
            Self::Refused(address) => {
                let key = Key::of_ip_address(address).with_sub_limit("refused", "");
                [Some(("refused", key, settings.refused)), None]
            }
        };
        let limited = |(name, key, quota): (_, _, Option<Quota>)| quota.map(|quota| (name, key, quota));
        all.into_iter().flatten().filter_map(limited).collect()
    }
}
