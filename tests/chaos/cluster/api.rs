//! The GraphQL API of the installation under test, as a back end calls it.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use url::Url;

use super::PATIENCE;

/// The GraphQL API, called as a vendor's back end calls it: an unanswered request is sent again with the same key.
#[derive(Debug, Clone)]
pub struct Api {
    pub(super) client: http::Client,
    pub base: Url,
    pub(super) key: String,
    pub(super) tenant: Option<String>,
}

impl Api {
    /// Asks until there is a well-formed response.
    pub async fn ask(&self, query: &str, variables: Value) -> Value {
        let until = Instant::now() + PATIENCE;
        loop {
            let why = match self.once(query, &variables).await {
                Ok(data) => return data,
                Err(why) => why,
            };
            assert!(Instant::now() < until, "the API does not answer: {why}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// The back end's key.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The same back end, acting for another tenant.
    pub fn acting_for(&self, tenant: &str) -> Self {
        Self { tenant: Some(tenant.to_owned()), ..self.clone() }
    }

    async fn once(&self, query: &str, variables: &Value) -> Result<Value, String> {
        let answer = self.answer(query, variables).await?;
        let mut body: Value = answer.json().map_err(|_| answer.text())?;
        match body["errors"].get(0) {
            None => Ok(body["data"].take()),
            Some(error) => Err(error.to_string()),
        }
    }

    /// Asks once, whatever the response is.
    pub async fn answer(&self, query: &str, variables: &Value) -> Result<http::Response, String> {
        let mut request = http::Request::new(http::Method::POST, self.base.join("/graphql").unwrap())
            .header(http::header::ACCEPT, "application/json")
            .authorization(&format!("Bearer {}", self.key))
            .body("application/json", json!({ "query": query, "variables": variables }).to_string());
        if let Some(tenant) = &self.tenant {
            request = request.header(http::HeaderName::from_static("muster-tenant"), tenant);
        }
        self.client.send(request).await.map_err(|error| error.to_string())
    }

    /// Calls a mutation until there is a response; returns its payload, refusals included.
    pub async fn mutate(&self, field: &str, selection: &str, input: Value) -> Value {
        let ty = format!("{}{}Input", field[..1].to_uppercase(), &field[1..]);
        let query = format!(
            "mutation($input: {ty}!) {{ {field}(input: $input) {{ {selection} userErrors {{ code message }} }} }}"
        );
        self.ask(&query, json!({ "input": input })).await[field].take()
    }

    /// Calls a mutation that must not be refused.
    pub async fn change(&self, field: &str, selection: &str, input: Value) -> Value {
        let payload = self.mutate(field, selection, input).await;
        assert_eq!(payload["userErrors"], json!([]), "{field}: {payload}");
        payload
    }
}
