//! People, and what follows when they come and go.

use domain::{
    Id, Permission, StandardRole, Timestamp,
    access::Denied,
    ids,
    state::{IntegrationState, RunStatus},
};
use entity::{connection, integration, run, tenant_user};
use messages::Language;
use sea_orm::EntityTrait;
use services::{
    PageArgs,
    users::{NewUser, UserChange},
};

use crate::people::harness::{Harness, person, refused};

on_both!(
    a_tenant_never_sees_anothers_user,
    a_users_fields_are_checked,
    many_users_are_made_all_or_none,
    a_change_is_lost_neither_by_you_nor_by_others,
    s3_7_a_user_added_later_is_activated_by_itself,
    a_mailbox_follows_its_users_address,
    a_user_of_a_tenant_without_an_integration_orders_nothing,
    a_removed_user_leaves_no_consent_behind,
    a_user_sees_oneself,
);

async fn a_tenant_never_sees_anothers_user(h: Harness) {
    let (acme, other) = (h.tenant("acme").await, h.tenant("other").await);
    let users = h.services.users();
    let anna = users.create(&h.vendor(acme).await.allow().unwrap(), person("anna")).await.unwrap();
    let anna = anna.id;
    let stranger = h.caller(other, StandardRole::Administrator).await;
    assert_eq!(refused(users.get(&stranger.allow().unwrap(), anna).await), "NOT_FOUND");
    assert_eq!(
        refused(users.update(&stranger.allow().unwrap(), anna, UserChange::default(), None).await),
        "NOT_FOUND"
    );
    assert_eq!(refused(users.delete(&stranger.allow().unwrap(), anna).await), "NOT_FOUND");
    assert_eq!(users.by_ids(h.services.tenant_scope(other), &[anna]).await.unwrap(), []);
    let listed = users
        .list(&stranger.allow().unwrap(), services::users::UserFilter::default(), PageArgs::default())
        .await
        .unwrap()
        .items;
    assert!(listed.iter().all(|user| user.tenant_id == other), "only their own are listed");
    assert!(users.get(&h.vendor(acme).await.allow().unwrap(), anna).await.is_ok(), "the user is untouched");
    if h.services.store.backend() == sea_orm::DatabaseBackend::Postgres {
        let txn = h.services.store.read(other).await.unwrap();
        let seen = tenant_user::Entity::find_by_id(anna).one(&txn).await.unwrap();
        assert_eq!(seen, None, "the second wall hides the row from a finder that forgot the tenant");
    }
}

async fn a_users_fields_are_checked(h: Harness) {
    let tenant = h.tenant("acme").await;
    let (users, by) = (h.services.users(), h.vendor(tenant).await);
    let anna = NewUser {
        email: " Anna@Acme.Example".to_owned(),
        calendar_address: Some("Anna.Calendar@acme.example".to_owned()),
        time_zone: Some("Europe/Berlin".to_owned()),
        ..person("anna")
    };
    let anna = users.create(&by.allow().unwrap(), anna).await.unwrap();
    assert_eq!(anna.email, "anna@acme.example");
    assert_eq!(anna.calendar_address.as_deref(), Some("anna.calendar@acme.example"));
    let with_address =
        |name: &str, address: &str| NewUser { calendar_address: Some(address.to_owned()), ..person(name) };
    for (new, code) in [
        (NewUser { email: "anna".to_owned(), ..person("x") }, "EMAIL_MALFORMED"),
        (with_address("x", "nowhere"), "EMAIL_MALFORMED"),
        (NewUser { time_zone: Some("Berlin".to_owned()), ..person("x") }, "ZONE_UNKNOWN"),
        (NewUser { name: "\n".to_owned(), ..person("x") }, "NAME_MALFORMED"),
        (person("ANNA"), "EMAIL_TAKEN"),
        (with_address("x", "anna.CALENDAR@acme.example"), "ADDRESS_TAKEN"),
        (NewUser { roles: vec![Id::nil()], ..person("x") }, "NOT_FOUND"),
    ] {
        assert_eq!(refused(users.create(&by.allow().unwrap(), new.clone()).await), code, "{new:?}");
    }
    let bob = users.create(&by.allow().unwrap(), person("bob")).await.unwrap();
    let take = |email: Option<&str>, address: Option<&str>| UserChange {
        email: email.map(str::to_owned),
        calendar_address: address.map(|address| Some(address.to_owned())),
        ..UserChange::default()
    };
    let email = users.update(&by.allow().unwrap(), bob.id, take(Some("anna@acme.example"), None), None).await;
    assert_eq!(refused(email), "EMAIL_TAKEN");
    let address = users
        .update(&by.allow().unwrap(), bob.id, take(None, Some("anna.calendar@acme.example")), None)
        .await;
    assert_eq!(refused(address), "ADDRESS_TAKEN");
    let other = h.tenant("other").await;
    assert!(
        users.create(&h.vendor(other).await.allow().unwrap(), person("anna")).await.is_ok(),
        "another tenant has its own Anna"
    );
}

