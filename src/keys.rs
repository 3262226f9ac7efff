//! `muster keys`: replaces the installation's own keys, and reports which keys are in use.
//!
//! The command logs in as nodes do: whoever has the master keys can open every sealed value, and rows of tenants are
//! changed tenant by tenant, as row-level security requires. Only the audit key is changed as the database owner.

use std::{ops::ControlFlow, process::ExitCode, sync::Arc};

use domain::{Id, SharedClock, SystemClock, ids};
use services::{
    Anyone, System,
    audit::{AuditKeyProvider, with_request_id},
    secrets::{KeyStatus, RotationProgress, RotationReport, RotationScope},
    vault::KeyId,
};

use crate::{
    app::{self, Error, error_sentence},
    audit::command_id,
    config::Config,
    database,
};

/// Commands for the installation's keys.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Creates a new key that signs access tokens. Tokens of the previous key stay valid until they expire.
    RotateSigning,
    /// Puts the configured master key into force and seals with it what a former key sealed. Every node must have
    /// both keys by then. Run an interrupted rotation again to continue it.
    Rotate {
        /// Also gives every tenant a new data key, and seals the tenant's secrets with it.
        #[arg(long)]
        data_keys: bool,
        /// Rotate only this tenant's data key (`ten_...`).
        #[arg(long, requires = "data_keys")]
        tenant: Option<Id<ids::Tenant>>,
    },
    /// Reports which keys seal something, and which former keys can be removed from the configuration.
    Status,
}

/// Executes a command.
pub async fn run(config: &Config, command: &Command) -> Result<ExitCode, Error> {
    let clock: SharedClock = Arc::new(SystemClock);
    let node = app::start(&Config { roles: Vec::new(), ..config.clone() }, clock, None, None).await?;
    let done = does(&node.services, config, command).await;
    node.stop().await;
    done
}

/// Reseals the audit key, which only the database owner may change. Without the owner's URL it stays sealed with the
/// former master key, which the status reports.
async fn reseal_audit_key(services: &System, config: &Config) -> Result<(), Error> {
    if config.migration_url.is_none() && !config.database_url.starts_with("sqlite:") {
        println!(
            "without migration_url the audit key stays as it is: run muster keys rotate where migration_url \
                is configured"
        );
        return Ok(());
    }
    let owner = database::connect_as_owner(config).await?;
    let sealer = AuditKeyProvider::new(services.vault.clone(), services.ids.clone());
    if sealer.reseal(&owner).await? {
        println!("the audit key is sealed again");
    }
    owner.close().await?;
    Ok(())
}

async fn does(services: &System, config: &Config, wanted: &Command) -> Result<ExitCode, Error> {
    let command = command_id(&services.ids);
    let scope = match wanted {
        Command::RotateSigning => {
            println!("{}", with_request_id(command, services.keys().rotate_signing_key(services)).await?);
            return Ok(ExitCode::SUCCESS);
        }
        Command::Status => return Ok(show(&services.secrets().status(services).await?)),
        Command::Rotate { data_keys: false, .. } => RotationScope::Master,
        Command::Rotate { tenant: None, .. } => RotationScope::DataKeys,
        Command::Rotate { tenant: Some(tenant), .. } => RotationScope::DataKeyOf(*tenant),
    };
    let told = &mut |progress| {
        println!("{}", line(progress));
        ControlFlow::Continue(())
    };
    let report = with_request_id(command, services.secrets().rotate(services, scope, told)).await?;
    reseal_audit_key(services, config).await?;
    println!("{}", summary(&report));
    let shown = show(&services.secrets().status(services).await?);
    Ok(if report.unreadable == 0 { shown } else { ExitCode::FAILURE })
}

fn line(progress: RotationProgress) -> String {
    match progress {
        RotationProgress::InForce(key) => format!("the master key {key} is in force"),
        RotationProgress::NewDataKey(tenant) => format!("{tenant}: has a new data key"),
        RotationProgress::Values(tenant, table, count) => {
            format!("{tenant}: {count} values of {table} sealed again")
        }
        RotationProgress::Tenant(tenant, count) => format!("{tenant}: done, tenant {count}"),
    }
}

fn summary(report: &RotationReport) -> String {
    let RotationReport { master_values, new_data_keys, values, unreadable } = report;
    let unreadable = match unreadable {
        0 => String::new(),
        count => format!("; {count} values are opened by no key and are as they were"),
    };
    format!(
        "{master_values} values sealed again with the master key, {new_data_keys} new data keys, {values} values sealed \
         again with them{unreadable}"
    )
}

fn show(status: &KeyStatus) -> ExitCode {
    for line in lines(status) {
        println!("{line}");
    }
    let is_sound = status.missing_keys().next().is_none() && status.unopened == 0;
    if is_sound { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn lines(status: &KeyStatus) -> Vec<String> {
    let seals = |id: &KeyId| status.sealed.get(id).copied().unwrap_or_default();
    let mut lines = Vec::new();
    for id in status.configured.iter().chain(&status.former) {
        let name = if status.configured == Some(*id) { "master_key" } else { "former_master_keys" };
        let force = if status.in_force == Some(*id) { ", in force" } else { "" };
        let free = match status.unused_keys().any(|unused| unused == *id) {
            true => ": the configuration may do without it",
            false => "",
        };
        lines.push(format!("{id}  {name}{force}, seals {} values{free}", seals(id)));
    }
    for id in status.missing_keys() {
        lines.push(format!("{id}  MISSING, seals {} values: add it to former_master_keys", seals(&id)));
    }
    if status.unopened > 0 {
        lines.push(format!("{} values are opened by none of these keys", status.unopened));
    }
    if status.needs_rotation() {
        lines.push(
            "master_key does not seal everything: when every node has it, run muster keys rotate".to_owned(),
        );
    }
    lines.push(match status.values_to_do {
        0 => format!("{} tenants, whose secrets are all sealed with their present data keys", status.tenants),
        values => format!(
            "{} of {} tenants have {values} secrets that are not sealed with their present data key: run muster keys rotate",
            status.tenants_to_do, status.tenants
        ),
    });
    if status.under_way > 0 {
        let count = status.under_way;
        lines.push(format!(
            "a rotation was stopped with {count} tenants to go: run muster keys rotate --data-keys"
        ));
    }
    lines
}

/// Checks the keys for `muster doctor`; returns the result as a sentence.
pub async fn check_keys(services: &System) -> Result<String, String> {
    services.keys().jwks(Anyone).await.map_err(|error| error_sentence(&error))?;
    let status = services.secrets().status(services).await.map_err(|error| error_sentence(&error))?;
    if let Some(id) = status.missing_keys().next() {
        return Err(format!(
            "MASTER_KEY_UNKNOWN: the master key {id} seals something and is not in the configuration"
        ));
    }
    if status.unopened > 0 {
        return Err(format!("UNREADABLE: {} values are opened by no master key", status.unopened));
    }
    let unused = status.unused_keys().count();
    Ok(match (status.needs_rotation(), unused) {
        (true, _) => {
            "can be opened; master_key does not seal everything yet, see muster keys status".to_owned()
        }
        (false, 0) => "can be opened with the master key".to_owned(),
        (false, count) => {
            format!("can be opened with the master key; {count} of former_master_keys seal nothing any more")
        }
    })
}
