//! What somebody with a link, a cookie or a role may not do to a connection. Nothing here calls a provider.

mod credentials;

use domain::{
    AccessLevel, Id, Permission, ProviderKind, StandardRole,
    access::Denied,
    connect::{ConnectPurpose, ConnectStep},
    ids, may,
    state::IntegrationState,
};
use entity::{connect_session, integration, service_account};
use providers::Organisation;
use sea_orm::{EntityTrait, sea_query::Expr};
use serde_json::json;
use services::{
    Anyone, Caller, Error,
    connect::{ConnectChoices, ConsentSignal, EnteredCredentials, NextPage, Phase},
    grants::Secret,
    integrations::NewIntegration,
    links::NewInvitation,
    users::UserChange,
};

use self::credentials::{
    an_address_with_a_secret_in_it_is_refused,
    an_exchange_server_may_be_left_to_be_found_and_exchange_online_is_refused,
    s6_2_credentials_replace_those_before_and_are_taken_only_where_they_are_asked_for,
    what_is_typed_has_a_length_and_no_odd_characters,
};
use crate::people::harness::{Harness, person, refused};

on_both!(
    nobody_signals_a_connection_by_hand,
    s6_2_credentials_replace_those_before_and_are_taken_only_where_they_are_asked_for,
    an_address_with_a_secret_in_it_is_refused,
    what_is_typed_has_a_length_and_no_odd_characters,
    an_exchange_server_may_be_left_to_be_found_and_exchange_online_is_refused,
    a_link_that_has_done_its_work_cannot_take_the_connection_down,
    two_presses_of_a_button_make_one_integration,
    s4_18_only_an_administrator_names_a_service_mailbox,
    a_place_that_is_no_longer_allowed_is_not_landed_at,
    another_calendar_address_ends_the_users_own_consent,
    the_link_for_an_own_calendar_ends_with_the_users_tokens_and_with_an_issuer,
    whoever_is_removed_is_removed_from_the_connect_page_too,
    a_typed_name_is_nobody_in_the_audit,
    a_mailbox_is_an_address_without_anything_invisible,
);

pub fn choice(provider: ProviderKind) -> ConnectChoices {
    ConnectChoices {
        provider,
        terms: true,
        privacy: true,
        access_level: Some(AccessLevel::Full),
        service_mailbox: None,
    }
}

pub fn typed(server: &str) -> EnteredCredentials {
    EnteredCredentials {
        server: server.to_owned(),
        user: "svc".to_owned(),
        password: "pass".to_owned().into(),
        service_account: None,
    }
}

pub async fn link(h: &Harness, tenant: Id<ids::Tenant>) -> String {
    let home = "https://acme.example/settings".to_owned();
    link_back_to(h, tenant, Some(home)).await
}

pub async fn link_back_to(h: &Harness, tenant: Id<ids::Tenant>, home: Option<String>) -> String {
    let new = NewInvitation {
        email: "it@acme.example".to_owned(),
        return_url: home,
        integration: None,
        roles: Vec::new(),
    };
    let (_, url) = h.services.links().invite(&h.vendor(tenant).await.allow().unwrap(), new).await.unwrap();
    url.strip_prefix("https://muster.example/connect/").unwrap().to_owned()
}

/// Follows a link as far as the form for credentials. Returns the cookie.
pub async fn follow(h: &Harness, link: &str) -> String {
    let (cookie, onward) =
        h.services.connect().submit_choices(Anyone, link, choice(ProviderKind::CalDav)).await.unwrap();
    assert_eq!(onward, NextPage::Credentials);
    cookie
}

pub async fn only(h: &Harness, tenant: Id<ids::Tenant>) -> integration::Model {
    let txn = h.services.store.read(tenant).await.unwrap();
    let mut rows = integration::of(tenant).all(&txn).await.unwrap();
    assert_eq!(rows.len(), 1);
    rows.remove(0)
}

pub async fn sessions(h: &Harness, tenant: Id<ids::Tenant>) -> Vec<connect_session::Model> {
    let txn = h.services.store.read(tenant).await.unwrap();
    connect_session::of(tenant).all(&txn).await.unwrap()
}

/// What the integration's run does to its state.
pub async fn put(h: &Harness, tenant: Id<ids::Tenant>, state: IntegrationState) {
    let tx = h.services.begin(tenant).await.unwrap();
    integration::update(tenant)
        .col_expr(integration::Column::State, Expr::value(state.as_str()))
        .exec(tx.conn())
        .await
        .unwrap();
    tx.commit().await.unwrap();
}

