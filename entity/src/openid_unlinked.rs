//! The subjects at OpenID issuers that an administrator has unlinked from their users.

crate::table::tenant_table! {
    /// A subject at an OpenID issuer that an administrator has unlinked, so that a sign-in does not link it again.
    "openid_unlinked": ids::Row {
        /// The OpenID issuer that issued the subject.
        issuer_id: Id<ids::OpenIdIssuer>,
        /// The user to whom the subject was last linked.
        user_id: Id<ids::User>,
        /// The value of the issuer's subject claim.
        subject: String,
        /// When the subject was unlinked.
        unlinked_at: DateTimeUtc,
    }
}
