//! Links between users and their identities at an issuer, and what is obtained through them.

use chrono::Duration;
use domain::{
    Id, Permission, StandardRole, ids,
    openid::{IssuerTokens, SigningAlgorithm},
};
use entity::{openid_identity, openid_issuer, sign_in};
use sea_orm::EntityTrait;
use serde_json::json;
use services::{
    PageArgs,
    roles::{NewRole, RoleChange},
    users::UserChange,
};

use crate::people::{
    audit::entries,
    harness::{Harness, person, refused},
};

on_both!(
    a_link_by_somebody_with_fewer_permissions_does_not_survive_a_promotion,
    a_sign_in_does_not_survive_the_promotion_of_somebody_whose_address_was_changed,
    a_wider_role_ends_the_links_of_its_holders_too,
    codes_end_with_the_tokens,
    an_address_is_vouched_for_by_whoever_entered_it,
);

pub async fn issuer(h: &Harness, tenant: Id<ids::Tenant>) -> Id<ids::OpenIdIssuer> {
    let id = h.services.ids.make();
    let row = openid_issuer::Model {
        id,
        tenant_id: tenant,
        name: "I".to_owned(),
        issuer: "https://issuer.example".to_owned(),
        client_id: "c".to_owned(),
        client_secret: None,
        algorithms: json!([SigningAlgorithm::EdDsa.as_str()]),
        accepts: IssuerTokens::None.into(),
        audience: "a".to_owned(),
        subject_claim: "sub".to_owned(),
        email_claim: None,
        created_at: h.services.now(),
        version: 1,
    };
    let tx = h.services.begin(tenant).await.unwrap();
    let row = openid_issuer::ActiveModel::from(row);
    openid_issuer::Entity::insert(row).exec_without_returning(tx.conn()).await.unwrap();
    tx.commit().await.unwrap();
    id
}

/// The user's link by the user's own verified sign-in.
async fn sign_in(h: &Harness, tenant: Id<ids::Tenant>, issuer: Id<ids::OpenIdIssuer>, user: Id<ids::User>) {
    let row = openid_identity::Model {
        id: h.services.ids.make(),
        tenant_id: tenant,
        issuer_id: issuer,
        user_id: user,
        subject: user.to_string(),
        created_at: h.services.now(),
        linked_with: None,
    };
    let tx = h.services.begin(tenant).await.unwrap();
    let row = openid_identity::ActiveModel::from(row);
    openid_identity::Entity::insert(row).exec_without_returning(tx.conn()).await.unwrap();
    tx.commit().await.unwrap();
}

async fn subjects(h: &Harness, tenant: Id<ids::Tenant>, issuer: Id<ids::OpenIdIssuer>) -> Vec<String> {
    let by = h.vendor(tenant).await;
    let found = h.services.issuers().list_identities(&by.allow().unwrap(), issuer, PageArgs::default()).await;
    found.unwrap().items.into_iter().map(|row| row.subject).collect()
}

pub async fn user(h: &Harness, tenant: Id<ids::Tenant>, name: &str) -> Id<ids::User> {
    let by = h.vendor(tenant).await;
    h.services.users().create(&by.allow().unwrap(), person(name)).await.unwrap().id
}

