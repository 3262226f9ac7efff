//! Secrets and ids that Muster creates for other purposes, or that its database contains.

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use entity::{connect_link, signing_key, tenant};
use sea_orm::EntityTrait;
use services::{Anyone, links::NewInvitation};

use super::forge::Forge;
use crate::people::harness::Harness;

/// The values, each with a description; all of them are currently valid or stored.
pub async fn words(h: &Harness) -> Vec<(&'static str, String)> {
    let forge = Forge::new(h).await;
    let by = h.vendor(forge.tenant).await;
    let new = NewInvitation {
        email: "it@acme.example".to_owned(),
        return_url: None,
        integration: None,
        roles: Vec::new(),
    };
    let (link, url) = h.services.links().invite(&by.allow().unwrap(), new).await.unwrap();
    let token = url.rsplit('/').next().unwrap().to_owned();
    let installation = h.services.store.installation_connection();
    let key = signing_key::Entity::find().one(installation).await.unwrap().unwrap();
    let tenant = tenant::Entity::find_by_id(forge.tenant).one(installation).await.unwrap().unwrap();
    let txn = h.services.store.read(forge.tenant).await.unwrap();
    let stored = connect_link::by_id(forge.tenant, link.id).one(&txn).await.unwrap().unwrap();
    let digits = h.key.strip_prefix("muster_").unwrap();
    let claims = &forge.claims;
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    vec![
        ("an invitation", token.clone()),
        ("an invitation as a key", format!("muster_{token}")),
        ("the digest of an invitation", URL_SAFE_NO_PAD.encode(&stored.token_hash)),
        ("a key without its prefix", digits.to_owned()),
        ("a key with another prefix", format!("Muster_{digits}")),
        ("a key with its prefix twice", format!("muster_{}", h.key)),
        ("a key with a trailing character", format!("{}0", h.key)),
        ("a key in capitals", format!("muster_{}", digits.to_uppercase() + "X")),
        ("the id of a token", text(&claims["jti"])),
        ("the id of a user", text(&claims["sub"])),
        ("the id of a tenant", text(&claims["tenant"])),
        ("the id of a signing key", text(&forge.header["kid"])),
        ("a sealed signing key", URL_SAFE_NO_PAD.encode(&key.private_key)),
        ("a public key", URL_SAFE_NO_PAD.encode(&key.public_key)),
        ("a sealed data key", STANDARD.encode(&tenant.data_key)),
        ("the published keys", h.services.keys().jwks(Anyone).await.unwrap().to_string()),
        ("the master key", h.master.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))),
    ]
}
