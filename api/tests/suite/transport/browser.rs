//! GraphiQL in a real browser: it renders, a query runs, a subscription runs, nothing leaves the machine.

use std::path::Path;

use api::{
    Config,
    graphiql::{GraphiQl, Tab},
};
use serde_json::{Map, Value, json};

use crate::transport::support::{Server, node, open};

fn server() -> Server {
    let headers = Map::from_iter([("authorization".to_owned(), json!("Bearer user"))]);
    let query =
        "query Hello {\n  hello(name: \"</script>\")\n  me\n}\n\nsubscription Count {\n  count(to: 3)\n}\n";
    let tabs = vec![Tab { query: query.to_owned(), variables: String::new() }];
    let graphiql = GraphiQl { tabs, headers, ..GraphiQl::default() };
    Server::with(Config { graphiql: Some(graphiql), ..open() })
}

fn chromium() -> String {
    let candidates = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
    std::env::var("MUSTER_CHROMIUM")
        .ok()
        .or_else(|| candidates.iter().find(|path| Path::new(path).exists()).map(|path| (*path).to_owned()))
        .expect("no browser: install Debian's `chromium`, or set MUSTER_CHROMIUM to one")
}

#[tokio::test]
async fn b18_graphiql_runs_a_query_and_a_subscription_without_any_network() {
    let server = server();
    let screenshot = std::env::var("MUSTER_SCREENSHOT").unwrap_or_default();
    let output = node("graphiql.mjs", &[&server.url("/graphiql"), &chromium(), &screenshot]).await;
    let text = String::from_utf8_lossy(&output.stdout);
    let seen: Value = serde_json::from_str(&text)
        .unwrap_or_else(|_| panic!("{text}\n{}", String::from_utf8_lossy(&output.stderr)));
    assert_eq!(seen["problems"], json!([]), "no error in the console, no violation of the policy");
    assert_eq!(seen["elsewhere"], json!([]), "no request to another origin");
    let query = seen["query"].as_str().unwrap();
    assert!(query.contains("Hello, </script>!") && query.contains("\"user\""), "{query}");
    assert!(seen["again"].as_str().unwrap().contains("\"user\""), "after a reload: {}", seen["again"]);
    let subscription = seen["subscription"].as_str().unwrap();
    assert!(subscription.contains("\"count\": 3"), "{subscription}");
    assert_eq!(seen["documented"], true, "the schema was read");
    assert_eq!(seen["workers"], json!(["editor", "graphql", "json"]), "each worker runs");
}

#[tokio::test]
async fn the_page_has_its_policy_and_its_files_are_revalidated() {
    let server = server();
    let page = server.request("GET", "/graphiql", &[], "").await;
    assert_eq!(page.status, 200);
    assert!(page.header("content-security-policy").starts_with("default-src 'none'; script-src 'self';"));
    assert!(!page.body.contains("</script>\\\")"), "the query cannot end the element it stands in");
    let script = server.request("GET", "/graphiql/main.js", &[], "").await;
    assert_eq!((script.status, script.header("content-type")), (200, "text/javascript"));
    let known = format!("if-none-match: {}", script.header("etag"));
    assert_eq!(server.request("GET", "/graphiql/main.js", &[&known], "").await.status, 304);
    assert_eq!(server.request("GET", "/graphiql/nothing.js", &[], "").await.status, 404);
    for outside in ["/graphiql/../Cargo.toml", "/graphiql/%2e%2e/Cargo.toml"] {
        let refused = server.request("GET", outside, &[], "").await;
        assert_eq!((refused.status, refused.code().as_str()), (400, "PATH_MALFORMED"), "{outside}");
    }
    let without = Server::start();
    assert_eq!(without.request("GET", "/graphiql", &[], "").await.status, 404);
}
