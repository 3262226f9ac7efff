//! Invitations for IT people.

use chrono::Duration;
use domain::{
    Id, Permission, StandardRole, ids, may,
    state::{Feature, Plan},
};
use messages::Language;
use serde_json::json;
use services::{Anyone, keys::NewKey, links::NewInvitation};

use crate::people::{
    audit::entries,
    connecting::{follow, typed},
    harness::{Harness, person, refused},
    tokens::tried,
};

on_both!(
    s2_1_and_s3_2_nobody_is_invited_before_plan_and_staff_allow_it,
    s3_3_an_it_person_is_invited_with_one_permission,
    a_link_opens_until_it_expires,
    each_link_opens_its_own_invitation,
    an_invitation_is_checked_before_anything_is_made,
    an_invitation_rests_on_its_sender_and_on_the_invited_user,
    s6_9_a_revoked_invitation_ends_with_its_pages,
    what_an_invitation_gives_is_recorded,
    a_rotated_key_leaves_its_invitations_to_its_successor,
);

pub fn invitation(email: &str) -> NewInvitation {
    NewInvitation { email: email.to_owned(), return_url: None, integration: None, roles: Vec::new() }
}

pub fn token(url: &str) -> &str {
    url.strip_prefix("https://muster.example/connect/").unwrap()
}

async fn s2_1_and_s3_2_nobody_is_invited_before_plan_and_staff_allow_it(h: Harness) {
    let tenant = h.plain_tenant("acme", Plan::Basic).await;
    let by = h.vendor(tenant).await;
    let links = h.services.links();
    let refusal = links.invite(&by.allow().unwrap(), invitation("it@acme.example")).await.unwrap_err();
    assert_eq!(refusal.code(), "FEATURE_NOT_IN_PLAN");
    let said = messages::render_message(&refusal.message(), Language::English, None);
    assert!(said.contains("PLUS"), "the message says what is needed");
    h.services.tenants().set_plan(&h.staff, tenant, Plan::Plus).await.unwrap();
    assert_eq!(
        refused(links.invite(&by.allow().unwrap(), invitation("it@acme.example")).await),
        "FEATURE_OFF"
    );
    h.services.tenants().set_feature(&h.staff, tenant, Feature::ServiceAccount, true).await.unwrap();
    assert!(links.invite(&by.allow().unwrap(), invitation("it@acme.example")).await.is_ok());
}

async fn s3_3_an_it_person_is_invited_with_one_permission(h: Harness) {
    let tenant = h.tenant("acme").await;
    let human_resources = h.caller(tenant, StandardRole::HumanResources).await;
    let by = human_resources.allow().unwrap();
    let (link, url) = h.services.links().invite(&by, invitation("IT@acme.example")).await.unwrap();
    assert_eq!((link.email.as_str(), link.created_by.as_str()), ("it@acme.example", by.actor().as_str()));

    let open = h.services.links().open(Anyone, token(&url)).await.unwrap();
    assert_eq!((open.link.id, open.tenant.id), (link.id, tenant));
    let user = link.user_id.unwrap();
    let invited = h.bearer(tenant, user).await;
    assert_eq!(invited.permissions(), &[Permission::CalendarConnect].into());
    assert!(invited.allow::<may::ConnectCalendars>().is_ok());
    let administrator = h.role(tenant, StandardRole::PlatformAdministration.as_str()).await;
    let more = NewInvitation { roles: vec![administrator], ..invitation("it@acme.example") };
    assert_eq!(refused(h.services.links().invite(&by, more.clone()).await), "FORBIDDEN", "as by assignRoles");
    h.services.links().invite(&h.vendor(tenant).await.allow().unwrap(), more).await.unwrap();
    let both = [Permission::CalendarConnect, Permission::PlatformAdministration].into();
    assert_eq!(h.bearer(tenant, user).await.permissions(), &both, "the vendor may give it");
    let (again, other_url) = h.services.links().invite(&by, invitation("it@acme.example")).await.unwrap();
    assert_eq!(again.user_id, link.user_id, "the same person is not made twice");
    assert_ne!(url, other_url);
}

