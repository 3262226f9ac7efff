//! Headers that request another interpretation of the token, or name another key.

use base64::{Engine, engine::general_purpose::STANDARD};
use jsonwebtoken::{Algorithm, EncodingKey};
use serde_json::{Value, json};

use super::{
    Variants,
    forge::{Forge, encoded, signed},
};

pub fn variants(forge: &Forge) -> Variants {
    [
        algorithms(forge),
        guessed(forge),
        other_keys(forge),
        kinds(forge),
        keys(forge),
        members(forge),
        shapes(forge),
    ]
    .concat()
}

/// Names of other algorithms over the installation's valid signature: only the name is wrong.
fn algorithms(forge: &Forge) -> Variants {
    let named = [
        json!("none"),
        json!("None"),
        json!("NONE"),
        json!("nOnE"),
        json!(""),
        json!("eddsa"),
        json!("EDDSA"),
        json!("EdDSA "),
        json!("Ed25519"),
        json!("Ed448"),
        json!("ES256"),
        json!("ES256K"),
        json!("HS256"),
        json!("RS256"),
        json!("PS256"),
        json!("dir"),
        json!(null),
        json!(0),
        json!(true),
        json!(["EdDSA"]),
        json!({ "EdDSA": null }),
    ];
    let token = |alg: Value| {
        let header = forge.with_header(|header| header["alg"] = alg.clone());
        (format!("alg {alg}, signed by us"), forge.sign(&header, &forge.claims))
    };
    named.map(token).into()
}

fn with_algorithm(forge: &Forge, alg: &str) -> String {
    forge.with_header(|header| header["alg"] = json!(alg)).to_string()
}

/// Tokens without a signature, or with a signature that anyone can compute.
fn guessed(forge: &Forge) -> Variants {
    let claims = forge.claims.to_string();
    let mut all = Vec::new();
    for alg in ["none", "None", "EdDSA"] {
        let head = encoded(with_algorithm(forge, alg));
        all.push((format!("alg {alg}, unsigned"), format!("{head}.{}.", encoded(&claims))));
        all.push((format!("alg {alg}, unsigned, no dot"), format!("{head}.{}", encoded(&claims))));
    }
    let body = STANDARD.encode(&forge.public);
    let pem = format!("-----BEGIN PUBLIC KEY-----\n{body}\n-----END PUBLIC KEY-----\n");
    let texts = [encoded(&forge.public), forge.header["kid"].as_str().unwrap_or_default().to_owned(), pem];
    let secrets = [forge.public.clone(), Vec::new(), b"secret".to_vec(), vec![0; 32]];
    for (which, secret) in secrets.into_iter().chain(texts.map(String::into_bytes)).enumerate() {
        for (name, algorithm) in
            [("HS256", Algorithm::HS256), ("HS384", Algorithm::HS384), ("HS512", Algorithm::HS512)]
        {
            let key = EncodingKey::from_secret(&secret);
            let token = signed(&key, algorithm, &with_algorithm(forge, name), &claims);
            all.push((format!("{name} with public or guessed secret {which}"), token));
        }
    }
    all
}

/// Tokens signed with keys of other algorithms, under the name of that algorithm and as EdDSA.
fn other_keys(forge: &Forge) -> Variants {
    let claims = forge.claims.to_string();
    let mut all = Vec::new();
    for (name, key, algorithm) in [
        ("RS256", &forge.rsa, Algorithm::RS256),
        ("RS512", &forge.rsa, Algorithm::RS512),
        ("PS256", &forge.rsa, Algorithm::PS256),
        ("ES256", &forge.p256, Algorithm::ES256),
    ] {
        for (called, alg) in [("the attacker's", name), ("called EdDSA", "EdDSA")] {
            let token = signed(key, algorithm, &with_algorithm(forge, alg), &claims);
            all.push((format!("{name}, {called}"), token));
        }
    }
    all
}

/// Values of `typ` that do not denote an access token.
fn kinds(forge: &Forge) -> Variants {
    let typed = [
        json!(null),
        json!("JWT"),
        json!("jwt"),
        json!("id+jwt"),
        json!("dpop+jwt"),
        json!("logout+jwt"),
        json!("at+jwt;x"),
        json!("at+jwt "),
        json!("application/"),
        json!(""),
        json!(["at+jwt"]),
        json!(1),
    ];
    let typed = typed.map(|typ| {
        let header = forge.with_header(|header| header["typ"] = typ.clone());
        (format!("typ {typ}"), forge.sign(&header, &forge.claims))
    });
    let untyped = forge.with_header(|header| {
        header.as_object_mut().unwrap().remove("typ");
    });
    typed.into_iter().chain([("without typ".to_owned(), forge.sign(&untyped, &forge.claims))]).collect()
}

