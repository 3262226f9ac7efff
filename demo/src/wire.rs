//! Repeats requests while the server is unreachable, because it may be restarted during the demo.

use http::{Client, Request, Response, StatusCode};

use super::{
    backoff::{Backoff, MAX_OUTAGE},
    error::{Error, Result},
};

/// Sends a request, repeatedly while the server is unreachable.
pub async fn send(client: &Client, request: Request) -> Result<Response> {
    send_reporting_repeat(client, request, &mut false).await
}

/// Like [`send`]; reports whether the request was repeated, so that it may have had its effect more than once.
pub async fn send_reporting_repeat(
    client: &Client,
    request: Request,
    repeated: &mut bool,
) -> Result<Response> {
    let mut patience = Backoff::with_time_limit(MAX_OUTAGE);
    loop {
        let why = match send_once(client, request.clone()).await? {
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

/// Sends a request once. The inner error means that the server is unreachable, and that it is unknown whether the
/// request took effect.
pub async fn send_once(client: &Client, request: Request) -> Result<std::result::Result<Response, String>> {
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