async fn a_link_opens_until_it_expires(h: Harness) {
    let tenant = h.tenant("acme").await;
    let links = h.services.links();
    let (link, url) =
        links.invite(&h.vendor(tenant).await.allow().unwrap(), invitation("it@acme.example")).await.unwrap();
    assert_eq!(link.expires_at - link.created_at, Duration::days(7));
    let text = format!("{link:?}");
    assert!(!text.contains(token(&url)), "the token itself is not kept");
    for unknown in ["", "x", &token(&url)[1..], &"0".repeat(64)] {
        assert_eq!(refused(links.open(Anyone, unknown).await), "LINK_UNKNOWN", "{unknown}");
    }
    h.clock.advance(Duration::days(7) - Duration::seconds(1));
    assert!(links.open(Anyone, token(&url)).await.is_ok());
    h.clock.advance(Duration::seconds(1));
    assert_eq!(refused(links.open(Anyone, token(&url)).await), "LINK_EXPIRED");
}

async fn each_link_opens_its_own_invitation(h: Harness) {
    let tenant = h.tenant("acme").await;
    let (links, by) = (h.services.links(), h.vendor(tenant).await);
    let mut made = Vec::new();
    for email in ["it@acme.example", "other@acme.example"] {
        made.push(links.invite(&by.allow().unwrap(), invitation(email)).await.unwrap());
    }
    for (link, url) in &made {
        assert_eq!(links.open(Anyone, token(url)).await.unwrap().link.id, link.id, "{}", link.email);
    }
}

async fn an_invitation_is_checked_before_anything_is_made(h: Harness) {
    let tenant = h.tenant("acme").await;
    let by = h.vendor(tenant).await;
    let links = h.services.links();
    assert_eq!(
        refused(links.invite(&by.allow().unwrap(), invitation("not an address")).await),
        "EMAIL_MALFORMED"
    );
    let mut elsewhere = invitation("it@acme.example");
    elsewhere.return_url = Some("https://evil.example/settings".to_owned());
    assert_eq!(refused(links.invite(&by.allow().unwrap(), elsewhere).await), "RETURN_URL_NOT_ALLOWED");
    let mut unknown = invitation("it@acme.example");
    unknown.integration = Some(Id::<ids::Integration>::nil());
    assert_eq!(refused(links.invite(&by.allow().unwrap(), unknown).await), "NOT_FOUND");
    let users = h
        .services
        .users()
        .list(&by.allow().unwrap(), services::users::UserFilter::default(), services::PageArgs::default())
        .await
        .unwrap();
    assert_eq!(users.items, [], "nobody was made");
    let anna = h.services.users().create(&by.allow().unwrap(), person("anna")).await.unwrap();
    let mut allowed = invitation("anna@acme.example");
    allowed.return_url = Some("https://acme.example/settings".to_owned());
    let (link, _) = links.invite(&by.allow().unwrap(), allowed).await.unwrap();
    assert_eq!(link.user_id, Some(anna.id), "somebody known keeps the account");
}

async fn an_invitation_rests_on_its_sender_and_on_the_invited_user(h: Harness) {
    let tenant = h.tenant("acme").await;
    let (vendor, roles) = (h.vendor(tenant).await, h.services.roles());
    let sender = h.caller(tenant, StandardRole::HumanResources).await;
    let own = sender.allow_own().unwrap().user();
    let links = h.services.links();
    let (link, url) = links.invite(&sender.allow().unwrap(), invitation("it@acme.example")).await.unwrap();
    let (cookie, invited) = (follow(&h, token(&url)).await, link.user_id.unwrap());
    let state = async || {
        let page = h.services.connect().progress(Anyone, &cookie).await.map(|_| ());
        let typed =
            h.services.connect().submit_credentials(Anyone, &cookie, typed("no server")).await.map(|_| ());
        let opened = links.open(Anyone, token(&url)).await.map(|_| ());
        [opened, page, typed].map(|result| result.map_or_else(|error| error.code(), |()| "OPEN"))
    };
    let (open, withdrawn) = (["OPEN", "OPEN", "SERVER_URL_MALFORMED"], ["LINK_WITHDRAWN"; 3]);
    assert_eq!(state().await, open);
    for (user, role) in [(own, StandardRole::HumanResources), (invited, StandardRole::CalendarConnector)] {
        let role = h.role(tenant, role.as_str()).await;
        roles.unassign(&vendor.allow().unwrap(), user, &[role]).await.unwrap();
        assert_eq!(state().await, withdrawn, "{role}");
        roles.assign(&vendor.allow().unwrap(), user, &[role]).await.unwrap();
        assert_eq!(state().await, open);
    }
    h.services.users().delete(&vendor.allow().unwrap(), own).await.unwrap();
    assert_eq!(state().await, withdrawn);
}