/// The connect run is over.
pub async fn end_runs(h: &Harness, tenant: Id<ids::Tenant>) {
    let tx = h.services.begin(tenant).await.unwrap();
    entity::run::update(tenant)
        .col_expr(entity::run::Column::FinishedAt, Expr::value(tx.now()))
        .exec(tx.conn())
        .await
        .unwrap();
    tx.commit().await.unwrap();
}

pub fn organisation(id: &str) -> Organisation {
    Organisation {
        id: id.to_owned(),
        name: "Contoso".to_owned(),
        domains: Vec::new(),
        zone: None,
        language: None,
    }
}

fn wanted(provider: ProviderKind, mailbox: Option<&str>) -> NewIntegration {
    NewIntegration {
        provider,
        name: "Calendars".to_owned(),
        access_level: AccessLevel::Full,
        scope_group: None,
        service_mailbox: mailbox.map(str::to_owned),
        return_url: None,
    }
}

pub async fn made(h: &Harness, by: &Caller, provider: ProviderKind) -> integration::Model {
    h.services.integrations().create(&by.allow().unwrap(), wanted(provider, None)).await.unwrap()
}

/// A Microsoft integration whose consent is in force.
pub async fn adopted(h: &Harness, tenant: Id<ids::Tenant>, external: &str) -> integration::Model {
    let row = made(h, &h.vendor(tenant).await, ProviderKind::Microsoft365).await;
    adopt(h, &row, external).await.unwrap();
    put(h, tenant, IntegrationState::Active).await;
    only(h, tenant).await
}

pub async fn adopt(h: &Harness, row: &integration::Model, external: &str) -> Result<(), Error> {
    let secret = Secret::MicrosoftApp { external: external.to_owned() };
    let said = consent(h, row, "admin@acme.example").await;
    h.services.connect().activate_consent(&h.services, row, &said, &secret, &organisation(external)).await
}

/// A consent that the connect page reported, with its session.
pub async fn consent(h: &Harness, row: &integration::Model, by: &str) -> ConsentSignal {
    let session = connect_session::Model {
        id: h.services.ids.make(),
        tenant_id: row.tenant_id,
        link_id: None,
        user_id: None,
        integration_id: Some(row.id),
        provider: None,
        cookie_hash: h.services.ids.uuid().as_bytes().to_vec(),
        purpose: ConnectPurpose::Connect.into(),
        step: ConnectStep::HandedOver.into(),
        state_hash: None,
        nonce: None,
        verifier: None,
        consent: None,
        signed_in: None,
        typed_account: None,
        return_url: None,
        created_at: h.services.now(),
        expires_at: h.services.now(),
    };
    let id = session.id;
    let tx = h.services.begin(row.tenant_id).await.unwrap();
    let session = connect_session::ActiveModel::from(session);
    connect_session::Entity::insert(session).exec_without_returning(tx.conn()).await.unwrap();
    tx.commit().await.unwrap();
    ConsentSignal { session: id, by: by.to_owned(), server: None, id: None }
}

/// With the permission for runs alone, `consented` could send a stored password to a server of one's choice, and
/// `authorised` press a button that needs another permission.
async fn nobody_signals_a_connection_by_hand(h: Harness) {
    let tenant = h.tenant("acme").await;
    let cookie = follow(&h, &link(&h, tenant).await).await;
    h.services.connect().submit_credentials(Anyone, &cookie, typed("https://dav.example/")).await.unwrap();
    let session = sessions(&h, tenant).await.remove(0);
    let administrator = h.caller(tenant, StandardRole::Administrator).await;
    let by = &administrator;
    let runs = h.services.runs();
    let run = runs
        .list(&by.allow().unwrap(), services::runs::RunFilter::default(), services::PageArgs::default())
        .await
        .unwrap()
        .items
        .remove(0);
    let forged = json!({ "session": session.id, "by": "svc", "server": "https://evil.example/" });
    for (name, payload) in [("consented", forged), ("authorised", json!({})), ("terms_accepted", json!({}))] {
        let answer = runs.signal(&by.allow().unwrap(), run.id, name, payload).await;
        assert_eq!(refused(answer), "SIGNAL_NOT_BY_HAND", "{name}");
    }
    let txn = h.services.store.read(tenant).await.unwrap();
    let waiting = entity::signal::of(tenant).all(&txn).await.unwrap();
    let names: Vec<_> = waiting.iter().map(|signal| signal.name.as_str()).collect();
    assert_eq!(names, ["terms_accepted", "consented"], "those of the page");
}

