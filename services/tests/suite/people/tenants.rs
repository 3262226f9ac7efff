//! Plans, features and return addresses.

use std::collections::BTreeSet;

use domain::{
    AnyId, Id, Permission, StandardRole,
    access::Denied,
    ids,
    state::{Feature, Plan},
};
use services::{
    Anyone, Change, Error, PageArgs,
    change::TenantLocale,
    keys::NewKey,
    roles::role_permissions,
    tenants::{NewTenant, TenantChange},
    vault::Column,
};

use crate::people::{
    harness::{Harness, refused},
    tokens::tried,
};

on_both!(
    a_tenant_begins_with_the_standard_roles_and_its_own_data_key,
    s2_1_a_feature_needs_its_plan,
    s3_2_a_feature_works_once_staff_switch_it_on,
    s1_10_return_addresses_are_allowed_beforehand,
    return_addresses_need_every_permission_that_a_user_may_have,
    a_key_that_was_revoked_meanwhile_changes_no_tenant,
    tenants_are_listed_page_by_page,
    a_zone_and_a_language_are_checked_and_changed_and_every_change_is_recorded,
    the_directory_fills_the_zone_and_the_language_that_are_not_known,
);

async fn a_tenant_begins_with_the_standard_roles_and_its_own_data_key(h: Harness) {
    let (acme, other) = (h.tenant("acme").await, h.tenant("other").await);
    let roles = h.services.roles().list(&h.vendor(acme).await.allow().unwrap()).await.unwrap();
    assert_eq!(roles.len(), StandardRole::ALL.len());
    for (role, standard) in roles.iter().zip(StandardRole::ALL) {
        assert_eq!((role.name.as_str(), role_permissions(role)), (standard.as_str(), standard.permissions()));
    }
    let (secrets, at) = (&h.services, |tenant| Column::ChannelSecret.at(tenant, AnyId::nil()));
    let tx = h.services.begin(acme).await.unwrap();
    let sealed = secrets.seal(tx.conn(), at(acme), b"secret").await.unwrap();
    assert_eq!(refused(secrets.seal(tx.conn(), at(Id::nil()), b"secret").await), "NOT_FOUND");
    drop(tx);
    assert_eq!(secrets.open(at(acme), &sealed).await.unwrap(), b"secret");
    let error = secrets.open(at(other), &sealed).await.unwrap_err();
    assert_eq!(error.code(), "UNREADABLE", "another tenant's key opens nothing");
    assert_eq!(refused(secrets.open(at(Id::nil()), &sealed).await), "NOT_FOUND");
}

async fn s2_1_a_feature_needs_its_plan(h: Harness) {
    let tenants = h.services.tenants();
    let tenant = h.plain_tenant("acme", Plan::Basic).await;
    let feature = Feature::ServiceAccount;
    assert_eq!(refused(tenants.set_feature(&h.staff, tenant, feature, true).await), "PLAN_LACKS_FEATURE");
    let raised = tenants.set_plan(&h.staff, tenant, Plan::Plus).await.unwrap();
    assert_eq!((raised.plan.as_str(), raised.version), ("PLUS", 2));
    tenants.set_feature(&h.staff, tenant, feature, true).await.unwrap();
    assert_eq!(tenants.features_of(&h.staff, tenant).await.unwrap(), [feature]);
    tenants.set_plan(&h.staff, tenant, Plan::Basic).await.unwrap();
    assert_eq!(tenants.features_of(&h.staff, tenant).await.unwrap(), [], "it stops with the plan");
    let nobody = Id::nil();
    assert_eq!(refused(tenants.set_plan(&h.staff, nobody, Plan::Plus).await), "NOT_FOUND");
}

async fn s3_2_a_feature_works_once_staff_switch_it_on(h: Harness) {
    let tenants = h.services.tenants();
    let (acme, other) = (h.plain_tenant("acme", Plan::Plus).await, h.plain_tenant("other", Plan::Plus).await);
    assert_eq!(tenants.features_of(&h.staff, acme).await.unwrap(), [], "the plan alone switches nothing on");
    for _ in 0..2 {
        tenants.set_feature(&h.staff, acme, Feature::ServiceAccount, true).await.unwrap();
    }
    assert_eq!(tenants.features_of(&h.staff, acme).await.unwrap(), [Feature::ServiceAccount]);
    assert_eq!(tenants.features_of(&h.staff, other).await.unwrap(), [], "another tenant has nothing of it");
    tenants.set_feature(&h.staff, acme, Feature::ServiceAccount, false).await.unwrap();
    assert_eq!(tenants.features_of(&h.staff, acme).await.unwrap(), []);
    let txn = h.services.store.read(acme).await.unwrap();
    let audit = entity::audit::of(acme).all(&txn).await.unwrap();
    let switched: Vec<_> = audit.iter().filter(|row| row.action == "tenant.feature").collect();
    assert_eq!(switched.len(), 3, "every switch is recorded");
    assert!(switched.iter().all(|row| row.actor == h.staff.actor()), "with who did it");
}

