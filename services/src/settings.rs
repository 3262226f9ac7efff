//! What the operator configured, as use cases need it.

use std::time::Duration;

use url::Url;

use crate::quotas::QuotaSettings;

/// Settings of one installation. Times are real durations; tests move the clock instead of making them short.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Under which address browsers and providers reach this server, without a path.
    pub public_url: Url,
    /// Which version of the terms of service is to be accepted.
    pub terms_version: String,
    /// Which version of the privacy policy is to be accepted.
    pub privacy_version: String,
    /// How long an access token lasts.
    pub token_lifetime: Duration,
    /// How long a vendor key lasts that was made without an end.
    pub key_lifetime: Duration,
    /// How long a key signs access tokens before another one takes its place.
    pub signing_key_lifetime: Duration,
    /// How long an invitation lasts, and with it a connection that nobody finishes.
    pub link_lifetime: Duration,
    /// How long a browser's connect session lasts.
    pub session_lifetime: Duration,
    /// How far ahead calendars are read.
    pub horizon: Duration,
    /// How old a calendar's copy may be before it is read again.
    pub reread_after: Duration,
    /// How old a calendar's copy may be before its owner counts as unknown.
    pub stale_after: Duration,
    /// How often an integration's consent is checked.
    pub health_every: Duration,
    /// How long a freshly granted permission may take to spread at the provider.
    pub propagation: Duration,
    /// How long a room may take to answer.
    pub room_patience: Duration,
    /// How long a run is kept that ended well, with its history.
    pub keep_runs: Duration,
    /// How long a run is kept that failed or was quarantined.
    pub keep_failed_runs: Duration,
    /// How long events are kept, for subscribers that come back.
    pub keep_events: Duration,
    /// How many runs of one tenant may be worked on at a time, over all nodes. What somebody waits for does not count.
    pub tenant_runs_at_once: usize,
    /// What callers may ask for.
    pub quotas: QuotaSettings,
    /// Whether providers may push changes to `public_url`; false where they could not reach it.
    pub push: bool,
}

impl Settings {
    /// The defaults, for a server at `public_url`.
    pub fn at(public_url: Url) -> Self {
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
            quotas: QuotaSettings::default(),
            push: false,
        }
    }

    /// An absolute address on this server.
    pub fn link(&self, path: &str) -> String {
        format!("{}{path}", self.public_url.as_str().trim_end_matches('/'))
    }
}
