//! An OpenID issuer by which users of a tenant sign in.

crate::table::tenant_table! {
    /// An OpenID issuer by which users of a tenant sign in.
    "openid_issuer" {
        /// The name, for people.
        name: String,
        /// The issuer identifier, compared as it is. It never changes.
        issuer: String,
        /// Our client id there.
        client_id: String,
        /// The client's secret, sealed; null for a public client.
        client_secret: Option<Vec<u8>>,
        /// The algorithms by which it may sign, a list of words.
        algorithms: Json,
        /// Which of its tokens open the API by themselves.
        accepts: String,
        /// For whom its access tokens must have been made.
        audience: String,
        /// The claim that says who it is.
        subject_claim: String,
        /// The claim by whose verified address a user is found at first use; null where users are linked beforehand.
        email_claim: Option<String>,
        /// When it was registered.
        created_at: DateTimeUtc,
        /// Grows with every change.
        version: i64,
    }
}
