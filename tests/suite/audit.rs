//! The audit of a whole installation: by which request acts came, over HTTP and by the operator's commands; and what a
//! third party makes of an export.

use std::{
    collections::BTreeSet,
    io::Write,
    process::{Command, Stdio},
};

use serde_json::{Value, json};

use crate::{
    commands::Installation,
    harness::{TestApp, steps::nodes},
};

/// Posts a mutation as the vendor's back end; returns the header that names the request.
async fn named(app: &TestApp, tenant: &str, name: &str, request_id: Option<&str>) -> String {
    let document = format!(
        "mutation {{ createRole(input: {{name: \"{name}\", permissions: [USER_VIEW]}}) {{ userErrors {{ code }} }} }}"
    );
    let mut request = http::Request::new(http::Method::POST, app.base.join("/graphql").unwrap())
        .authorization(&format!("Bearer {}", app.vendor_key))
        .header(http::HeaderName::from_static("muster-tenant"), tenant)
        .body("application/json", json!({ "query": document }).to_string());
    if let Some(id) = request_id {
        request = request.header(http::HeaderName::from_static("x-request-id"), id);
    }
    let answer = demo::browser::local_client().unwrap().send(request).await.unwrap();
    assert!(answer.text().contains("\"userErrors\":[]"), "{}", answer.text());
    answer.headers.get("x-request-id").unwrap().to_str().unwrap().to_owned()
}

/// The last entries of a tenant.
async fn log(app: &TestApp, tenant: &str) -> Vec<Value> {
    let query = "{ auditLog(last: 100) { edges { node { actor action subject requestId old new } } } }";
    nodes(&app.vendor_for(tenant).query(query, json!({})).await["auditLog"])
}

async fn every_answer_names_the_request_and_the_audit_knows_it(app: TestApp) {
    let org = app.with_tenant("Acme", 3, 1).await;
    let own = named(&app, &org.tenant, "one", Some("mine-1.x")).await;
    assert_eq!(own, "mine-1.x");
    let made = named(&app, &org.tenant, "two", None).await;
    let replaced = named(&app, &org.tenant, "three", Some("<no id>")).await;
    assert!(made.starts_with("req_") && replaced.starts_with("req_") && made != replaced);
    let roles: Vec<_> =
        log(&app, &org.tenant).await.into_iter().filter(|entry| entry["action"] == "role.create").collect();
    let ids: Vec<_> = roles.iter().map(|entry| entry["requestId"].as_str().unwrap()).collect();
    assert_eq!(ids, [&own, &made, &replaced]);
    let page = http::Request::new(http::Method::GET, app.base.join("/health").unwrap());
    let answer = demo::browser::local_client().unwrap().send(page).await.unwrap();
    assert!(answer.headers.contains_key("x-request-id"), "every answer has it");
    app.finish().await;
}

async fn what_pages_and_workflows_do_is_recorded_with_where_it_came_from(app: TestApp) {
    let org = app.with_tenant("Acme", 3, 1).await;
    let users = app.with_users(&org, 2).await;
    app.connect(&org).await;
    app.book(&org, &users[0], "a", json!({})).await;
    let log = log(&app, &org.tenant).await;
    let from = |action: &str| {
        let entry = log.iter().find(|entry| entry["action"] == action);
        let entry = entry.unwrap_or_else(|| panic!("no {action} in {log:?}"));
        entry["requestId"].as_str().unwrap_or_else(|| panic!("{entry} came from nowhere")).to_owned()
    };
    for by_page in ["terms.accept", "integration.create", "integration.credentials", "integration.authorise"]
    {
        assert!(from(by_page).starts_with("req_"), "{by_page}");
    }
    assert!(from("integration.consent").starts_with("run_"), "a step put it into force");
    let unknown: Vec<_> = log.iter().filter(|entry| entry["requestId"].is_null()).collect();
    assert_eq!(unknown, Vec::<&Value>::new(), "all of it was asked for by somebody");
    let said = json!(log).to_string();
    assert!(said.contains("\"secret\":\"changed\"") && !said.contains(&app.application.1));
    app.finish().await;
}

both! {
    every_answer_names_the_request_and_the_audit_knows_it,
    what_pages_and_workflows_do_is_recorded_with_where_it_came_from,
}

