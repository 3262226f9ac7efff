//! An access token that was issued to a user; the token itself is not kept.

crate::table::tenant_table! {
    /// An access token that was issued to a user; its id is the token's `jti`.
    "access_token" {
        /// Whom the token makes its bearer.
        user_id: Uuid,
        /// The actor that had it signed.
        issued_by: String,
        /// When it was signed.
        created_at: DateTimeUtc,
        /// When it ends.
        expires_at: DateTimeUtc,
        /// When it was revoked; null while it is in force.
        revoked_at: Option<DateTimeUtc>,
        /// The OpenID issuer by which the user signed in; null where the vendor asked for the token.
        issuer_id: Option<Uuid>,
    }
}
