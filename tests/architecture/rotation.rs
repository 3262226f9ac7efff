//! An operator replaces the master key step by step, while nodes of the old and of the new configuration serve, with
//! the commands and the logins of production.

use std::{net::TcpListener, sync::Arc};

use domain::{Ids, SystemClock};
use entity::Logins;
use serde_json::Value;

use crate::{
    nodes::{self, Environment, Node},
    postgres::on_a_database,
    roles::environment,
};

/// The same installation with other master keys.
fn with_keys(base: &Environment, master: &str, former: &str) -> Environment {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut environment = base.clone();
    environment.insert("MUSTER_LISTEN".to_owned(), format!("127.0.0.1:{port}"));
    environment.insert("MUSTER_MASTER_KEY".to_owned(), master.to_owned());
    environment.insert("MUSTER_FORMER_MASTER_KEYS".to_owned(), former.to_owned());
    environment
}

fn text(answer: &Value, path: &str) -> String {
    answer.pointer(path).and_then(Value::as_str).unwrap_or_else(|| panic!("{path}: {answer}")).to_owned()
}

/// Has a node make a tenant, which seals a data key.
async fn tenant(node: &Node, key: &str) -> String {
    let made = "mutation { createTenant(input: { name: \"Acme\", plan: PLUS }) { tenant { id } } }";
    text(&node.ask(key, None, made).await, "/data/createTenant/tenant/id")
}

/// Has a node make a user and sign a token for it, with a stored key.
async fn token(node: &Node, key: &str, tenant: &str) -> String {
    let email = format!("{}@acme.example", Ids::random(Arc::new(SystemClock)).uuid().simple());
    let made = format!(
        "mutation {{ createUser(input: {{ name: \"Eve\", email: \"{email}\" }}) {{ user {{ id }} }} }}"
    );
    let user = text(&node.ask(key, Some(tenant), &made).await, "/data/createUser/user/id");
    let signed = format!(
        "mutation {{ createAccessToken(input: {{ tenantId: \"{tenant}\", userId: \"{user}\" }}) \
         {{ accessToken {{ token }} }} }}"
    );
    text(&node.ask(key, None, &signed).await, "/data/createAccessToken/accessToken/token")
}

async fn command(arguments: &[&str], environment: &Environment) -> String {
    let (fine, said) = nodes::said(arguments, environment).await;
    assert!(fine, "{arguments:?}: {said}");
    said
}

async fn refused(arguments: &[&str], environment: &Environment) -> String {
    let (fine, said) = nodes::said(arguments, environment).await;
    assert!(!fine, "{arguments:?}: {said}");
    said
}

async fn replaces_the_master_key(base: Environment) {
    let ids = Ids::random(Arc::new(SystemClock));
    let (first, second, vendor) =
        (ids.random_secret(), ids.random_secret(), format!("muster_{}", ids.random_secret()));
    let mut base = base;
    base.insert("MUSTER_VENDOR_KEY".to_owned(), vendor.clone());
    let (old, both) = (with_keys(&base, &first, ""), with_keys(&base, &second, &first));
    let serve = ["serve".to_owned()];
    nodes::run(&["migrate".to_owned()], &old).await;
    let here = Node::start(&serve, &old).await;
    let acme = tenant(&here, &vendor).await;
    let bearer = token(&here, &vendor, &acme).await;

    // One node has the new configuration, the other not yet.
    let there = Node::start(&serve, &both).await;
    let other = tenant(&there, &vendor).await;
    token(&here, &vendor, &other).await;
    token(&there, &vendor, &acme).await;
    let said = command(&["keys", "status"], &both).await;
    assert!(said.contains("former_master_keys, in force, seals 5 values"), "{said}");
    assert!(said.contains("run muster keys rotate"), "{said}");
    here.stop().await;

    let said = command(&["keys", "rotate", "--data-keys"], &both).await;
    assert!(said.contains("2 values sealed again with the master key, 2 new data keys"), "{said}");
    assert!(said.contains("the configuration may do without it"), "{said}");
    assert!(said.contains("the audit key is sealed again"), "{said}");
    let said = command(&["doctor"], &both).await;
    assert!(said.contains("1 of former_master_keys seal nothing any more"), "{said}");
    for arguments in [&["serve"][..], &["keys", "rotate"], &["keys", "status"], &["doctor"]] {
        let said = refused(arguments, &old).await;
        assert!(said.contains("MASTER_KEY_UNKNOWN"), "{arguments:?} without the new key: {said}");
        assert!(!said.contains(&first) && !said.contains(&second), "{arguments:?} shows a key: {said}");
    }

    // The former key goes, and what was given out goes on.
    there.stop().await;
    let last = Node::start(&serve, &with_keys(&base, &second, "")).await;
    assert_eq!(last.status("/ready").await, 200);
    token(&last, &vendor, &tenant(&last, &vendor).await).await;
    let who = last.ask(&bearer, None, "{ viewer { __typename } }").await;
    assert_eq!(who.get("errors"), None, "a token of before: {who}");
    last.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operator_replaces_the_master_key_while_nodes_serve_on_postgres() {
    on_a_database(async |owner| {
        replaces_the_master_key(environment(&Logins::from_url(&owner).app, &owner)).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operator_replaces_the_master_key_while_nodes_serve_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}?mode=rwc", folder.path().join("m.db").display());
    let mut environment = environment(&url, "");
    environment.remove("MUSTER_MIGRATION_URL");
    replaces_the_master_key(environment).await;
}