async fn a_link_that_has_done_its_work_cannot_take_the_connection_down(h: Harness) {
    let tenant = h.tenant("acme").await;
    let token = link(&h, tenant).await;
    follow(&h, &token).await;
    put(&h, tenant, IntegrationState::Active).await;
    end_runs(&h, tenant).await;
    let connect = h.services.connect();
    let again = connect.submit_choices(Anyone, &token, choice(ProviderKind::CalDav)).await;
    assert_eq!(refused(again), "INTEGRATION_NOT_RECONNECTABLE");
    let row = only(&h, tenant).await;
    assert_eq!(row.state, IntegrationState::Active);
    // Whoever may reconnect opens the door for the link again.
    h.services.integrations().reconnect(&h.vendor(tenant).await.allow().unwrap(), row.id).await.unwrap();
    assert!(connect.submit_choices(Anyone, &token, choice(ProviderKind::CalDav)).await.is_ok());
}

async fn two_presses_of_a_button_make_one_integration(h: Harness) {
    let tenant = h.tenant("acme").await;
    let token = link(&h, tenant).await;
    let connect = h.services.connect();
    let (one, two) = tokio::join!(
        connect.submit_choices(Anyone, &token, choice(ProviderKind::CalDav)),
        connect.submit_choices(Anyone, &token, choice(ProviderKind::CalDav)),
    );
    assert!(one.is_ok() && two.is_ok());
    assert_eq!(sessions(&h, tenant).await.len(), 2, "two browsers");
    only(&h, tenant).await;
}

async fn s4_18_only_an_administrator_names_a_service_mailbox(h: Harness) {
    let tenant = h.tenant("acme").await;
    let integrations = h.services.integrations();
    let with_mailbox = || wanted(ProviderKind::CalDav, Some("bookings@acme.example"));
    for role in [StandardRole::HumanResources, StandardRole::CalendarConnector] {
        let by = h.caller(tenant, role).await.allow::<may::ConnectCalendars>().unwrap();
        let denied = integrations.create(&by, with_mailbox()).await.unwrap_err();
        assert!(
            matches!(denied, Error::Denied(Denied::Forbidden(Permission::ServiceAccountEdit))),
            "{role}: {denied}"
        );
        assert!(integrations.create(&by, wanted(ProviderKind::CalDav, None)).await.is_ok(), "{role}");
    }
    for role in [StandardRole::Administrator, StandardRole::PlatformAdministration] {
        let by = h.caller(tenant, role).await.allow::<may::ConnectCalendars>().unwrap();
        assert!(integrations.create(&by, with_mailbox()).await.is_ok(), "{role}");
    }
    let txn = h.services.store.read(tenant).await.unwrap();
    assert_eq!(service_account::of(tenant).all(&txn).await.unwrap(), [], "none is in use before its proof");
}

async fn a_place_that_is_no_longer_allowed_is_not_landed_at(h: Harness) {
    let tenant = h.tenant("acme").await;
    let cookie = follow(&h, &link(&h, tenant).await).await;
    let connect = h.services.connect();
    assert_eq!(connect.decline(Anyone, &cookie).await.unwrap(), NextPage::Progress);
    let before = connect.progress(Anyone, &cookie).await.unwrap();
    assert_eq!((before.landing, before.phase), (None, Phase::Working), "there is no verdict yet");
    end_runs(&h, tenant).await;
    assert!(connect.progress(Anyone, &cookie).await.unwrap().landing.is_some());
    h.services.tenants().update_return_urls(&h.staff, tenant, Vec::new()).await.unwrap();
    assert_eq!(connect.progress(Anyone, &cookie).await.unwrap().landing, None);
}

async fn another_calendar_address_ends_the_users_own_consent(h: Harness) {
    let tenant = h.tenant("acme").await;
    let row = adopted(&h, tenant, "org").await;
    let by = h.vendor(tenant).await;
    let mut new = person("anna");
    new.calendar_address = Some("anna@acme.example".to_owned());
    let anna = h.services.users().create(&by.allow().unwrap(), new).await.unwrap();
    let secret = Secret::MicrosoftUser { external: "org".to_owned(), refresh_token: "token".to_owned() };
    let tx = h.services.begin(tenant).await.unwrap();
    h.services.grants().store(&tx, row.id, Some(anna.id), "anna@acme.example", &secret).await.unwrap();
    tx.commit().await.unwrap();
    let grants = h.services.grants();
    assert!(grants.open_session(&h.services, &row, Some(anna.id)).await.is_ok());
    let change =
        UserChange { calendar_address: Some(Some("other@acme.example".to_owned())), ..UserChange::default() };
    h.services.users().update(&by.allow().unwrap(), anna.id, change, None).await.unwrap();
    assert!(grants.open_session(&h.services, &row, Some(anna.id)).await.is_err());
    assert!(grants.open_session(&h.services, &row, None).await.is_ok(), "the organisation's consent stays");
}

