//! Microsoft's clouds: what is asked of one never goes to another.

use crate::microsoft_recorder;

use std::sync::Arc;

use domain::{Ids, TestClock, TimeRange};
use microsoft_recorder::Recorder;
use providers::{
    ChangeFeed as _, Credential, Directory as _, Events as _, Remedy, Session, StaticCredentials,
    UnlimitedGate,
    microsoft::{
        ClientCredential, Cloud, Config, Microsoft,
        identity::{AuthorizationPurpose, IdentityClient},
    },
};
use secrecy::SecretString;
use serde_json::json;
use url::Url;

const BACK: &str = "https://muster.test/connect/back";
const TENANT: &str = "5a7c2f10-1111-4222-8333-444455566677";

fn registration(cloud: Cloud) -> Config {
    Config::for_cloud(cloud, "client", ClientCredential::Secret(SecretString::from("made for this test")))
}

fn parts() -> (http::Client, Arc<TestClock>, Ids) {
    let allowance = http::AllowedHosts::from_hosts(["127.0.0.1".to_owned()]);
    let client = http::Client::new(http::Config { allowance, ..http::Config::default() }).unwrap();
    let clock = Arc::new(TestClock::at("2026-12-01T09:00:00Z".parse().unwrap()));
    (client, clock.clone(), Ids::seeded(clock, 1))
}

fn identity(config: Config) -> IdentityClient {
    let (client, clock, ids) = parts();
    IdentityClient::new(config, client, clock, ids)
}

fn connector(config: Config) -> Microsoft {
    let (client, clock, ids) = parts();
    Microsoft::new(config, client, clock, ids)
}

fn session() -> Session {
    Session {
        credentials: Arc::new(StaticCredentials(Credential::Bearer(SecretString::from("token")))),
        gate: Arc::new(UnlimitedGate),
        server: None,
        account: "svc@acme.test".to_owned(),
        own: false,
        zone: None,
        scope: "test".into(),
        rooms: None,
    }
}

fn scope_of(url: &Url) -> String {
    url.query_pairs().find(|(name, _)| name == "scope").unwrap().1.into_owned()
}

#[tokio::test]
async fn consent_and_tokens_are_asked_of_the_cloud_that_was_chosen() {
    for (cloud, login, graph) in [
        (Cloud::Global, "login.microsoftonline.com", "https://graph.microsoft.com"),
        (Cloud::UsGov, "login.microsoftonline.us", "https://graph.microsoft.us"),
        (Cloud::UsDod, "login.microsoftonline.us", "https://dod-graph.microsoft.us"),
        (Cloud::China, "login.partner.microsoftonline.cn", "https://microsoftgraph.chinacloudapi.cn"),
    ] {
        let identity = identity(registration(cloud));
        let sign_in = identity
            .authorize_url(AuthorizationPurpose::SignIn, BACK, "state", "nonce", "challenge", None)
            .unwrap();
        let consent = identity.admin_consent_url(TENANT, BACK, "state").unwrap();
        for url in [&sign_in, &consent] {
            assert_eq!((url.scheme(), url.host_str()), ("https", Some(login)), "{cloud:?}");
        }
        let scope = format!("{graph}/.default");
        assert_eq!(scope_of(&consent), scope, "{cloud:?}");
        assert!(!scope_of(&sign_in).contains("://"), "short names of permissions are every cloud's own");

        // The same registration, with the cloud's sign-in listening here.
        let server = Recorder::start().await;
        let here = Config { login: server.url("/"), ..registration(cloud) };
        server.tell(200, &json!({ "access_token": "t", "expires_in": 3600 }));
        self::identity(here).app_token(TENANT, None).await.unwrap();
        let asked = server.asked();
        assert_eq!(asked[0].line, format!("POST /{TENANT}/oauth2/v2.0/token"));
        let form: Vec<_> = url::form_urlencoded::parse(asked[0].body.as_bytes()).collect();
        assert!(form.contains(&("scope".into(), scope.into())), "{form:?}");
    }
}

#[tokio::test]
async fn a_link_into_another_cloud_gets_no_token() {
    let start = "2026-12-01T00:00:00Z".parse().unwrap();
    let window = TimeRange::new(start, start + chrono::Duration::days(1)).unwrap();
    let mailbox = "ada@acme.test";
    for cloud in Cloud::ALL {
        let connector = connector(registration(cloud));
        for other in Cloud::ALL.into_iter().filter(|other| *other != cloud) {
            let link = |path: &str| format!("{}/{path}?$skiptoken=x", other.graph_url());
            let (people, events) = (link("users"), link("users/ada@acme.test/calendar/calendarView"));
            let delta = link("users/ada@acme.test/calendarView/delta");
            let refused = [
                connector.people(&session(), Some(&people)).await.unwrap_err(),
                connector.events(&session(), mailbox, window, Some(&events)).await.unwrap_err(),
                connector.changes(&session(), mailbox, window, Some(&delta)).await.unwrap_err(),
            ];
            for error in refused {
                let told = (error.code.as_str(), error.remedy);
                assert_eq!(told, ("FOREIGN_LINK", Remedy::Resync), "{other:?} of {cloud:?}");
            }
        }
    }
}

#[tokio::test]
async fn requests_go_to_the_graph_of_the_cloud_and_to_nobody_else() {
    let (login, graph) = (Recorder::start().await, Recorder::start().await);
    let config = Config { login: login.url("/"), graph: graph.url("/v1.0"), ..registration(Cloud::UsDod) };
    let elsewhere = format!("{}/users?$skiptoken=2", Cloud::UsGov.graph_url());
    graph.tell(200, &json!({ "value": [] }));
    graph.tell(200, &json!({ "value": [], "@odata.nextLink": elsewhere }));
    let connector = connector(config);
    let page = connector.rooms(&session(), None).await.unwrap();
    assert_eq!(page.next, None);
    let page = connector.rooms(&session(), None).await.unwrap();
    let next = page.next.unwrap();
    let error = connector.rooms(&session(), Some(&next)).await.unwrap_err();
    assert_eq!(error.code, "FOREIGN_LINK");
    assert_eq!((graph.asked().len(), login.asked().len()), (2, 0));
}
