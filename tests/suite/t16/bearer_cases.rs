//! The attacks of `bearer.rs`, one line each.

use serde_json::{Value, json};

use super::{
    bearer::{Case, Token},
    forge::{encoded, mac, unsigned},
};

/// By what was an ID token of the attacked tenant.
pub const CASES: &[Case] = &[
    // What signs, and by which algorithm.
    ("alg none", |_, t| t.made("none", unsigned)),
    ("alg None in another case", |_, t| t.made("nOnE", unsigned)),
    ("alg none with the former signature", |a, t| {
        let signature = t.by(&a.key).rsplit('.').next().unwrap_or_default().to_owned();
        t.made("none", |header, claims| unsigned(header, claims) + &signature)
    }),
    ("no alg", |a, t| t.with(a, |t| drop(t.header.as_object_mut().map(|header| header.remove("alg"))))),
    ("HS256 by the public key's x", |a, t| {
        let x = a.key.jwk["x"].as_str().unwrap_or_default().to_owned();
        t.made("HS256", |header, claims| mac(x.as_bytes(), header, claims))
    }),
    ("HS256 by the public key's text", |a, t| {
        let jwk = a.key.jwk.to_string();
        t.made("HS256", |header, claims| mac(jwk.as_bytes(), header, claims))
    }),
    ("HS256 by an empty secret", |_, t| t.made("HS256", |header, claims| mac(&[], header, claims))),
    ("another algorithm in the header", |a, t| t.headed(&a.key, json!({ "alg": "ES256" }))),
    ("an algorithm that nobody knows", |a, t| t.headed(&a.key, json!({ "alg": "EdDSA512" }))),
    ("a key of an algorithm that is not allowed", |a, t| {
        t.headed(&a.p256, json!({ "alg": "ES256", "kid": "p256" }))
    }),
    ("a key for encryption", |a, t| t.headed(&a.encrypts, json!({ "kid": "encrypts" }))),
    ("a name that two keys have", |a, t| t.headed(&a.twin, json!({ "kid": "twin" }))),
    ("the attacker's key under the issuer's name for its own", |a, t| t.headed(&a.namesake, json!({}))),
    ("the attacker's key under its own name", |a, t| t.headed(&a.foreign, json!({ "kid": "foreign" }))),
    ("no kid", |a, t| t.with(a, |t| drop(t.header.as_object_mut().map(|header| header.remove("kid"))))),
    ("an empty kid", |a, t| t.headed(&a.key, json!({ "kid": "" }))),
    ("a kid that is a path", |a, t| t.headed(&a.key, json!({ "kid": "../../own" }))),
    ("a kid that is a statement", |a, t| t.headed(&a.key, json!({ "kid": "x' OR '1'='1" }))),
    ("a kid that is a number", |a, t| t.headed(&a.key, json!({ "kid": 1 }))),
    // Where a token says that its key is.
    ("jku", |a, t| t.headed(&a.foreign, json!({ "kid": "foreign", "jku": "POINTED-AT/jwks" }))),
    ("jku that is really asked for", |a, t| {
        let (token, tenant) = t.headed(&a.foreign, json!({}));
        let header = json!({ "alg": "EdDSA", "kid": "foreign", "jku": "http://127.0.0.1/jwks" });
        let rest = token.split_once('.').map(|(_, rest)| rest.to_owned()).unwrap_or_default();
        (format!("{}.{rest}", encoded(header.to_string().as_bytes())), tenant)
    }),
    ("jwk", |a, t| t.headed(&a.foreign, json!({ "kid": "foreign", "jwk": a.foreign.jwk }))),
    ("jwk under the issuer's name for its own", |a, t| {
        t.headed(&a.namesake, json!({ "jwk": a.namesake.jwk }))
    }),
    ("x5u", |a, t| t.headed(&a.foreign, json!({ "kid": "foreign", "x5u": "POINTED-AT/x5u" }))),
    ("x5c", |a, t| t.headed(&a.foreign, json!({ "kid": "foreign", "x5c": ["MIIB"] }))),
    ("crit", |a, t| t.headed(&a.key, json!({ "crit": ["exp"] }))),
    ("crit with b64", |a, t| t.headed(&a.key, json!({ "crit": ["b64"], "b64": false }))),
    // The signature itself.
    ("no signature", |a, t| {
        let token = t.by(&a.key);
        (token[..=token.rfind('.').unwrap_or_default()].to_owned(), t.tenant)
    }),
    ("half a signature", |a, t| {
        let token = t.by(&a.key);
        (token[..token.len() - 43].to_owned(), t.tenant)
    }),
    ("the signature of another token", |a, t| {
        let signature = Token::good_access(a).by(&a.key).rsplit('.').next().unwrap_or_default().to_owned();
        let token = t.by(&a.key);
        (format!("{}{signature}", &token[..=token.rfind('.').unwrap_or_default()]), t.tenant)
    }),
    ("claims that were changed afterwards", |a, mut t| {
        let token = t.by(&a.key);
        let parts: Vec<_> = token.split('.').collect();
        t.claims["exp"] = json!(a.now + 601);
        (format!("{}.{}.{}", parts[0], encoded(t.claims.to_string().as_bytes()), parts[2]), t.tenant)
    }),
    ("an encrypted token's five parts", |a, t| (format!("{}.x.y", t.by(&a.key)), t.tenant)),
    ("more bytes than a token has", |a, t| t.with(a, |t| t.claims["pad"] = json!("a".repeat(12_500)))),
    // Who has made it, for whom.
    ("no iss", |a, t| t.with(a, |t| t.claims["iss"] = Value::Null)),
    ("another iss", |a, t| t.with(a, |t| t.claims["iss"] = json!("https://issuer.example"))),
    ("an iss with a slash more", |a, t| t.with(a, |t| t.claims["iss"] = json!(format!("{}/", a.issuer)))),
    ("an iss in another case", |a, t| t.with(a, |t| t.claims["iss"] = json!(a.issuer.to_uppercase()))),
    ("an iss with a user name", |a, t| {
        t.with(a, |t| t.claims["iss"] = json!(a.issuer.replace("//", "//a@")))
    }),
    ("two iss in a list", |a, t| t.with(a, |t| t.claims["iss"] = json!([a.issuer, "https://b.example"]))),
    ("iss twice", |a, t| {
        let claims = t.claims.to_string().replacen('{', "{\"iss\":\"https://b.example\",", 1);
        (a.key.sign(&t.header.to_string(), &claims), t.tenant)
    }),
    ("no aud", |a, t| t.with(a, |t| t.claims["aud"] = Value::Null)),
    ("another aud", |a, t| t.with(a, |t| t.claims["aud"] = json!("another"))),
    ("an aud that begins alike", |a, t| t.with(a, |t| t.claims["aud"] = json!("muster2"))),
    ("the audience of access tokens", |a, t| t.with(a, |t| t.claims["aud"] = json!(a.audience))),
    ("two aud and no azp", |a, t| t.with(a, |t| t.claims["aud"] = json!(["muster", "another"]))),
    ("two aud and another's azp", |a, t| {
        t.with(a, |t| (t.claims["aud"], t.claims["azp"]) = (json!(["muster", "another"]), json!("another")))
    }),
    ("bound to a key", |a, t| {
        t.with(a, |t| t.claims["cnf"] = json!({ "jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I" }))
    }),
    ("another's azp", |a, t| t.with(a, |t| t.claims["azp"] = json!("another"))),
    ("an aud that is an object", |a, t| t.with(a, |t| t.claims["aud"] = json!({ "muster": true }))),
    ("the type of an access token", |a, t| t.headed(&a.key, json!({ "typ": "at+jwt" }))),
    ("the type of a logout token", |a, t| t.headed(&a.key, json!({ "typ": "logout+jwt" }))),
    ("the type of a proof", |a, t| t.headed(&a.key, json!({ "typ": "dpop+jwt" }))),
    // When.
    ("no exp", |a, t| t.with(a, |t| t.claims["exp"] = Value::Null)),
    ("ended long ago", |a, t| {
        t.with(a, |t| (t.claims["iat"], t.claims["exp"]) = (json!(a.now - 7_200), json!(a.now - 3_600)))
    }),
    ("exp as a text", |a, t| t.with(a, |t| t.claims["exp"] = json!((a.now + 600).to_string()))),
    ("exp beyond all time", |a, t| {
        let claims = t.claims.to_string().replace(&format!("\"exp\":{}", a.now + 600), "\"exp\":1e300");
        (a.key.sign(&t.header.to_string(), &claims), t.tenant)
    }),
    ("exp in ten years, made yesterday", |a, t| {
        t.with(a, |t| {
            (t.claims["iat"], t.claims["exp"]) = (json!(a.now - 86_431), json!(a.now + 300_000_000));
        })
    }),
    ("no iat", |a, t| t.with(a, |t| t.claims["iat"] = Value::Null)),
    ("made in the future", |a, t| t.with(a, |t| t.claims["iat"] = json!(a.now + 31))),
    ("not yet begun", |a, t| t.with(a, |t| t.claims["nbf"] = json!(a.now + 31))),
    ("nbf as a text", |a, t| t.with(a, |t| t.claims["nbf"] = json!("now"))),
    // Who it is.
    ("no sub", |a, t| t.with(a, |t| t.claims["sub"] = Value::Null)),
    ("an empty sub", |a, t| t.with(a, |t| t.claims["sub"] = json!(""))),
    ("a sub that is a number", |a, t| t.with(a, |t| t.claims["sub"] = json!(7))),
    ("a sub without end", |a, t| t.with(a, |t| t.claims["sub"] = json!("a".repeat(256)))),
    ("a sub with a line break", |a, t| t.with(a, |t| t.claims["sub"] = json!("subject-anna\n"))),
    ("sub twice", |a, t| {
        let claims = t.claims.to_string().replacen('{', "{\"sub\":\"subject-bert\",", 1);
        (a.key.sign(&t.header.to_string(), &claims), t.tenant)
    }),
    ("another sub with the same address", |a, t| t.with(a, |t| t.claims["sub"] = json!("subject-anna-2"))),
    ("an address that is not verified", |a, t| {
        t.with(a, |t| {
            (t.claims["sub"], t.claims["email"]) = (json!("b"), json!("bert@acme.example"));
            t.claims["email_verified"] = json!(false);
        })
    }),
    ("an address that is verified by a text", |a, t| {
        t.with(a, |t| {
            (t.claims["sub"], t.claims["email"]) = (json!("b"), json!("bert@acme.example"));
            t.claims["email_verified"] = json!("true");
        })
    }),
    ("an address of which nothing is said", |a, t| {
        t.with(a, |t| {
            (t.claims["sub"], t.claims["email"]) = (json!("b"), json!("bert@acme.example"));
            t.claims["email_verified"] = Value::Null;
        })
    }),
    ("two addresses", |a, t| {
        let both = json!(["bert@acme.example", "x@acme.example"]);
        t.with(a, |t| (t.claims["sub"], t.claims["email"]) = (json!("b"), both))
    }),
    ("nobody's address", |a, t| {
        t.with(a, |t| (t.claims["sub"], t.claims["email"]) = (json!("b"), json!("nobody@acme.example")))
    }),
    ("an address of another tenant's user", |a, t| {
        t.with(a, |t| (t.claims["sub"], t.claims["email"]) = (json!("c"), json!("carl@other.example")))
    }),
    ("an address with a sign for a letter", |a, t| {
        t.with(a, |t| (t.claims["sub"], t.claims["email"]) = (json!("k"), json!("\u{212a}im@acme.example")))
    }),
    ("an address with blanks around it", |a, t| {
        t.with(a, |t| (t.claims["sub"], t.claims["email"]) = (json!("b"), json!(" bert@acme.example")))
    }),
    // In which tenant.
    ("no tenant", |a, t| t.with(a, |t| t.tenant = None)),
    ("another tenant with the same issuer and client", |a, t| {
        t.with(a, |t| t.tenant = Some(a.other.clone()))
    }),
    ("a tenant that does not exist", |a, t| {
        t.with(a, |t| t.tenant = Some(format!("ten_{}", "0".repeat(32))))
    }),
    ("a tenant that is no id", |a, t| t.with(a, |t| t.tenant = Some("acme".to_owned()))),
];

