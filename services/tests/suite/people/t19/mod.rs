//! Tokens that differ in any way from Muster's own are refused (T19).
//!
//! Each variant makes one change to an accepted token, so that only this change can cause the refusal. Many variants
//! are signed with the installation's own key: an attacker does not have this key, but the change alone must be
//! sufficient for a refusal.

mod claims;
mod foreign;
mod forge;
mod headers;
mod signatures;

use std::collections::BTreeSet;

use chrono::Duration;

use self::forge::Forge;
use crate::people::{
    harness::Harness,
    tokens::{a_user, is_dead, tried},
};
use services::Anyone;

on_both!(
    t19_a_token_that_is_not_exactly_ours_opens_nothing,
    t19_no_token_of_a_retired_key_opens_anything,
    t19_no_other_word_of_ours_is_taken_for_a_token,
    t19_a_token_opens_its_own_tenant_alone,
);

/// Credentials to send after `Bearer`, each preceded by a description of the change.
pub type Variants = Vec<(String, String)>;

async fn t19_a_token_that_is_not_exactly_ours_opens_nothing(h: Harness) {
    let forge = Forge::new(&h).await;
    assert!(
        tried(&h, &forge.sign(&forge.header, &forge.claims)).await.is_ok(),
        "the unchanged token is accepted"
    );
    let mut variants = headers::variants(&forge);
    variants.extend(claims::variants(&forge, h.services.now().timestamp()));
    variants.extend(signatures::variants(&forge));
    let names: BTreeSet<_> = variants.iter().map(|(name, _)| name).collect();
    assert_eq!(names.len(), variants.len(), "every variant has a unique name");
    let mut accepted = Vec::new();
    for (name, token) in &variants {
        if !is_dead(&h, token).await {
            accepted.push(name);
        }
    }
    assert_eq!(accepted, [""; 0], "accepted");
    assert!(variants.len() >= 285, "{} variants", variants.len());
    assert!(tried(&h, &forge.genuine).await.is_ok(), "the genuine token is still accepted");
}

async fn t19_no_token_of_a_retired_key_opens_anything(h: Harness) {
    let forge = Forge::new(&h).await;
    let (tenant, user) = (forge.tenant, forge.user);
    h.services.keys().rotate_signing_key(&h.services).await.unwrap();
    assert!(tried(&h, &forge.genuine).await.is_ok(), "the former key no longer signs but still verifies");
    h.clock.advance(Duration::hours(2));
    let now = h.services.now().timestamp();
    // A token with current times and the record of a current token, signed with the retired key.
    let fresh = h.services.access().issue(&h.staff, tenant, user, None).await.unwrap();
    let jti = serde_json::json!(fresh.id);
    let claims = forge.with_claims(|claims| {
        claims["jti"] = jti;
        claims["iat"] = now.into();
        claims["nbf"] = now.into();
        claims["exp"] = fresh.expires_at.timestamp().into();
    });
    assert!(is_dead(&h, &forge.sign(&forge.header, &claims)).await, "refused before the key is destroyed");
    h.services.keys().maintain_signing_keys(&h.services).await.unwrap();
    assert!(is_dead(&h, &forge.sign(&forge.header, &claims)).await, "refused after the key is destroyed");
    assert!(tried(&h, &fresh.token).await.is_ok(), "the same record is accepted with the current key");
}

async fn t19_no_other_word_of_ours_is_taken_for_a_token(h: Harness) {
    let words = foreign::words(&h).await;
    for (name, word) in &words {
        assert!(is_dead(&h, word).await, "{name}");
    }
    assert!(words.len() >= 12, "{} values", words.len());
}

async fn t19_a_token_opens_its_own_tenant_alone(h: Harness) {
    let (tenant, user) = a_user(&h).await;
    let other = h.tenant("other").await;
    let token = h.services.access().issue(&h.staff, tenant, user, None).await.unwrap().token;
    let named = |header: String| {
        let (access, token) = (h.services.access(), format!("Bearer {token}"));
        async move { access.authenticate(Anyone, Some(&token), Some(&header)).await }
    };
    assert!(named(tenant.to_string()).await.is_ok(), "the token's own tenant is accepted");
    let (own, foreign) = (tenant.to_string(), other.to_string());
    for header in [
        foreign.clone(),
        format!("{own},{foreign}"),
        format!("{foreign},{own}"),
        format!("{own}\0{foreign}"),
        foreign.to_uppercase(),
        foreign.replace("ten_", ""),
        String::new(),
        "*".to_owned(),
        "ten_00000000000000000000000000000000".to_owned(),
        user.to_string(),
    ] {
        assert_eq!(crate::people::harness::refused(named(header.clone()).await), "NOT_FOUND", "{header:?}");
    }
}
