//! Tokens that are not exactly ours open nothing (T19).
//!
//! Each variant is made from a token that is accepted, so that what is refused is refused for the one thing that was
//! changed. Many are signed with the installation's own key: an attacker has not got it, and what is wrong with them
//! counts all the same.

mod claims;
mod foreign;
mod forge;
mod headers;
mod signatures;

use std::collections::BTreeSet;

use chrono::Duration;

use self::forge::Forge;
use crate::{
    harness::Harness,
    tokens::{a_user, is_dead, tried},
};

on_both!(
    t19_a_token_that_is_not_exactly_ours_opens_nothing,
    t19_no_token_of_a_retired_key_opens_anything,
    t19_no_other_word_of_ours_is_taken_for_a_token,
    t19_a_token_opens_its_own_tenant_alone,
);

/// What is presented after `Bearer`, by what was changed.
pub type Variants = Vec<(String, String)>;

async fn t19_a_token_that_is_not_exactly_ours_opens_nothing(h: Harness) {
    let forge = Forge::new(&h).await;
    assert!(
        tried(&h, &forge.begin_own_consent(&forge.header, &forge.claims)).await.is_ok(),
        "unchanged, it is accepted"
    );
    let mut variants = headers::variants(&forge);
    variants.extend(claims::variants(&forge, h.services.now().timestamp()));
    variants.extend(signatures::variants(&forge));
    let names: BTreeSet<_> = variants.iter().map(|(name, _)| name).collect();
    assert_eq!(names.len(), variants.len(), "every variant has a name of its own");
    let mut accepted = Vec::new();
    for (name, token) in &variants {
        if !is_dead(&h, token).await {
            accepted.push(name);
        }
    }
    assert_eq!(accepted, [""; 0], "accepted");
    assert!(variants.len() >= 285, "{} variants", variants.len());
    assert!(tried(&h, &forge.genuine).await.is_ok(), "the genuine one is still accepted");
}

async fn t19_no_token_of_a_retired_key_opens_anything(h: Harness) {
    let forge = Forge::new(&h).await;
    let (tenant, user) = (forge.tenant, forge.user);
    h.services.keys().rotate_signing().await.unwrap();
    assert!(tried(&h, &forge.genuine).await.is_ok(), "its key signs no more and still verifies");
    h.clock.advance(Duration::hours(2));
    let now = h.services.now().timestamp();
    // A token of today with the record of one that was issued today, signed by the key of yesterday.
    let fresh = h.services.access().issue(&h.staff, tenant, user, None).await.unwrap();
    let jti = serde_json::json!(fresh.id);
    let claims = forge.with_claims(|claims| {
        claims["jti"] = jti;
        claims["iat"] = now.into();
        claims["nbf"] = now.into();
        claims["exp"] = fresh.expires_at.timestamp().into();
    });
    assert!(
        is_dead(&h, &forge.begin_own_consent(&forge.header, &claims)).await,
        "before the key is destroyed"
    );
    h.services.keys().renew_signing().await.unwrap();
    assert!(is_dead(&h, &forge.begin_own_consent(&forge.header, &claims)).await, "and after");
    assert!(tried(&h, &fresh.token).await.is_ok(), "the same record opens with the key of today");
}

async fn t19_no_other_word_of_ours_is_taken_for_a_token(h: Harness) {
    let words = foreign::words(&h).await;
    for (name, word) in &words {
        assert!(is_dead(&h, word).await, "{name}");
    }
    assert!(words.len() >= 12, "{} words", words.len());
}

async fn t19_a_token_opens_its_own_tenant_alone(h: Harness) {
    let (tenant, user) = a_user(&h).await;
    let other = h.tenant("other").await;
    let token = h.services.access().issue(&h.staff, tenant, user, None).await.unwrap().token;
    let named = |header: String| {
        let (access, token) = (h.services.access(), format!("Bearer {token}"));
        async move { access.authenticate(Some(&token), Some(&header)).await }
    };
    assert!(named(tenant.to_string()).await.is_ok(), "its own");
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
        assert_eq!(crate::harness::refused(named(header.clone()).await), "NOT_FOUND", "{header:?}");
    }
}
