//! What must be true once everything is quiet. The sandbox's journal and calendars are the judge.

use std::collections::BTreeMap;

use domain::{Id, Timestamp, ids};

use super::{
    cluster::{Cluster, Entry},
    database::StepInProgress,
    load::Known,
};

/// What was found.
#[derive(Debug, Default)]
pub struct Verdict {
    /// What is not as it must be.
    pub violations: Vec<String>,
    /// How runs ended, by workflow and status.
    pub ends: BTreeMap<String, u64>,
    /// Runs that stand with a reason.
    pub parked: Vec<String>,
    /// Events that were written, and answered as written already.
    pub written: u64,
    pub repeated: u64,
}

impl Verdict {
    /// Fails unless everything is as it must be and every run is done.
    pub fn is_clean(&self) {
        assert!(self.violations.is_empty(), "{:#?}", self.violations);
        assert!(self.parked.is_empty(), "{:#?}", self.parked);
    }
}

/// Looks at everything. To be called when no job is open.
pub async fn judge(cluster: &Cluster, ledger: &[Known]) -> Verdict {
    let mut verdict = Verdict::default();
    verdict.violations.extend(cluster.panics());
    runs(cluster, &mut verdict).await;
    let stands = bookings(cluster, ledger, &mut verdict).await;
    events(cluster, &stands, &mut verdict).await;
    let mut created: BTreeMap<String, u64> = BTreeMap::new();
    for entry in cluster.sandbox.journal() {
        match (entry.outcome.as_str(), entry.key) {
            ("created", Some(key)) => *created.entry(key).or_default() += 1,
            ("duplicate", _) => verdict.repeated += 1,
            _ => {}
        }
    }
    verdict.written = created.values().sum();
    for (key, times) in created.iter().filter(|(_, times)| **times > 1) {
        verdict.violations.push(format!("{key} was written {times} times"));
    }
    verdict
}

/// Every run has ended, or stands with a reason; its history has one line for each of its steps' commits.
async fn runs(cluster: &Cluster, verdict: &mut Verdict) {
    let ends = "SELECT workflow, status, count(*) AS n FROM run GROUP BY workflow, status";
    for row in cluster.database.rows(ends).await {
        let (workflow, status): (String, String) =
            (row.try_get("", "workflow").unwrap(), row.try_get("", "status").unwrap());
        verdict.ends.insert(format!("{workflow} {status}"), row.try_get::<i64>("", "n").unwrap() as u64);
    }
    let odd = "SELECT r.workflow, r.status, coalesce(r.state, '') AS state, coalesce(r.reason ->> 'code', '') AS code,
            (SELECT coalesce(string_agg(concat_ws(' ', h.at::time(0), h.state, h.outcome, h.attempt, h.reason ->> 'code'),
                '; ' ORDER BY h.revision), '') FROM run_history h WHERE h.run_id = r.id) AS history
        FROM run r LEFT JOIN job j ON j.run_id = r.id WHERE r.status <> 'DONE'";
    for row in cluster.database.rows(odd).await {
        let text = |name: &str| -> String { row.try_get("", name).unwrap() };
        let said = format!(
            "{} {} in {}: {} ({})",
            text("workflow"),
            text("status"),
            text("state"),
            text("code"),
            text("history")
        );
        match (text("status").as_str(), text("code").is_empty()) {
            ("FAILED" | "QUARANTINED", false) => verdict.parked.push(said),
            _ => verdict.violations.push(format!("not over: {said}")),
        }
    }
    let left = cluster.database.jobs().await;
    if left > 0 {
        verdict.violations.push(format!("{left} jobs are left"));
    }
    let history = "SELECT r.workflow, r.revision, count(h.id) AS lines, count(h.id) FILTER (WHERE h.outcome = 'DONE') AS ends
        FROM run r LEFT JOIN run_history h ON h.run_id = r.id GROUP BY r.id
        HAVING r.revision <> count(h.id) OR count(h.id) FILTER (WHERE h.outcome = 'DONE') > 1";
    for row in cluster.database.rows(history).await {
        let (workflow, revision, lines): (String, i64, i64) = (
            row.try_get("", "workflow").unwrap(),
            row.try_get("", "revision").unwrap(),
            row.try_get("", "lines").unwrap(),
        );
        verdict.violations.push(format!("a {workflow} at revision {revision} has {lines} lines of history"));
    }
}

