//! The genuine token with another signature, encoding or serialisation.

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE},
};
use serde_json::json;

use super::{
    Variants,
    forge::{Forge, encoded},
};

/// The order of Ed25519's group, little-endian (RFC 8032 section 5.1).
const ORDER: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

pub fn variants(forge: &Forge) -> Variants {
    let named = |(name, token): (&str, String)| (name.to_owned(), token);
    let all = [signatures(forge), encodings(forge), forms(forge)].concat();
    all.into_iter().map(named).collect()
}

/// Adds the group's order to the second half of a signature; the verification equation still holds.
fn malleable(signature: &[u8]) -> Vec<u8> {
    let mut changed = signature.to_vec();
    let mut carry = 0;
    for (byte, order) in changed[32..].iter_mut().zip(ORDER) {
        let sum = u16::from(*byte) + u16::from(order) + carry;
        *byte = sum.to_le_bytes()[0];
        carry = sum >> 8;
    }
    assert_eq!(carry, 0, "the sum fits into 32 bytes");
    changed
}

fn signatures(forge: &Forge) -> Vec<(&'static str, String)> {
    let own = forge.signature();
    let [head, tail] = [&own[..32], &own[32..]];
    let mut identity = vec![0; 64];
    identity[0] = 1;
    let mut flipped = own.clone();
    flipped[63] ^= 0x80;
    let made = [
        ("S + L", malleable(&own)),
        ("the highest bit flipped", flipped),
        ("zeros", vec![0; 64]),
        ("the neutral element and zero", identity),
        ("our public key and zero", [forge.public.as_slice(), &[0; 32]].concat()),
        ("ones", vec![0xff; 64]),
        ("halves swapped", [tail, head].concat()),
        ("first half alone", head.to_vec()),
        ("a byte short", own[..63].to_vec()),
        ("a byte longer", [&own[..], &[0]].concat()),
        ("the signature twice", [&own[..], &own[..]].concat()),
        ("nothing", Vec::new()),
    ];
    made.into_iter().map(|(name, bytes)| (name, forge.with_signature(&encoded(bytes)))).collect()
}

fn encodings(forge: &Forge) -> Vec<(&'static str, String)> {
    let [header, claims, signature] = forge.parts();
    let own = forge.signature();
    // The last of the 86 digits encodes two bits of the last byte and four padding bits, which must be zero.
    let (most, last) = signature.split_at(85);
    let next = char::from(last.as_bytes()[0] + 1);
    let (begin, end) = signature.split_at(40);
    let standard = STANDARD_NO_PAD.encode(&own).replace(['+', '/'], "+");
    let standard = if standard == signature { format!("+{}", &standard[1..]) } else { standard };
    vec![
        ("padded signature", forge.with_signature(&URL_SAFE.encode(&own))),
        ("padding in the standard alphabet", forge.with_signature(&STANDARD.encode(&own))),
        ("the standard alphabet", forge.with_signature(&standard)),
        ("non-zero padding bits", forge.with_signature(&format!("{most}{next}"))),
        ("a digit short", forge.with_signature(&signature[..85])),
        ("a digit longer", forge.with_signature(&format!("{signature}A"))),
        ("four digits cut", forge.genuine[..forge.genuine.len() - 4].to_owned()),
        ("a space in the signature", forge.with_signature(&format!("{begin} {end}"))),
        ("a line break in the signature", forge.with_signature(&format!("{begin}\r\n{end}"))),
        (
            "hexadecimal",
            forge.with_signature(&own.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))),
        ),
        ("a padded header, signed by us", forge.own_parts(&format!("{header}="), claims)),
        ("padded claims, signed by us", forge.own_parts(header, &format!("{claims}="))),
        ("a line break in the claims, signed by us", forge.own_parts(header, &format!("{claims}\n"))),
        ("claims that are not encoded, signed by us", forge.own_parts(header, &forge.claims.to_string())),
        ("a trailing NUL", format!("{}\0", forge.genuine)),
        ("percent signs", forge.genuine.replace('.', "%2E")),
        ("capitals", forge.genuine.to_uppercase()),
        ("another dot", forge.genuine.replace('.', "\u{ff0e}")),
    ]
}

fn forms(forge: &Forge) -> Vec<(&'static str, String)> {
    let [header, claims, signature] = forge.parts();
    let genuine = &forge.genuine;
    let json = json!({ "protected": header, "payload": claims, "signature": signature }).to_string();
    let general =
        json!({ "payload": claims, "signatures": [{ "protected": header, "signature": signature }] });
    let jwe = encoded(json!({ "alg": "dir", "enc": "A256GCM", "typ": "at+jwt" }).to_string());
    let wrapped = |name: &str| encoded(forge.with_header(|header| header["cty"] = json!(name)).to_string());
    let mut later = forge.claims.clone();
    later["exp"] = json!(forge.claims["exp"].as_i64().unwrap() + 1);
    vec![
        (
            "changed claims under the genuine signature",
            format!("{header}.{}.{signature}", encoded(later.to_string())),
        ),
        ("a changed header under the genuine signature", format!("{}.{claims}.{signature}", wrapped("JWT"))),
        ("the parts in another order", format!("{claims}.{header}.{signature}")),
        ("no header", format!(".{claims}.{signature}")),
        ("no claims", format!("{header}..{signature}")),
        ("detached claims", format!("{header}..{signature}.{claims}")),
        ("dots alone", "..".to_owned()),
        ("a leading dot", format!(".{genuine}")),
        ("a trailing dot", format!("{genuine}.")),
        ("four parts", format!("{genuine}.{signature}")),
        ("five parts", format!("{jwe}..{claims}.{claims}.{signature}")),
        ("a token in a token, signed by us", forge.own_parts(&wrapped("JWT"), &encoded(genuine))),
        ("the flattened form", json.clone()),
        ("the flattened form, encoded", encoded(json)),
        ("the general form", general.to_string()),
        ("twice, by a comma", format!("{genuine},{genuine}")),
        ("twice, by a space", format!("{genuine} {genuine}")),
        ("Bearer twice", format!("Bearer {genuine}")),
        ("quoted", format!("\"{genuine}\"")),
        ("as a parameter", format!("token=\"{genuine}\"")),
        ("encoded once more", encoded(genuine)),
        ("with a key's prefix", format!("muster_{genuine}")),
    ]
}
