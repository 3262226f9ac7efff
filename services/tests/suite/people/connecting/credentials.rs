//! Credentials entered on the connect page: when they are accepted, and what they may contain.

use domain::ProviderKind;
use sea_orm::QueryOrder;
use serde_json::json;
use services::{
    Anyone,
    connect::{EnteredCredentials, NextPage},
    links::NewInvitation,
};

use super::{choice, follow, link, only, sessions, typed};
use crate::people::harness::{Harness, refused};

pub(super) async fn s6_2_credentials_replace_those_before_and_are_taken_only_where_they_are_asked_for(
    h: Harness,
) {
    let tenant = h.tenant("acme").await;
    let connect = h.services.connect();
    let cookie = follow(&h, &link(&h, tenant).await).await;
    connect.submit_credentials(Anyone, &cookie, typed("https://dav.exmaple/")).await.unwrap();
    connect.submit_credentials(Anyone, &cookie, typed("https://dav.example/")).await.unwrap();
    let (row, session) = (only(&h, tenant).await, sessions(&h, tenant).await.remove(0).id);
    let txn = h.services.store.read(tenant).await.unwrap();
    let told = entity::signal::of(tenant).order_by_asc(entity::signal::Column::Id).all(&txn).await.unwrap();
    drop(txn);
    let servers: Vec<_> = told.iter().filter(|signal| signal.name == "consented").collect();
    assert_eq!(servers.last().unwrap().payload["server"], "https://dav.example/");
    assert!(connect.stored_consent(&h.services, tenant, row.id, session).await.is_ok());

    let other = h.tenant("other").await;
    let new = NewInvitation {
        email: "it@other.example".to_owned(),
        return_url: None,
        integration: None,
        roles: Vec::new(),
    };
    let (_, url) = h.services.links().invite(&h.vendor(other).await.allow().unwrap(), new).await.unwrap();
    let token = url.strip_prefix("https://muster.example/connect/").unwrap();
    let (cookie, onward) =
        connect.submit_choices(Anyone, token, choice(ProviderKind::Microsoft365)).await.unwrap();
    assert!(matches!(onward, NextPage::Provider(_)));
    assert_eq!(
        refused(connect.submit_credentials(Anyone, &cookie, typed("https://dav.example/")).await),
        "STEP_OVER"
    );
}

pub(super) async fn an_address_with_a_secret_in_it_is_refused(h: Harness) {
    let tenant = h.tenant("acme").await;
    let cookie = follow(&h, &link(&h, tenant).await).await;
    for server in [
        "https://:pass@dav.example/",
        "https://svc@dav.example/",
        "https://dav.example/?token=secret",
        "https://dav.example/#secret",
        "ftp://dav.example/",
        "dav",
    ] {
        let answer = h.services.connect().submit_credentials(Anyone, &cookie, typed(server)).await;
        assert_eq!(refused(answer), "SERVER_URL_MALFORMED", "{server}");
    }
}

pub(super) async fn what_is_typed_has_a_length_and_no_odd_characters(h: Harness) {
    let tenant = h.tenant("acme").await;
    let cookie = follow(&h, &link(&h, tenant).await).await;
    let server = "https://dav.example/";
    for (server, user, code) in [
        (server, "s\0vc", "TEXT_MALFORMED"),
        (server, "s\u{FFFE}vc", "TEXT_MALFORMED"),
        (server, &"x".repeat(200_000), "TEXT_TOO_LONG"),
        ("https://dav.example/\0", "svc", "TEXT_MALFORMED"),
        (&format!("{server}{}", "x".repeat(200_000)), "svc", "TEXT_TOO_LONG"),
    ] {
        let answer = h
            .services
            .connect()
            .submit_credentials(
                Anyone,
                &cookie,
                EnteredCredentials { user: user.to_owned(), ..typed(server) },
            )
            .await;
        assert_eq!(refused(answer), code);
    }
}

pub(super) async fn an_exchange_server_may_be_left_to_be_found_and_exchange_online_is_refused(h: Harness) {
    let tenant = h.tenant("acme").await;
    let connect = h.services.connect();
    let (cookie, _) = connect
        .submit_choices(Anyone, &link(&h, tenant).await, choice(ProviderKind::Exchange))
        .await
        .unwrap();
    let online = connect
        .submit_credentials(Anyone, &cookie, typed("https://outlook.office365.com/EWS/Exchange.asmx"))
        .await;
    assert_eq!(refused(online), "SERVER_IS_EXCHANGE_ONLINE");
    let nameless = connect
        .submit_credentials(Anyone, &cookie, EnteredCredentials { user: "ACME\\svc".to_owned(), ..typed("") })
        .await;
    assert_eq!(refused(nameless), "SERVER_URL_MALFORMED", "nothing tells where the server is");
    connect
        .submit_credentials(
            Anyone,
            &cookie,
            EnteredCredentials { user: "svc@acme.example".to_owned(), ..typed(" ") },
        )
        .await
        .unwrap();
    let txn = h.services.store.read(tenant).await.unwrap();
    let told = entity::signal::of(tenant).all(&txn).await.unwrap();
    let consented = told.iter().find(|signal| signal.name == "consented").unwrap();
    assert_eq!(consented.payload["server"], json!(null), "{:?}", consented.payload);
    drop(txn);
    let other = h.tenant("other").await;
    let new = NewInvitation {
        email: "it@other.example".to_owned(),
        return_url: None,
        integration: None,
        roles: Vec::new(),
    };
    let (_, url) = h.services.links().invite(&h.vendor(other).await.allow().unwrap(), new).await.unwrap();
    let cookie = follow(&h, url.strip_prefix("https://muster.example/connect/").unwrap()).await;
    let empty = connect
        .submit_credentials(
            Anyone,
            &cookie,
            EnteredCredentials { user: "svc@acme.example".to_owned(), ..typed("") },
        )
        .await;
    assert_eq!(refused(empty), "SERVER_URL_MALFORMED", "a CalDAV server is not found by an address");
}
