//! Successful sign-ins through the page of an OpenID issuer.

crate::table::tenant_table! {
    /// A successful sign-in through an OpenID issuer's page. Its id is generated when the sign-in starts, so that each
    /// response from the issuer is accepted only once.
    "sign_in": ids::Row {
        /// The OpenID issuer that authenticated the user.
        issuer_id: Id<ids::OpenIdIssuer>,
        /// The user who signed in.
        user_id: Id<ids::User>,
        /// The digest of the code that an application exchanges for the token; null if Muster's page showed the token
        /// itself.
        code_hash: Option<Vec<u8>>,
        /// The PKCE challenge for exchanging the code (RFC 7636, S256); null for a sign-in without one.
        challenge: Option<String>,
        /// When the sign-in succeeded.
        created_at: DateTimeUtc,
        /// When the code expires.
        expires_at: DateTimeUtc,
        /// When the code was exchanged; null before.
        redeemed_at: Option<DateTimeUtc>,
    }
}