/// By what was an access token for the attacked tenant.
pub const ACCESS_TOKEN: &[Case] = &[
    ("an ID token in place of an access token", |a, _| {
        let token = Token::good(a);
        (token.by(&a.key), token.tenant)
    }),
    ("an ID token for the right audience", |a, t| t.headed(&a.key, json!({ "typ": "JWT" }))),
    ("an access token without its type", |a, t| {
        t.with(a, |t| drop(t.header.as_object_mut().map(|header| header.remove("typ"))))
    }),
    ("an access token for the client", |a, t| t.with(a, |t| t.claims["aud"] = json!("muster"))),
    ("an access token for another API", |a, t| t.with(a, |t| t.claims["aud"] = json!("https://api.example"))),
    ("an access token for an address below", |a, t| {
        t.with(a, |t| t.claims["aud"] = json!(format!("{}/x", a.audience)))
    }),
    ("an access token for two tenants, none named", |a, t| {
        let theirs = a.audience.replace(&a.acme, &a.other);
        t.with(a, |t| (t.claims["aud"], t.tenant) = (json!([a.audience, theirs]), None))
    }),
    ("an access token for the other tenant", |a, t| {
        let theirs = a.audience.replace(&a.acme, &a.other);
        t.with(a, |t| t.claims["aud"] = json!(theirs))
    }),
    ("an access token for the other tenant, none named", |a, t| {
        let theirs = a.audience.replace(&a.acme, &a.other);
        t.with(a, |t| (t.claims["aud"], t.tenant) = (json!(theirs), None))
    }),
    ("an access token of this tenant at the other", |a, t| t.with(a, |t| t.tenant = Some(a.other.clone()))),
    ("an access token by the attacker's key", |a, t| t.headed(&a.namesake, json!({}))),
    ("an access token by no key", |_, t| t.made("none", unsigned)),
];
