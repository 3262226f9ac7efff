//! OpenID issuers through which users of a tenant sign in.

use domain::openid::IssuerTokens;

use crate::Stored;

crate::table::tenant_table! {
    /// An OpenID issuer through which users of a tenant sign in.
    "openid_issuer": ids::OpenIdIssuer {
        /// A display name, shown on the sign-in page.
        name: String,
        /// The issuer identifier, compared byte by byte; it never changes.
        issuer: String,
        /// Muster's client id at the issuer.
        client_id: String,
        /// The client secret, sealed with the tenant's data key; null for a public client.
        client_secret: Option<Vec<u8>>,
        /// The signature algorithms accepted from the issuer, as a list of `domain::SigningAlgorithm`.
        algorithms: Json,
        /// Which of the issuer's tokens the API accepts directly.
        accepts: Stored<IssuerTokens>,
        /// The audience that the issuer's access tokens must contain.
        audience: String,
        /// The token claim that identifies the user at the issuer.
        subject_claim: String,
        /// The token claim with the verified email address that identifies a user at the first sign-in; null if users
        /// are linked in advance.
        email_claim: Option<String>,
        /// When the issuer was registered.
        created_at: DateTimeUtc,
        /// Incremented on every change; updates compare it with `ifVersion`.
        version: i64,
    }
}
