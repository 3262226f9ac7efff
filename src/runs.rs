//! `muster workflows`: shows workflow tables and manages runs, for operators.

use std::{process::ExitCode, sync::Arc};

use comfy_table::{ContentArrangement, Table, presets::UTF8_FULL_CONDENSED};
use domain::{Id, SharedClock, SystemClock, ids, state::RunStatus};
use entity::{TrustedCode, run::Model as Run, run_history::Model as Line};
use messages::{Explanation, Language};
use services::{Caller, System, audit::with_request_id};

use crate::{
    app::{self, Error},
    audit::command_id,
    config::{self, Config},
};

/// Commands for workflows and runs.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Lists the workflows of this binary, with their states.
    List,
    /// Prints a workflow's table as a Mermaid diagram.
    Diagram {
        /// Name of the workflow.
        workflow: String,
    },
    /// Lists the most recent runs of all tenants.
    Runs {
        /// Only runs with this status, such as FAILED or QUARANTINED.
        #[arg(long, value_parser = status)]
        status: Option<RunStatus>,
        /// Only runs of this workflow.
        #[arg(long)]
        workflow: Option<String>,
        /// Maximum number of runs to list.
        #[arg(long, default_value_t = 20)]
        first: u64,
    },
    /// Shows a run: its state and the reason, what to do, its history, and its diagram with the state marked.
    Show {
        /// Id of the run to show, `run_...`.
        run: Id<ids::Run>,
    },
    /// Retries a failed or quarantined run.
    Retry {
        /// Id of the run to retry, `run_...`.
        run: Id<ids::Run>,
    },
    /// Asks a run to stop and to undo its steps.
    Cancel {
        /// Id of the run to cancel, `run_...`.
        run: Id<ids::Run>,
    },
    /// Sends a signal to a run, as if the event it waits for had happened.
    Signal {
        /// Id of the run that waits for the signal, `run_...`.
        run: Id<ids::Run>,
        /// Name of the signal for which the run waits, such as `consented`.
        name: String,
        /// The signal's data, as JSON.
        #[arg(long, default_value = "null", value_parser = payload, allow_hyphen_values = true)]
        payload: serde_json::Value,
    },
}

fn status(word: &str) -> Result<RunStatus, String> {
    let known = || RunStatus::ALL.iter().map(|status| status.as_str()).collect::<Vec<_>>().join(", ");
    RunStatus::parse(&word.to_uppercase()).ok_or_else(|| format!("one of {}", known()))
}

fn payload(text: &str) -> Result<serde_json::Value, String> {
    serde_json::from_str(text).map_err(|error| format!("no JSON: {error}"))
}

/// Executes a command. Only commands about runs read the configuration.
pub async fn run(
    command: Command,
    config: impl FnOnce() -> Result<Config, config::Error>,
) -> Result<ExitCode, Error> {
    match command {
        Command::List => {
            println!("{}", tables());
            return Ok(ExitCode::SUCCESS);
        }
        Command::Diagram { workflow } => {
            let Some(table) = workflows::TABLES.iter().find(|table| table.name == workflow) else {
                eprintln!("There is no workflow {workflow}. `muster workflows list` names them.");
                return Ok(ExitCode::FAILURE);
            };
            print!("{}", table.mermaid(None));
            return Ok(ExitCode::SUCCESS);
        }
        _ => {}
    }
    let clock: SharedClock = Arc::new(SystemClock);
    let node = app::start(&Config { roles: Vec::new(), ..config()? }, clock, None, None).await?;
    let done = with_request_id(command_id(&node.services.ids), about_runs(&node.services, command)).await;
    node.stop().await;
    done?;
    Ok(ExitCode::SUCCESS)
}

