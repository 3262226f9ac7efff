//! The demo's output: progress while it runs, and a table or one line of JSON at the end.

use std::{
    io::{IsTerminal as _, Write as _},
    time::{Duration, Instant},
};

use comfy_table::{Attribute, Cell, Color, ContentArrangement, Table, presets::UTF8_FULL_CONDENSED};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use super::plan::{CalendarSystem, Step};

/// Width of the table if the output is not a terminal, in columns.
const WIDTH: u16 = 150;
/// Minimum width of the table; a narrower terminal wraps lines itself.
const NARROWEST: u16 = 80;

/// Outcome of one step of the demo.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StepResult {
    /// The step succeeded; describes what was observed.
    Done(String),
    /// The calendar system does not support the step; gives the reason.
    NotApplicable(&'static str),
    /// An error occurred, described by its message.
    Failed(String),
    /// The step was not run because an earlier one failed.
    NotReached,
}

impl StepResult {
    const fn word(&self) -> &'static str {
        match self {
            Self::Done(_) => "done",
            Self::NotApplicable(_) => "not applicable",
            Self::Failed(_) => "failed",
            Self::NotReached => "not reached",
        }
    }

    fn note(&self) -> &str {
        match self {
            Self::Done(note) | Self::Failed(note) => note,
            Self::NotApplicable(why) => why,
            Self::NotReached => "",
        }
    }
}

/// The results of all steps, and the progress bars.
#[derive(Debug)]
pub struct Report {
    system: CalendarSystem,
    rows: Vec<(Step, StepResult, Duration)>,
    bars: MultiProgress,
    whole: ProgressBar,
    since: Instant,
    is_terminal: bool,
}

impl Report {
    /// Shows the progress bar and starts measuring the duration.
    pub fn begin(system: CalendarSystem) -> Self {
        let bars = MultiProgress::new();
        let whole = bars.add(ProgressBar::new(Step::ALL.len() as u64));
        let style = ProgressStyle::with_template("{spinner} [{bar:32}] {pos}/{len}  {msg}");
        whole.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("=> "));
        whole.enable_steady_tick(Duration::from_millis(120));
        let is_terminal = std::io::stderr().is_terminal();
        Self { system, rows: Vec::new(), bars, whole, since: Instant::now(), is_terminal }
    }

    /// Shows which step is running.
    pub fn show_step(&self, step: Step) {
        self.whole.set_message(step.title());
    }

    /// Adds a bar for a step with many parts.
    pub fn add_bar(&self, title: &str) -> ProgressBar {
        let bar = self.bars.add(ProgressBar::new(0));
        let style = ProgressStyle::with_template("  [{bar:32}] {pos}/{len}  {msg}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("=> "));
        bar.set_message(title.to_owned());
        bar
    }

    /// Prints a line above the bars.
    pub fn print_line(&self, line: &str) {
        if self.is_terminal {
            // A terminal that went away is no reason to stop.
            let _ = self.bars.println(line);
        } else {
            let _ = writeln!(std::io::stderr(), "{line}");
        }
    }

    /// Records the result of a step.
    pub fn record(&mut self, step: Step, verdict: StepResult, took: Duration) {
        let line = format!("{:<14} {} {}", verdict.word(), step.title(), shown(verdict.note()));
        self.print_line(line.trim_end());
        self.rows.push((step, verdict, took));
        self.whole.inc(1);
    }

    /// Removes the bars and records all missing steps as not reached.
    pub fn finish(&mut self) {
        for step in Step::ALL {
            if self.rows.iter().all(|(known, ..)| known != step) {
                self.rows.push((*step, StepResult::NotReached, Duration::ZERO));
            }
        }
        self.rows.sort_by_key(|(step, ..)| *step);
        self.whole.finish_and_clear();
    }

    /// Whether every step succeeded or is not supported by the calendar system.
    pub fn all_succeeded(&self) -> bool {
        let good =
            |verdict: &StepResult| matches!(verdict, StepResult::Done(_) | StepResult::NotApplicable(_));
        self.rows.len() == Step::ALL.len() && self.rows.iter().all(|(_, verdict, _)| good(verdict))
    }

    /// The results as a table for people: one row per step, with result, duration and observation.
    pub fn table(&self) -> String {
        let mut table = Table::new();
        table.set_content_arrangement(ContentArrangement::Dynamic);
        if table.width().is_none_or(|width| width < NARROWEST) {
            table.set_width(WIDTH);
        }
        table.load_style(UTF8_FULL_CONDENSED).set_header(["", "Step", "Verdict", "Time", "What was seen"]);
        for (index, (step, verdict, took)) in self.rows.iter().enumerate() {
            let color = match verdict {
                StepResult::Done(_) => Color::Green,
                StepResult::NotApplicable(_) => Color::DarkGrey,
                StepResult::Failed(_) | StepResult::NotReached => Color::Red,
            };
            let time = match verdict {
                StepResult::Done(_) | StepResult::Failed(_) => format!("{:.2} s", took.as_secs_f64()),
                _ => String::new(),
            };
            table.add_row([
                Cell::new(index + 1),
                Cell::new(step.title()),
                Cell::new(verdict.word()).fg(color).add_attribute(Attribute::Bold),
                Cell::new(time),
                Cell::new(verdict.note()),
            ]);
        }
        let end = if self.all_succeeded() { "All steps succeeded." } else { "Some steps failed." };
        format!("{table}\n{end} ({:.1} s)", self.since.elapsed().as_secs_f64())
    }

    /// The results as JSON for programs, including the created objects.
    pub fn to_json(&self, created: &Value) -> Value {
        let steps = self.rows.iter().map(|(step, verdict, took)| {
            json!({
                "step": step.name(),
                "verdict": verdict.word(),
                "ms": u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
                "note": verdict.note(),
            })
        });
        json!({
            "ok": self.all_succeeded(),
            "provider": self.system.api_name(),
            "steps": steps.collect::<Vec<_>>(),
            "made": created,
        })
    }
}

fn shown(note: &str) -> String {
    if note.is_empty() { String::new() } else { format!("- {note}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(last: &StepResult) -> Report {
        let mut report = Report::begin(CalendarSystem::CalDav);
        for step in Step::ALL {
            let verdict = match step.unsupported_reason(CalendarSystem::CalDav) {
                Some(why) => StepResult::NotApplicable(why),
                None if *step == Step::Erase => last.clone(),
                None => StepResult::Done(String::new()),
            };
            if verdict != StepResult::NotReached {
                report.record(*step, verdict, Duration::from_millis(5));
            }
        }
        report.finish();
        report
    }

    #[test]
    fn it_is_fine_only_when_every_step_is() {
        assert!(report(&StepResult::Done("ACTIVE".to_owned())).all_succeeded());
        assert!(!report(&StepResult::Failed("FAILING".to_owned())).all_succeeded());
        assert!(!report(&StepResult::NotReached).all_succeeded());
    }

    #[test]
    fn the_summary_names_every_step_and_its_verdict() {
        let report = report(&StepResult::Failed("it stays FAILING".to_owned()));
        let (table, json) = (report.table(), report.to_json(&json!({ "tenant": "ten_1" })));
        for step in Step::ALL {
            assert!(table.contains(step.title()), "{}", step.title());
        }
        assert!(table.contains("not applicable") && table.contains("it stays FAILING"), "{table}");
        assert_eq!(json["ok"], false);
        assert_eq!(json["steps"].as_array().map(Vec::len), Some(Step::ALL.len()));
    }
}
