//! Vendor keys and access tokens.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::Duration;
use domain::{CallerKind, Id, Permission, StandardRole, Timestamp, access::Denied, ids, may};
use jsonwebtoken::Algorithm;
use sea_orm::{EntityTrait, PaginatorTrait};
use serde_json::{Value, json};
use services::{
    Anyone, Caller, Error,
    keys::NewKey,
    roles::{NewRole, RoleChange},
};

use crate::people::{
    audit::entries,
    harness::{Harness, person, refused},
};

on_both!(
    nothing_presented_is_the_anonymous_caller,
    a_vendor_key_opens_until_it_is_revoked_or_ends,
    a_vendor_key_acts_for_one_existing_tenant_at_a_time,
    a_known_first_key_is_installed_once,
    a_token_is_valid_from_its_beginning_to_its_end,
    tokens_of_a_former_signing_key_stay_valid,
    a_former_signing_key_retires_when_its_last_token_has_ended,
    signing_keys_are_rotated_by_schedule,
    a_token_carries_no_rights_of_its_own,
    only_the_vendor_gets_tokens_and_only_for_users_of_the_named_tenant,
    a_key_gets_no_token_of_somebody_with_more_permissions,
    a_token_does_not_outgrow_the_key_that_issued_it,
);

pub async fn tried(h: &Harness, credential: &str) -> Result<Caller, Error> {
    let authorization = format!("Bearer {credential}");
    Ok(h.services.access().authenticate(Anyone, Some(&authorization), None).await?.caller)
}

pub async fn is_dead(h: &Harness, credential: &str) -> bool {
    matches!(tried(h, credential).await, Err(Error::Denied(Denied::Unauthenticated)))
}

/// A key with all that the staff may do.
pub fn new_key(h: &Harness, name: &str, expires_at: Option<Timestamp>) -> NewKey {
    let permissions =
        Permission::ALL.iter().copied().filter(|permission| h.staff.has_permission(*permission)).collect();
    NewKey { name: name.to_owned(), permissions, tenant: None, expires_at }
}

async fn nothing_presented_is_the_anonymous_caller(h: Harness) {
    let access = h.services.access();
    assert_eq!(access.authenticate(Anyone, None, None).await.unwrap().caller, Caller::anonymous());
    for malformed in ["", "Bearer", "Bearer ", "Basic abc", "Bearer abc", "Bearer a.b.c", "Bearer muster_1"] {
        assert_eq!(
            refused(access.authenticate(Anyone, Some(malformed), None).await),
            "UNAUTHENTICATED",
            "{malformed:?}"
        );
    }
}

async fn a_vendor_key_opens_until_it_is_revoked_or_ends(h: Harness) {
    let keys = h.services.keys();
    let end = h.services.now() + Duration::hours(1);
    let (ending, ending_secret) = keys.create(&h.staff, new_key(&h, "ending", Some(end))).await.unwrap();
    let (revoked, revoked_secret) = keys.create(&h.staff, new_key(&h, "revoked", None)).await.unwrap();
    assert!(
        ending_secret.starts_with(&ending.prefix) && ending.prefix.len() == 12,
        "the prefix tells keys apart"
    );
    for secret in [&ending_secret, &revoked_secret] {
        assert!(tried(&h, secret).await.unwrap().allow_staff().is_ok(), "a live key is the staff's");
    }
    let after = keys.revoke(&h.staff, revoked.id, false).await.unwrap().key;
    assert_eq!(after.revoked_at, Some(h.services.now()));
    assert!(is_dead(&h, &revoked_secret).await, "a revoked key is dead");
    h.clock.advance(Duration::hours(1));
    assert!(is_dead(&h, &ending_secret).await, "a key is dead from its end on");
    let made_up = format!("muster_{}", "0".repeat(64));
    assert!(is_dead(&h, &made_up).await, "a key that was never made is dead");
    assert_eq!(keys.list(&h.staff, services::PageArgs::default()).await.unwrap().items.len(), 3);
    let stored =
        entity::api_key::Entity::find().all(h.services.store.installation_connection()).await.unwrap();
    let digits = revoked_secret.strip_prefix("muster_").unwrap();
    assert!(!format!("{stored:?}").contains(digits), "the secret itself is stored nowhere");
}

