//! A sign-in by the page that has succeeded.

crate::table::tenant_table! {
    /// A sign-in by the page that has succeeded. Its id was made when it began, so that one answer of an issuer counts
    /// once.
    "sign_in" {
        /// By which issuer.
        issuer_id: Uuid,
        /// Who signed in.
        user_id: Uuid,
        /// The digest of the code by which an application gets the token; null where the page showed the token.
        code_hash: Option<Vec<u8>>,
        /// The digest of what the application shows with the code (RFC 7636, S256).
        challenge: Option<String>,
        /// When it ended well.
        created_at: DateTimeUtc,
        /// Until when its code is good.
        expires_at: DateTimeUtc,
        /// When its code was exchanged.
        redeemed_at: Option<DateTimeUtc>,
    }
}
