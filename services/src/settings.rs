//! The operator's settings on which use cases depend.

use std::time::Duration;

use url::Url;

use crate::quotas::QuotaSettings;

/// Settings of one installation. Tests advance the clock instead of shortening durations.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Base URL under which browsers and providers reach this server, without a path.
    pub public_url: Url,
    /// Current version of the terms of service.
    pub terms_version: String,
    /// Current version of the privacy policy.
    pub privacy_version: String,
    /// Maximum lifetime of an access token.
    pub token_lifetime: Duration,
    /// Lifetime of a vendor key that was created without an expiry.
    pub key_lifetime: Duration,
    /// How long a key signs access tokens before another one replaces it.
    pub signing_key_lifetime: Duration,
    /// How long an invitation is valid; an unfinished connect attempt expires with it.
    pub link_lifetime: Duration,
    /// How long a browser's connect session is valid.
    pub session_lifetime: Duration,
    /// How far ahead calendars are read.
    pub horizon: Duration,
    /// Age at which a calendar's stored copy is read again.
    pub reread_after: Duration,
    /// Age at which a calendar's stored copy is outdated, so that the calendar counts as unknown.
    pub stale_after: Duration,
    /// Interval between checks of an integration's consent.
    pub health_every: Duration,
    /// How long a provider may take to apply a newly granted permission.
    pub propagation: Duration,
    /// How long a room may take to respond to an invitation.
    pub room_patience: Duration,
    /// How long successful runs are kept with their history.
    pub keep_runs: Duration,
    /// How long failed and quarantined runs are kept.
    pub keep_failed_runs: Duration,
    /// How long change events are kept for subscribers that reconnect.
    pub keep_events: Duration,
    /// Maximum number of concurrent runs of one tenant on all nodes, not counting interactive runs.
    pub tenant_runs_at_once: usize,
    /// Maximum number of requests of a node that wait for customers' servers, such as OpenID issuers; one tenant may
    /// use up to a quarter of them.
    pub foreign_calls: usize,
    /// Request quotas of callers.
    pub quotas: QuotaSettings,
    /// Whether providers can reach `public_url`, so that they may push changes to it.
    pub push: bool,
}

impl Settings {
    /// Default settings for a server at `public_url`.
    pub fn for_url(public_url: Url) -> Self {
        let hours = Duration::from_hours;
        Self {
            public_url,
            terms_version: "2026-11".to_owned(),
            privacy_version: "2026-11".to_owned(),
            token_lifetime: hours(1),
            key_lifetime: hours(365 * 24),
            signing_key_lifetime: hours(90 * 24),
            link_lifetime: hours(7 * 24),
            session_lifetime: hours(1),
            horizon: hours(60 * 24),
            reread_after: Duration::from_mins(15),
            stale_after: hours(6),
            health_every: Duration::from_mins(5),
            propagation: hours(24),
            room_patience: Duration::from_mins(10),
            keep_runs: hours(30 * 24),
            keep_failed_runs: hours(90 * 24),
            keep_events: hours(7 * 24),
            tenant_runs_at_once: 64,
            foreign_calls: 16,
            quotas: QuotaSettings::default(),
            push: false,
        }
    }

    /// Builds an absolute URL on this server.
    pub fn absolute_url(&self, path: &str) -> String {
        format!("{}{path}", self.public_url.as_str().trim_end_matches('/'))
    }
}
