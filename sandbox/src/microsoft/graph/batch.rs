//! `$batch`: up to 20 requests in one, each with its own response.
//!
//! The requests are executed one after the other, so that those to one mailbox never exceed its concurrency limit;
//! each is subject to injected faults and recorded in the journal like a separate request.

use std::{collections::BTreeMap, sync::Arc};

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::failure::Failure;
use crate::{
    Error,
    app::App,
    server,
    wire::{Body, Request, WireResponse},
};

const MAX: usize = 20;

#[derive(Debug, Deserialize)]
struct Batch {
    requests: Vec<Item>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Item {
    id: String,
    method: String,
    url: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    body: Option<Value>,
    #[serde(default)]
    depends_on: Vec<String>,
}

/// Handles `POST /$batch`.
pub async fn handle_batch(app: &Arc<App>, request: &Request) -> Result<WireResponse, Error> {
    let items = match read(request) {
        Ok(items) => items,
        Err(failure) => return Ok(failure.to_response(app, request)),
    };
    let mut answers: Vec<Value> = Vec::with_capacity(items.len());
    let mut failed: Vec<String> = Vec::new();
    for item in items {
        let answer = if item.depends_on.iter().any(|id| failed.contains(id)) {
            Failure::new(424, "FailedDependency", "A request that this one depends on has failed.")
                .to_response(app, request)
        } else {
            let inner =
                request.batch_part_request(&item.method, &item.url, &item.headers, item.body.as_ref());
            let served = Box::pin(server::handle_provider_request(app, &inner)).await?;
            served.unwrap_or_else(|| {
                Failure::new(504, "GatewayTimeout", "The request has timed out.").to_response(app, request)
            })
        };
        if answer.status >= 400 {
            failed.push(item.id.clone());
        }
        answers.push(shown(&item.id, answer));
    }
    Ok(WireResponse::json(200, json!({ "responses": answers })))
}

fn read(request: &Request) -> Result<Vec<Item>, Failure> {
    let bad = |message: &str| Failure::new(400, "BadRequest", message);
    let batch: Batch = request.json().map_err(|_| bad("Invalid batch payload format."))?;
    if batch.requests.is_empty() || batch.requests.len() > MAX {
        return Err(bad("Number of batch request steps must be between 1 and 20."));
    }
    let mut ids: Vec<&str> = Vec::new();
    for item in &batch.requests {
        if ids.contains(&item.id.as_str()) {
            return Err(bad("The request ids of a batch must be unique."));
        }
        if item.depends_on.iter().any(|other| !ids.contains(&other.as_str())) {
            return Err(bad("A request can only depend on one that stands before it."));
        }
        if item.url.contains("://") || item.url.contains("$batch") {
            return Err(bad("The url of a request must be relative, and not a batch."));
        }
        let named = item.headers.keys().any(|name| name.eq_ignore_ascii_case("content-type"));
        if item.body.is_some() && !named {
            return Err(bad("Write request id : a Content-Type header is needed with a body."));
        }
        ids.push(&item.id);
    }
    Ok(batch.requests)
}

fn shown(id: &str, answer: WireResponse) -> Value {
    let mut headers: Map<String, Value> =
        answer.headers.into_iter().map(|(name, value)| (canonical(name), value.into())).collect();
    let mut shown = json!({ "id": id, "status": answer.status });
    if let Body::Json(body) = answer.body {
        headers.insert("Content-Type".to_owned(), "application/json".into());
        shown["body"] = body;
    }
    shown["headers"] = headers.into();
    shown
}

/// The usual capitalisation of a header name, such as `Retry-After`; headers inside a batch are case-sensitive.
fn canonical(name: &str) -> String {
    let capital = |word: &str| {
        let (first, rest) = word.split_at(word.len().min(1));
        first.to_uppercase() + rest
    };
    name.split('-').map(capital).collect::<Vec<_>>().join("-")
}