async fn a_link_by_somebody_with_fewer_permissions_does_not_survive_a_promotion(h: Harness) {
    let tenant = h.tenant("acme").await;
    let (issuer, vendor) = (issuer(&h, tenant).await, h.vendor(tenant).await);
    let (issuers, roles) = (h.services.issuers(), h.services.roles());
    let weak = h.caller(tenant, StandardRole::HumanResources).await;
    let [chief, deputy, own] =
        [user(&h, tenant, "chief").await, user(&h, tenant, "deputy").await, user(&h, tenant, "own").await];
    issuers.link_identity(&weak.allow().unwrap(), issuer, chief, "mine").await.unwrap();
    issuers.link_identity(&vendor.allow().unwrap(), issuer, deputy, "deputy").await.unwrap();
    sign_in(&h, tenant, issuer, own).await;
    let connector = h.role(tenant, StandardRole::HumanResources.as_str()).await;
    roles.assign(&vendor.allow().unwrap(), chief, &[connector]).await.unwrap();
    assert_eq!(subjects(&h, tenant, issuer).await.len(), 3, "it gives nothing that the linker lacks");
    let administrator = h.role(tenant, StandardRole::Administrator.as_str()).await;
    for promoted in [chief, deputy, own] {
        roles.assign(&vendor.allow().unwrap(), promoted, &[administrator]).await.unwrap();
    }
    assert_eq!(subjects(&h, tenant, issuer).await, ["deputy".to_owned(), own.to_string()]);
    let recorded = entries(&h, tenant).await;
    let unlinked: Vec<_> = recorded.iter().filter(|entry| entry.action == "identity.unlink").collect();
    assert_eq!(unlinked.len(), 1);
    assert_eq!(unlinked[0].subject, chief.to_string());
    assert!(json!(unlinked[0].old_value).to_string().contains("mine"));
    let again = issuers.link_identity(&weak.allow().unwrap(), issuer, chief, "mine").await;
    assert_eq!(refused(again), "PERMISSION_NOT_YOURS");
}

async fn a_sign_in_does_not_survive_the_promotion_of_somebody_whose_address_was_changed(h: Harness) {
    let tenant = h.tenant("acme").await;
    let (issuer, vendor) = (issuer(&h, tenant).await, h.vendor(tenant).await);
    let weak = h.caller(tenant, StandardRole::HumanResources).await;
    let [renamed, own] = [user(&h, tenant, "renamed").await, user(&h, tenant, "own").await];
    sign_in(&h, tenant, issuer, renamed).await;
    sign_in(&h, tenant, issuer, own).await;
    let change = UserChange { email: Some("chief@acme.example".to_owned()), ..UserChange::default() };
    h.services.users().update(&weak.allow().unwrap(), renamed, change, None).await.unwrap();
    assert_eq!(subjects(&h, tenant, issuer).await.len(), 2, "until then it stands");
    let administrator = h.role(tenant, StandardRole::Administrator.as_str()).await;
    for promoted in [renamed, own] {
        h.services.roles().assign(&vendor.allow().unwrap(), promoted, &[administrator]).await.unwrap();
    }
    assert_eq!(subjects(&h, tenant, issuer).await, [own.to_string()]);
}

async fn a_wider_role_ends_the_links_of_its_holders_too(h: Harness) {
    let tenant = h.tenant("acme").await;
    let (issuer, vendor) = (issuer(&h, tenant).await, h.vendor(tenant).await);
    let (issuers, roles) = (h.services.issuers(), h.services.roles());
    let weak = h.caller(tenant, StandardRole::HumanResources).await;
    let chief = user(&h, tenant, "chief").await;
    let new = NewRole { name: "R".to_owned(), permissions: [Permission::UserView].into() };
    let role = roles.create(&vendor.allow().unwrap(), new).await.unwrap().id;
    roles.assign(&vendor.allow().unwrap(), chief, &[role]).await.unwrap();
    issuers.link_identity(&weak.allow().unwrap(), issuer, chief, "mine").await.unwrap();
    let wider = [Permission::UserView, Permission::RoleEdit].into();
    let change = RoleChange { permissions: Some(wider), ..RoleChange::default() };
    roles.update(&vendor.allow().unwrap(), role, change).await.unwrap();
    assert_eq!(subjects(&h, tenant, issuer).await, Vec::<String>::new());
}

/// A code that waits to be exchanged.
pub async fn code(h: &Harness, tenant: Id<ids::Tenant>, issuer: Id<ids::OpenIdIssuer>, user: Id<ids::User>) {
    let row = sign_in::Model {
        id: h.services.ids.make(),
        tenant_id: tenant,
        issuer_id: issuer,
        user_id: user,
        code_hash: Some(vec![1; 32]),
        challenge: None,
        created_at: h.services.now(),
        expires_at: h.services.now() + Duration::minutes(10),
        redeemed_at: None,
    };
    let tx = h.services.begin(tenant).await.unwrap();
    let row = sign_in::ActiveModel::from(row);
    sign_in::Entity::insert(row).exec_without_returning(tx.conn()).await.unwrap();
    tx.commit().await.unwrap();
}

