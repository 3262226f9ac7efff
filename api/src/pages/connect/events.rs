//! Server-sent events with which the progress page follows a connect attempt (HTML standard, section 9.2).
//!
//! A stream ends with the work that it follows, or after some minutes; the browser then connects again by itself.

use std::{pin::Pin, time::Duration};

use ::messages::Language;
use actix_web::{HttpResponse, web::Bytes};
use futures::{Stream, StreamExt, stream};
use services::{
    Anyone, Services,
    connect::{Phase, Progress, ProgressEvent},
};

use super::progress::{check_line, status_text};
use crate::wording::{self, in_language};

/// After which time without an event the attempt is read anyway, because events may be lost. It also shows whether the
/// browser is still there.
const PAUSE: Duration = Duration::from_secs(5);
/// How often a stream is continued after a pause or an event before it ends.
const MOST_TURNS: u32 = 600;

type Heard = Pin<Box<dyn Stream<Item = ProgressEvent> + Send>>;

struct Following {
    services: Services,
    cookie: String,
    heard: Heard,
    language: Language,
    /// `None` once the stream is to end.
    turns: Option<u32>,
}

/// The response that follows an attempt.
pub(super) fn respond(
    services: Services,
    cookie: String,
    heard: impl Stream<Item = ProgressEvent> + Send + 'static,
) -> HttpResponse {
    let following =
        Following { services, cookie, heard: Box::pin(heard), language: wording::language(), turns: Some(0) };
    // The stream outlasts the handler, and with it the language of the request.
    let body = stream::unfold(following, |following| in_language(following.language, next(following)))
        .map(Ok::<_, std::convert::Infallible>);
    HttpResponse::Ok()
        .insert_header(("content-type", "text/event-stream"))
        .insert_header(("cache-control", "no-store"))
        // Proxies that collect responses would hold events back.
        .insert_header(("x-accel-buffering", "no"))
        .streaming(body)
}

/// The next events, as one chunk.
async fn next(mut following: Following) -> Option<(Bytes, Following)> {
    let turn = following.turns?;
    let heard = match turn {
        0 => Some(ProgressEvent::Changed),
        _ => match tokio::time::timeout(PAUSE, following.heard.next()).await {
            Ok(heard) => Some(heard?),
            Err(_) => Some(ProgressEvent::Changed),
        },
    };
    following.turns = (turn < MOST_TURNS).then_some(turn + 1);
    let text = match heard? {
        ProgressEvent::Checked { is_first, checks } => {
            let begins = if is_first { event("begin", "") } else { String::new() };
            begins + &checks.iter().map(|check| event("check", &check_line(check))).collect::<String>()
        }
        ProgressEvent::Changed => {
            let progress = following.services.connect().progress(Anyone, &following.cookie).await;
            let shown = progress.as_ref().ok().filter(|progress| progress.phase == Phase::Working);
            if shown.is_none() {
                following.turns = None;
            }
            shown.map_or_else(
                || event("done", ""),
                |progress: &Progress| event("status", &status_text(progress)),
            )
        }
    };
    Some((Bytes::from(text), following))
}

/// One event; its data is one line.
fn event(name: &str, data: &str) -> String {
    let data = data.replace(['\r', '\n'], " ");
    format!("event: {name}\ndata: {data}\n\n")
}
