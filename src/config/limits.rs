//! Rate limits for callers, and limits on a node's concurrent work.

use std::time::Duration;

use serde::Deserialize;
use services::quotas::{Quota, QuotaSettings};

/// Quotas of the four kinds of callers; the table `rate_limits` in the configuration.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RateLimits {
    /// Quota of each user, and of each vendor key per tenant, in cost units.
    pub caller: RateLimit,
    /// Quota shared by all callers of a tenant, in cost units.
    pub tenant: RateLimit,
    /// Quota of each client IP address without valid credentials, in cost units; also used for pages.
    pub address: RateLimit,
    /// Number of attempts with invalid credentials that each client IP address may make.
    pub refused: RateLimit,
}

/// A quota: the units available immediately, and how long they take to be refilled.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RateLimit {
    /// Units available immediately; 0 means no limit.
    pub units: u32,
    /// Seconds until all units are refilled; at least 1.
    pub seconds: u64,
}

impl RateLimits {
    /// Converts the quotas to settings of the use cases.
    pub fn settings(&self) -> QuotaSettings {
        QuotaSettings {
            caller: self.caller.quota(),
            tenant: self.tenant.quota(),
            address: self.address.quota(),
            refused: self.refused.quota(),
        }
    }

    /// Whether every quota is ever refilled.
    pub fn refills(&self) -> bool {
        [self.caller, self.tenant, self.address, self.refused].iter().all(|limit| limit.seconds != 0)
    }
}

impl RateLimit {
    /// A quota without a limit.
    pub const UNLIMITED: Self = Self { units: 0, seconds: 1 };

    fn quota(self) -> Option<Quota> {
        let per = Duration::from_secs(self.seconds);
        (self.units > 0).then_some(Quota { units: self.units, per })
    }
}
