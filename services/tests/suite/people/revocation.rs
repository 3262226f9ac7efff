//! What is revoked ends at once, on every node, although who calls is remembered.

use chrono::Duration;
use domain::{Permission, StandardRole, access::Denied, may};
use futures::{FutureExt, StreamExt};
use sea_orm::ConnectionTrait;
use services::{
    Anyone, PageArgs,
    access::AccessChange,
    roles::{NewRole, RoleChange},
    users::NewUser,
};

use crate::people::{
    audit::entries,
    harness::{Harness, person, refused},
    tokens::{a_user, is_dead, new_key, tried},
};

on_both!(
    s6_9_a_revoked_token_is_dead_and_the_others_live,
    what_revokes_nothing_changes_nothing,
    a_token_is_revoked_as_long_as_it_is_accepted,
    nobody_revokes_the_tokens_of_somebody_with_more_rights,
    s6_9_tokens_are_listed_for_those_who_may_see_users_and_for_their_bearer,
    every_change_of_access_ends_what_is_remembered,
    what_is_remembered_ends_by_itself_where_no_message_comes,
    another_node_hears_of_it,
    a_request_that_had_begun_changes_no_access_once_its_credential_has_ended,
);

async fn s6_9_a_revoked_token_is_dead_and_the_others_live(h: Harness) {
    let (tenant, user) = a_user(&h).await;
    let (access, by) = (h.services.access(), h.vendor(tenant).await);
    let mut issued = Vec::new();
    for _ in 0..3 {
        issued.push(access.issue(&h.staff, tenant, user, None).await.unwrap());
        assert!(tried(&h, &issued.last().unwrap().token).await.is_ok());
    }
    assert_eq!(access.revoke(&by.allow_own_or(user).unwrap(), Some(&[issued[1].id])).await.unwrap(), 1);
    assert!(is_dead(&h, &issued[1].token).await);
    assert!(tried(&h, &issued[0].token).await.is_ok());
    assert_eq!(
        access.revoke(&by.allow_own_or(user).unwrap(), Some(&[issued[1].id])).await.unwrap(),
        0,
        "it was dead already"
    );
    assert_eq!(access.revoke(&by.allow_own_or(user).unwrap(), None).await.unwrap(), 2);
    for token in &issued {
        assert!(is_dead(&h, &token.token).await);
    }
}

async fn what_revokes_nothing_changes_nothing(h: Harness) {
    let (tenant, user) = a_user(&h).await;
    let by = h.vendor(tenant).await;
    let before = entries(&h, tenant).await.len();
    let mut changes = Box::pin(h.services.access().watch_changes(Anyone));
    assert_eq!(h.services.access().revoke(&by.allow_own_or(user).unwrap(), Some(&[])).await.unwrap(), 0);
    assert_eq!(entries(&h, tenant).await.len(), before);
    assert_eq!(changes.next().now_or_never(), None, "nobody is authenticated again");
}

async fn a_token_is_revoked_as_long_as_it_is_accepted(h: Harness) {
    let (tenant, user) = a_user(&h).await;
    let (access, by) = (h.services.access(), h.vendor(tenant).await);
    let lifetime = Some(std::time::Duration::from_mins(1));
    let token = access.issue(&h.staff, tenant, user, lifetime).await.unwrap().token;
    h.clock.advance(Duration::seconds(75));
    assert!(tried(&h, &token).await.is_ok(), "clocks of two machines differ");
    assert_eq!(access.revoke(&by.allow_own_or(user).unwrap(), None).await.unwrap(), 1);
    assert!(is_dead(&h, &token).await);
}

