//! Rate limits of callers, and limits on concurrent work of a node.

use std::time::Duration;

use serde::Deserialize;
use services::quotas::{Quota, QuotaSettings};

/// Quotas of the four kinds of callers; the table `rate_limits` in the configuration.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RateLimits {
    /// Quota of a user, or of a vendor key in one tenant or in none, in units of cost.
    pub caller: RateLimit,
    /// Quota of all callers of a tenant together, in units of cost.
    pub tenant: RateLimit,
    /// Quota of a client address without a valid key or token, in units of cost and in pages.
    pub address: RateLimit,
    /// Quota of a client address with invalid keys or tokens, in attempts.
    pub refused: RateLimit,
}

/// A quota: the units available at once, and how long they take to be refilled.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RateLimit {
    /// Units available at once; 0 means no limit.
    pub units: u32,
    /// Seconds until all units are refilled; at least 1.
    pub seconds: u64,
}

impl RateLimits {
    /// The quotas as settings of the use cases.
    pub fn settings(&self) -> QuotaSettings {
        QuotaSettings {
            caller: self.caller.quota(),
            tenant: self.tenant.quota(),
            address: self.address.quota(),
            refused: self.refused.quota(),
        }
    }

    /// Whether each quota is refilled.
    pub fn is_possible(&self) -> bool {
        [self.caller, self.tenant, self.address, self.refused].iter().all(|limit| limit.seconds != 0)
    }
}

impl RateLimit {
    /// A quota without a limit.
    pub const NONE: Self = Self { units: 0, seconds: 1 };

    fn quota(self) -> Option<Quota> {
        let per = Duration::from_secs(self.seconds);
        (self.units > 0).then_some(Quota { units: self.units, per })
    }
}