/// Values of `kid` that are unknown, malformed or missing, and tokens that the attacker signs under several of them.
fn keys(forge: &Forge) -> Variants {
    let mut all = Vec::new();
    let ours = forge.header["kid"].as_str().unwrap();
    for kid in [
        json!(null),
        json!(""),
        json!("00000000-0000-0000-0000-000000000000"),
        json!("../../../dev/null"),
        json!("/proc/self/environ"),
        json!("' OR '1'='1"),
        json!("x' UNION SELECT 'secret' --"),
        json!("%"),
        json!(format!("{ours}' --")),
        json!(format!("{ours}\0")),
        json!(format!(" {ours}")),
        json!(format!("urn:uuid:{ours}")),
        json!(format!("{{{ours}}}")),
        json!(ours.to_uppercase()),
        json!(ours.replace('-', "")),
        json!("https://evil.example/key"),
        json!("x".repeat(4_000)),
        json!([ours]),
        json!({ "$ne": null }),
        json!(0),
    ] {
        let header = forge.with_header(|header| header["kid"] = kid.clone());
        let short: String = kid.to_string().chars().take(60).collect();
        all.push((format!("kid {short}, signed by us"), forge.sign(&header, &forge.claims)));
    }
    let without = forge.with_header(|header| {
        header.as_object_mut().unwrap().remove("kid");
    });
    all.push(("without kid, signed by us".to_owned(), forge.sign(&without, &forge.claims)));
    all.push(("without kid, the attacker's".to_owned(), forge.by_attacker(&without)));
    all.push(("under our kid, the attacker's".to_owned(), forge.by_attacker(&forge.header)));
    let unknown = forge.with_header(|header| header["kid"] = json!("0190aaaa-0000-7000-8000-000000000001"));
    all.push(("of another installation".to_owned(), forge.by_attacker(&unknown)));
    all
}

/// Header members that supply a key or change how the token is read. Under the attacker's signature, the supplied key
/// must not be trusted; under our signature, the token is refused because our tokens have no such member.
fn members(forge: &Forge) -> Variants {
    let jwk = &forge.attacker_jwk;
    // Points of small order, for which one signature verifies many messages.
    let small = |x: [u8; 32]| json!({ "kty": "OKP", "crv": "Ed25519", "x": encoded(x) });
    let mut identity = [0; 32];
    identity[0] = 1;
    let named = [
        ("jwk", jwk.clone()),
        ("jwk", small(identity)),
        ("jwk", small([0; 32])),
        ("jwk", json!({ "kty": "oct", "k": "" })),
        ("jku", json!("https://evil.example/jwks.json")),
        ("jku", json!("https://muster.example@evil.example/.well-known/jwks.json")),
        ("x5u", json!("https://evil.example/cert.pem")),
        ("x5c", json!(["MIIB"])),
        ("x5t", json!("AAAA")),
        ("x5t#S256", json!("AAAA")),
        ("crit", json!([])),
        ("crit", json!(["exp"])),
        ("crit", json!(["b64"])),
        ("crit", json!("exp")),
        ("b64", json!(false)),
        ("zip", json!("DEF")),
        ("cty", json!("JWT")),
        ("enc", json!("A256GCM")),
        ("nonce", json!("1")),
        ("url", json!("https://muster.example/graphql")),
        ("iss", json!("https://muster.example")),
        ("Kid", json!("00000000-0000-0000-0000-000000000000")),
    ];
    let mut all = Vec::new();
    for (name, value) in named {
        let header = forge.with_header(|header| header[name] = value.clone());
        all.push((format!("{name} {value}, the attacker's"), forge.by_attacker(&header)));
        all.push((format!("{name} {value}, signed by us"), forge.sign(&header, &forge.claims)));
    }
    all
}

/// Headers that two parsers may read differently.
fn shapes(forge: &Forge) -> Variants {
    let (header, claims) = (forge.header.to_string(), forge.claims.to_string());
    let members = &header[1..header.len() - 1];
    let mut all = Vec::new();
    for (name, twice) in [
        ("alg", r#""alg":"none""#),
        ("typ", r#""typ":"JWT""#),
        ("kid", r#""kid":"00000000-0000-0000-0000-000000000000""#),
    ] {
        all.push((
            format!("{name} twice, ours last"),
            forge.own_text(&format!("{{{twice},{members}}}"), &claims),
        ));
        all.push((
            format!("{name} twice, ours first"),
            forge.own_text(&format!("{{{members},{twice}}}"), &claims),
        ));
    }
    for (name, text) in [
        ("nothing", String::new()),
        ("null", "null".to_owned()),
        ("a list", format!("[{header}]")),
        ("a string", json!(header).to_string()),
        ("two objects", format!("{header}{header}")),
        ("trailing text", format!("{header}x")),
        ("a byte order mark", format!("\u{feff}{header}")),
        ("a comment", format!("/**/{header}")),
    ] {
        all.push((format!("the header is or has {name}"), forge.own_text(&text, &claims)));
    }
    all
}
