//! Words of the sign-in by OpenID issuers that tenants name.

use crate::words;

words! {
    /// An algorithm by which an issuer may sign (RFC 7518, RFC 8037). None of them is symmetric.
    SigningAlgorithm {
        /// RSA with PKCS #1 v1.5 and SHA-256.
        Rs256 = "RS256",
        /// RSA with PSS and SHA-256.
        Ps256 = "PS256",
        /// ECDSA on P-256 with SHA-256.
        Es256 = "ES256",
        /// Ed25519.
        EdDsa = "EDDSA",
    }
}

words! {
    /// Which of an issuer's tokens open the API by themselves.
    IssuerTokens {
        /// None: its users sign in by the page and get Muster's own tokens.
        None = "NONE",
        /// Access tokens of the profile for JWTs (RFC 9068).
        AccessToken = "ACCESS_TOKEN",
        /// ID tokens that were made for the registered client.
        IdToken = "ID_TOKEN",
    }
}