/// Everything that was acknowledged is there as it was acknowledged. Returns the keys and times of what stands.
async fn bookings(on: &Cluster, ledger: &[Known], verdict: &mut Verdict) -> BTreeMap<String, Timestamp> {
    let sql = "SELECT b.id, b.title, b.state, b.start_at, replace(b.id::text, '-', '') || '-' || b.generation AS key,
        (SELECT count(*) FROM occupancy o WHERE o.booking_id = b.id) AS blocked,
        (SELECT count(*) FROM booking_participant p WHERE p.booking_id = b.id) AS participants FROM booking b";
    let mut found = BTreeMap::new();
    let mut standing = BTreeMap::new();
    for row in on.database.rows(sql).await {
        let id: Id<ids::Booking> = row.try_get("", "id").unwrap();
        let (title, word): (String, String) =
            (row.try_get("", "title").unwrap(), row.try_get("", "state").unwrap());
        let start: Timestamp = row.try_get("", "start_at").unwrap();
        let (blocked, participants): (i64, i64) =
            (row.try_get("", "blocked").unwrap(), row.try_get("", "participants").unwrap());
        let is_over = word == "CANCELLED" || word == "FAILED";
        if blocked != if is_over { 0 } else { participants } {
            verdict.violations.push(format!("{title} ({word}) blocks {blocked} of {participants}"));
        }
        if !is_over {
            standing.insert(row.try_get::<String>("", "key").unwrap(), start);
        }
        found.insert(id.to_string(), (title, word, start));
    }
    if found.len() != ledger.len() {
        verdict.violations.push(format!("{} bookings stand for {} orders", found.len(), ledger.len()));
    }
    for known in ledger {
        let is_right = found.get(&known.id).is_some_and(|(title, word, start)| {
            *title == known.title
                && match known.start {
                    Some(wanted) => word == "CONFIRMED" && *start == wanted,
                    None => word == "CANCELLED",
                }
        });
        if !is_right {
            verdict.violations.push(format!("{known:?} is {:?}", found.get(&known.id)));
        }
    }
    standing
}

/// One live event for each booking that stands, at its time, and no other of ours.
async fn events(cluster: &Cluster, stands: &BTreeMap<String, Timestamp>, verdict: &mut Verdict) {
    let organisation =
        cluster.sandbox.get(&format!("/control/organisations/{}", cluster.organisation.id)).await;
    let mut live: BTreeMap<String, Vec<Timestamp>> = BTreeMap::new();
    for kind in ["users", "shared", "rooms"] {
        for mailbox in organisation[kind].as_array().unwrap() {
            let path = format!(
                "/control/organisations/{}/events?mailbox={}",
                cluster.organisation.id,
                mailbox["address"].as_str().unwrap()
            );
            for event in cluster.sandbox.get(&path).await.as_array().unwrap() {
                if let (Some(key), true) = (event["key"].as_str(), event["is_organizer"] == true) {
                    let start = event["start"].as_str().unwrap().parse().unwrap();
                    live.entry(key.to_owned()).or_default().push(start);
                }
            }
        }
    }
    for (key, start) in stands {
        match live.remove(key).as_deref() {
            Some([at]) if at == start => {}
            other => verdict.violations.push(format!("{key} stands at {start}, its live events: {other:?}")),
        }
    }
    for (key, at) in live {
        verdict.violations.push(format!("a live event without a booking: {key} at {at:?}"));
    }
}

/// Which of these steps the provider had accepted when their node died: nobody else can have done it, their leases
/// still ran.
pub fn accepted(held: &[StepInProgress], journal: &[Entry]) -> usize {
    let is_accepted = |held: &&StepInProgress| {
        let wanted = match (held.workflow.as_str(), held.state.as_str()) {
            ("write_booking", "Write") => "created",
            ("move_booking", "Change") => "updated",
            ("cancel_booking", "Cancel") => "cancelled",
            _ => return false,
        };
        journal.iter().rev().any(|entry| {
            entry.outcome == wanted && entry.key.is_some() && entry.key == held.key && entry.at > held.ordered
        })
    };
    held.iter().filter(is_accepted).count()
}
