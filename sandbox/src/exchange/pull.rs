//! Pull subscriptions: Subscribe, GetEvents, Unsubscribe.
//!
//! A subscription belongs to a calendar. Its watermark contains the position up to which the client has read, and the
//! time of reading; a subscription that is not read for longer than its time-out expires. A client may send the same
//! watermark twice, because the first response may have been lost.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use chrono::{Duration, SecondsFormat};
use domain::Timestamp;

use super::{
    account::CallContext,
    failure::{Failure, RequestError},
    folders,
    xml::{Element, MESSAGES, TYPES, escape_attribute, operation_response, success_message, text_element},
};
use crate::{
    history::EventChange,
    model::PullSubscription,
    store::{Change, State},
};

/// Maximum number of events per response.
const MAX: usize = 50;
/// The longest time-out, in minutes.
const LONGEST: i64 = 1_440;

/// Handles Subscribe, for pull subscriptions only.
pub fn subscribe(call: &CallContext<'_>, operation: &Element) -> Result<String, RequestError> {
    let asked = operation.child(MESSAGES, "PullSubscriptionRequest");
    let made = match asked
        .ok_or_else(|| Failure::schema_violation("Subscribe"))
        .and_then(|asked| ask(call, asked))
    {
        Ok(made) => made,
        Err(failure) => return Ok(operation_response("Subscribe", &[failure.to_item_message("Subscribe")])),
    };
    let mut store = call.app.store();
    let mark = Mark { subscription: made.id.clone(), count: store.state().history.count, at: call.app.now() };
    let inside = format!(
        "{}{}",
        text_element("m:SubscriptionId", &made.id),
        text_element("m:Watermark", &mark.write())
    );
    call.app.commit(&mut store, vec![Change::Pull(made)])?;
    Ok(operation_response("Subscribe", &[success_message("Subscribe", &inside)]))
}

fn ask(call: &CallContext<'_>, asked: &Element) -> Result<PullSubscription, Failure> {
    let inside = |name: &str| asked.child(TYPES, name).map(|one| one.children.as_slice()).unwrap_or_default();
    let [folder] = inside("FolderIds") else { return Err(Failure::schema_violation("FolderIds")) };
    let owner = call.calendar_of_folder(folder)?;
    let timeout_minutes = asked.child_text("Timeout").and_then(|minutes| minutes.parse().ok());
    let timeout_minutes = timeout_minutes.filter(|minutes| (1..=LONGEST).contains(minutes));
    let kinds = inside("EventTypes").iter().map(|kind| kind.text.trim().to_owned()).collect::<Vec<_>>();
    if kinds.is_empty() {
        return Err(Failure::schema_violation("EventTypes"));
    }
    let id = BASE64_STANDARD.encode(call.app.new_guid().as_bytes());
    let epoch = call.app.store().state().history.epoch;
    let timeout_minutes = timeout_minutes.ok_or_else(|| Failure::schema_violation("Timeout"))?;
    Ok(PullSubscription { id, owner, kinds, timeout_minutes, epoch })
}

/// Handles GetEvents.
pub fn get_events(call: &CallContext<'_>, operation: &Element) -> String {
    let message = match told(call, operation) {
        Ok(inside) => success_message("GetEvents", &inside),
        Err(failure) => failure.to_item_message("GetEvents"),
    };
    operation_response("GetEvents", &[message])
}

/// Handles Unsubscribe: ends a pull subscription, whose id is then unknown.
pub fn unsubscribe(call: &CallContext<'_>, operation: &Element) -> Result<String, RequestError> {
    let mut store = call.app.store();
    let message = match known(call, store.state(), operation).map(|known| known.id.clone()) {
        Ok(id) => {
            call.app.commit(&mut store, vec![Change::PullGone(id)])?;
            success_message("Unsubscribe", "")
        }
        Err(failure) => failure.to_item_message("Unsubscribe"),
    };
    Ok(operation_response("Unsubscribe", &[message]))
}

