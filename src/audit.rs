//! `muster audit`: verifies, exports and prunes the audit log as the database owner.
//!
//! Nodes add entries to the log and read it; on PostgreSQL they have no other privileges. Commands that read all of it
//! or remove entries therefore log in with `migration_url`. `docs/audit.md` describes the export format.

use std::{
    collections::BTreeSet,
    io::{BufWriter, Write},
    path::PathBuf,
    process::ExitCode,
};

use chrono::Duration;
use domain::{Clock, Id, Ids, Timestamp, ids};
use sea_orm::{
    AccessMode, DatabaseBackend, DatabaseConnection, DatabaseTransaction, DbErr, IsolationLevel,
    TransactionTrait,
};
use services::audit::{
    AuditKey, AuditKeyProvider, INSTALLATION_CHAIN, chain_name, create_checkpoints,
    maintain::{self, ExportRange},
    verify::{self, SavedCheckpoints, Verdict},
    with_request_id,
};

use crate::{app::Error, config::Config, database};

/// Commands for the audit log.
#[derive(Debug, Clone, clap::Subcommand)]
pub enum Command {
    /// Verifies that the chains are unchanged, and reports the first fault of each.
    Verify {
        /// Verify only the chain of this tenant (`ten_...`).
        #[arg(long)]
        tenant: Option<Id<ids::Tenant>>,
        /// A file with lines of `muster audit checkpoint`: also detects that the last entries of a chain were
        /// removed.
        #[arg(long, value_name = "FILE")]
        checkpoint: Option<PathBuf>,
    },
    /// Prints the signed head of each chain, one per line. Store the output where nobody with write access to the
    /// database can reach it.
    Checkpoint,
    /// Prints a chain as lines of JSON, by which anybody can verify it.
    Export(ExportArgs),
    /// Removes old entries, of all chains or of one tenant. With 0 days and a tenant, erases the tenant's whole
    /// log.
    Prune {
        /// Removes entries older than this number of days.
        #[arg(long, value_name = "DAYS")]
        older_than_days: u32,
        /// Prune only the entries of this tenant (`ten_...`).
        #[arg(long)]
        tenant: Option<Id<ids::Tenant>>,
        /// Prunes a chain even if it is broken there. This destroys the evidence of the change.
        #[arg(long)]
        even_if_broken: bool,
    },
}

/// Selects what to export.
#[derive(Debug, Clone, clap::Args)]
#[group(id = "chain", required = true, multiple = false, args = ["tenant", "installation"])]
pub struct ExportArgs {
    /// Export the chain of this tenant (`ten_...`).
    #[arg(long)]
    tenant: Option<Id<ids::Tenant>>,
    /// Export the chain of the installation.
    #[arg(long)]
    installation: bool,
    /// Start with the first entry at or after this time (`2026-11-01T00:00:00Z`).
    #[arg(long, value_name = "TIME")]
    since: Option<Timestamp>,
    /// End with the last entry before this time.
    #[arg(long, value_name = "TIME")]
    until: Option<Timestamp>,
}

/// Executes an audit command; fails if a chain is broken.
pub async fn run(
    command: Command,
    config: &Config,
    ids: &Ids,
    clock: &impl Clock,
) -> Result<ExitCode, Error> {
    let sealer = AuditKeyProvider::new(config.vault(ids.clone())?, ids.clone());
    let owner = database::connect_as_owner(config).await?;
    let now = clock.now();
    let code = match command {
        Command::Verify { tenant, checkpoint } => {
            let file = checkpoint.map(std::fs::read_to_string).transpose()?.unwrap_or_default();
            verify(&owner, &sealer, tenant, &file).await?
        }
        Command::Checkpoint => checkpoint(&owner, &sealer, now).await?,
        Command::Export(arguments) => export(&owner, arguments).await?,
        Command::Prune { older_than_days, tenant, even_if_broken } => {
            let before = now - Duration::days(i64::from(older_than_days));
            let pruning = prune(&owner, &sealer, tenant, (before, now), even_if_broken);
            with_request_id(command_id(ids), pruning).await?;
            ExitCode::SUCCESS
        }
    };
    owner.close().await?;
    Ok(code)
}

/// Creates the id of a command, which is recorded in audit entries in place of a request id.
pub fn command_id(ids: &Ids) -> String {
    format!("cmd_{}", ids.uuid().simple())
}

