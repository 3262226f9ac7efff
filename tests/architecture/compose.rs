//! The commands and environments of `docker-compose.yml`, started as plain processes.
//!
//! What an engine for containers would supply is put in by hand: variables are filled in as it does, and the host
//! names of PostgreSQL, Redis and the nodes become those of the tests' own.

use std::{collections::BTreeMap, fs, net::TcpListener, path::Path, sync::Arc};

use domain::{Ids, SystemClock};
use entity::{Logins, store::APP_ROLE};
use serde::Deserialize;
use url::Url;

use crate::{
    nodes::{self, Environment, Node},
    postgres::on_a_database,
};

#[derive(Deserialize)]
struct Compose {
    services: BTreeMap<String, Service>,
    configs: BTreeMap<String, Config>,
}

#[derive(Deserialize)]
struct Service {
    #[serde(default)]
    command: Vec<String>,
    #[serde(default)]
    environment: Environment,
    #[serde(default)]
    depends_on: BTreeMap<String, Dependency>,
    #[serde(default)]
    configs: Vec<Mounted>,
    build: Option<String>,
}

#[derive(Deserialize)]
struct Dependency {
    condition: String,
}

#[derive(Deserialize)]
struct Mounted {
    source: String,
}

#[derive(Deserialize)]
struct Config {
    content: String,
}