/// How many codes can still be exchanged.
async fn codes(h: &Harness, tenant: Id<ids::Tenant>) -> usize {
    let txn = h.services.store.read(tenant).await.unwrap();
    let rows = sign_in::of(tenant).all(&txn).await.unwrap();
    rows.into_iter().filter(|row| row.redeemed_at.is_none()).count()
}

async fn codes_end_with_the_tokens(h: Harness) {
    let tenant = h.tenant("acme").await;
    let (issuer, vendor) = (issuer(&h, tenant).await, h.vendor(tenant).await);
    let (anna, ben) = (user(&h, tenant, "anna").await, user(&h, tenant, "ben").await);
    let issuers = h.services.issuers();
    issuers.link_identity(&vendor.allow().unwrap(), issuer, anna, "anna").await.unwrap();
    code(&h, tenant, issuer, ben).await;
    code(&h, tenant, issuer, anna).await;
    h.services.access().revoke(&vendor.allow_own_or(anna).unwrap(), None).await.unwrap();
    assert_eq!(codes(&h, tenant).await, 1, "that of somebody else stays");
    code(&h, tenant, issuer, anna).await;
    issuers.link_identity(&vendor.allow().unwrap(), issuer, anna, "another").await.unwrap();
    assert_eq!(codes(&h, tenant).await, 1, "a code of the former subject is worth nothing");
}

/// What whoever set a user's address was allowed to do.
async fn vouched(h: &Harness, tenant: Id<ids::Tenant>, user: Id<ids::User>) -> usize {
    let txn = h.services.store.read(tenant).await.unwrap();
    let row = entity::tenant_user::by_id(tenant, user).one(&txn).await.unwrap().unwrap();
    row.email_set_with.as_array().unwrap().len()
}

async fn an_address_is_vouched_for_by_whoever_entered_it(h: Harness) {
    let tenant = h.tenant("acme").await;
    let staff = h.vendor(tenant).await;
    let human_resources = h.caller(tenant, StandardRole::HumanResources).await;
    let users = h.services.users();
    let anna = users.create(&staff.allow().unwrap(), person("anna")).await.unwrap().id;
    let all = vouched(&h, tenant, anna).await;
    let few = human_resources.permissions().len();
    assert!(few < all);
    let rename = |email: &str| UserChange { email: Some(email.to_owned()), ..UserChange::default() };
    users.update(&human_resources.allow().unwrap(), anna, rename("other@acme.example"), None).await.unwrap();
    assert_eq!(vouched(&h, tenant, anna).await, few, "whoever chooses the address chooses who signs in");
    users.update(&human_resources.allow().unwrap(), anna, UserChange::default(), None).await.unwrap();
    assert_eq!(vouched(&h, tenant, anna).await, few);
    let administrator = h.role(tenant, StandardRole::Administrator.as_str()).await;
    h.services.roles().assign(&staff.allow().unwrap(), anna, &[administrator]).await.unwrap();
    users.update(&staff.allow().unwrap(), anna, rename("other@acme.example"), None).await.unwrap();
    assert_eq!(vouched(&h, tenant, anna).await, few, "repeated, it is not confirmed");
    let confirmed = UserChange { confirm_email: true, ..UserChange::default() };
    let weak = users.update(&human_resources.allow().unwrap(), anna, confirmed.clone(), None).await;
    assert_eq!(refused(weak), "PERMISSION_NOT_YOURS");
    users.update(&staff.allow().unwrap(), anna, confirmed, None).await.unwrap();
    assert_eq!(vouched(&h, tenant, anna).await, all);
    let last = entries(&h, tenant).await.pop().unwrap();
    assert!(last.details.to_string().contains("confirmed"), "{}", last.details);
}
