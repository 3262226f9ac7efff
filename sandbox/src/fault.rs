//! Injected faults: their effect, the requests that they affect, and how often.

use std::sync::Mutex;

use serde::{Deserialize, Serialize};

/// An injected fault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// Which requests the fault affects; all provider requests if absent.
    #[serde(default, rename = "match")]
    pub when: FaultFilter,
    /// Number of requests that the fault still affects.
    #[serde(default = "once")]
    pub times: u32,
    /// Number of matching requests that are served normally first.
    #[serde(default)]
    pub skip: u32,
    /// The effect of a fault.
    #[serde(flatten)]
    pub action: FaultAction,
}

fn once() -> u32 {
    1
}

/// Selects the requests that a fault affects.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultFilter {
    /// HTTP method or, for a notification, the kind of change: `created`, `updated` or `deleted`.
    pub method: Option<String>,
    /// Substring of the decoded path or, for a notification, of the mailbox's email address.
    pub path_contains: Option<String>,
    /// Substring of the body, to distinguish operations that share a path, as in Exchange.
    pub body_contains: Option<String>,
}

/// The effect of a fault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum FaultAction {
    /// Responds with 429, with `Retry-After` if seconds are given.
    Throttle {
        /// Wait in seconds.
        retry_after: Option<u32>,
    },
    /// Responds with 503.
    Outage,
    /// Responds with an error of the provider; the request has no effect.
    Refuse {
        /// HTTP status of the response.
        status: u16,
        /// The provider's code or reason.
        reason: String,
    },
    /// The request takes effect, then the connection is cut without a response.
    DropAfter,
    /// The response is late.
    Slow {
        /// Delay in milliseconds.
        ms: u64,
    },
    /// The request has no effect and no response; the connection is cut after a while.
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
    /// A forged notification with a wrong secret (`clientState`) precedes the real one.
    ForgeNotice,
}

impl FaultAction {
    /// Whether the fault affects notifications, which the sandbox sends, and not requests, which it receives.
    pub const fn affects_notifications(&self) -> bool {
        matches!(self, Self::LoseNotice | Self::DuplicateNotice | Self::ReorderNotice | Self::ForgeNotice)
    }
}

fn ten_minutes() -> u64 {
    600_000
}

/// The currently injected faults.
#[derive(Debug, Default)]
pub struct Faults(Mutex<Vec<Fault>>);

impl Faults {
    /// Adds a fault; faults that were added earlier take precedence.
    pub fn inject(&self, fault: Fault) {
        self.lock().push(fault);
    }

    /// Removes all faults.
    pub fn clear(&self) {
        self.lock().clear();
    }

    /// The remaining faults.
    pub fn list(&self) -> Vec<Fault> {
        self.lock().clone()
    }

    /// The first fault that affects this request; its count decreases by one.
    pub fn take_for_request(&self, method: &str, path: &str, body: &[u8]) -> Option<FaultAction> {
        self.hit(method, path, body, false)
    }

    /// The first fault that affects a notification of this change (`created`, `updated` or `deleted`) to this
    /// resource.
    pub fn take_for_notification(&self, change: &str, resource: &str) -> Option<FaultAction> {
        self.hit(change, resource, b"", true)
    }

    fn hit(&self, method: &str, path: &str, body: &[u8], notices: bool) -> Option<FaultAction> {
        let mut faults = self.lock();
        let hit = faults.iter_mut().find_map(|fault| {
            if fault.action.affects_notifications() != notices || !fault.when.matches(method, path, body) {
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

impl FaultFilter {
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
        faults.inject(
            serde_json::from_value(serde_json::json!({
                "match": {"method": "POST", "path_contains": "/events"}, "times": 2, "skip": 1, "action": "outage"
            }))
            .unwrap(),
        );
        let post = || faults.take_for_request("POST", "/v1.0/users/a/events", b"");
        assert_eq!(faults.take_for_request("GET", "/v1.0/users/a/events", b""), None);
        assert_eq!(
            [post(), post(), post(), post()],
            [None, Some(FaultAction::Outage), Some(FaultAction::Outage), None]
        );
    }
    #[test]
    fn operations_of_one_path_are_told_apart_by_their_body() {
        let faults = Faults::default();
        faults.inject(
            serde_json::from_value(
                serde_json::json!({ "match": { "body_contains": "CreateItem" }, "action": "outage" }),
            )
            .unwrap(),
        );
        assert_eq!(faults.take_for_request("POST", "/EWS/Exchange.asmx", b"<m:GetItem/>"), None);
        assert_eq!(
            faults.take_for_request("POST", "/EWS/Exchange.asmx", b"<m:CreateItem/>"),
            Some(FaultAction::Outage)
        );
    }
}