async fn the_link_for_an_own_calendar_ends_with_the_users_tokens_and_with_an_issuer(h: Harness) {
    let tenant = h.tenant("acme").await;
    adopted(&h, tenant, "org").await;
    let by = h.vendor(tenant).await;
    let mut new = person("anna");
    new.calendar_address = Some("anna@acme.example".to_owned());
    let anna = h.services.users().create(&by.allow().unwrap(), new).await.unwrap().id;
    let (access, connect) = (h.services.access(), h.services.connect());
    let token = access.issue(&h.staff, tenant, anna, None).await.unwrap().id;
    let own = h.bearer(tenant, anna).await.allow_own().unwrap();
    let url = connect.begin_own_consent(&own, None).await.unwrap();
    let secret = url.rsplit_once('/').unwrap().1;
    let whose = by.allow_own_or(anna).unwrap();
    access.revoke(&whose, Some(&[token])).await.unwrap();
    assert_eq!(connect.own_consent_invitation(Anyone, secret).await.unwrap().address, "anna@acme.example");
    access.revoke(&whose, None).await.unwrap();
    assert_eq!(refused(connect.own_consent_invitation(Anyone, secret).await), "SESSION_OVER");
    let late = connect.begin_own_consent(&own, None).await;
    assert!(matches!(late, Err(Error::Denied(Denied::Unauthenticated))), "{late:?}");

    let own = h.bearer(tenant, anna).await.allow_own().unwrap();
    let url = connect.begin_own_consent(&own, None).await.unwrap();
    let issuer = crate::people::identities::issuer(&h, tenant).await;
    h.services.issuers().delete(&by.allow().unwrap(), issuer).await.unwrap();
    let secret = url.rsplit_once('/').unwrap().1;
    assert_eq!(refused(connect.own_consent_invitation(Anyone, secret).await), "SESSION_OVER");
}

async fn whoever_is_removed_is_removed_from_the_connect_page_too(h: Harness) {
    let tenant = h.tenant("acme").await;
    let token = link(&h, tenant).await;
    let cookie = follow(&h, &token).await;
    let invited = h.services.links().open(Anyone, &token).await.unwrap().link.user_id.unwrap();
    h.services.users().delete(&h.vendor(tenant).await.allow().unwrap(), invited).await.unwrap();
    assert_eq!(
        refused(
            h.services.connect().submit_credentials(Anyone, &cookie, typed("https://dav.example/")).await
        ),
        "SESSION_OVER"
    );
    assert_eq!(refused(h.services.links().open(Anyone, &token).await), "LINK_EXPIRED");
}

async fn a_typed_name_is_nobody_in_the_audit(h: Harness) {
    let tenant = h.tenant("acme").await;
    let token = link(&h, tenant).await;
    let opened = h.services.links().open(Anyone, &token).await.unwrap().link.id;
    let cookie = follow(&h, &token).await;
    let connect = h.services.connect();
    let typed = EnteredCredentials { user: "operator".to_owned(), ..typed("https://dav.example/") };
    connect.submit_credentials(Anyone, &cookie, typed).await.unwrap();
    let (row, session) = (only(&h, tenant).await, sessions(&h, tenant).await.remove(0).id);
    let secret = connect.stored_consent(&h.services, tenant, row.id, session).await.unwrap();
    let said = ConsentSignal { session, by: "operator".to_owned(), server: None, id: None };
    connect.activate_consent(&h.services, &row, &said, &secret, &organisation("dav")).await.unwrap();
    let recorded = crate::people::audit::entries(&h, tenant).await;
    let consent = recorded.iter().find(|entry| entry.action == "integration.consent").unwrap();
    assert_eq!(consent.actor, opened.to_string());
    assert!(recorded.iter().all(|entry| entry.actor != "operator"));
}

async fn a_mailbox_is_an_address_without_anything_invisible(h: Harness) {
    let tenant = h.tenant("acme").await;
    let by = h.vendor(tenant).await;
    for odd in ["\u{202E}", "\u{200B}", "\u{2066}", "\u{AD}", "\0", "\u{1B}", "\n"] {
        let mailbox = format!("book{odd}ings@acme.example");
        let new = wanted(ProviderKind::CalDav, Some(&mailbox));
        let made = h.services.integrations().create(&by.allow().unwrap(), new).await;
        assert_eq!(refused(made.map(|_| ())), "ADDRESS_MALFORMED", "{odd:?}");
    }
}
