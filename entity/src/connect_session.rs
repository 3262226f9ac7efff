//! Browser sessions for connecting a calendar system or a user's own calendar.

use domain::{
    ProviderKind,
    connect::{ConnectPurpose, ConnectStep},
};

use crate::Stored;

crate::table::tenant_table! {
    /// A browser session opened by a connect link, or in which a user connects their own calendar.
    "connect_session": ids::ConnectSession {
        /// The connect link that opened the session; null when users connect their own calendars.
        link_id: Option<Id<ids::ConnectLink>>,
        /// The user who connects their own calendar; null for a session opened by a connect link.
        user_id: Option<Id<ids::User>>,
        /// The integration to connect, or the organisation-wide one that gives access to the user's calendar; null if
        /// a user connects their own calendar through a personal integration, which is created when this succeeds.
        integration_id: Option<Id<ids::Integration>>,
        /// The calendar system that the user chose for their own calendar; null before the choice, and if
        /// `integration_id` determines it.
        provider: Option<Stored<ProviderKind>>,
        /// The keyed digest of the session's cookie or, before a user's own consent starts, of the secret in its URL.
        cookie_hash: Vec<u8>,
        /// Whether the session connects an integration or obtains a user's own consent.
        purpose: Stored<ConnectPurpose>,
        /// How far the connect session has progressed.
        step: Stored<ConnectStep>,
        /// The keyed digest of the OAuth `state` parameter that the provider has to return; null outside a redirect.
        state_hash: Option<Vec<u8>>,
        /// The OpenID nonce that the ID token must contain; null before the redirect.
        nonce: Option<String>,
        /// The sealed PKCE verifier of the last redirect; null before the first.
        verifier: Option<Vec<u8>>,
        /// The sealed consent that the integration's run has yet to use; null before it is granted, and once it is in
        /// force.
        consent: Option<Vec<u8>>,
        /// The Microsoft account that signed in, and its organisation; null before the sign-in.
        signed_in: Option<Json>,
        /// The keyless Google service account that the administrator entered, and the administrator's email address;
        /// null for other consents.
        typed_account: Option<Json>,
        /// The URL to which the browser returns after a user's own consent; null to stay on Muster's page, and for a
        /// session opened by a connect link, which has its own.
        return_url: Option<String>,
        /// When the browser opened the session.
        created_at: DateTimeUtc,
        /// When the session ends; it cannot be extended.
        expires_at: DateTimeUtc,
    }
}
