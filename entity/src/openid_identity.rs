//! Who a user is at an OpenID issuer.

crate::table::tenant_table! {
    /// Who a user is at an OpenID issuer: one subject for each user and one user for each subject.
    "openid_identity" {
        /// The issuer.
        issuer_id: Uuid,
        /// The user.
        user_id: Uuid,
        /// What the issuer's claim says.
        subject: String,
        /// When the two were linked.
        created_at: DateTimeUtc,
    }
}