async fn many_users_are_made_all_or_none(h: Harness) {
    let tenant = h.tenant("acme").await;
    let (users, by) = (h.services.users(), h.vendor(tenant).await);
    users.create(&by.allow().unwrap(), person("user7")).await.unwrap();
    let all = |count: usize| (0..count).map(|n| person(&format!("user{n}"))).collect::<Vec<_>>();
    let refusal = users.create_many(&by.allow().unwrap(), all(20)).await.unwrap_err();
    assert_eq!(refusal.code(), "EMAIL_TAKEN");
    let said =
        |refusal: &services::Error| messages::render_message(&refusal.message(), Language::English, None);
    assert!(said(&refusal).starts_with("users[7]: "), "{refusal}");
    let mut twice = all(5);
    "USER2@acme.example".clone_into(&mut twice[4].email);
    let refusal = users.create_many(&by.allow().unwrap(), twice).await.unwrap_err();
    assert!(said(&refusal).starts_with("users[4]: "), "{refusal}");
    assert_eq!(
        users
            .list(&by.allow().unwrap(), services::users::UserFilter::default(), PageArgs::default())
            .await
            .unwrap()
            .items
            .len(),
        1,
        "none was made"
    );
    assert_eq!(refused(users.create_many(&by.allow().unwrap(), all(501)).await), "TOO_MANY");
    assert_eq!(users.create_many(&by.allow().unwrap(), Vec::new()).await.unwrap(), []);
    let new = (0..500).map(|n| person(&format!("new{n}"))).collect();
    let made = users.create_many(&by.allow().unwrap(), new).await.unwrap();
    assert_eq!((made.len(), made[499].email.as_str()), (500, "new499@acme.example"));
}

async fn a_change_is_lost_neither_by_you_nor_by_others(h: Harness) {
    let tenant = h.tenant("acme").await;
    let (users, by) = (h.services.users(), h.vendor(tenant).await);
    let anna = users.create(&by.allow().unwrap(), person("anna")).await.unwrap();
    let rename = |name: &str| UserChange { name: Some(name.to_owned()), ..UserChange::default() };
    let changed = users.update(&by.allow().unwrap(), anna.id, rename("Anna B."), Some(1)).await.unwrap();
    assert_eq!((changed.name.as_str(), changed.version), ("Anna B.", 2));
    assert_eq!(
        refused(users.update(&by.allow().unwrap(), anna.id, rename("Anna C."), Some(1)).await),
        "VERSION_CONFLICT"
    );
    assert_eq!(
        users.get(&by.allow().unwrap(), anna.id).await.unwrap(),
        changed,
        "what is answered is what is stored"
    );
    let zone = UserChange { time_zone: Some(Some("Europe/Paris".to_owned())), ..UserChange::default() };
    assert_eq!(
        users.update(&by.allow().unwrap(), anna.id, zone, None).await.unwrap().time_zone.as_deref(),
        Some("Europe/Paris")
    );
    let none = UserChange { time_zone: Some(None), ..UserChange::default() };
    assert_eq!(users.update(&by.allow().unwrap(), anna.id, none, Some(3)).await.unwrap().time_zone, None);
}

