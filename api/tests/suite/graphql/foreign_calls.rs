//! Requests that wait for servers of customers are few, so that they cannot take all permits of a node.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    time::Duration,
};

use domain::{Id, StandardRole, ids};
use futures::{StreamExt, stream::FuturesUnordered};
use serde_json::{Value, json};
use services::{
    Anyone, Caller,
    sign_in::{CallbackParams, SignInRequest},
};
use tokio::{net::TcpListener, time::timeout};

use crate::graphql::{
    issuer,
    setup::{Setup, code_of},
};

const CREATE: &str = "mutation($input: CreateOpenIdIssuerInput!) {
    createOpenIdIssuer(input: $input) { openIdIssuer { id } userErrors { code } } }";

fn input(issuer: &str) -> Value {
    json!({ "input": { "name": "I", "issuer": issuer, "clientId": "c" } })
}

async fn administrator(setup: &Setup, tenant: Id<ids::Tenant>) -> Caller {
    setup.user(tenant, StandardRole::Administrator).await
}

#[tokio::test]
async fn a_redirect_makes_muster_call_its_issuer_once_even_if_it_fails() {
    let setup = Setup::new().await;
    let tenant = setup.tenant("a").await;
    let admin = administrator(&setup, tenant).await;
    let made = setup.ask(&admin, CREATE, input(&issuer::start())).await;
    let id: Id<ids::OpenIdIssuer> =
        made["createOpenIdIssuer"]["openIdIssuer"]["id"].as_str().unwrap().parse().unwrap();
    let sign_in = setup.services.sign_in();
    let (cookie, url) = sign_in.begin(Anyone, tenant, id, SignInRequest::default()).await.unwrap();
    let (_, state) = url.query_pairs().find(|(name, _)| name == "state").unwrap();
    let answer = CallbackParams::parse(&format!("code=wrong&state={state}")).unwrap();
    let complete = async || sign_in.complete(Anyone, None, tenant, id, &cookie, &answer).await.unwrap_err();
    assert_ne!(complete().await.code(), "STATE_INVALID", "the issuer did not give a token");
    assert_eq!(complete().await.code(), "STATE_INVALID");
}

#[tokio::test]
async fn few_requests_wait_for_the_issuers_of_a_tenant_and_of_all() {
    let setup = Setup::new().await;
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (issuer, answering) = (format!("http://{}", silent.local_addr().unwrap()), issuer::start());
    let (mut callers, mut connections) = (Vec::new(), Vec::new());
    for name in ["a", "b", "c", "d", "e"] {
        callers.push(administrator(&setup, setup.tenant(name).await).await);
    }
    let mut waiting = FuturesUnordered::new();
    let (last, flooding) = callers.split_last().unwrap();
    for caller in flooding {
        for _ in 0..4 {
            waiting.push(setup.response(caller, CREATE, input(&issuer)));
            tokio::select! {
                accepted = silent.accept() => connections.push(accepted.unwrap()),
                response = waiting.next() => panic!("it waits for its issuer: {response:?}"),
            }
        }
        assert_eq!(setup.code(caller, CREATE, input(&answering)).await, "OVERLOADED");
    }
    // The node's places are taken, so one of those with the most gives way.
    let created = setup.ask(last, CREATE, input(&answering)).await;
    assert_eq!(created["createOpenIdIssuer"]["userErrors"], json!([]));
    let gave_way = waiting.next().await.unwrap();
    assert_eq!((gave_way.errors.len(), code_of(&gave_way).as_str()), (1, "OVERLOADED"));
    drop(waiting);
    let created = setup.ask(&callers[0], CREATE, input(&answering)).await;
    assert_eq!(created["createOpenIdIssuer"]["userErrors"], json!([]), "places are given back");
}

#[tokio::test]
async fn a_slow_issuer_delays_no_sign_in_at_another_from_the_same_address() {
    let setup = Setup::new().await;
    let (is_slow, (end, ended)) = (Arc::new(AtomicBool::new(false)), mpsc::channel::<()>());
    let slow = issuer::start_and({
        let is_slow = Arc::clone(&is_slow);
        move || {
            if is_slow.load(Ordering::SeqCst) {
                let _ = ended.recv();
            }
        }
    });
    let sign_in = setup.services.sign_in();
    let mut redirects = Vec::new();
    for (name, url) in [("slow", slow), ("other", issuer::start())] {
        let tenant = setup.tenant(name).await;
        let made = setup.ask(&administrator(&setup, tenant).await, CREATE, input(&url)).await;
        let id: Id<ids::OpenIdIssuer> =
            made["createOpenIdIssuer"]["openIdIssuer"]["id"].as_str().unwrap().parse().unwrap();
        let (cookie, url) = sign_in.begin(Anyone, tenant, id, SignInRequest::default()).await.unwrap();
        let (_, state) = url.query_pairs().find(|(name, _)| name == "state").unwrap();
        redirects.push((
            tenant,
            id,
            cookie,
            CallbackParams::parse(&format!("code=x&state={state}")).unwrap(),
        ));
    }
    is_slow.store(true, Ordering::SeqCst);
    let from = Some("192.0.2.1".parse().unwrap());
    let complete = async |(tenant, id, cookie, answer): &(_, _, String, _)| {
        sign_in.complete(Anyone, from, *tenant, *id, cookie, answer).await.unwrap_err().code()
    };
    let other = async {
        tokio::select! {
            biased;
            code = complete(&redirects[0]) => panic!("it waits for its issuer: {code}"),
            code = complete(&redirects[1]) => code,
        }
    };
    // Less than the longest wait for an issuer.
    let other = timeout(Duration::from_secs(8), other).await.expect("it waits for another's issuer");
    assert_ne!(other, "OVERLOADED");
    drop(end);
}

#[tokio::test]
async fn an_address_that_makes_up_redirects_has_to_wait() {
    let setup = Setup::new().await;
    let tenant = setup.tenant("a").await;
    let admin = administrator(&setup, tenant).await;
    let made = setup.ask(&admin, CREATE, input(&issuer::start())).await;
    let id: Id<ids::OpenIdIssuer> =
        made["createOpenIdIssuer"]["openIdIssuer"]["id"].as_str().unwrap().parse().unwrap();
    let sign_in = setup.services.sign_in();
    let made_up = async |from: &str, state: Option<&str>| {
        let (cookie, url) = sign_in.begin(Anyone, tenant, id, SignInRequest::default()).await.unwrap();
        let (_, sent) = url.query_pairs().find(|(name, _)| name == "state").unwrap();
        let answer = CallbackParams::parse(&format!("code=zz&state={}", state.unwrap_or(&sent))).unwrap();
        let from = Some(from.parse().unwrap());
        sign_in.complete(Anyone, from, tenant, id, &cookie, &answer).await.unwrap_err().code()
    };
    let (attacker, colleague) = ("192.0.2.1", "192.0.2.2");
    for _ in 0..70 {
        assert_eq!(made_up(attacker, Some("guessed")).await, "STATE_INVALID", "no issuer is asked");
    }
    let mut asked = 0;
    while made_up(attacker, None).await != "RATE_LIMITED" {
        asked += 1;
        assert!(asked < 200, "it never has to wait");
    }
    assert!(asked >= 60, "{asked}");
    assert_ne!(made_up(colleague, None).await, "RATE_LIMITED", "nobody else has to");
}
