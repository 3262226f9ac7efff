//! Pull subscriptions: Subscribe, GetEvents, Unsubscribe.
//!
//! A subscription remembers its calendar. The watermark says how far its owner has read, and when: a subscription not
//! read for longer than its time-out is forgotten. A watermark may be sent twice, because the response may have been
//! lost.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use chrono::{Duration, SecondsFormat};
use domain::Timestamp;

use super::{
    account::Call,
    failure::{Failure, Refused},
    folders,
    xml::{Element, MESSAGES, TYPES, element, quoted, response, success},
};
use crate::{
    history::EventChange,
    model::Pull,
    store::{Change, State},
};

/// Maximum number of events per response.
const MAX: usize = 50;
/// The longest time-out, in minutes.
const LONGEST: i64 = 1_440;

/// Handles Subscribe, for pull subscriptions only.
pub fn subscribe(call: &Call<'_>, operation: &Element) -> Result<String, Refused> {
    let asked = operation.child(MESSAGES, "PullSubscriptionRequest");
    let made = match asked.ok_or_else(|| Failure::schema("Subscribe")).and_then(|asked| ask(call, asked)) {
        Ok(made) => made,
        Err(failure) => return Ok(response("Subscribe", &[failure.about_item("Subscribe")])),
    };
    let mut store = call.app.store();
    let mark = Mark { subscription: made.id.clone(), count: store.state().history.count, at: call.app.now() };
    let inside =
        format!("{}{}", element("m:SubscriptionId", &made.id), element("m:Watermark", &mark.write()));
    call.app.commit(&mut store, vec![Change::Pull(made)])?;
    Ok(response("Subscribe", &[success("Subscribe", &inside)]))
}

fn ask(call: &Call<'_>, asked: &Element) -> Result<Pull, Failure> {
    let inside = |name: &str| asked.child(TYPES, name).map(|one| one.children.as_slice()).unwrap_or_default();
    let [folder] = inside("FolderIds") else { return Err(Failure::schema("FolderIds")) };
    let owner = call.calendar(folder)?;
    let timeout_minutes = asked.typed("Timeout").and_then(|minutes| minutes.parse().ok());
    let timeout_minutes = timeout_minutes.filter(|minutes| (1..=LONGEST).contains(minutes));
    let kinds = inside("EventTypes").iter().map(|kind| kind.text.trim().to_owned()).collect::<Vec<_>>();
    if kinds.is_empty() {
        return Err(Failure::schema("EventTypes"));
    }
    let id = BASE64_STANDARD.encode(call.app.guid().as_bytes());
    let epoch = call.app.store().state().history.epoch;
    let timeout_minutes = timeout_minutes.ok_or_else(|| Failure::schema("Timeout"))?;
    Ok(Pull { id, owner, kinds, timeout_minutes, epoch })
}

/// Handles GetEvents.
pub fn events(call: &Call<'_>, operation: &Element) -> String {
    let message = match told(call, operation) {
        Ok(inside) => success("GetEvents", &inside),
        Err(failure) => failure.about_item("GetEvents"),
    };
    response("GetEvents", &[message])
}

/// Ends a pull subscription, after which its id is unknown.
pub fn unsubscribe(call: &Call<'_>, operation: &Element) -> Result<String, Refused> {
    let mut store = call.app.store();
    let message = match known(call, store.state(), operation).map(|known| known.id.clone()) {
        Ok(id) => {
            call.app.commit(&mut store, vec![Change::PullGone(id)])?;
            success("Unsubscribe", "")
        }
        Err(failure) => failure.about_item("Unsubscribe"),
    };
    Ok(response("Unsubscribe", &[message]))
}

fn told(call: &Call<'_>, operation: &Element) -> Result<String, Failure> {
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
    let mut all = state.history.since(&pull.owner, mark.count);
    all.retain(|(_, touched)| pull.kinds.iter().any(|wanted| wanted == kind(touched, mark.count)));
    let more = all.len() > MAX;
    all.truncate(MAX);
    let at = |count| Mark { subscription: pull.id.clone(), count, at: now }.write();
    let time = element("t:TimeStamp", &now.to_rfc3339_opts(SecondsFormat::Secs, true));
    let folder = quoted(&folders::id(&pull.owner, "calendar"));
    let mut events: Vec<String> = all
        .iter()
        .map(|(id, touched)| {
            format!(
                r#"<t:{kind}>{}{time}<t:ItemId Id="{}" ChangeKey="AQAAAA=="/><t:ParentFolderId Id="{folder}" ChangeKey="AQAAAA=="/></t:{kind}>"#,
                element("t:Watermark", &at(touched.last)),
                quoted(id),
                kind = kind(touched, mark.count),
            )
        })
        .collect();
    if all.is_empty() {
        let mark = element("t:Watermark", &at(state.history.count));
        events.push(format!("<t:StatusEvent>{mark}</t:StatusEvent>"));
    }
    Ok(format!(
        "<m:Notification>{}{}<t:MoreEvents>{more}</t:MoreEvents>{}</m:Notification>",
        element("t:SubscriptionId", &pull.id),
        element("t:PreviousWatermark", text),
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

/// The subscription that an operation names, if it belongs to the calendar acted on.
fn known<'s>(call: &Call<'_>, state: &'s State, operation: &Element) -> Result<&'s Pull, Failure> {
    let id = operation.child(MESSAGES, "SubscriptionId").map(|one| one.text.trim()).unwrap_or_default();
    let pull = state.pulls.get(id).filter(|pull| pull.epoch == state.history.epoch).ok_or_else(not_found)?;
    if pull.owner == call.owner()? {
        return Ok(pull);
    }
    Err(Failure::new("ErrorSubscriptionAccessDenied", "The subscription belongs to somebody else."))
}

fn not_found() -> Failure {
    Failure::new("ErrorSubscriptionNotFound", "The specified subscription was not found.")
}

/// How far and when a subscription was read.
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