/// A transaction that reads one snapshot of the database, unaffected by concurrent writes.
async fn snapshot(owner: &DatabaseConnection) -> Result<DatabaseTransaction, DbErr> {
    match owner.get_database_backend() {
        DatabaseBackend::Postgres => {
            let (level, mode) = (IsolationLevel::RepeatableRead, AccessMode::ReadOnly);
            owner.begin_with_config(Some(level), Some(mode)).await
        }
        _ => owner.begin().await,
    }
}

async fn verify(
    owner: &DatabaseConnection,
    sealer: &AuditKeyProvider,
    tenant: Option<Id<ids::Tenant>>,
    file: &str,
) -> Result<ExitCode, Error> {
    let txn = snapshot(owner).await?;
    let Some(key) = sealer.find(&txn).await? else {
        let chains = verify::list_chains(&txn, &SavedCheckpoints::default()).await?;
        // Of an installation that was never used there is neither an entry nor a key.
        if chains == BTreeSet::from([INSTALLATION_CHAIN]) && file.is_empty() {
            println!("nothing has been recorded yet");
            return Ok(ExitCode::SUCCESS);
        }
        eprintln!("The audit key is missing from the database, so nothing can be verified.");
        return Ok(ExitCode::FAILURE);
    };
    let kept = SavedCheckpoints::parse(file, &key);
    let mut sound = kept.forged.is_empty();
    for line in &kept.forged {
        println!("BROKEN  checkpoint in line {line}: it was not signed by this installation, or was changed");
    }
    let chains = match tenant {
        Some(tenant) => BTreeSet::from([tenant]),
        None => verify::list_chains(&txn, &kept).await?,
    };
    for chain in chains {
        let verdict = verify::verify_chain(&txn, &key, chain, &kept).await?;
        sound &= verdict.broken.is_none();
        say(&verdict);
    }
    Ok(if sound { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn say(verdict: &Verdict) {
    let name = chain_name(verdict.chain);
    let note = match verdict.pruned {
        0 => String::new(),
        many => format!("; {many} checkpoints are about entries that were pruned since"),
    };
    let found = match (&verdict.broken, verdict.places) {
        (Some(broken), _) => format!("BROKEN  {name}: {broken}"),
        (None, Some((first, last))) if first <= last => format!("ok      {name}: entries {first} to {last}"),
        (None, _) => format!("ok      {name}: no entries"),
    };
    println!("{found}{note}");
}

async fn checkpoint(
    owner: &DatabaseConnection,
    sealer: &AuditKeyProvider,
    now: Timestamp,
) -> Result<ExitCode, Error> {
    let txn = snapshot(owner).await?;
    let Some(key): Option<std::sync::Arc<AuditKey>> = sealer.find(&txn).await? else {
        eprintln!("Nothing has been recorded yet, so there is no chain for a checkpoint.");
        return Ok(ExitCode::FAILURE);
    };
    let (made, broken) = create_checkpoints(&txn, &key, now).await?;
    for checkpoint in made {
        println!("{}", checkpoint.to_json_line());
    }
    for name in &broken {
        eprintln!("{name}: the ends of the chain were changed, so no checkpoint was made");
    }
    Ok(if broken.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn export(owner: &DatabaseConnection, arguments: ExportArgs) -> Result<ExitCode, Error> {
    let chain = arguments.tenant.unwrap_or(INSTALLATION_CHAIN);
    let txn = snapshot(owner).await?;
    let mut out = BufWriter::new(std::io::stdout().lock());
    let span = ExportRange { since: arguments.since, until: arguments.until };
    maintain::export(&txn, chain, &span, |line| writeln!(out, "{line}")).await??;
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

async fn prune(
    owner: &DatabaseConnection,
    sealer: &AuditKeyProvider,
    tenant: Option<Id<ids::Tenant>>,
    (before, now): (Timestamp, Timestamp),
    even_if_broken: bool,
) -> Result<(), Error> {
    let chains = match tenant {
        Some(tenant) => BTreeSet::from([tenant]),
        None => verify::list_chains(owner, &SavedCheckpoints::default()).await?,
    };
    let (mut removed, mut refused) = (0, None);
    for chain in chains {
        match maintain::prune(owner, sealer, chain, before, now, even_if_broken).await {
            Ok(many) => removed += many,
            // The others are pruned all the same.
            Err(error @ services::Error::Refused(_)) => refused = Some(error),
            Err(error) => return Err(error.into()),
        }
    }
    println!("{removed} entries removed");
    refused.map_or(Ok(()), |error| Err(error.into()))
}
