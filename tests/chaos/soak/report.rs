//! The tally of a soak, and its printed report.

use std::{collections::BTreeMap, fmt::Write as _, time::Duration};

use super::{super::judge::Verdict, disasters::Disaster};

/// Kind of failure.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) disasters: BTreeMap<Disaster, u64>,
    /// How often the danger of a disaster was met.
    pub(super) met: BTreeMap<Disaster, u64>,
    /// From Redis's return until hints were read again, and until every run that was due then had moved on.
    pub(super) resumed: Vec<Duration>,
    pub(super) caught_up: Vec<Duration>,
    pub(super) violations: Vec<String>,
}

impl Tally {
    pub(super) fn meet(&mut self, disaster: Disaster, times: u64) {
        *self.met.entry(disaster).or_default() += times;
    }
}

pub(super) fn report(tally: &Tally, verdict: &Verdict, retried: usize, quiet_after: Duration) -> String {
    let mut text = String::from("\nruns by end\n");
    for (end, count) in &verdict.ends {
        let _ = writeln!(text, "  {end:<32} {count:>6}");
    }
    let _ = writeln!(text, "  {:<32} {retried:>6}", "parked, then retried");
    let _ = writeln!(text, "\n{:<16} {:>6} {:>10}", "disaster", "times", "danger met");
    for (disaster, times) in &tally.disasters {
        let met = tally.met.get(disaster).copied().unwrap_or_default();
        let _ = writeln!(text, "{:<16} {times:>6} {met:>10}", format!("{disaster:?}"));
    }
    let _ = writeln!(
        text,
        "\nevents written {}, answered as written already {}",
        verdict.written, verdict.repeated
    );
    for (what, times) in [("hints read again", &tally.resumed), ("all due runs moved on", &tally.caught_up)] {
        let mut sorted = times.clone();
        sorted.sort_unstable();
        if let (Some(least), Some(most)) = (sorted.first(), sorted.last()) {
            let median = sorted[sorted.len() / 2];
            let times = sorted.len();
            let _ = writeln!(
                text,
                "after {times} returns of Redis, {what} within {least:.1?} / {median:.1?} / {most:.1?} (least, median, most)"
            );
        }
    }
    let _ = writeln!(text, "quiet {quiet_after:.1?} after the last order");
    let _ = writeln!(text, "violations {}", verdict.violations.len());
    text
}
