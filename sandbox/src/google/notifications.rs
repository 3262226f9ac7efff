//! Push notifications of Google's channels, which report that a calendar changed but not which event.

use domain::Timestamp;

use super::state::Channel;
use crate::{
    notifications::OutgoingNotification,
    store::{ChangeNotification, State},
};

/// Header that contains the channel's secret.
pub(crate) const CHANNEL_TOKEN_HEADER: &str = "x-goog-channel-token";

/// The notifications to open channels about a change.
pub(crate) fn outgoing_notifications<'a>(
    state: &'a State,
    notice: &'a ChangeNotification,
    now: Timestamp,
) -> impl Iterator<Item = OutgoingNotification> + 'a {
    let channels = state.google.channels.values().filter(move |channel| channel.expires_at > now);
    let channels = channels.filter(|channel| match notice.change {
        "sync" => channel.id == notice.event,
        _ => channel.owner == notice.owner,
    });
    channels.map(|channel| OutgoingNotification {
        url: channel.address.clone(),
        headers: headers(channel, state.history.count, notice),
        body: None,
        forged: false,
    })
}

/// The headers of a notification. The first notification of a channel only confirms that the channel is open.
fn headers(channel: &Channel, count: u64, notice: &ChangeNotification) -> Vec<(&'static str, String)> {
    let first = notice.change == "sync";
    let number = if first { 1 } else { count + 1 };
    let mut headers = vec![
        ("x-goog-channel-id", channel.id.clone()),
        ("x-goog-message-number", number.to_string()),
        ("x-goog-resource-id", channel.resource_id.clone()),
        ("x-goog-resource-state", if first { "sync" } else { "exists" }.to_owned()),
        ("x-goog-resource-uri", channel.resource_uri.clone()),
        ("x-goog-channel-expiration", channel.expires_at.format("%a, %d %b %Y %H:%M:%S GMT").to_string()),
    ];
    headers.extend(channel.token.clone().map(|token| (CHANNEL_TOKEN_HEADER, token)));
    headers
}
