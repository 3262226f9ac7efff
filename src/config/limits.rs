//! How much callers may ask for, and how much a node works on at a time.

use std::time::Duration;

use serde::Deserialize;
use services::quotas::{Quota, QuotaSettings};

/// `[rate_limits]`: what is not given stays as it is.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RateLimits {
    /// A user, or a vendor key in one tenant or in none: units of cost.
    pub caller: RateLimit,
    /// All callers of a tenant together: units of cost.
    pub tenant: RateLimit,
    /// An address from which somebody asks who has not said who they are: units of cost, and pages.
    pub address: RateLimit,
    /// An address: keys and tokens that open nothing.
    pub refused: RateLimit,
}

/// A number of units, refilled over a number of seconds.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RateLimit {
    /// How many may be spent at once; 0 is no limit.
    pub units: Option<u32>,
    /// How long they take to come back.
    pub seconds: Option<u64>,
}

impl RateLimits {
    /// As use cases need them.
    pub fn settings(&self) -> QuotaSettings {
        let or = QuotaSettings::default();
        QuotaSettings {
            caller: self.caller.over(or.caller),
            tenant: self.tenant.over(or.tenant),
            address: self.address.over(or.address),
            refused: self.refused.over(or.refused),
        }
    }

    /// Whether each gives its units back.
    pub fn is_possible(&self) -> bool {
        [self.caller, self.tenant, self.address, self.refused].iter().all(|limit| limit.seconds != Some(0))
    }
}

impl RateLimit {
    fn over(self, or: Option<Quota>) -> Option<Quota> {
        let or = or?;
        let units = self.units.unwrap_or(or.units);
        let per = self.seconds.map_or(or.per, Duration::from_secs);
        (units > 0).then_some(Quota { units, per })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_given_stays_as_it_is() {
        let text = "[caller]\nunits = 0\n[tenant]\nunits = 7\n[refused]\nseconds = 5";
        let source = config::File::from_str(text, config::FileFormat::Toml);
        let source = config::Config::builder().add_source(source).build().unwrap();
        let limits: RateLimits = source.try_deserialize().unwrap();
        let (or, settings) = (QuotaSettings::default(), limits.settings());
        assert_eq!(settings.caller, None, "0 is no limit");
        assert_eq!(settings.tenant, Some(Quota { units: 7, ..or.tenant.unwrap() }));
        assert_eq!(settings.refused, Some(Quota { per: Duration::from_secs(5), ..or.refused.unwrap() }));
        assert_eq!(settings.address, or.address);
    }
}
