//! A workflow as a table: state, step, undo, retry policy, successors.

use std::time::Duration;

/// Retry policy of a step: number of attempts and waits between them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    /// Number of attempts, the first one included.
    pub attempts: u32,
    /// The wait after the first failed attempt; it doubles from there.
    pub first: Duration,
    /// The longest wait between two attempts.
    pub most: Duration,
}

impl Retry {
    /// Policy without retries.
    pub const NEVER: Self = Self { attempts: 1, first: Duration::ZERO, most: Duration::ZERO };
    /// Policy for requests that usually succeed: eight attempts over several minutes.
    pub const STANDARD: Self =
        Self { attempts: 8, first: Duration::from_secs(1), most: Duration::from_mins(1) };
    /// Policy for actions that may take the provider long: attempts over about a day.
    pub const PATIENT: Self =
        Self { attempts: 60, first: Duration::from_secs(5), most: Duration::from_mins(30) };

    /// Wait before the next attempt after `failed` failures; `None` if no attempt is left. `jitter` (0 to 99)
    /// shortens it by up to a quarter, so that runs that failed together are not retried together.
    pub fn next_wait(&self, failed: u32, jitter: u32) -> Option<Duration> {
        if failed >= self.attempts {
            return None;
        }
        let doubled = self.first.saturating_mul(1 << failed.saturating_sub(1).min(20)).min(self.most);
        Some(doubled.saturating_sub(doubled.mul_f64(f64::from(jitter.min(99)) / 400.0)))
    }
}

/// One row of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// The name of the state, as stored in `run.state`.
    pub state: &'static str,
    /// The name of the function that executes the step.
    pub does: &'static str,
    /// Whether the step may commit by itself, besides the changes that it returns.
    pub step_commits: bool,
    /// The name of the undo function; `nothing` for none.
    pub undone_by: &'static str,
    /// Whether the undo may commit by itself, besides the changes that it returns.
    pub undo_commits: bool,
    /// The retry policy.
    pub retry: Retry,
    /// The states that may follow.
    pub then: &'static [&'static str],
}

/// A workflow's whole table.
#[derive(Debug, Clone, Copy)]
pub struct Table {
    /// The workflow's name, as stored in `run.workflow`.
    pub name: &'static str,
    /// The version with which new runs begin.
    pub version: i32,
    /// The oldest version whose runs this table continues: it has all states of that version, with the same meaning,
    /// and reads its memory. Such a run has the new version from its next commit on.
    pub since: i32,
    /// The purpose of the workflow.
    pub about: &'static str,
    /// The rows; a run begins with the first.
    pub rows: &'static [Row],
}

impl Table {
    /// Whether the table executes runs of this version.
    pub fn covers(&self, version: i32) -> bool {
        (self.since..=self.version).contains(&version)
    }

    /// The row of a state; `None` for a state that the table does not have.
    pub fn row(&self, state: &str) -> Option<&'static Row> {
        self.rows.iter().find(|row| row.state == state)
    }

    /// A Mermaid state diagram of the table, with the present state marked.
    pub fn mermaid(&self, present: Option<&str>) -> String {
        let mut lines = vec!["stateDiagram-v2".to_owned()];
        if let Some(first) = self.rows.first() {
            lines.push(format!("    [*] --> {}", first.state));
        }
        for row in self.rows {
            lines.extend(row.then.iter().map(|next| format!("    {} --> {next}", row.state)));
            if row.then.is_empty() {
                lines.push(format!("    {} --> [*]", row.state));
            }
        }
        if let Some(state) = present.filter(|state| self.row(state).is_some()) {
            lines.push("    classDef present fill:#ffd54f,stroke:#333,stroke-width:3px".to_owned());
            lines.push(format!("    class {state} present"));
        }
        lines.join("\n") + "\n"
    }

    /// Finds errors in the table: states that are unreachable, or from which the workflow cannot end.
    pub fn find_faults(&self) -> Vec<String> {
        let mut reached: Vec<&str> = self.rows.first().map(|row| row.state).into_iter().collect();
        let mut at = 0;
        while let Some(state) = reached.get(at).copied() {
            for next in self.row(state).map_or(&[][..], |row| row.then) {
                if !reached.contains(next) {
                    reached.push(next);
                }
            }
            at += 1;
        }
        let lost = self.rows.iter().filter(|row| !reached.contains(&row.state));
        let mut faults: Vec<String> = lost.map(|row| format!("{} is never reached", row.state)).collect();
        if !self.rows.iter().any(|row| row.then.is_empty()) {
            faults.push("no state ends the run".to_owned());
        }
        faults
    }
}