async fn nobody_revokes_the_tokens_of_somebody_with_more_rights(h: Harness) {
    let tenant = h.tenant("acme").await;
    let access = h.services.access();
    let by = h.vendor(tenant).await;
    let new = NewUser { roles: vec![h.role(tenant, "Administrator").await], ..person("anna") };
    let administrator = h.services.users().create(&by.allow().unwrap(), new).await.unwrap().id;
    let token = access.issue(&h.staff, tenant, administrator, None).await.unwrap().token;
    let editor = h.caller(tenant, StandardRole::HumanResources).await;
    assert_eq!(
        refused(access.revoke(&editor.allow_own_or(administrator).unwrap(), None).await),
        "PERMISSION_NOT_YOURS"
    );
    let connector = h.caller(tenant, StandardRole::CalendarConnector).await;
    let denied = connector.allow_own_or::<may::UserEdit>(administrator).unwrap_err();
    assert_eq!(denied, Denied::Forbidden(Permission::UserEdit));
    let other = h.tenant("other").await;
    assert_eq!(
        refused(access.revoke(&h.vendor(other).await.allow_own_or(administrator).unwrap(), None).await),
        "NOT_FOUND"
    );
    assert!(tried(&h, &token).await.is_ok());
    let own = tried(&h, &token).await.unwrap().allow_own_or(administrator).unwrap();
    assert_eq!(access.revoke(&own, None).await.unwrap(), 1, "everybody may revoke their own");
    assert!(is_dead(&h, &token).await);
}

async fn s6_9_tokens_are_listed_for_those_who_may_see_users_and_for_their_bearer(h: Harness) {
    let (tenant, user) = a_user(&h).await;
    let access = h.services.access();
    let token = access.issue(&h.staff, tenant, user, None).await.unwrap();
    let own = tried(&h, &token.token).await.unwrap();
    for by in [&own, &h.vendor(tenant).await] {
        let listed = access.tokens(&by.allow_own_or(user).unwrap(), PageArgs::default()).await.unwrap().items;
        let (row, issuer) = (&listed[0], h.staff.actor());
        assert_eq!((row.id, row.issued_by.as_str(), row.revoked_at), (token.id, issuer.as_str(), None));
        assert!(!format!("{row:?}").contains(&token.token), "the token itself is kept nowhere");
    }
    let connector = h.caller(tenant, StandardRole::CalendarConnector).await;
    let denied = connector.allow_own_or::<may::UserView>(user).unwrap_err();
    assert_eq!(denied, Denied::Forbidden(Permission::UserView));
    let other = h.vendor(h.tenant("other").await).await;
    assert_eq!(
        access.tokens(&other.allow_own_or(user).unwrap(), PageArgs::default()).await.unwrap().items,
        []
    );
}

/// Each act by which somebody may do less, or more, is felt by the next request of somebody who is remembered.
async fn every_change_of_access_ends_what_is_remembered(h: Harness) {
    let (tenant, user) = a_user(&h).await;
    let (services, by) = (&h.services, h.vendor(tenant).await);
    let token = services.access().issue(&h.staff, tenant, user, None).await.unwrap().token;
    let may = async |permission: Permission| tried(&h, &token).await.unwrap().has_permission(permission);
    let custom = |permissions: &[Permission]| permissions.iter().copied().collect();
    let new = NewRole { name: "Custom".to_owned(), permissions: custom(&[Permission::UserView]) };
    let role = services.roles().create(&by.allow().unwrap(), new).await.unwrap().id;
    assert!(!may(Permission::UserView).await);
    services.roles().assign(&by.allow().unwrap(), user, &[role]).await.unwrap();
    assert!(may(Permission::UserView).await, "assigned");
    let change = RoleChange { permissions: Some(custom(&[Permission::RunView])), name: None };
    services.roles().update(&by.allow().unwrap(), role, change).await.unwrap();
    assert!(!may(Permission::UserView).await && may(Permission::RunView).await, "changed");
    services.roles().delete(&by.allow().unwrap(), role).await.unwrap();
    assert!(!may(Permission::RunView).await, "deleted");
    let connector = h.role(tenant, StandardRole::CalendarConnector.as_str()).await;
    services.roles().assign(&by.allow().unwrap(), user, &[connector]).await.unwrap();
    assert!(may(Permission::CalendarConnect).await);
    services.roles().unassign(&by.allow().unwrap(), user, &[connector]).await.unwrap();
    assert!(!may(Permission::CalendarConnect).await, "unassigned");
    let is_familiar = |credential: &str| {
        services.access().find_recent_caller(Anyone, Some(&format!("Bearer {credential}")), None).is_some()
    };
    assert!(is_familiar(&token), "whose places its requests take is known");
    services.users().delete(&by.allow().unwrap(), user).await.unwrap();
    assert!(!is_familiar(&token), "what may have ended takes nobody's places");
    assert!(is_dead(&h, &token).await, "removed");

    let (key, secret) = services.keys().create(&h.staff, new_key(&h, "back end", None)).await.unwrap();
    assert!(tried(&h, &secret).await.is_ok());
    assert!(is_familiar(&secret));
    services.keys().revoke(&h.staff, key.id, false).await.unwrap();
    assert!(!is_familiar(&secret));
    assert!(is_dead(&h, &secret).await, "a revoked key");
}