async fn s6_9_a_revoked_invitation_ends_with_its_pages(h: Harness) {
    let (tenant, other) = (h.tenant("acme").await, h.tenant("other").await);
    let (links, by) = (h.services.links(), h.vendor(tenant).await);
    let (link, url) = links.invite(&by.allow().unwrap(), invitation("it@acme.example")).await.unwrap();
    let cookie = follow(&h, token(&url)).await;
    let stranger = h.vendor(other).await;
    assert_eq!(refused(links.revoke(&stranger.allow().unwrap(), link.id).await), "NOT_FOUND");
    links.revoke(&by.allow().unwrap(), link.id).await.unwrap();
    assert_eq!(refused(links.open(Anyone, token(&url)).await), "LINK_EXPIRED");
    let page = h.services.connect().progress(Anyone, &cookie).await;
    assert_eq!(refused(page.map(|_| ())), "SESSION_OVER");
    let last = entries(&h, tenant).await.pop().unwrap();
    assert_eq!((last.action.as_str(), last.subject), ("link.revoke", link.id.to_string()));
}

async fn what_an_invitation_gives_is_recorded(h: Harness) {
    let tenant = h.tenant("acme").await;
    let (links, by) = (h.services.links(), h.vendor(tenant).await);
    let connector = h.role(tenant, StandardRole::CalendarConnector.as_str()).await;
    let (link, url) = links.invite(&by.allow().unwrap(), invitation("it@acme.example")).await.unwrap();
    links.invite(&by.allow().unwrap(), invitation("it@acme.example")).await.unwrap();
    let recorded = entries(&h, tenant).await;
    for action in ["user.create", "role.assign"] {
        let entry = recorded.iter().find(|entry| entry.action == action).unwrap();
        assert_eq!(entry.subject, link.user_id.unwrap().to_string());
        let facts = [&entry.new_value, &Some(entry.details.clone())].map(|facts| json!(facts).to_string());
        assert!(facts.concat().contains(&connector.to_string()), "{action} without roles: {facts:?}");
    }
    follow(&h, token(&url)).await;
    let terms = entries(&h, tenant).await.into_iter().find(|entry| entry.action == "terms.accept").unwrap();
    assert_eq!(terms.actor, link.id.to_string(), "nobody has proven to be the invited person");
    assert!(json!(terms.new_value).to_string().contains("it@acme.example"));
}

async fn a_rotated_key_leaves_its_invitations_to_its_successor(h: Harness) {
    let tenant = h.tenant("acme").await;
    let (keys, links) = (h.services.keys(), h.services.links());
    let new = NewKey { tenant: Some(tenant), ..limited() };
    let (key, secret) = keys.create(&h.staff, new).await.unwrap();
    let by = tried(&h, &secret).await.unwrap();
    let (_, url) = links.invite(&by.allow().unwrap(), invitation("it@acme.example")).await.unwrap();
    let (next, _) = keys.rotate(&h.staff, key.id, Duration::zero()).await.unwrap();
    assert!(links.open(Anyone, token(&url)).await.is_ok());
    keys.revoke(&h.staff, next.id, false).await.unwrap();
    assert_eq!(refused(links.open(Anyone, token(&url)).await), "LINK_WITHDRAWN");
}

fn limited() -> NewKey {
    let permissions = [Permission::UserCreate, Permission::CalendarConnect].into();
    NewKey { name: "back end".to_owned(), permissions, tenant: None, expires_at: None }
}