fn file(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

fn compose() -> Compose {
    serde_saphyr::from_str(&file("docker-compose.yml")).unwrap()
}

impl Compose {
    /// The services that run the image which is built here.
    fn ours(&self) -> impl Iterator<Item = (&str, &Service)> {
        self.services
            .iter()
            .filter(|(_, service)| service.build.is_some())
            .map(|(name, each)| (name.as_str(), each))
    }

    fn nodes(&self) -> Vec<(&str, &Service)> {
        self.ours().filter(|(_, service)| service.command == ["serve"]).collect()
    }
}

/// Fills in `${NAME:-default}` and `${NAME:?message}`; a variable that must be set and is not is an error.
fn filled_in(text: &str, variables: &BTreeMap<&str, String>) -> Result<String, String> {
    let Some((before, rest)) = text.split_once("${") else { return Ok(text.to_owned()) };
    let (inside, after) = rest.split_once('}').ok_or_else(|| format!("{text} has no end"))?;
    let (name, rule, other) = match (inside.split_once(":-"), inside.split_once(":?")) {
        (Some((name, default)), _) => (name, '-', default),
        (None, Some((name, message))) => (name, '?', message),
        (None, None) => return Err(format!("{inside} says neither a default nor that it is needed")),
    };
    let value = match (variables.get(name), rule) {
        (Some(value), _) => value.clone(),
        (None, '-') => other.to_owned(),
        (None, _) => return Err(format!("{name}: {other}")),
    };
    Ok(format!("{before}{value}{}", filled_in(after, variables)?))
}

/// A service's environment as the engine would make it.
fn environment(service: &Service, variables: &BTreeMap<&str, String>) -> Environment {
    let fill = |(name, value): (&String, &String)| (name.clone(), filled_in(value, variables).unwrap());
    service.environment.iter().map(fill).collect()
}

/// Puts the tests' own servers in the place of the services that an environment names.
fn moved(mut environment: Environment, compose: &Compose, database: &str, prefix: &str) -> Environment {
    let queue =
        std::env::var("MUSTER_TEST_REDIS").expect("MUSTER_TEST_REDIS names a Redis; scripts/test starts one");
    let nodes = Logins::from_url(database).app;
    for (name, real) in
        [("MUSTER_DATABASE_URL", &*nodes), ("MUSTER_MIGRATION_URL", database), ("MUSTER_QUEUE_URL", &queue)]
    {
        if !environment.contains_key(name) {
            continue;
        }
        let written: Url = environment[name].parse().unwrap();
        let host = written.host_str().unwrap();
        assert!(compose.services.contains_key(host), "{name} names the service {host}");
        environment.insert(name.to_owned(), real.to_owned());
    }
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    environment.insert("MUSTER_LISTEN".to_owned(), format!("127.0.0.1:{port}"));
    // The Redis is shared with other tests.
    environment.insert("MUSTER_QUEUE_PREFIX".to_owned(), prefix.to_owned());
    environment
}

const NEW_TENANT: &str =
    "mutation { createTenant(input: { name: \"Acme\", plan: PLUS }) { tenant { id } userErrors { code } } }";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_of_the_compose_file_serve_and_stop() {
    on_a_database(async |database| {
        let ids = Ids::random(Arc::new(SystemClock));
        let vendor_key = format!("muster_{}", ids.random_secret());
        let variables = BTreeMap::from([
            ("POSTGRES_PASSWORD", ids.random_secret()),
            ("NODES_PASSWORD", ids.random_secret()),
            ("MUSTER_MASTER_KEY", ids.random_secret()),
            ("MUSTER_VENDOR_KEY", vendor_key.clone()),
        ]);
        let compose = compose();
        let place = |service: &Service| {
            moved(
                environment(service, &variables),
                &compose,
                &database,
                &variables["POSTGRES_PASSWORD"][..12],
            )
        };
        let migrate = &compose.services["migrate"];
        nodes::run(&migrate.command, &place(migrate)).await;

        let [(_, first), (_, second)] = compose.nodes()[..] else { panic!("the file has two nodes") };
        let (here, there) = (place(first), place(second));
        // Both at once: neither waits for the other's first key.
        let nodes = tokio::join!(Node::start(&first.command, &here), Node::start(&second.command, &there));
        let made = nodes.0.ask(&vendor_key, None, NEW_TENANT).await;
        let tenant =
            made["data"]["createTenant"]["tenant"]["id"].as_str().unwrap_or_else(|| panic!("{made}"));
        for node in [&nodes.0, &nodes.1] {
            assert_eq!(node.status("/ready").await, 200);
            let answer = node.ask(&vendor_key, None, "{ __typename }").await;
            assert_eq!(answer, serde_json::json!({ "data": { "__typename": "Query" } }));
            let answer = node.ask(&vendor_key, Some(tenant), &crate::links::first_query()).await;
            assert_eq!(answer.get("errors"), None, "the README's query: {answer}");
        }
        nodes.0.stop().await;
        assert_eq!(nodes.1.status("/ready").await, 200, "one node's end is not the other's");
        nodes.1.stop().await;
    })
    .await;
}

#[test]
fn the_front_knows_every_node_and_starts_after_it() {
    let compose = compose();
    let front = &compose.services["front"];
    let content = &compose.configs[&front.configs[0].source].content;
    for (name, node) in compose.nodes() {
        let (_, port) = node.environment["MUSTER_LISTEN"].split_once(':').unwrap();
        assert!(content.contains(&format!("server {name}:{port};")), "{name} is behind the port");
        assert_eq!(front.depends_on[name].condition, "service_healthy");
        assert_eq!(node.depends_on["migrate"].condition, "service_completed_successfully");
    }
    assert!(content.contains("proxy_set_header Upgrade"), "subscriptions pass");
    assert!(
        !content.replace("$$", "").contains('$'),
        "a single dollar sign would be filled in by the engine"
    );
}

#[test]
fn only_the_migration_knows_the_owner_of_the_database() {
    let compose = compose();
    let user = |service: &Service, key: &str| {
        let rest = service.environment.get(key)?.strip_prefix("postgres://")?;
        Some(rest.split(':').next()?.to_owned())
    };
    let owner = compose.services["postgres"].environment["POSTGRES_USER"].as_str();
    assert_eq!(user(&compose.services["migrate"], "MUSTER_MIGRATION_URL").as_deref(), Some(owner));
    for (name, service) in compose.ours() {
        assert_eq!(user(service, "MUSTER_DATABASE_URL").as_deref(), Some(APP_ROLE), "{name}");
        let told = service.environment.values().any(|value| value.contains("POSTGRES_PASSWORD"));
        assert_eq!(told, name == "migrate", "{name} and the owner's password");
    }
}

#[test]
fn secrets_of_the_file_have_no_default() {
    let compose = compose();
    for (name, service) in compose.ours() {
        let needed = |key: &str| filled_in(&service.environment[key], &BTreeMap::new()).is_err();
        for secret in ["MUSTER_DATABASE_URL", "MUSTER_MASTER_KEY", "MUSTER_VENDOR_KEY"] {
            assert!(needed(secret), "{name} would start with a known {secret}");
        }
    }
}

#[test]
fn the_image_is_built_with_the_oldest_rust_that_the_workspace_takes_and_runs_the_binary() {
    let (image, manifest) = (file("Dockerfile"), file("Cargo.toml"));
    let manifest: toml::Table = manifest.parse().unwrap();
    let oldest = manifest["workspace"]["package"]["rust-version"].as_str().unwrap();
    assert!(image.contains(&format!("FROM rust:{oldest}-")), "rust-version is {oldest}");
    assert!(image.contains("ENTRYPOINT [\"muster\"]"));
    assert!(image.contains("cargo build --release --locked --bin muster"));
}

#[test]
fn a_variable_is_filled_in_as_an_engine_does() {
    let variables = BTreeMap::from([("A", "1".to_owned())]);
    assert_eq!(filled_in("x ${A:?needed} ${B:-two} y", &variables), Ok("x 1 two y".to_owned()));
    assert_eq!(filled_in("${B:?needed}", &variables), Err("B: needed".to_owned()));
    assert!(filled_in("${A}", &variables).is_err());
}