async fn about_runs(services: &System, command: Command) -> Result<(), Error> {
    let runs = services.runs();
    match command {
        Command::List | Command::Diagram { .. } => {}
        Command::Runs { status, workflow, first } => {
            println!("{}", listed(&runs.latest(services, status, workflow.as_deref(), first).await?));
        }
        Command::Show { run } => {
            let operator = operator(services, run).await?;
            let by = operator.allow().map_err(services::Error::from)?;
            let row = runs.get(&by, run).await?;
            print!("{}", shown(&row, &runs.history(&by, run).await?));
            print!("{}", runs.diagram(&by, &row).unwrap_or_default());
        }
        Command::Retry { run } => {
            let by = operator(services, run).await?.allow().map_err(services::Error::from)?;
            println!("{}", listed(&[runs.retry(&by, run).await?]));
        }
        Command::Cancel { run } => {
            let by = operator(services, run).await?.allow().map_err(services::Error::from)?;
            println!("{}", listed(&[runs.cancel(&by, run).await?]));
        }
        Command::Signal { run, name, payload } => {
            let by = operator(services, run).await?.allow().map_err(services::Error::from)?;
            println!("{}", listed(&[runs.signal(&by, run, &name, payload).await?]));
        }
    }
    Ok(())
}

/// Creates the operator as a caller, who may manage the runs of every tenant, because access to the configuration
/// implies access to the database.
async fn operator(services: &System, run: Id<ids::Run>) -> Result<Caller, Error> {
    let tenant = services.runs().tenant_of(services, run).await?;
    Ok(Caller::operator(TrustedCode, tenant))
}

fn new_table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(header.iter().copied());
    table
}

fn tables() -> Table {
    let mut shown = new_table(&["Workflow", "Version", "States", "What it is for"]);
    for table in &workflows::TABLES {
        let states: Vec<&str> = table.rows.iter().map(|row| row.state).collect();
        shown.add_row([table.name, &table.version.to_string(), &states.join(", "), table.about.trim()]);
    }
    shown
}

fn listed(runs: &[Run]) -> Table {
    let mut shown = new_table(&["Run", "Tenant", "Workflow", "State", "Status", "Since", "Why"]);
    for run in runs {
        shown.add_row([
            run.id.to_string(),
            run.tenant_id.to_string(),
            run.workflow.clone(),
            run.state.clone().unwrap_or_default().to_string(),
            run.status.to_string(),
            run.updated_at.to_rfc3339(),
            reason(run.reason.as_ref()),
        ]);
    }
    shown
}

fn explained(reason: Option<&serde_json::Value>) -> Option<Explanation> {
    let reason = services::integrations::parse_reason(reason)?;
    Some(messages::render(&reason, Language::default(), None))
}

fn reason(reason: Option<&serde_json::Value>) -> String {
    explained(reason).map(|said| format!("{}: {}", said.code, said.message)).unwrap_or_default()
}

fn shown(run: &Run, history: &[Line]) -> String {
    let said = explained(run.reason.as_ref());
    let mut facts = vec![
        ("run", run.id.to_string()),
        ("tenant", run.tenant_id.to_string()),
        (
            "workflow",
            format!("{} {}", run.workflow, run.version.map(|v| format!("v{v}")).unwrap_or_default()),
        ),
        ("asked by", run.asked_by.clone()),
        ("status", run.status.to_string()),
        ("state", run.state.as_ref().map_or_else(|| "not begun".to_owned(), ToString::to_string)),
    ];
    facts.extend(run.wait_signal.clone().map(|signal| ("waits for", signal)));
    if let Some(said) = said {
        facts.push(("because", format!("{}: {}", said.code, said.message)));
        facts.extend(said.next_action.map(|action| ("what to do", action)));
    }
    let facts: Vec<String> = facts.into_iter().map(|(name, fact)| format!("{name:>10}  {fact}")).collect();
    let mut lines = new_table(&["", "At", "State", "Outcome", "Next", "Attempt", "Why", "Node"]);
    for line in history {
        lines.add_row([
            line.revision.to_string(),
            line.at.to_rfc3339(),
            line.state.to_string(),
            line.outcome.to_string(),
            line.next_state.clone().unwrap_or_default().to_string(),
            line.attempt.to_string(),
            reason(line.reason.as_ref()),
            line.node.clone(),
        ]);
    }
    format!("{}\n{lines}\n", facts.join("\n"))
}
