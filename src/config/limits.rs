//! How much callers may ask for, and how much a node works on at a time.

use std::time::Duration;

use serde::Deserialize;
use services::quotas::{Quota, QuotaSettings};

/// Quotas of the four kinds of callers; the table `rate_limits` of the configuration.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RateLimits {
    /// A user, or a vendor key in one tenant or in none: units of cost.
    pub caller: RateLimit,
    /// All callers of a tenant together: units of cost.
    pub tenant: RateLimit,
    /// A client address without a valid key or token: units of cost, and pages.
    pub address: RateLimit,
    /// A client address: keys and tokens that open nothing.
    pub refused: RateLimit,
}

/// A quota: units that can be spent at once, and how long they take to come back.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RateLimit {
    /// Units that can be spent at once; 0 is no limit.
    pub units: u32,
    /// Seconds until all units are back; 1 or more.
    pub seconds: u64,
}

impl RateLimits {
    /// The quotas that use cases charge.
    pub fn settings(&self) -> QuotaSettings {
        QuotaSettings {
            caller: self.caller.quota(),
            tenant: self.tenant.quota(),
            address: self.address.quota(),
            refused: self.refused.quota(),
        }
    }

    /// Whether each quota gives its units back.
    pub fn is_possible(&self) -> bool {
        [self.caller, self.tenant, self.address, self.refused].iter().all(|limit| limit.seconds != 0)
    }
}

impl RateLimit {
    /// No limit.
    pub const NONE: Self = Self { units: 0, seconds: 1 };

    fn quota(self) -> Option<Quota> {
        let per = Duration::from_secs(self.seconds);
        (self.units > 0).then_some(Quota { units: self.units, per })
    }
}