/// Whoever names the place to which the codes of sign-ins are sent could sign in as anybody.
async fn return_addresses_need_every_permission_that_a_user_may_have(h: Harness) {
    let (tenants, keys) = (h.services.tenants(), h.services.keys());
    let tenant = h.tenant("acme").await;
    let urls = || vec!["https://evil.example/".to_owned()];
    let all: BTreeSet<_> = Permission::ALL.iter().copied().collect();
    for missing in Permission::ALL.iter().copied().filter(|permission| *permission != Permission::Staff) {
        let permissions = all.iter().copied().filter(|permission| *permission != missing).collect();
        let new = NewKey { name: "weak".to_owned(), permissions, tenant: None, expires_at: None };
        let (_, secret) = keys.create(&h.staff, new).await.unwrap();
        let weak = tried(&h, &secret).await.unwrap().allow_staff().unwrap();
        let refusal = refused(tenants.update_return_urls(&weak, tenant, urls()).await);
        assert_eq!(refusal, "PERMISSION_NOT_YOURS", "{missing}");
        let new = |return_urls| NewTenant {
            name: "x".to_owned(),
            plan: Plan::Plus,
            return_urls,
            time_zone: None,
            language: None,
        };
        assert_eq!(refused(tenants.create(&weak, new(urls())).await), "PERMISSION_NOT_YOURS", "{missing}");
        tenants.create(&weak, new(Vec::new())).await.unwrap();
    }
    assert!(!tenants.allows_return_url(Anyone, tenant, "https://evil.example/").await.unwrap());
}

async fn a_key_that_was_revoked_meanwhile_changes_no_tenant(h: Harness) {
    let (tenants, keys) = (h.services.tenants(), h.services.keys());
    let tenant = h.tenant("acme").await;
    let permissions = Permission::ALL.iter().copied().collect();
    let new = NewKey { name: "revoked".to_owned(), permissions, tenant: None, expires_at: None };
    let (key, secret) = keys.create(&h.staff, new).await.unwrap();
    let by = tried(&h, &secret).await.unwrap().allow_staff().unwrap();
    keys.revoke(&h.staff, key.id, false).await.unwrap();
    let vendor = h.vendor(tenant).await;
    let before = tenants.get(&vendor.allow_member().unwrap()).await.unwrap();
    for refused in [
        tenants.update_return_urls(&by, tenant, vec!["https://evil.example/".to_owned()]).await,
        tenants.update(&by, tenant, TenantChange::default(), None).await,
        tenants.set_plan(&by, tenant, Plan::Basic).await,
        tenants.set_feature(&by, tenant, Feature::ServiceAccount, true).await,
    ] {
        assert!(matches!(refused, Err(Error::Denied(Denied::Unauthenticated))), "{refused:?}");
    }
    assert_eq!(tenants.get(&vendor.allow_member().unwrap()).await.unwrap(), before);
}

async fn s1_10_return_addresses_are_allowed_beforehand(h: Harness) {
    let tenants = h.services.tenants();
    let tenant = h.tenant("acme").await;
    assert!(
        tenants.allows_return_url(Anyone, tenant, "https://acme.example/settings/calendar").await.unwrap()
    );
    assert!(!tenants.allows_return_url(Anyone, tenant, "https://acme.example/elsewhere").await.unwrap());
    let urls = vec!["https://new.example/".to_owned()];
    tenants.update_return_urls(&h.staff, tenant, urls).await.unwrap();
    assert!(tenants.allows_return_url(Anyone, tenant, "https://new.example/anything").await.unwrap());
    assert!(!tenants.allows_return_url(Anyone, tenant, "https://acme.example/settings").await.unwrap());
    let plain = vec!["http://acme.example/".to_owned()];
    assert_eq!(
        refused(tenants.update_return_urls(&h.staff, tenant, plain.clone()).await),
        "RETURN_URL_MALFORMED"
    );
    let new = NewTenant {
        name: "x".to_owned(),
        plan: Plan::Plus,
        return_urls: plain,
        time_zone: None,
        language: None,
    };
    assert_eq!(refused(tenants.create(&h.staff, new).await), "RETURN_URL_MALFORMED");
}

