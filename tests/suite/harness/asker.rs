//! A caller of the API and its requests.

use serde_json::{Value, json};
use url::Url;

use super::ANSWERS;

/// Who asks.
#[derive(Debug, Clone)]
pub struct Asker {
    pub(super) base: Url,
    pub(super) client: http::Client,
    pub(super) authorization: Option<String>,
    pub(super) tenant: Option<String>,
}

impl Asker {
    /// Posts a document; returns the whole body.
    pub async fn ask(&self, query: &str, variables: Value) -> Value {
        self.send(json!({ "query": query, "variables": variables }).to_string()).await.1
    }

    /// Posts a body as it is; returns the status and the body.
    pub async fn send(&self, body: String) -> (http::StatusCode, Value) {
        let mut request = http::Request::new(http::Method::POST, self.base.join("/graphql").unwrap())
            .header(http::header::ACCEPT, "application/json")
            .body("application/json", body);
        if let Some(authorization) = &self.authorization {
            request = request.authorization(authorization);
        }
        if let Some(tenant) = &self.tenant {
            request = request.header(http::HeaderName::from_static("muster-tenant"), tenant);
        }
        let answer = self.client.send(request).await.unwrap();
        ANSWERS.lock().unwrap().push_str(&answer.text());
        (answer.status, answer.json().unwrap())
    }

    /// Posts a query that must succeed; returns its data.
    pub async fn query(&self, query: &str, variables: Value) -> Value {
        let body = self.ask(query, variables).await;
        assert!(body.get("errors").is_none(), "{query}: {body}");
        body["data"].clone()
    }

    /// Calls a mutation; returns its payload with `userErrors { code message path }`, which may hold refusals.
    pub async fn mutate(&self, field: &str, selection: &str, input: Value) -> Value {
        let ty = format!("{}{}Input", field[..1].to_uppercase(), &field[1..]);
        let query = format!(
            "mutation($input: {ty}!) {{ {field}(input: $input) {{ {selection} userErrors {{ code message path }} }} }}"
        );
        let data = self.query(&query, json!({ "input": input })).await;
        data[field].clone()
    }

    /// Calls a mutation that must be refused; returns the code of the refusal or of the error.
    pub async fn refused(&self, field: &str, selection: &str, input: Value) -> String {
        let ty = format!("{}{}Input", field[..1].to_uppercase(), &field[1..]);
        let query = format!(
            "mutation($input: {ty}!) {{ {field}(input: $input) {{ {selection} userErrors {{ code }} }} }}"
        );
        let body = self.ask(&query, json!({ "input": input })).await;
        let refusal = &body["data"][field]["userErrors"][0]["code"];
        let error = &body["errors"][0]["extensions"]["code"];
        let code = refusal.as_str().or(error.as_str());
        code.unwrap_or_else(|| panic!("{field} was not refused: {body}")).to_owned()
    }
}
