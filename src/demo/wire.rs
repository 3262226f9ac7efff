//! Requests that are repeated while nobody answers: a server may be restarted under the demo.

use http::{Client, Request, Response, StatusCode};

use super::{
    backoff::{Backoff, MAX_OUTAGE},
    error::{Error, Result},
};

/// Sends a request, again and again while the server is away.
pub async fn send(client: &Client, request: Request) -> Result<Response> {
    send_noting(client, request, &mut false).await
}

/// The same; says whether the request had to be repeated, so that it may have had its effect more than once.
pub async fn send_noting(client: &Client, request: Request, repeated: &mut bool) -> Result<Response> {
    let mut patience = Backoff::of(MAX_OUTAGE);
    loop {
        let why = match once(client, request.clone()).await? {
            Ok(answer) => return Ok(answer),
            Err(why) => why,
        };
        *repeated = true;
        if !patience.wait().await {
            let what = request.url.origin().ascii_serialization();
            return Err(Error::Unreachable { what, why });
        }
    }
}

/// Sends a request once. The inner error says that the server is away: whether the request had its effect is unknown.
pub async fn once(client: &Client, request: Request) -> Result<std::result::Result<Response, String>> {
    match client.send(request).await {
        Ok(answer) if is_away(answer.status) => Ok(Err(format!("status {}", answer.status))),
        Ok(answer) => Ok(Ok(answer)),
        Err(error @ (http::Error::Unreachable { .. } | http::Error::Broken { .. })) => {
            Ok(Err(error.to_string()))
        }
        Err(error) => Err(Error::Unexpected(error.to_string())),
    }
}

fn is_away(status: StatusCode) -> bool {
    matches!(status, StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT)
}
