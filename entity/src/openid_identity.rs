//! The subjects with which users are identified at OpenID issuers.

crate::table::tenant_table! {
    /// A user's subject at an OpenID issuer. Each user has at most one subject per issuer, and each subject one user.
    "openid_identity": ids::OpenIdIdentity {
        /// The OpenID issuer that issued the subject.
        issuer_id: Id<ids::OpenIdIssuer>,
        /// The user who signs in with the subject.
        user_id: Id<ids::User>,
        /// The value of the issuer's subject claim.
        subject: String,
        /// When the user and the subject were linked.
        created_at: DateTimeUtc,
        /// The permissions of the actor who linked the subject, or who set the email address by which a sign-in linked
        /// it; null if a sign-in of an earlier version linked it.
        linked_with: Option<Json>,
    }
}
