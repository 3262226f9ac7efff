//! Features and request limits of a provider.

use std::time::Duration;

/// What a provider supports in general. The capabilities in a single mailbox are determined by checks, see
/// [`domain::provider::Capabilities`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProviderFeatures {
    /// The provider reports the organisation to which credentials belong, and that organisation's verified mail
    /// domains. False for customers' own servers, whose reports cannot be trusted.
    pub verified_organisation: bool,
    /// Users can connect their own mailboxes by their own consent.
    pub own_consent: bool,
    /// The provider itself sends invitations and cancellations.
    pub invitations: bool,
    /// Rooms respond to invitations by themselves, some time after the event is written.
    pub rooms_answer: bool,
    /// A directory lists the rooms; otherwise rooms are principals identified by name or address.
    pub room_directory: bool,
    /// The provider can push changes to a URL.
    pub push: bool,
    /// Events can have an online meeting of the provider's, if their calendar permits it.
    pub online_meetings: bool,
    /// Permissions take minutes to propagate, so a refusal directly after a consent may be temporary; elsewhere a
    /// refusal is final.
    pub propagates: bool,
}

/// Limits on concurrent requests and on requests per period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimit {
    /// Maximum number of concurrent requests.
    pub concurrency: u32,
    /// Maximum number of requests started within `per`.
    pub rate: u32,
    /// The period of `rate`.
    pub per: Duration,
}

/// The limits that Muster observes, so that it does not exceed the provider's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestLimits {
    /// Limit for all requests to one organisation, or to one integration if the organisation is not verified.
    pub whole: RateLimit,
    /// Limit for requests about one mailbox.
    pub mailbox: RateLimit,
}