/// A role that is taken away behind everybody's back: what a lost message amounts to.
async fn what_is_remembered_ends_by_itself_where_no_message_comes(h: Harness) {
    let tenant = h.tenant("acme").await;
    let new = NewUser { roles: vec![h.role(tenant, "Administrator").await], ..person("anna") };
    let user = h.services.users().create(&h.vendor(tenant).await.allow().unwrap(), new).await.unwrap().id;
    let token = h.services.access().issue(&h.staff, tenant, user, None).await.unwrap().token;
    let may = async || tried(&h, &token).await.unwrap().has_permission(Permission::RoleEdit);
    assert!(may().await);
    let txn = h.services.store.write(tenant).await.unwrap();
    txn.execute_unprepared("DELETE FROM user_role").await.unwrap();
    txn.commit().await.unwrap();
    h.clock.advance(Duration::seconds(5) - Duration::milliseconds(1));
    assert!(may().await, "it is remembered: nothing was read anew");
    h.clock.advance(Duration::milliseconds(1));
    assert!(!may().await);
}

/// Two nodes on one database that hear each other.
async fn another_node_hears_of_it(h: Harness) {
    let (tenant, user) = a_user(&h).await;
    let own = &h.services;
    let other = h.node(h.vault.clone());
    let token = own.access().issue(&h.staff, tenant, user, None).await.unwrap().token;
    let authorization = format!("Bearer {token}");
    let there = async || other.access().authenticate(Anyone, Some(&authorization), None).await;
    assert!(there().await.is_ok());
    let mut changes = Box::pin(other.access().watch_changes(Anyone));
    own.access().revoke(&h.vendor(tenant).await.allow_own_or(user).unwrap(), None).await.unwrap();
    assert_eq!(
        changes.next().now_or_never(),
        Some(Some(AccessChange::Tenant(tenant))),
        "its sockets hear of it"
    );
    assert_eq!(refused(there().await), "UNAUTHENTICATED");
}

async fn a_request_that_had_begun_changes_no_access_once_its_credential_has_ended(h: Harness) {
    let tenant = h.tenant("acme").await;
    let vendor = h.vendor(tenant).await;
    let administrator = h.caller(tenant, StandardRole::Administrator).await.allow_own().unwrap().user();
    let (access, roles) = (h.services.access(), h.services.roles());
    let mut proofs = Vec::new();
    let mut tokens = Vec::new();
    for _ in 0..2 {
        let issued = access.issue(&h.staff, tenant, administrator, None).await.unwrap();
        proofs.push(tried(&h, &issued.token).await.unwrap().allow::<may::RoleEdit>().unwrap());
        tokens.push(issued.id);
    }
    access.revoke(&vendor.allow_own_or(administrator).unwrap(), Some(&tokens[..1])).await.unwrap();
    let new = |name: &str| NewRole { name: name.to_owned(), permissions: [Permission::UserView].into() };
    let refused = roles.create(&proofs[0], new("First")).await.unwrap_err();
    assert!(matches!(refused, services::Error::Denied(Denied::Unauthenticated)), "{refused:?}");
    assert!(roles.create(&proofs[1], new("Second")).await.is_ok(), "the other token is still valid");
}