/// An integration in a state, as if it had been connected.
async fn integrate(h: &Harness, tenant: Id<ids::Tenant>, state: IntegrationState) -> Id<ids::Integration> {
    let now: Timestamp = h.services.now();
    let row = integration::Model {
        id: h.services.ids.make(),
        tenant_id: tenant,
        provider: domain::ProviderKind::Microsoft365.into(),
        kind: domain::IntegrationKind::OrganisationWide.into(),
        name: "Calendars".to_owned(),
        state: state.into(),
        reason: None,
        suspended_state: None,
        suspended_reason: None,
        since: now,
        access_level: domain::AccessLevel::Full.into(),
        scope_group: None,
        external_tenant: None,
        external_name: None,
        room_rules: None,
        server_url: None,
        service_mailbox: None,
        known_good: None,
        consented_by: None,
        consent_session: None,
        return_url: None,
        created_by: "test".to_owned(),
        created_at: now,
        version: 1,
    };
    let tx = h.services.begin(tenant).await.unwrap();
    integration::Entity::insert(integration::ActiveModel::from(row.clone()))
        .exec_without_returning(tx.conn())
        .await
        .unwrap();
    tx.commit().await.unwrap();
    row.id
}

async fn connections(h: &Harness, tenant: Id<ids::Tenant>) -> Vec<connection::Model> {
    let txn = h.services.store.read(tenant).await.unwrap();
    connection::of(tenant).all(&txn).await.unwrap()
}

async fn runs(h: &Harness, tenant: Id<ids::Tenant>) -> Vec<run::Model> {
    let txn = h.services.store.read(tenant).await.unwrap();
    run::of(tenant).all(&txn).await.unwrap()
}

fn with_calendar(name: &str) -> NewUser {
    NewUser { calendar_address: Some(format!("{name}@acme.example")), ..person(name) }
}

async fn s3_7_a_user_added_later_is_activated_by_itself(h: Harness) {
    let tenant = h.tenant("acme").await;
    integrate(&h, tenant, IntegrationState::Verifying).await;
    let live = integrate(&h, tenant, IntegrationState::Degraded).await;
    integrate(&h, tenant, IntegrationState::Active).await;
    let by = h.vendor(tenant).await;
    let anna = h.services.users().create(&by.allow().unwrap(), with_calendar("anna")).await.unwrap();
    let made = connections(&h, tenant).await;
    assert_eq!(made.len(), 1);
    let made = &made[0];
    assert_eq!(
        (made.integration_id, made.user_id),
        (live, Some(anna.id)),
        "the oldest live integration is tried"
    );
    assert_eq!((made.state.as_str(), made.route.as_str()), ("PENDING", "DELEGATED"));
    let ordered = runs(&h, tenant).await;
    assert_eq!((ordered.len(), h.jobs(tenant).await), (1, 1));
    assert_eq!((ordered[0].workflow.as_str(), ordered[0].subject), ("activate_mailbox", made.id.any()));

    let later = h.services.users().create(&by.allow().unwrap(), person("bob")).await.unwrap();
    assert_eq!(runs(&h, tenant).await.len(), 1, "without an address there is nothing to activate");
    let address =
        UserChange { calendar_address: Some(Some("bob@acme.example".to_owned())), ..UserChange::default() };
    h.services.users().update(&by.allow().unwrap(), later.id, address, None).await.unwrap();
    assert_eq!(runs(&h, tenant).await.len(), 2, "an address given later is activated too");
}

