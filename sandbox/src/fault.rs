//! Faults that tests plant: what goes wrong, for which requests, how often.

use std::sync::Mutex;

use serde::{Deserialize, Serialize};

/// A planted fault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// Which requests it hits; all provider requests when absent.
    #[serde(default, rename = "match")]
    pub when: When,
    /// How many requests it still hits.
    #[serde(default = "once")]
    pub times: u32,
    /// How many matching requests pass unharmed before that.
    #[serde(default)]
    pub skip: u32,
    /// What goes wrong.
    #[serde(flatten)]
    pub action: Action,
}

fn once() -> u32 {
    1
}

/// Which requests a fault hits.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct When {
    /// The HTTP method; for a notification, what happened: `created`, `updated` or `deleted`.
    pub method: Option<String>,
    /// A part of the decoded path; for a notification, of the mailbox's address.
    pub path_contains: Option<String>,
    /// A part of the body; tells operations apart where all have one path, as in Exchange.
    pub body_contains: Option<String>,
}

/// What goes wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum Action {
    /// 429, with `Retry-After` when seconds are given.
    Throttle {
        /// Seconds.
        retry_after: Option<u32>,
    },
    /// 503.
    Outage,
    /// A refusal in the provider's own words; nothing happens.
    Refuse {
        /// The HTTP status.
        status: u16,
        /// The provider's code or reason.
        reason: String,
    },
    /// The request takes effect, then the connection is cut without an answer.
    DropAfter,
    /// The answer comes late.
    Slow {
        /// Milliseconds.
        ms: u64,
    },
    /// Nothing happens and nothing is answered; the connection is cut in the end.
    TimeoutBefore {
        /// Milliseconds until the connection is cut.
        #[serde(default = "ten_minutes")]
        ms: u64,
    },
    /// A notification is never sent.
    LoseNotice,
    /// A notification is sent twice.
    DuplicateNotice,
    /// A notification is held back until after the next one about the same mailbox.
    ReorderNotice,
    /// Before a notification another one arrives that bears a wrong word (`clientState`).
    ForgeNotice,
}

impl Action {
    /// Whether it happens to notifications, which the sandbox sends, and not to requests, which it is sent.
    pub const fn is_about_notices(&self) -> bool {
        matches!(self, Self::LoseNotice | Self::DuplicateNotice | Self::ReorderNotice | Self::ForgeNotice)
    }
}

fn ten_minutes() -> u64 {
    600_000
}

/// The faults that are planted now.
#[derive(Debug, Default)]
pub struct Faults(Mutex<Vec<Fault>>);

impl Faults {
    /// Plants one more.
    pub fn plant(&self, fault: Fault) {
        self.lock().push(fault);
    }

    /// Removes all.
    pub fn clear(&self) {
        self.lock().clear();
    }

    /// Those that are left.
    pub fn list(&self) -> Vec<Fault> {
        self.lock().clone()
    }

    /// The first fault that hits this request; it is used up by one.
    pub fn take(&self, method: &str, path: &str, body: &[u8]) -> Option<Action> {
        self.hit(method, path, body, false)
    }

    /// The first fault that hits a notification of this change (`created`, `updated` or `deleted`) of this resource.
    pub fn take_notice(&self, change: &str, resource: &str) -> Option<Action> {
        self.hit(change, resource, b"", true)
    }

    fn hit(&self, method: &str, path: &str, body: &[u8], notices: bool) -> Option<Action> {
        let mut faults = self.lock();
        let hit = faults.iter_mut().find_map(|fault| {
            if fault.action.is_about_notices() != notices || !fault.when.matches(method, path, body) {
                return None;
            }
            if fault.skip > 0 {
                fault.skip -= 1;
                return None;
            }
            fault.times = fault.times.saturating_sub(1);
            Some(fault.action.clone())
        });
        faults.retain(|fault| fault.times > 0);
        hit
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Fault>> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl When {
    fn matches(&self, method: &str, path: &str, body: &[u8]) -> bool {
        let holds = |part: &String| String::from_utf8_lossy(body).contains(part.as_str());
        self.method.as_ref().is_none_or(|wanted| wanted.eq_ignore_ascii_case(method))
            && self.path_contains.as_ref().is_none_or(|part| path.contains(part.as_str()))
            && self.body_contains.as_ref().is_none_or(holds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_hits_only_its_requests_and_only_as_often_as_asked() {
        let faults = Faults::default();
        faults.plant(
            serde_json::from_value(serde_json::json!({
                "match": {"method": "POST", "path_contains": "/events"}, "times": 2, "skip": 1, "action": "outage"
            }))
            .unwrap(),
        );
        let post = || faults.take("POST", "/v1.0/users/a/events", b"");
        assert_eq!(faults.take("GET", "/v1.0/users/a/events", b""), None);
        assert_eq!(
            [post(), post(), post(), post()],
            [None, Some(Action::Outage), Some(Action::Outage), None]
        );
    }
    #[test]
    fn operations_of_one_path_are_told_apart_by_their_body() {
        let faults = Faults::default();
        faults.plant(
            serde_json::from_value(
                serde_json::json!({ "match": { "body_contains": "CreateItem" }, "action": "outage" }),
            )
            .unwrap(),
        );
        assert_eq!(faults.take("POST", "/EWS/Exchange.asmx", b"<m:GetItem/>"), None);
        assert_eq!(faults.take("POST", "/EWS/Exchange.asmx", b"<m:CreateItem/>"), Some(Action::Outage));
    }
}