async fn a_vendor_key_acts_for_one_existing_tenant_at_a_time(h: Harness) {
    let tenant = h.tenant("acme").await;
    let authorization = format!("bearer {}", h.key);
    let access = h.services.access();
    let nowhere = access.authenticate(Anyone, Some(&authorization), None).await.unwrap().caller;
    assert_eq!(nowhere.allow::<may::UserView>().unwrap_err(), Denied::TenantMissing);
    let there =
        access.authenticate(Anyone, Some(&authorization), Some(&tenant.to_string())).await.unwrap().caller;
    assert_eq!(there.tenant(), Some(tenant));
    for unknown in ["ten_1", "acme", &Id::<ids::Tenant>::nil().to_string()] {
        let answer = access.authenticate(Anyone, Some(&authorization), Some(unknown)).await;
        assert_eq!(refused(answer), "NOT_FOUND", "{unknown}");
    }
}

async fn a_known_first_key_is_installed_once(h: Harness) {
    let keys = h.services.keys();
    let secret = format!("muster_{}", h.services.ids.random_secret());
    assert!(keys.ensure_first_key(&h.services, Some(&secret), "given").await.unwrap().is_some());
    assert!(
        keys.ensure_first_key(&h.services, Some(&secret), "given").await.unwrap().is_none(),
        "it is there already"
    );
    assert!(
        keys.ensure_first_key(&h.services, None, "made").await.unwrap().is_none(),
        "there are keys already"
    );
    assert!(tried(&h, &secret).await.is_ok());
    assert_eq!(
        refused(keys.ensure_first_key(&h.services, Some("muster_short"), "given").await),
        "KEY_MALFORMED"
    );
}

pub async fn a_user(h: &Harness) -> (Id<ids::Tenant>, Id<ids::User>) {
    let tenant = h.tenant("acme").await;
    let user =
        h.services.users().create(&h.vendor(tenant).await.allow().unwrap(), person("anna")).await.unwrap();
    (tenant, user.id)
}

async fn a_token_is_valid_from_its_beginning_to_its_end(h: Harness) {
    let (tenant, user) = a_user(&h).await;
    let access = h.services.access();
    let lifetime = std::time::Duration::from_mins(10);
    let issued = access.issue(&h.staff, tenant, user, Some(lifetime)).await.unwrap();
    assert_eq!(issued.expires_at, h.services.now() + lifetime);
    let known = access
        .authenticate(Anyone, Some(&format!("Bearer {}", issued.token)), Some(&tenant.to_string()))
        .await;
    let known = known.unwrap();
    assert_eq!((known.caller.kind(), known.caller.tenant()), (CallerKind::User(user), Some(tenant)));
    assert_eq!(known.expires_at, Some(issued.expires_at));
    let other = h.tenant("other").await;
    let elsewhere = access
        .authenticate(Anyone, Some(&format!("Bearer {}", issued.token)), Some(&other.to_string()))
        .await;
    assert_eq!(refused(elsewhere), "NOT_FOUND", "a token acts in its own tenant alone");
    h.clock.advance(Duration::seconds(-31));
    assert!(is_dead(&h, &issued.token).await, "it has not begun");
    h.clock.advance(Duration::seconds(31 + 629));
    assert!(tried(&h, &issued.token).await.is_ok(), "clocks may differ by 30 seconds");
    h.clock.advance(Duration::seconds(1));
    assert!(is_dead(&h, &issued.token).await, "it has ended");
}

