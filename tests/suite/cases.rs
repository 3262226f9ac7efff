//! T28: operations that are made up from the schema, with values as nobody should send them.
//!
//! Every answer is one: no status of 500 or more, JSON, and each error with a code that is documented and that does not
//! say that something broke here. `scripts/cases N` goes on for N operations; the seed that is printed draws them again.

mod document;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use self::document::Writer;
use crate::harness::{Asker, Org, TestApp, steps::nodes};

/// Codes that say that something is wrong on our side. Nothing is, while this test runs.
const OURS: [&str; 6] = ["INTERNAL", "UNAVAILABLE", "TIMEOUT", "OVERLOADED", "RATE_LIMITED", "UNREADABLE"];

/// An id of everything that the tenant has, and of the tenant itself.
async fn ids(app: &TestApp, org: &Org, users: &[String]) -> Vec<String> {
    let by = app.vendor_for(&org.tenant);
    let mut ids = vec![org.tenant.clone()];
    ids.extend(users.iter().cloned());
    for field in ["integrations", "connectedMailboxes", "rooms", "runs", "bookings"] {
        let listed =
            by.query(&format!("{{ {field}(first: 5) {{ edges {{ node {{ id }} }} }} }}"), json!({})).await;
        let listed = nodes(&listed[field]);
        ids.extend(listed.iter().map(|node| node["id"].as_str().unwrap().to_owned()));
    }
    let roles = by.query("{ roles { id } }", json!({})).await;
    ids.extend(roles["roles"].as_array().unwrap().iter().map(|role| role["id"].as_str().unwrap().to_owned()));
    ids
}

async fn no_made_up_operation_breaks_anything(app: TestApp) {
    let seed = testing::number_from_env("MUSTER_TEST_CASES_SEED")
        .unwrap_or_else(|| app.node.services.ids.random_below(1 << 32));
    let count = testing::number_from_env("MUSTER_TEST_CASES").unwrap_or(400);
    println!("seed {seed}");
    let org = app.with_tenant("Cases", 4, 2).await;
    let users = app.with_users(&org, 3).await;
    app.connect(&org).await;
    let other = app.with_tenant("Other", 2, 1).await;
    let strangers = app.with_users(&other, 1).await;
    let mut known = ids(&app, &org, &users).await;
    known.extend([other.tenant.clone(), strangers[0].clone()]);
    let schema = app.vendor().query(document::INTROSPECTION, json!({})).await;
    let mut writer = Writer::new(&schema, known, seed);
    let callers: Vec<(&str, Asker)> = vec![
        ("the vendor for the tenant", app.vendor_for(&org.tenant)),
        ("the vendor", app.vendor()),
        ("a user", app.user(&org.tenant, &users[0]).await),
        ("another tenant's user", app.user(&other.tenant, &strangers[0]).await),
        ("nobody", app.anonymous()),
    ];
    let documented = include_str!("../../docs/errors.md");
    let (mut codes, mut fields) = (BTreeMap::<String, u64>::new(), BTreeSet::new());
    for number in 0..count {
        let case = writer.case();
        // Most of them by somebody who may: a refusal at the door tries nothing behind it.
        let lot = writer.below(12) as usize;
        let (who, caller) = &callers[if lot < 8 { lot % 2 } else { lot - 7 }.min(callers.len() - 1)];
        let (status, answer) = caller.send(case.body.clone()).await;
        let what = || format!("seed {seed}, case {number}, {who}: {}\nanswers {status}: {answer}", case.body);
        assert!(status.as_u16() < 500, "{}", what());
        let errors = answer["errors"].as_array().into_iter().flatten();
        let top: Vec<&str> = errors.map(|error| error["extensions"]["code"].as_str().unwrap_or("")).collect();
        let refusals =
            answer["data"].as_object().into_iter().flatten().flat_map(|(_, payload)| refused(payload));
        for code in top.iter().copied().chain(refusals.collect::<Vec<_>>()) {
            assert!(
                documented.contains(&format!("### {code}\n")) && !code.is_empty(),
                "{code:?}: {}",
                what()
            );
            assert!(!OURS.contains(&code), "{code}: {}", what());
            *codes.entry(code.to_owned()).or_default() += 1;
        }
        if answer["data"].is_object() {
            fields.insert(case.field);
            *codes.entry("(data)".to_owned()).or_default() += 1;
        }
        // What was begun goes on beside it, as it would.
        if number % 50 == 49 {
            app.run_jobs().await;
        }
    }
    println!("{count} operations, {} fields answered: {codes:?}", fields.len());
    assert!(codes["(data)"] * 3 > count, "too few operations got behind the door: {codes:?}");
    app.abandon().await;
}

/// The codes of a payload's `userErrors`.
fn refused(payload: &Value) -> Vec<&str> {
    let errors = payload["userErrors"].as_array().into_iter().flatten();
    errors.filter_map(|error| error["code"].as_str()).collect()
}

both!(no_made_up_operation_breaks_anything);
