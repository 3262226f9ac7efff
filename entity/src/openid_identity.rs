//! The users' subjects at OpenID issuers.

crate::table::tenant_table! {
    /// A user's subject at an OpenID issuer: one per user, and one user per subject.
    "openid_identity": ids::OpenIdIdentity {
        /// The OpenID issuer at which the subject is known.
        issuer_id: Id<ids::OpenIdIssuer>,
        /// The user as whom the subject signs in.
        user_id: Id<ids::User>,
        /// The value of the issuer's subject claim.
        subject: String,
        /// When the user and the subject were linked.
        created_at: DateTimeUtc,
        /// The permissions of whoever linked them, or set the address by which a sign-in did; null in links that sign-ins
        /// of earlier versions made.
        linked_with: Option<Json>,
    }
}