async fn tenants_are_listed_page_by_page(h: Harness) {
    let tenants = h.services.tenants();
    let mut made = Vec::new();
    for name in ["a", "b", "c"] {
        made.push(h.plain_tenant(name, Plan::Basic).await);
    }
    let first = PageArgs { first: Some(2), ..PageArgs::default() };
    let page = tenants.list(&h.staff, first).await.unwrap();
    assert_eq!(page.items.iter().map(|tenant| tenant.id).collect::<Vec<_>>(), made[..2]);
    assert!(page.has_next && !page.has_previous);
    let rest = PageArgs { after: Some(made[1].uuid()), ..PageArgs::default() };
    let page = tenants.list(&h.staff, rest).await.unwrap();
    assert_eq!(page.items.iter().map(|tenant| tenant.id).collect::<Vec<_>>(), made[2..]);
    assert_eq!(tenants.get(&h.vendor(made[0]).await.allow_member().unwrap()).await.unwrap().name, "a");
    assert_eq!(tenants.by_id(&h.staff, made[1]).await.unwrap().name, "b");
}

fn in_zone(zone: &str, language: &str) -> NewTenant {
    NewTenant {
        name: "acme".to_owned(),
        plan: Plan::Plus,
        return_urls: Vec::new(),
        time_zone: Some(zone.to_owned()),
        language: Some(language.to_owned()),
    }
}

/// Who changed a tenant, by the audit log.
async fn changed_by(h: &Harness, tenant: Id<ids::Tenant>) -> Vec<String> {
    let txn = h.services.store.read(tenant).await.unwrap();
    let audit = entity::audit::of(tenant).all(&txn).await.unwrap();
    audit.into_iter().filter(|row| row.action == "tenant.update").map(|row| row.actor).collect()
}

async fn a_zone_and_a_language_are_checked_and_changed_and_every_change_is_recorded(h: Harness) {
    let tenants = h.services.tenants();
    for (zone, language, code) in [
        ("Mars/Olympus", "de", "ZONE_UNKNOWN"),
        ("", "de", "ZONE_UNKNOWN"),
        ("Europe/Berlin", "Deutsch, bitte", "LANGUAGE_UNKNOWN"),
        ("Europe/Berlin", "und", "LANGUAGE_UNKNOWN"),
    ] {
        assert_eq!(
            refused(tenants.create(&h.staff, in_zone(zone, language)).await),
            code,
            "{zone} {language}"
        );
    }
    let made = tenants.create(&h.staff, in_zone("Europe/Berlin", "DE")).await.unwrap();
    assert_eq!((made.time_zone.as_deref(), made.language.as_deref()), (Some("Europe/Berlin"), Some("de")));
    let id = made.id;
    let update = async |change, version| tenants.update(&h.staff, id, change, version).await;
    let change = TenantChange { language: Some(Some("en-gb".to_owned())), ..TenantChange::default() };
    let after = update(change.clone(), Some(made.version)).await.unwrap();
    assert_eq!(
        (after.time_zone.as_deref(), after.language.as_deref()),
        (Some("Europe/Berlin"), Some("en-GB"))
    );
    assert_eq!(refused(update(change, Some(made.version)).await), "VERSION_CONFLICT");
    let change =
        TenantChange { time_zone: Some(None), name: Some(" New ".to_owned()), ..TenantChange::default() };
    let after = update(change, None).await.unwrap();
    assert_eq!((after.time_zone, after.name.as_str()), (None, "New"));
    let change = TenantChange { language: Some(Some("?".to_owned())), ..TenantChange::default() };
    assert_eq!(refused(update(change.clone(), None).await), "LANGUAGE_UNKNOWN");
    let nobody = Id::nil();
    assert_eq!(refused(tenants.update(&h.staff, nobody, change, None).await), "NOT_FOUND");
    assert_eq!(changed_by(&h, made.id).await, [h.staff.actor(), h.staff.actor()]);
}

async fn the_directory_fills_the_zone_and_the_language_that_are_not_known(h: Harness) {
    let tenants = h.services.tenants();
    let id = h.plain_tenant("acme", Plan::Plus).await;
    let told = |zone: &str, language: &str| {
        Change::Locale(TenantLocale { zone: Some(zone.to_owned()), language: Some(language.to_owned()) })
    };
    for (zone, language, known) in [
        ("Mars/Olympus", "Klingon!", (None, None)),
        ("Mars/Olympus", "en-gb", (None, Some("en-GB"))),
        ("Asia/Tokyo", "fr", (Some("Asia/Tokyo"), Some("en-GB"))),
        ("UTC", "fr", (Some("Asia/Tokyo"), Some("en-GB"))),
    ] {
        h.services.write(id, "run", vec![told(zone, language)]).await.unwrap();
        let read = tenants.by_id(&h.staff, id).await.unwrap();
        assert_eq!((read.time_zone.as_deref(), read.language.as_deref()), known, "{zone} {language}");
    }
    assert_eq!(changed_by(&h, id).await, ["run", "run"], "only what was filled is recorded");
}