/// Declares a workflow: its type, its states, and the functions that execute them.
///
/// The name is followed by the types of the two arguments that each function takes, the context of steps and the
/// memory of the workflow: `async fn ring(context: &Context, at: &mut Step<Memory, Change>) -> Outcome<State>`, and the
/// same with `UndoOutcome` for an undo. Duplicate states, missing functions and misspelt successors do not compile.
/// `nothing` declares that there is nothing to undo.
///
/// `v 2 continues 1` says that the table also executes the runs of version 1, see [`Table::since`].
///
/// A function that must commit by itself, for instance because it takes locks, is followed by the word `commits`:
/// `Obtain: obtain_grant commits | revoke_grant commits | STANDARD | [Verify];`. It takes the context's
/// [`Committing`](crate::Context::Committing) in place of the context. A row and a function that disagree about this do
/// not compile.
#[macro_export]
macro_rules! workflow {
    (@context $contexts:ident) => { $contexts.plain() };
    (@context $contexts:ident commits) => { $contexts.committing() };
    (@since $version:literal) => { $version };
    (@since $version:literal $since:literal) => { $since };
    (@commits) => { false };
    (@commits commits) => { true };
    (
        $(#[doc = $about:literal])+
        $flow:ident = $name:literal v $version:literal $(continues $since:literal)? ($context:ty, $memory:ty);
        $(
            $state:ident : $does:ident $($step_commits:ident)? | $undo:ident $($undo_commits:ident)?
                | $retry:ident | [$($then:ident),*];
        )+
    ) => {
        $(#[doc = $about])+
        #[derive(Debug, Clone, Copy)]
        pub struct $flow;

        /// All states, in the order of the rows.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum State { $(
            #[doc = concat!("See `", stringify!($does), "`.")]
            $state
        ),+ }

        impl State {
            /// The spelling in the table, which is stored in `run.state`.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$state => stringify!($state)),+ }
            }

            fn parse(name: &str) -> Option<Self> {
                match name { $(stringify!($state) => Some(Self::$state),)+ _ => None }
            }

            /// The successors of the state; the compiler checks that they exist.
            const fn successors(self) -> &'static [&'static str] {
                match self { $(Self::$state => { const THEN: &[&str] = &[$(State::$then.name()),*]; THEN }),+ }
            }
        }

        impl $flow {
            /// The rows of the workflow, with its name, version and purpose.
            pub const TABLE: $crate::Table = $crate::Table {
                name: $name,
                version: $version,
                since: $crate::workflow!(@since $version $($since)?),
                about: concat!($($about),+),
                rows: &[$($crate::Row {
                    state: stringify!($state),
                    does: stringify!($does),
                    step_commits: $crate::workflow!(@commits $($step_commits)?),
                    undone_by: stringify!($undo),
                    undo_commits: $crate::workflow!(@commits $($undo_commits)?),
                    retry: $crate::Retry::$retry,
                    then: State::$state.successors(),
                }),+],
            };
        }

        #[$crate::async_trait]
        impl $crate::Workflow<$context> for $flow {
            fn table(&self) -> &'static $crate::Table {
                &Self::TABLE
            }

            async fn step(
                &self,
                contexts: &$crate::Contexts<$context>,
                input: $crate::StepInput<'_>,
            ) -> $crate::StepOutput<$crate::Change<$context>> {
                let Some(state) = State::parse(input.state) else { return $crate::StepOutput::unknown_state() };
                let Some(mut at) = input.parse::<$memory, _>() else { return $crate::StepOutput::invalid_memory() };
                let outcome = match state { $(State::$state => {
                    let context = $crate::workflow!(@context contexts $($step_commits)?);
                    $does(context, &mut at).await.map_err($crate::StepError::from)
                }),+ };
                at.into_output(outcome.map(|next| next.map(State::name)))
            }

            async fn undo(
                &self,
                contexts: &$crate::Contexts<$context>,
                input: $crate::StepInput<'_>,
            ) -> $crate::StepOutput<$crate::Change<$context>> {
                let Some(state) = State::parse(input.state) else { return $crate::StepOutput::unknown_state() };
                let Some(mut at) = input.parse::<$memory, _>() else { return $crate::StepOutput::invalid_memory() };
                let outcome = match state { $(State::$state => {
                    let context = $crate::workflow!(@context contexts $($undo_commits)?);
                    $undo(context, &mut at).await.map_err($crate::StepError::from)
                }),+ };
                at.into_output(outcome.map(|()| $crate::Next::Done))
            }
        }
    };
}