fn told(call: &CallContext<'_>, operation: &Element) -> Result<String, Failure> {
    let store = call.app.store();
    let state = store.state();
    let pull = known(call, state, operation)?;
    let text = operation.child(MESSAGES, "Watermark").map(|one| one.text.trim()).unwrap_or_default();
    let mark = Mark::read(text).filter(|mark| mark.subscription == pull.id).ok_or_else(|| {
        Failure::new("ErrorInvalidWatermark", "The watermark is invalid for this subscription.")
    })?;
    let now = call.app.now();
    if now > mark.at + Duration::minutes(pull.timeout_minutes) {
        return Err(not_found());
    }
    let mut all = state.history.changes_since(&pull.owner, mark.count);
    all.retain(|(_, touched)| pull.kinds.iter().any(|wanted| wanted == kind(touched, mark.count)));
    let more = all.len() > MAX;
    all.truncate(MAX);
    let at = |count| Mark { subscription: pull.id.clone(), count, at: now }.write();
    let time = text_element("t:TimeStamp", &now.to_rfc3339_opts(SecondsFormat::Secs, true));
    let folder = escape_attribute(&folders::folder_id(&pull.owner, "calendar"));
    let mut events: Vec<String> = all
        .iter()
        .map(|(id, touched)| {
            format!(
                r#"<t:{kind}>{}{time}<t:ItemId Id="{}" ChangeKey="AQAAAA=="/><t:ParentFolderId Id="{folder}" ChangeKey="AQAAAA=="/></t:{kind}>"#,
                text_element("t:Watermark", &at(touched.last)),
                escape_attribute(id),
                kind = kind(touched, mark.count),
            )
        })
        .collect();
    if all.is_empty() {
        let mark = text_element("t:Watermark", &at(state.history.count));
        events.push(format!("<t:StatusEvent>{mark}</t:StatusEvent>"));
    }
    Ok(format!(
        "<m:Notification>{}{}<t:MoreEvents>{more}</t:MoreEvents>{}</m:Notification>",
        text_element("t:SubscriptionId", &pull.id),
        text_element("t:PreviousWatermark", text),
        events.concat(),
    ))
}

/// The kind of event with which Exchange reports a change made after change number `count`.
fn kind(touched: &EventChange, count: u64) -> &'static str {
    match (&touched.gone, touched.made > count) {
        (Some(_), _) => "DeletedEvent",
        (None, true) => "CreatedEvent",
        (None, false) => "ModifiedEvent",
    }
}

/// The subscription that an operation names, if it belongs to the calendar of the accessed mailbox.
fn known<'s>(
    call: &CallContext<'_>,
    state: &'s State,
    operation: &Element,
) -> Result<&'s PullSubscription, Failure> {
    let id = operation.child(MESSAGES, "SubscriptionId").map(|one| one.text.trim()).unwrap_or_default();
    let pull = state.pulls.get(id).filter(|pull| pull.epoch == state.history.epoch).ok_or_else(not_found)?;
    if pull.owner == call.own_calendar()? {
        return Ok(pull);
    }
    Err(Failure::new("ErrorSubscriptionAccessDenied", "The subscription belongs to somebody else."))
}

fn not_found() -> Failure {
    Failure::new("ErrorSubscriptionNotFound", "The specified subscription was not found.")
}

/// The position up to which a subscription was read, and the time of reading.
struct Mark {
    subscription: String,
    count: u64,
    at: Timestamp,
}

impl Mark {
    fn write(&self) -> String {
        let plain = format!("{}:{}:{}", self.subscription, self.count, self.at.timestamp_millis());
        BASE64_STANDARD.encode(plain)
    }

    fn read(text: &str) -> Option<Self> {
        let plain = String::from_utf8(BASE64_STANDARD.decode(text).ok()?).ok()?;
        let mut parts = plain.splitn(3, ':');
        let subscription = parts.next()?.to_owned();
        let count = parts.next()?.parse().ok()?;
        let at = Timestamp::from_timestamp_millis(parts.next()?.parse().ok()?)?;
        Some(Self { subscription, count, at })
    }
}
