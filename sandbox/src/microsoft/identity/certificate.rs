//! Certificates registered by applications; parses X.509 only as far as needed to extract the public key.

use aws_lc_rs::digest;
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};

/// Parses PEM or base64 DER; returns the DER if it contains a public key.
pub fn parse_certificate(text: &str) -> Option<Vec<u8>> {
    let text: String = text.lines().filter(|line| !line.starts_with("-----")).map(str::trim).collect();
    let der = STANDARD.decode(text).ok()?;
    public_key(&der).is_some().then_some(der)
}

/// The SubjectPublicKeyInfo (RFC 5280, section 4.1) of a certificate.
pub fn public_key(der: &[u8]) -> Option<&[u8]> {
    const SEQUENCE: u8 = 0x30;
    const VERSION: u8 = 0xa0;
    let (_, certificate, _) = element(der).filter(|found| found.0 == SEQUENCE)?;
    let (_, mut rest, _) = element(certificate).filter(|found| found.0 == SEQUENCE)?;
    if let Some((VERSION, _, after)) = element(rest) {
        rest = after;
    }
    // Before the key stand: serial number, signature algorithm, issuer, validity, subject.
    for _ in 0..5 {
        rest = element(rest)?.2;
    }
    let (tag, _, after) = element(rest)?;
    (tag == SEQUENCE).then(|| &rest[..rest.len() - after.len()])
}

/// Splits a DER element into its tag, its content and the rest.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = der.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81..=0x84 => {
            let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            (digits.iter().fold(0, |sum, digit| sum << 8 | usize::from(*digit)), rest)
        }
        _ => return None,
    };
    let (content, after) = rest.split_at_checked(length)?;
    Some((tag, content, after))
}

/// The thumbprints that a client assertion may name: `x5t` (SHA-1) and `x5t#S256`.
pub fn thumbprints(der: &[u8]) -> [String; 2] {
    [&digest::SHA1_FOR_LEGACY_USE_ONLY, &digest::SHA256]
        .map(|algorithm| URL_SAFE_NO_PAD.encode(digest::digest(algorithm, der).as_ref()))
}
