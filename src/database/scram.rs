//! Computes PostgreSQL's password verifier (RFC 5803, RFC 7677), so that the password never appears in the server's
//! logs.

use std::num::NonZeroU32;

use aws_lc_rs::{digest, hmac, pbkdf2};
use base64::{Engine, engine::general_purpose::STANDARD};

/// PostgreSQL's default number of iterations.
const ROUNDS: NonZeroU32 = NonZeroU32::new(4096).expect("it is not zero");

/// The verifier of a password. `None` for a password with non-ASCII or control characters, which would require
/// normalisation.
pub fn password_verifier(password: &str, salt: &[u8; 16]) -> Option<String> {
    if !password.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return None;
    }
    let mut salted = [0; digest::SHA256_OUTPUT_LEN];
    pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, ROUNDS, salt, password.as_bytes(), &mut salted);
    let salted = hmac::Key::new(hmac::HMAC_SHA256, &salted);
    let client_key = hmac::sign(&salted, b"Client Key");
    let stored_key = digest::digest(&digest::SHA256, client_key.as_ref());
    let server_key = hmac::sign(&salted, b"Server Key");
    let [salt, stored, server] =
        [&salt[..], stored_key.as_ref(), server_key.as_ref()].map(|bytes| STANDARD.encode(bytes));
    Some(format!("SCRAM-SHA-256${ROUNDS}:{salt}${stored}:{server}"))
}