fn part(token: &str, index: usize) -> Value {
    let part = token.split('.').nth(index).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

async fn tokens_of_a_former_signing_key_stay_valid(h: Harness) {
    let (tenant, user) = a_user(&h).await;
    let access = h.services.access();
    let before = access.issue(&h.staff, tenant, user, None).await.unwrap().token;
    h.clock.advance(Duration::seconds(1));
    h.services.keys().rotate_signing_key(&h.services).await.unwrap();
    let after = access.issue(&h.staff, tenant, user, None).await.unwrap().token;
    let kid = |token: &str| part(token, 0)["kid"].as_str().unwrap().to_owned();
    assert_ne!(kid(&before), kid(&after));
    assert!(tried(&h, &before).await.is_ok() && tried(&h, &after).await.is_ok(), "both keys are in force");
    let jwks = h.services.keys().jwks(Anyone).await.unwrap();
    let published: Vec<_> = jwks["keys"].as_array().unwrap().iter().map(|key| key["kid"].clone()).collect();
    assert_eq!(published, [json!(kid(&before)), json!(kid(&after))]);
    let jwk: jsonwebtoken::jwk::Jwk = serde_json::from_value(jwks["keys"][1].clone()).unwrap();
    let mut validation = jsonwebtoken::Validation::new(Algorithm::EdDSA);
    validation.set_audience(&["muster"]);
    validation.validate_exp = false;
    let key = jsonwebtoken::DecodingKey::from_jwk(&jwk).unwrap();
    assert!(
        jsonwebtoken::decode::<Value>(&after, &key, &validation).is_ok(),
        "others can check it by the key set"
    );
    assert!(jsonwebtoken::decode::<Value>(&before, &key, &validation).is_err());
}

async fn a_former_signing_key_retires_when_its_last_token_has_ended(h: Harness) {
    let (tenant, user) = a_user(&h).await;
    let (access, keys) = (h.services.access(), h.services.keys());
    let before = access.issue(&h.staff, tenant, user, None).await.unwrap();
    keys.rotate_signing_key(&h.services).await.unwrap();
    let published = async || keys.jwks(Anyone).await.unwrap()["keys"].as_array().unwrap().len();
    h.clock.advance(before.expires_at - h.services.now());
    keys.maintain_signing_keys(&h.services).await.unwrap();
    assert!(tried(&h, &before.token).await.is_ok(), "clocks may differ, so the key is still there");
    assert_eq!(published().await, 2);
    h.clock.advance(Duration::minutes(2));
    assert_eq!(published().await, 1, "it is published no longer than it is of use");
    keys.maintain_signing_keys(&h.services).await.unwrap();
    let stored =
        entity::signing_key::Entity::find().count(h.services.store.installation_connection()).await.unwrap();
    assert_eq!(stored, 1, "and destroyed");
}

async fn signing_keys_are_rotated_by_schedule(h: Harness) {
    let (tenant, user) = a_user(&h).await;
    let access = h.services.access();
    let kid =
        async || part(&access.issue(&h.staff, tenant, user, None).await.unwrap().token, 0)["kid"].clone();
    let first = kid().await;
    h.clock.advance(Duration::days(90) - Duration::seconds(1));
    h.services.keys().maintain_signing_keys(&h.services).await.unwrap();
    assert_eq!(kid().await, first);
    h.clock.advance(Duration::seconds(1));
    h.services.keys().maintain_signing_keys(&h.services).await.unwrap();
    assert_ne!(kid().await, first);
}

async fn a_token_carries_no_rights_of_its_own(h: Harness) {
    let (tenant, user) = a_user(&h).await;
    let by = h.vendor(tenant).await;
    let token = h.services.access().issue(&h.staff, tenant, user, None).await.unwrap().token;
    assert_eq!(tried(&h, &token).await.unwrap().permissions(), &[].into());
    let role = h.role(tenant, StandardRole::HumanResources.as_str()).await;
    h.services.roles().assign(&by.allow().unwrap(), user, &[role]).await.unwrap();
    let permissions = tried(&h, &token).await.unwrap().permissions().clone();
    assert_eq!(permissions, StandardRole::HumanResources.permissions(), "given while the token lives");
    h.services.roles().unassign(&by.allow().unwrap(), user, &[role]).await.unwrap();
    assert_eq!(tried(&h, &token).await.unwrap().permissions(), &[].into(), "and taken away");
    h.services.users().delete(&by.allow().unwrap(), user).await.unwrap();
    assert!(is_dead(&h, &token).await, "a removed user's token is dead");
}

async fn a_key_gets_no_token_of_somebody_with_more_permissions(h: Harness) {
    let (tenant, nobody) = a_user(&h).await;
    let administrator = h.caller(tenant, StandardRole::Administrator).await.allow_own().unwrap().user();
    let access = h.services.access();
    let permissions = [Permission::Staff].into();
    let staff = NewKey { name: "staff".to_owned(), permissions, tenant: None, expires_at: None };
    let (_, secret) = h.services.keys().create(&h.staff, staff).await.unwrap();
    let by = tried(&h, &secret).await.unwrap().allow_staff().unwrap();
    assert_eq!(refused(access.issue(&by, tenant, administrator, None).await), "PERMISSION_NOT_YOURS");
    assert!(access.issue(&by, tenant, nobody, None).await.is_ok());
    assert!(access.issue(&h.staff, tenant, administrator, None).await.is_ok());
}

async fn a_token_does_not_outgrow_the_key_that_issued_it(h: Harness) {
    let (tenant, user) = a_user(&h).await;
    let permissions = [Permission::Staff, Permission::BookingView].into();
    let weak = NewKey { name: "weak".to_owned(), permissions, tenant: None, expires_at: None };
    let (_, secret) = h.services.keys().create(&h.staff, weak).await.unwrap();
    let weak = tried(&h, &secret).await.unwrap().allow_staff().unwrap();
    let (access, roles) = (h.services.access(), h.services.roles());
    let of_weak = access.issue(&weak, tenant, user, None).await.unwrap().token;
    let of_strong = access.issue(&h.staff, tenant, user, None).await.unwrap().token;
    let by = h.vendor(tenant).await;
    let view = NewRole { name: "Viewer".to_owned(), permissions: [Permission::BookingView].into() };
    let view = roles.create(&by.allow().unwrap(), view).await.unwrap().id;
    roles.assign(&by.allow().unwrap(), user, &[view]).await.unwrap();
    assert!(tried(&h, &of_weak).await.is_ok(), "the key holds what the user was given");
    let wider = RoleChange { permissions: Some([Permission::RunView].into()), name: None };
    roles.update(&by.allow().unwrap(), view, wider).await.unwrap();
    assert!(is_dead(&h, &of_weak).await, "the key does not hold what the role gives now");
    assert!(tried(&h, &of_strong).await.is_ok());
    assert_eq!(refused(access.issue(&weak, tenant, user, None).await), "PERMISSION_NOT_YOURS");
    let last = entries(&h, tenant).await;
    let revoked = last.iter().rfind(|entry| entry.action.as_str() == "token.revoke").unwrap();
    assert_eq!(revoked.subject, user.to_string());
}

async fn only_the_vendor_gets_tokens_and_only_for_users_of_the_named_tenant(h: Harness) {
    let (tenant, user) = a_user(&h).await;
    let other = h.tenant("other").await;
    let access = h.services.access();
    assert_eq!(refused(access.issue(&h.staff, other, user, None).await), "NOT_FOUND");
    let hours = |hours: u64| Some(std::time::Duration::from_secs(hours * 3600));
    for lifetime in [hours(2), hours(0)] {
        assert_eq!(refused(access.issue(&h.staff, tenant, user, lifetime).await), "TOKEN_LIFETIME");
    }
    let administrator = h.caller(tenant, StandardRole::Administrator).await;
    assert_eq!(administrator.allow_staff().unwrap_err(), Denied::Forbidden(Permission::Staff));
}
