//! Google: a service account's key, and notices that name less than the whole of a channel's id. Nothing here calls
//! Google.

use aws_lc_rs::{
    encoding::{AsDer, Pkcs8V1Der},
    rsa::KeySize,
    signature::RsaKeyPair,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use domain::{AccessLevel, ProviderKind, state::IntegrationState};
use entity::integration;
use providers::{Credential, Organisation};
use sea_orm::{ActiveModelTrait, ActiveValue::Set, ColumnTrait, QueryFilter, sea_query::Expr};
use serde_json::json;
use services::{
    Anyone,
    connect::{ConnectChoices, EnteredCredentials, NextPage},
    grants::Secret,
    integrations::NewIntegration,
    links::NewInvitation,
    users::NewUser,
    vault::Column,
};

use crate::people::{
    connecting,
    harness::{Harness, person, refused},
};

on_both!(
    only_a_key_file_and_an_administrators_address_are_taken,
    a_service_account_is_named_by_its_address_and_only_where_that_is_offered,
    a_key_gives_a_session_only_while_its_organisation_is_bound,
    a_notice_is_believed_by_the_channels_own_id_and_secret,
);

fn key_file() -> String {
    let pair = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
    let der = AsDer::<Pkcs8V1Der<'static>>::as_der(&pair).unwrap();
    let text = STANDARD.encode(der.as_ref());
    json!({
        "type": "service_account", "client_email": "m@p.iam.gserviceaccount.com", "client_id": "117",
        "private_key_id": "k",
        "private_key": format!("-----BEGIN PRIVATE KEY-----\n{text}\n-----END PRIVATE KEY-----\n"),
    })
    .to_string()
}

fn wanted() -> NewIntegration {
    NewIntegration {
        provider: ProviderKind::GoogleWorkspace,
        name: "Calendars".to_owned(),
        access_level: AccessLevel::Full,
        scope_group: None,
        service_mailbox: None,
        return_url: None,
    }
}

/// Follows a link as far as the form for the service account. Returns the cookie.
async fn follow(h: &Harness) -> String {
    let tenant = h.tenant("acme").await;
    let new = NewInvitation {
        email: "it@acme.example".to_owned(),
        return_url: None,
        integration: None,
        roles: Vec::new(),
    };
    let (_, url) = h.services.links().invite(&h.vendor(tenant).await.allow().unwrap(), new).await.unwrap();
    let link = url.strip_prefix("https://muster.example/connect/").unwrap();
    let choice = ConnectChoices {
        provider: ProviderKind::GoogleWorkspace,
        terms: true,
        privacy: true,
        access_level: Some(AccessLevel::Full),
        service_mailbox: None,
    };
    let (cookie, onward) = h.services.connect().submit_choices(Anyone, link, choice).await.unwrap();
    assert_eq!(onward, NextPage::Credentials);
    cookie
}

async fn a_service_account_is_named_by_its_address_and_only_where_that_is_offered(h: Harness) {
    let cookie = follow(&h).await;
    let name = async |user: &str, address: &str| {
        let typed = EnteredCredentials {
            server: String::new(),
            user: user.to_owned(),
            password: String::new().into(),
            service_account: Some(address.to_owned()),
        };
        refused(h.services.connect().submit_credentials(Anyone, &cookie, typed).await)
    };
    let good = "calendars@project.iam.gserviceaccount.com";
    assert_eq!(name("administrator", good).await, "CREDENTIALS_MISSING");
    for odd in ["i\nt@acme.example", "i\u{1B}t@acme.example", "i\0t@acme.example"] {
        assert_eq!(name(odd, good).await, "TEXT_MALFORMED", "{odd:?}");
    }
    assert_eq!(name("i\u{200B}t@acme.example", good).await, "EMAIL_MALFORMED");
    for address in [
        "calendars",
        "it@acme.example",
        "@project.iam.gserviceaccount.com",
        "calendars@evil.example/.gserviceaccount.com",
        "../calendars@project.iam.gserviceaccount.com",
    ] {
        assert_eq!(name("it@acme.example", address).await, "SERVICE_ACCOUNT_MALFORMED", "{address}");
    }
    assert_eq!(name("it@acme.example", good).await, "KEYLESS_NOT_OFFERED");
}

async fn only_a_key_file_and_an_administrators_address_are_taken(h: Harness) {
    let cookie = follow(&h).await;
    let connect = h.services.connect();
    let key = key_file();
    let typed = |user: &str, key: &str| EnteredCredentials {
        server: String::new(),
        user: user.to_owned(),
        password: key.to_owned().into(),
        service_account: None,
    };
    for (user, key, code) in [
        ("", key.as_str(), "CREDENTIALS_MISSING"),
        ("administrator", key.as_str(), "CREDENTIALS_MISSING"),
        ("it@acme.example", "", "SERVICE_KEY_MALFORMED"),
        ("it@acme.example", "{\"type\":\"authorized_user\"}", "SERVICE_KEY_MALFORMED"),
        ("it@acme.example", &key.replace("BEGIN", "SPOILT"), "SERVICE_KEY_MALFORMED"),
    ] {
        assert_eq!(refused(connect.submit_credentials(Anyone, &cookie, typed(user, key)).await), code);
    }
    let taken = connect.submit_credentials(Anyone, &cookie, typed(" it@acme.example ", &key)).await.unwrap();
    assert_eq!(taken, NextPage::Progress);
    let corrected =
        connect.submit_credentials(Anyone, &cookie, typed("it@acme.example", &key)).await.unwrap();
    assert_eq!(corrected, NextPage::Progress, "the newest answer wins");
}

async fn a_key_gives_a_session_only_while_its_organisation_is_bound(h: Harness) {
    let tenant = h.tenant("acme").await;
    let row =
        h.services.integrations().create(&h.vendor(tenant).await.allow().unwrap(), wanted()).await.unwrap();
    let secret = Secret::ServiceAccount { key: key_file() };
    let consented = connecting::consent(&h, &row, "it@acme.example").await;
    let organisation = Organisation {
        id: "C01".to_owned(),
        name: "Acme".to_owned(),
        domains: Vec::new(),
        zone: None,
        language: None,
    };
    h.services
        .connect()
        .activate_consent(&h.services, &row, &consented, &secret, &organisation)
        .await
        .unwrap();
    let rows = h.services.integrations().by_ids(h.services.tenant_scope(tenant), &[row.id]).await.unwrap();
    let (_, session) = h.services.grants().open_session(&h.services, &rows[0], None).await.unwrap();
    assert_eq!((session.account.as_str(), session.own), ("it@acme.example", false));
    let credential = session.credentials.current().await.unwrap();
    let Credential::ServiceAccount(key) = credential else { panic!("{credential:?}") };
    assert_eq!(key.email, "m@p.iam.gserviceaccount.com");
    h.services.connect().withdraw(&h.services, tenant, row.id, false).await.unwrap();
    assert!(h.services.grants().open_session(&h.services, &rows[0], None).await.is_err());
    assert!(session.credentials.current().await.is_err(), "a session that is open loses its key too");
}

async fn a_notice_is_believed_by_the_channels_own_id_and_secret(h: Harness) {
    let tenant = h.tenant("acme").await;
    let by = h.vendor(tenant).await;
    let row = h.services.integrations().create(&by.allow().unwrap(), wanted()).await.unwrap();
    let tx = h.services.begin(tenant).await.unwrap();
    integration::update(tenant)
        .col_expr(integration::Column::State, Expr::value(IntegrationState::Active.as_str()))
        .filter(integration::Column::Id.eq(row.id))
        .exec(tx.conn())
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let new = NewUser { calendar_address: Some("anna@acme.example".to_owned()), ..person("anna") };
    let anna = h.services.users().create(&by.allow().unwrap(), new).await.unwrap();
    let connection = h
        .services
        .connections()
        .of_holders(h.services.tenant_scope(tenant), &[anna.id.any()])
        .await
        .unwrap()
        .remove(0);
    let tx = h.services.begin(tenant).await.unwrap();
    let place = Column::ChannelSecret.at(tenant, connection.id);
    let id = h.services.ids.uuid();
    let channel = entity::channel::ActiveModel {
        id: Set(h.services.ids.make()),
        tenant_id: Set(tenant),
        connection_id: Set(connection.id),
        external_id: Set(format!("{id}|resource|anna@acme.example")),
        secret: Set(h.services.seal(tx.conn(), place, b"known").await.unwrap()),
        expires_at: Set(tx.now() + chrono::Duration::days(2)),
    };
    channel.insert(tx.conn()).await.unwrap();
    tx.commit().await.unwrap();
    let channels = h.services.channels();
    let named = id.to_string();
    assert!(channels.handle_push(Anyone, &named, "known").await.unwrap());
    assert!(!channels.handle_push(Anyone, &named, "forged").await.unwrap());
    for other in ["%", "", &named[..8], &h.services.ids.uuid().to_string()] {
        assert!(!channels.handle_push(Anyone, other, "known").await.unwrap(), "{other}");
    }
}