async fn a_mailbox_follows_its_users_address(h: Harness) {
    let tenant = h.tenant("acme").await;
    integrate(&h, tenant, IntegrationState::Active).await;
    let (users, by) = (h.services.users(), h.vendor(tenant).await);
    let anna = users.create(&by.allow().unwrap(), with_calendar("anna")).await.unwrap();
    let moved = UserChange {
        calendar_address: Some(Some("anna.new@acme.example".to_owned())),
        ..UserChange::default()
    };
    users.update(&by.allow().unwrap(), anna.id, moved, None).await.unwrap();
    let mut found = connections(&h, tenant).await;
    found.sort_by(|a, b| a.address.cmp(&b.address));
    assert_eq!(
        (found[0].user_id, found[0].state.as_str()),
        (Some(anna.id), "PENDING"),
        "{}",
        found[0].address
    );
    assert_eq!((found[1].user_id, found[1].state.as_str()), (None, "DISCONNECTED"), "{}", found[1].address);
    let cancelled: Vec<_> =
        runs(&h, tenant).await.iter().map(|run| (run.subject, run.cancel_requested)).collect();
    assert_eq!(cancelled.len(), 2);
    assert!(
        cancelled.contains(&(found[1].id.any(), true)) && cancelled.contains(&(found[0].id.any(), false)),
        "{cancelled:?}"
    );

    let heir = users.create(&by.allow().unwrap(), with_calendar("anna2")).await.unwrap();
    let taken_over =
        UserChange { calendar_address: Some(Some("anna@acme.example".to_owned())), ..UserChange::default() };
    users.update(&by.allow().unwrap(), heir.id, taken_over, None).await.unwrap();
    let old =
        connections(&h, tenant).await.into_iter().find(|found| found.address == "anna@acme.example").unwrap();
    assert_eq!((old.user_id, old.state.as_str()), (Some(heir.id), "PENDING"), "a free mailbox is taken over");
}

async fn a_user_of_a_tenant_without_an_integration_orders_nothing(h: Harness) {
    let (tenant, other) = (h.tenant("acme").await, h.tenant("other").await);
    integrate(&h, other, IntegrationState::Active).await;
    integrate(&h, tenant, IntegrationState::AwaitingConsent).await;
    h.services.users().create(&h.vendor(tenant).await.allow().unwrap(), with_calendar("anna")).await.unwrap();
    assert_eq!((connections(&h, tenant).await, runs(&h, tenant).await), (Vec::new(), Vec::new()));
}

async fn a_removed_user_leaves_no_consent_behind(h: Harness) {
    let tenant = h.tenant("acme").await;
    let integration = integrate(&h, tenant, IntegrationState::Active).await;
    let (users, by) = (h.services.users(), h.vendor(tenant).await);
    let (anna, bob) = (
        users.create(&by.allow().unwrap(), with_calendar("anna")).await.unwrap(),
        users.create(&by.allow().unwrap(), person("bob")).await.unwrap(),
    );
    let tx = h.services.begin(tenant).await.unwrap();
    for user in [anna.id, bob.id] {
        let grant = entity::consent_grant::Model {
            id: h.services.ids.make(),
            tenant_id: tenant,
            integration_id: integration,
            user_id: Some(user),
            kind: domain::connect::SecretKind::MicrosoftUser.into(),
            account: "x".to_owned(),
            server_url: None,
            secret: vec![1],
            access_token: None,
            expires_at: None,
            lost: false,
            created_at: tx.now(),
            version: 1,
        };
        let row = entity::consent_grant::ActiveModel::from(grant);
        entity::consent_grant::Entity::insert(row).exec_without_returning(tx.conn()).await.unwrap();
    }
    tx.commit().await.unwrap();
    users.delete(&by.allow().unwrap(), anna.id).await.unwrap();
    assert_eq!(refused(users.get(&by.allow().unwrap(), anna.id).await), "NOT_FOUND");
    let txn = h.services.store.read(tenant).await.unwrap();
    let grants = entity::consent_grant::of(tenant).all(&txn).await.unwrap();
    assert_eq!(grants.iter().map(|grant| grant.user_id).collect::<Vec<_>>(), [Some(bob.id)]);
    drop(txn);
    let left = connections(&h, tenant).await;
    assert_eq!(left.iter().map(|left| left.state.as_str()).collect::<Vec<_>>(), ["DISCONNECTED"]);
    let ordered = runs(&h, tenant).await;
    assert_eq!(
        (ordered[0].status.as_str(), ordered[0].cancel_requested),
        (RunStatus::Ordered.as_str(), true)
    );
}

async fn a_user_sees_oneself(h: Harness) {
    let tenant = h.tenant("acme").await;
    let caller = h.caller(tenant, StandardRole::CalendarConnector).await;
    let own = caller.allow_own().unwrap();
    assert_eq!(h.services.users().me(&own).await.unwrap().id, own.user());
    let denied = h.vendor(tenant).await.allow_own().unwrap_err();
    assert_eq!(denied, Denied::Forbidden(Permission::UserView), "a vendor is no user");
}