#[tokio::test]
async fn the_operators_commands_leave_entries() {
    let installation = Installation::new().await;
    let run = installation.run.to_string();
    let (tenant, user) = (installation.tenant.to_string(), installation.user.to_string());
    installation.says(&["token", "--name", "another"]);
    let token = installation.says(&["token", "--tenant", &tenant, "--user", &user]);
    installation.says(&["keys", "rotate-signing"]);
    installation.says(&["workflows", "cancel", &run]);
    let lines = |arguments: &[&str]| -> Vec<Value> {
        installation.says(arguments).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let by_command = |entries: &[Value]| -> Vec<(String, String)> {
        let text = |entry: &Value, member: &str| entry[member].as_str().unwrap_or_default().to_owned();
        let by_command = entries.iter().filter(|entry| text(entry, "request").starts_with("cmd_"));
        by_command.map(|entry| (text(entry, "action"), text(entry, "actor"))).collect()
    };
    let exported = lines(&["audit", "export", "--installation"]);
    let acts = by_command(&exported);
    let actions: Vec<_> = acts.iter().map(|(action, _)| action.as_str()).collect();
    assert_eq!(actions, ["key.create", "signing_key.create", "signing_key.rotate"]);
    let actors: Vec<_> = acts.iter().map(|(_, actor)| actor.as_str()).collect();
    assert_eq!(actors, ["operator", "engine", "operator"]);
    let own = lines(&["audit", "export", "--tenant", &tenant]);
    let acts = by_command(&own);
    assert_eq!(
        acts.iter().map(|(action, _)| action.as_str()).collect::<Vec<_>>(),
        ["token.issue", "run.cancel"]
    );
    assert!(acts.iter().all(|(_, actor)| actor == "operator"), "{acts:?}");
    assert!(!json!([exported, own]).to_string().contains(token.trim()), "a token is recorded");
    installation.says(&["audit", "prune", "--older-than-days", "0", "--tenant", &tenant]);
    let left = lines(&["audit", "export", "--tenant", &tenant]);
    assert_eq!(by_command(&left), [("audit.prune".to_owned(), "operator".to_owned())]);
}

#[tokio::test]
async fn the_audit_is_verified_from_the_keyboard() {
    let installation = Installation::new().await;
    let verified = installation.says(&["audit", "verify"]);
    assert!(
        verified.lines().all(|line| line.starts_with("ok ")) && verified.contains("installation"),
        "{verified}"
    );
    let file = installation.folder().join("checkpoint");
    std::fs::write(&file, installation.says(&["audit", "checkpoint"])).unwrap();
    let with_file = ["audit", "verify", "--checkpoint", file.to_str().unwrap()];
    installation.says(&with_file);
    installation.says(&["keys", "rotate-signing"]);
    installation.says(&with_file);
    // Somebody edits the checkpoint.
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replacen("\"seq\":", "\"seq\":1", 1)).unwrap();
    let refused = installation.runs(&with_file);
    let said = String::from_utf8(refused.stdout).unwrap();
    assert!(refused.status.code() == Some(1) && said.contains("checkpoint in line 1"), "{said}");
    // Somebody removes the last entry of a chain, and its end with it.
    installation.sql("DELETE FROM audit WHERE seq = (SELECT max(seq) FROM audit WHERE tenant_id = zeroblob(16)) AND tenant_id = zeroblob(16)").await;
    let broken = installation.runs(&["audit", "verify"]);
    let said = String::from_utf8(broken.stdout).unwrap();
    assert!(broken.status.code() == Some(1) && said.contains("BROKEN  installation: entry"), "{said}");
    let pruned = installation.runs(&["audit", "prune", "--older-than-days", "0"]);
    assert!(pruned.status.success(), "the entries that are there are as they were: {pruned:?}");
}

/// The program of `docs/audit.md`, on a real export.
#[tokio::test]
async fn an_export_verifies_as_the_page_says() {
    let page = include_str!("../../docs/audit.md");
    let program = page.split("```python\n").nth(1).unwrap().split("```").next().unwrap();
    let members: BTreeSet<&str> = page
        .lines()
        .filter_map(|line| line.strip_prefix("| `"))
        .flat_map(|line| {
            line.split(" |").next().unwrap().split('`').filter(|part| part.chars().all(char::is_lowercase))
        })
        .filter(|name| !name.is_empty())
        .collect();
    let installation = Installation::new().await;
    installation.says(&["workflows", "cancel", &installation.run.to_string()]);
    let export = installation.says(&["audit", "export", "--tenant", &installation.tenant.to_string()]);
    for line in export.lines() {
        let entry: Value = serde_json::from_str(line).unwrap();
        let told: BTreeSet<&str> = entry.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(told, members, "the page names every member");
    }
    let (fine, said) = python(program, &export);
    assert!(fine && said.contains("every entry follows"), "{said}");
    let (fine, said) = python(program, &export.replace("Acme", "Acne"));
    assert!(!fine && said.contains("is not what was recorded"), "{said}");
    let without_second: Vec<_> =
        export.lines().enumerate().filter(|(index, _)| *index != 1).map(|(_, line)| line).collect();
    assert!(export.lines().count() > 2);
    assert!(!python(program, &without_second.join("\n")).0, "a gap is found");
}

fn python(program: &str, input: &str) -> (bool, String) {
    let mut child = Command::new("python3")
        .args(["-c", program])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A program that has seen enough does not read the rest.
    let _written = child.stdin.take().unwrap().write_all(input.as_bytes());
    let done = child.wait_with_output().unwrap();
    (done.status.success(), String::from_utf8([done.stdout, done.stderr].concat()).unwrap())
}
