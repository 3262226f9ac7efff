//! How much callers may ask for, so that nobody's haste is another's wait.
//!
//! A known caller spends from two quotas: its own, and its tenant's. Of a vendor key each tenant that it acts for has a
//! quota of its own, so a vendor's back end does not stop for all customers because it asked too much for one. Whoever
//! has not said who they are spends from their address's quota, and a credential that opens nothing costs from one that
//! is kept for refusals: whoever guesses is told to wait. What a valid credential may do never depends on its address.

use std::{net::IpAddr, time::Duration};

use domain::{Caller, CallerKind};
use queue::{Key, quotas::Balance};

pub use queue::Quota;

crate::noun! {
    /// How much callers may ask for.
    Quotas
}

/// What callers may ask for; `None` is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QuotaSettings {
    /// What a user may ask for, or a vendor key in one tenant or in none: units of cost.
    pub caller: Option<Quota>,
    /// What all callers of a tenant may ask for together: units of cost.
    pub tenant: Option<Quota>,
    /// What may be asked for from an address without saying who asks: units of cost, and pages.
    pub address: Option<Quota>,
    /// How many credentials that open nothing may come from an address.
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

/// Whose quotas a request is charged to.
#[derive(Debug, Clone, Copy)]
pub enum Charged<'a> {
    /// A caller who was authenticated.
    Caller(&'a Caller),
    /// An address from which somebody asks who has not said who they are.
    Address(IpAddr),
    /// An address from which somebody looks at a page.
    Page(IpAddr),
    /// An address from which a credential came that opens nothing.
    Refused(IpAddr),
}

/// A quota and what is left of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Account {
    /// Which quota it is: `caller`, `tenant`, `address` or `refused`.
    pub name: &'static str,
    /// The quota.
    pub quota: Quota,
    /// What is left.
    pub balance: Balance,
}

/// What became of a charge.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Charge {
    /// How long to wait before it is worth asking again; `None` if the request may go on.
    pub refused_for: Option<Duration>,
    /// The quotas that it concerned.
    pub accounts: Vec<Account>,
}

impl Quotas {
    /// Charges a request, if all of its quotas have that much left; otherwise none of them.
    pub async fn charge(&self, whose: Charged<'_>, units: u32) -> Charge {
        let named = whose.quotas(&self.services.settings.quotas);
        if named.is_empty() {
            return Charge::default();
        }
        let quotas: Vec<(Key, Quota)> = named.iter().map(|(_, key, quota)| (key.clone(), *quota)).collect();
        let spending = self.services.queue.quotas.spend(&quotas, units).await;
        let accounts = named.into_iter().zip(spending.balances);
        let accounts = accounts.map(|((name, _, quota), balance)| Account { name, quota, balance }).collect();
        Charge { refused_for: spending.refused_for, accounts }
    }
}

impl Charged<'_> {
    fn quotas(self, settings: &QuotaSettings) -> Vec<(&'static str, Key, Quota)> {
        let all = match self {
            Self::Caller(caller) => {
                let tenant = caller.tenant.map(domain::Id::uuid);
                let id = match caller.kind {
                    CallerKind::Vendor(key) => Some(key.uuid()),
                    CallerKind::User(user) => Some(user.uuid()),
                    CallerKind::Anonymous | CallerKind::Operator => None,
                };
                let own = id.map(|id| ("caller", Key::of_caller(tenant, id), settings.caller));
                let tenant = tenant.map(|tenant| ("tenant", Key::of_tenant(tenant), settings.tenant));
                [own, tenant]
            }
            Self::Address(address) => [Some(("address", Key::of_address(address), settings.address)), None],
            Self::Page(address) => {
                let key = Key::of_address(address).part("pages", "");
                [Some(("address", key, settings.address)), None]
            }
            Self::Refused(address) => {
                let key = Key::of_address(address).part("refused", "");
                [Some(("refused", key, settings.refused)), None]
            }
        };
        let limited = |(name, key, quota): (_, _, Option<Quota>)| quota.map(|quota| (name, key, quota));
        all.into_iter().flatten().filter_map(limited).collect()
    }
}
