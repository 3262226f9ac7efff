//! Access tokens issued to users. The token itself is not stored.

crate::table::tenant_table! {
    /// An access token issued to a user; its id is the token's `jti`.
    "access_token": ids::AccessToken {
        /// The user on whose behalf the token's bearer acts.
        user_id: Id<ids::User>,
        /// The actor who requested the token: the id of a user or of an API key.
        issued_by: String,
        /// When the token was signed.
        created_at: DateTimeUtc,
        /// When the token expires; also its `exp` claim.
        expires_at: DateTimeUtc,
        /// When the token was revoked; null while it is valid.
        revoked_at: Option<DateTimeUtc>,
        /// The OpenID issuer through which the user signed in; null if the vendor requested the token.
        issuer_id: Option<Id<ids::OpenIdIssuer>>,
        /// The permissions of the actor who requested the token; null if the token was issued at a sign-in.
        issued_with: Option<Json>,
    }
}
