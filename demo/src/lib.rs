//! A vendor's back end and an administrator's browser. `muster demo` performs the main use cases with them, over HTTP;
//! the seed of `muster dev` and the end-to-end tests use the browser.
//!
//! The demo uses a running server or one of its own, which its caller launches ([`Launch`]). It uses only the server's
//! public interface, and checks the results directly at the provider. Requests are repeated with the same idempotency
//! keys while the server is unreachable, so that the server may be killed and restarted meanwhile. It exits with an
//! error unless every step succeeds.

pub mod args;
mod backoff;
pub mod browser;
mod dav;
mod error;
mod graph;
pub mod plan;
mod report;
mod sandbox;
mod server;
mod state;
mod steps;
#[cfg(test)]
mod test_server;
mod wire;

use std::{io::Write as _, process::ExitCode, time::Instant};

pub use args::Args;
pub use error::Error;
use serde_json::json;
pub use server::{Launch, LaunchedServer, ServerOptions};

use self::{
    error::Result,
    plan::{CalendarSystem, Step},
    report::{Report, StepResult},
    server::DemoServer,
    state::State,
};

/// Runs the demo; fails unless every step succeeds. `launch` starts the demo's own server, if it needs one.
pub async fn run(args: Args, launch: &dyn Launch) -> ExitCode {
    match play(&args, launch).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            // Standard error may be closed; the exit code tells it all the same.
            let _ = writeln!(std::io::stderr(), "{error}");
            ExitCode::FAILURE
        }
    }
}

/// Runs all steps and prints a summary. Returns whether every step succeeded.
async fn play(args: &Args, launch: &dyn Launch) -> Result<bool> {
    let stage = DemoServer::start(args, launch).await?;
    let mut demo = stage.prepare(args).await?;
    // A step that failed is in the report.
    let _ = steps::run_all(&mut demo).await;
    demo.report.finish();
    let made = json!(demo.state.made);
    let summary = if args.json { demo.report.to_json(&made).to_string() } else { demo.report.table() };
    let printed = writeln!(std::io::stdout(), "{summary}");
    let is_fine = demo.report.all_succeeded();
    // Its connections would hold up the server's end.
    drop(demo);
    stage.stop().await;
    printed.map_err(|source| Error::File { path: "standard output".to_owned(), source })?;
    Ok(is_fine)
}

/// State shared by the steps.
struct Demo {
    graph: graph::GraphQlClient,
    client: http::Client,
    sandbox: Option<sandbox::SandboxClient>,
    dav: Option<dav::DavClient>,
    /// Initial password of the service account.
    password: String,
    system: CalendarSystem,
    users: usize,
    /// Email address of a person whose mailbox is out of scope, for directories that may not list such a person.
    out_of_reach: Option<String>,
    landing: url::Url,
    /// Whether the tenant stays connected at the end.
    keep: bool,
    state: State,
    report: Report,
}

impl Demo {
    /// Runs a step, unless the calendar system does not support it or an earlier run completed it.
    async fn step(&mut self, step: Step, work: impl AsyncFnOnce(&mut Self) -> Result<String>) -> Result<()> {
        if self.is_settled(step) {
            return Ok(());
        }
        self.report.show_step(step);
        let since = Instant::now();
        match work(self).await {
            Ok(note) => self.finish(step, note, since),
            Err(error) => {
                self.report.record(step, StepResult::Failed(error.to_string()), since.elapsed());
                Err(error)
            }
        }
    }

    /// Whether a step can be skipped; records a step that the calendar system does not support.
    fn is_settled(&mut self, step: Step) -> bool {
        let kept = (self.keep && step.is_departure()).then_some("the tenant is kept, as requested");
        let unsupported = kept.or(step.unsupported_reason(self.system));
        let verdict = match (unsupported, self.state.recorded_result(step)) {
            (Some(why), _) => StepResult::NotApplicable(why),
            (None, Some(note)) => StepResult::Done(format!("{note} (by an earlier run)")),
            (None, None) => return false,
        };
        self.report.record(step, verdict, std::time::Duration::ZERO);
        true
    }

    fn finish(&mut self, step: Step, note: String, since: Instant) -> Result<()> {
        self.state.record_result(step, &note)?;
        self.report.record(step, StepResult::Done(note), since.elapsed());
        Ok(())
    }

    /// Whether the demo can query the provider directly.
    const fn sees_provider(&self) -> bool {
        self.sandbox.is_some() || self.dav.is_some()
    }

    /// Current password of the service account.
    fn password(&self) -> &str {
        self.state.made.password.as_deref().unwrap_or(&self.password)
    }
}
