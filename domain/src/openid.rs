//! Enums for sign-in through a tenant's OpenID issuer.

use crate::words;

words! {
    /// A signature algorithm that an OpenID issuer may use (RFC 7518, RFC 8037). None of them is symmetric.
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
    /// Which tokens of an OpenID issuer the API accepts as bearer tokens.
    IssuerTokens {
        /// No external tokens: users sign in on Muster's sign-in page and receive Muster's own tokens.
        None = "NONE",
        /// Access tokens in JWT format (RFC 9068).
        AccessToken = "ACCESS_TOKEN",
        /// ID tokens issued to the registered client.
        IdToken = "ID_TOKEN",
    }
}
