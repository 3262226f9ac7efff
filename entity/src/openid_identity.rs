//! The users' subjects at OpenID issuers.

crate::table::tenant_table! {
    /// A user's subject at an OpenID issuer. Users and subjects correspond one to one.
    "openid_identity": ids::OpenIdIdentity {
        /// The OpenID issuer to which the subject belongs.
        issuer_id: Id<ids::OpenIdIssuer>,
        /// The user who signs in with the subject.
        user_id: Id<ids::User>,
        /// The value of the issuer's subject claim.
        subject: String,
        /// When the user and the subject were linked.
        created_at: DateTimeUtc,
        /// The permissions of the actor who created the link, or who set the email address by which a sign-in created
        /// it; null for links created by sign-ins in earlier versions.
        linked_with: Option<Json>,
    }
}
