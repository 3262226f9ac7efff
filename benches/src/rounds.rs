//! Rounds of measurements: each round measures all contenders one after the other, and the limit of the database; a
//! round whose limit deviates does not count.

use std::{collections::BTreeMap, fmt::Write};

/// Maximum relative deviation of a round's measured limit from the median of all rounds' limits.
const MOVED: f64 = 0.25;

/// Measurements of one round, by name.
pub type Round = BTreeMap<&'static str, f64>;

/// A row of the result: the ratio of two measurements, round by round.
#[derive(Debug)]
pub struct Ratio {
    /// Description of the ratio.
    pub what: &'static str,
    /// Name of the numerator.
    pub over: &'static str,
    /// Names of the two denominators, possibly the same; the better measurement counts.
    pub under: [&'static str; 2],
    /// Whether lower is better, as for times.
    pub less: bool,
    /// Factor for the numerator.
    pub times: f64,
    /// The target, in words.
    pub reach: &'static str,
}

/// Sorts values and returns the one in the middle.
pub fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => values[n / 2],
        n => f64::midpoint(values[n / 2 - 1], values[n / 2]),
    }
}

/// The rounds whose measured limit does not deviate too much.
pub fn steady_rounds<'a>(rounds: &'a [Round], limit: &str) -> Vec<&'a Round> {
    let mut limits: Vec<f64> = rounds.iter().filter_map(|round| round.get(limit).copied()).collect();
    let middle = median(&mut limits);
    let is_steady =
        |round: &&Round| round.get(limit).is_some_and(|value| (value / middle - 1.0).abs() <= MOVED);
    rounds.iter().filter(is_steady).collect()
}

/// The tables of a result as Markdown: every measurement, then every ratio.
pub fn format_tables(rounds: &[Round], limit: &str, ratios: &[Ratio]) -> String {
    let kept = steady_rounds(rounds, limit);
    let mut text = format!(
        "{} of {} rounds count (`{limit}` within 25 % of its median).\n\n| figure | median | min | max |\n|---|---|---|---|\n",
        kept.len(),
        rounds.len()
    );
    let names: std::collections::BTreeSet<_> = kept.iter().flat_map(|round| round.keys()).collect();
    for name in names {
        let mut values: Vec<f64> = kept.iter().filter_map(|round| round.get(name).copied()).collect();
        line(&mut text, name, &mut values, None);
    }
    text.push_str("\n| ratio | median | min | max | target |\n|---|---|---|---|---|\n");
    for ratio in ratios {
        let mut values: Vec<f64> = kept.iter().filter_map(|round| value(round, ratio)).collect();
        if !values.is_empty() {
            line(&mut text, ratio.what, &mut values, Some(ratio.reach));
        }
    }
    text
}

fn value(round: &Round, ratio: &Ratio) -> Option<f64> {
    let under = ratio.under.iter().filter_map(|name| round.get(name).copied());
    let best = if ratio.less { under.reduce(f64::min) } else { under.reduce(f64::max) }?;
    Some(round.get(ratio.over)? * ratio.times / best)
}

fn line(text: &mut String, name: &str, values: &mut [f64], reach: Option<&str>) {
    let middle = median(values);
    let (least, most) =
        (values.first().copied().unwrap_or(f64::NAN), values.last().copied().unwrap_or(f64::NAN));
    let reach = reach.map(|reach| format!(" {reach} |")).unwrap_or_default();
    // Writing to a String cannot fail.
    let _written =
        writeln!(text, "| {name} | {} | {} | {} |{reach}", short(middle), short(least), short(most));
}

fn short(value: f64) -> String {
    match value.abs() {
        big if big >= 100.0 => format!("{value:.0}"),
        big if big >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round(limit: f64, ours: f64, theirs: f64) -> Round {
        Round::from([("limit", limit), ("ours", ours), ("a", theirs), ("b", theirs / 2.0)])
    }

    #[test]
    fn a_round_whose_limit_moved_does_not_count_and_ratios_are_taken_round_by_round() {
        let rounds = [round(100.0, 10.0, 5.0), round(110.0, 30.0, 10.0), round(60.0, 1.0, 1.0)];
        assert_eq!(steady_rounds(&rounds, "limit").len(), 2);
        let ratio = |under, less| Ratio { what: "x", over: "ours", under, less, times: 1.0, reach: "2" };
        assert_eq!(value(&rounds[0], &ratio(["a", "b"], false)), Some(2.0));
        assert_eq!(value(&rounds[0], &ratio(["a", "b"], true)), Some(4.0));
        assert_eq!(value(&rounds[0], &ratio(["absent", "absent"], true)), None);
        let text = format_tables(&rounds, "limit", &[ratio(["a", "a"], false)]);
        assert!(text.contains("| x | 2.50 | 2.00 | 3.00 | 2 |"), "{text}");
    }
}
