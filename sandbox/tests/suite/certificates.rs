//! A certificate made on the spot, and assertions signed with its key.

use aws_lc_rs::{
    encoding::{AsDer, PublicKeyX509Der},
    rand::SystemRandom,
    rsa::KeySize,
    signature::{KeyPair, RSA_PKCS1_SHA256, RSA_PSS_SHA256, RsaKeyPair},
};
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use sandbox::microsoft::identity::certificate::thumbprints;
use serde_json::{Value, json};

pub struct Certificate {
    pair: RsaKeyPair,
    der: Vec<u8>,
}

impl Certificate {
    pub fn new() -> Self {
        let pair = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
        let key = AsDer::<PublicKeyX509Der<'static>>::as_der(pair.public_key()).unwrap();
        let empty = || element(0x30, &[]);
        let version = element(0xa0, &element(0x02, &[2]));
        let serial = element(0x02, &[1]);
        // Signature algorithm, issuer, validity and subject are of no interest here.
        let inner = [version, serial, empty(), empty(), empty(), empty(), key.as_ref().to_vec()].concat();
        let der = element(0x30, &[element(0x30, &inner), empty(), element(0x03, &[0])].concat());
        Self { pair, der }
    }

    pub fn pem(&self) -> String {
        format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", STANDARD.encode(&self.der))
    }

    pub fn assertion(&self, algorithm: &str, claims: &Value) -> String {
        let [sha1, sha256] = thumbprints(&self.der);
        let header = match algorithm {
            "PS256" => json!({"alg": "PS256", "typ": "JWT", "x5t#S256": sha256}),
            _ => json!({"alg": "RS256", "typ": "JWT", "x5t": sha1}),
        };
        let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let text = format!("{}.{}", encode(&header), encode(claims));
        let mut signature = vec![0; self.pair.public_modulus_len()];
        let padding: &'static dyn aws_lc_rs::signature::RsaEncoding =
            if algorithm == "PS256" { &RSA_PSS_SHA256 } else { &RSA_PKCS1_SHA256 };
        self.pair.sign(padding, &SystemRandom::new(), text.as_bytes(), &mut signature).unwrap();
        format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len();
    let mut der = vec![tag];
    if length < 0x80 {
        der.push(length as u8);
    } else {
        der.extend([0x82, (length >> 8) as u8, length as u8]);
    }
    der.extend(content);
    der
}
