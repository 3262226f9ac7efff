//! Claims that are missing, have another type or name another party, signed with the installation's own key.

use serde_json::{Value, json};

use super::{Variants, forge::Forge};

const ALL: [&str; 8] = ["exp", "nbf", "iat", "iss", "aud", "sub", "tenant", "jti"];

pub fn variants(forge: &Forge, now: i64) -> Variants {
    [missing(forge), values(forge, now), shapes(forge)].concat()
}

fn missing(forge: &Forge) -> Variants {
    let without = ALL.map(|claim| {
        let claims = forge.with_claims(|claims| {
            claims.as_object_mut().unwrap().remove(claim);
        });
        (format!("without {claim}"), forge.sign(&forge.header, &claims))
    });
    let null = ALL.map(|claim| {
        let claims = forge.with_claims(|claims| claims[claim] = Value::Null);
        (format!("{claim} null"), forge.sign(&forge.header, &claims))
    });
    without.into_iter().chain(null).collect()
}

fn values(forge: &Forge, now: i64) -> Variants {
    let changed = [audiences(), times(forge, now), names(forge)].concat();
    let token = |(claim, value): (&str, Value)| {
        let claims = forge.with_claims(|claims| claims[claim] = value.clone());
        (format!("{claim} = {value}"), forge.sign(&forge.header, &claims))
    };
    changed.into_iter().map(token).collect()
}

fn audiences() -> Vec<(&'static str, Value)> {
    vec![
        ("aud", json!("somebody-else")),
        ("aud", json!("Muster")),
        ("aud", json!("muster ")),
        ("aud", json!("")),
        ("aud", json!(["muster"])),
        ("aud", json!(["somebody-else", "muster"])),
        ("aud", json!([])),
        ("aud", json!({ "muster": true })),
        ("iss", json!("https://evil.example")),
        ("iss", json!("https://muster.example/")),
        ("iss", json!("http://muster.example")),
        ("iss", json!("https://MUSTER.example")),
        ("iss", json!("https://muster.example.evil.example")),
        ("iss", json!(["https://muster.example"])),
        ("iss", json!("")),
    ]
}

fn times(forge: &Forge, now: i64) -> Vec<(&'static str, Value)> {
    let exp = forge.claims["exp"].as_i64().unwrap();
    vec![
        ("exp", json!(now - 31)),
        ("exp", json!(exp + 1)),
        ("exp", json!(exp - 1)),
        ("exp", json!(exp + 86_400)),
        ("exp", json!(exp.to_string())),
        ("exp", json!(exp.to_string() + ".0")),
        ("exp", json!(0.5 + f64::from(u32::try_from(exp).unwrap()))),
        ("exp", json!(1e300)),
        ("exp", json!(-1)),
        ("exp", json!(0)),
        ("exp", json!(i64::MAX)),
        ("exp", json!(u64::MAX)),
        ("exp", json!(true)),
        ("exp", json!([exp])),
        ("nbf", json!(now + 31)),
        ("nbf", json!(i64::MAX)),
        ("nbf", json!(-1)),
        ("nbf", json!("0")),
        ("iat", json!(now + 31)),
        ("iat", json!(i64::MAX)),
        ("iat", json!("0")),
        ("iat", json!(1.5)),
    ]
}

fn names(forge: &Forge) -> Vec<(&'static str, Value)> {
    let nobody = |prefix: &str| json!(format!("{prefix}_{}", "0".repeat(32)));
    vec![
        ("sub", nobody("ten")),
        ("sub", nobody("usr")),
        ("sub", json!(forge.tenant)),
        ("sub", json!([forge.user])),
        ("sub", json!("admin")),
        ("sub", json!("")),
        ("tenant", nobody("ten")),
        ("tenant", json!(forge.user)),
        ("tenant", json!([forge.tenant])),
        ("tenant", json!("*")),
        ("jti", nobody("tok")),
        ("jti", json!(forge.user)),
        ("jti", json!("")),
    ]
}

/// Claims that two parsers may read differently.
fn shapes(forge: &Forge) -> Variants {
    let claims = forge.claims.to_string();
    let members = &claims[1..claims.len() - 1];
    let mut all: Variants = ALL
        .iter()
        .map(|claim| {
            let twice = format!("{{{members},\"{claim}\":{}}}", forge.claims[*claim]);
            (format!("{claim} twice"), forge.own_text(&forge.header.to_string(), &twice))
        })
        .collect();
    let escaped = claims.replacen("\"exp\"", "\"\\u0065xp\":1,\"exp\"", 1);
    for (name, text) in [
        ("exp twice, once escaped", escaped),
        ("nothing", String::new()),
        ("null", "null".to_owned()),
        ("a list", format!("[{claims}]")),
        ("a string", json!(claims).to_string()),
        ("two objects", format!("{claims}{claims}")),
        ("trailing text", format!("{claims}x")),
        ("a whole token", forge.genuine.clone()),
    ] {
        all.push((
            format!("the claims are or have {name}"),
            forge.own_text(&forge.header.to_string(), &text),
        ));
    }
    all
}
