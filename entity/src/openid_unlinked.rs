//! The accounts at OpenID issuers that an administrator has unlinked.

crate::table::tenant_table! {
    /// A subject at an OpenID issuer that an administrator has unlinked: no sign-in links it again.
    "openid_unlinked": ids::Row {
        /// The OpenID issuer at which the subject is known.
        issuer_id: Id<ids::OpenIdIssuer>,
        /// The user to whom the subject was linked last.
        user_id: Id<ids::User>,
        /// The value of the issuer's subject claim.
        subject: String,
        /// When the subject was last unlinked.
        unlinked_at: DateTimeUtc,
    }
}
