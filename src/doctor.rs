//! `muster doctor` and `muster token`: commands for operators.

use std::{process::ExitCode, sync::Arc};

use domain::{Id, Ids, SharedClock, SystemClock, ids};
use entity::{
    DatabaseError, Logins, Store,
    store::{APP_ROLE, ENGINE_ROLE, LoginRole},
};

use services::audit::with_request_id;

use crate::{
    app::{self, Error},
    audit::command_id,
    config::Config,
    keys,
};

/// Arguments of `muster token`: creates a vendor key or, with a user, an access token.
#[derive(Debug, clap::Args)]
pub struct TokenArgs {
    /// The name of the new vendor key.
    #[arg(long, default_value = "made by muster token")]
    name: String,
    /// The tenant of the user (`ten_...`).
    #[arg(long, requires = "user")]
    tenant: Option<Id<ids::Tenant>>,
    /// The user (`usr_...`).
    #[arg(long, requires = "tenant")]
    user: Option<Id<ids::User>>,
}

/// Creates a key or token and prints it once.
pub async fn create_token(config: &Config, args: &TokenArgs) -> Result<(), Error> {
    let ids = Ids::random(Arc::new(SystemClock));
    Box::pin(with_request_id(command_id(&ids), make_token(config, args, &ids))).await
}

async fn make_token(config: &Config, args: &TokenArgs, ids: &Ids) -> Result<(), Error> {
    let clock: SharedClock = Arc::new(SystemClock);
    let node = app::start(&Config { roles: Vec::new(), ..config.clone() }, clock, None, None).await?;
    match (args.tenant, args.user) {
        (Some(tenant), Some(user)) => {
            let token = node.services.access().issue_for_operator(&node.services, tenant, user).await?;
            println!("{}", token.token);
        }
        _ => {
            let secret = format!("muster_{}", ids.random_secret());
            node.services.keys().ensure_first_key(&node.services, Some(&secret), &args.name).await?;
            println!("{secret}");
        }
    }
    node.stop().await;
    Ok(())
}

/// Checks the configuration and every service to which it refers; prints one line for each.
pub async fn run(config: &Config) -> Result<ExitCode, Error> {
    let mut sound = true;
    let mut say = |name: &str, verdict: Result<String, String>| {
        sound &= verdict.is_ok();
        match verdict {
            Ok(seen) => println!("ok      {name}: {seen}"),
            Err(why) => println!("FAILED  {name}: {why}"),
        }
    };
    say("configuration", Ok("readable, and the combination works".to_owned()));
    let zones = domain::zone::tzdata();
    let source = if zones.is_system { "the system's database" } else { "the database in this binary" };
    say("time zones", Ok(format!("release {}, from {source}", zones.version)));
    for (name, verdict) in database(config).await {
        say(name, verdict);
    }
    say("queue", queue(config).await);
    let clock: SharedClock = Arc::new(SystemClock);
    let started = app::start(&Config { roles: Vec::new(), ..config.clone() }, clock, None, None).await;
    match started {
        Ok(node) => {
            let kinds: Vec<&str> =
                node.services.connectors.kinds().map(domain::ProviderKind::as_str).collect();
            say("calendar systems", Ok(kinds.join(", ")));
            say("keys", keys::check_keys(&node.services).await);
            node.stop().await;
        }
        Err(error) => say("node", Err(format!("{error} (was muster migrate run?)"))),
    }
    Ok(if sound { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Checks whether Redis responds, if the configuration names one.
async fn queue(config: &Config) -> Result<String, String> {
    match lanes::server_version(&config.queue_url).await {
        Ok(Some(version)) => Ok(format!("Redis {version}")),
        Ok(None) => Ok("in memory, for one node".to_owned()),
        Err(error) => Err(match std::error::Error::source(&error) {
            Some(cause) => format!("{error}: {cause}"),
            None => error.to_string(),
        }),
    }
}

/// Checks the database: whether it responds and, on PostgreSQL, the roles that log in and their privileges.
async fn database(config: &Config) -> Vec<(&'static str, Result<String, String>)> {
    let Logins { app, engine } = config.logins();
    if app.starts_with("sqlite:") {
        let answers = Store::connect_as_owner(&app).await.map(|_| "answers".to_owned());
        return vec![("database", answers.map_err(|error| DatabaseError::from(error).to_string()))];
    }
    let mut said = vec![
        ("database, for requests", node_role(&app, APP_ROLE).await),
        ("database, for the engine", node_role(&engine, ENGINE_ROLE).await),
    ];
    if let Some(owner) = &config.migration_url {
        said.push(("database, for migrations", owner_role(owner).await));
    }
    said
}

/// Checks that row-level security applies to a node's database role.
async fn node_role(url: &str, wanted: &str) -> Result<String, String> {
    let role = role_of(url).await?;
    match role.find_faults(wanted) {
        faults if faults.is_empty() => {
            Ok(format!("logs in as {}, which row-level security holds", role.name))
        }
        faults => Err(format!("DATABASE_ROLE_UNSAFE: the role {} {}", role.name, faults.join(", "))),
    }
}

async fn owner_role(url: &str) -> Result<String, String> {
    let role = role_of(url).await?;
    match [APP_ROLE, ENGINE_ROLE].contains(&role.name.as_str()) {
        true => Err(format!("migration_url logs in as {}, which is a node's role", role.name)),
        false => Ok(format!("logs in as {}, for migrate alone", role.name)),
    }
}

async fn role_of(url: &str) -> Result<LoginRole, String> {
    let hint = |error| format!("{} (muster migrate makes the roles of nodes)", DatabaseError::from(error));
    let connection = Store::connect_as_owner(url).await.map_err(hint)?;
    let said = |error| DatabaseError::from(error).to_string();
    let role = LoginRole::of_connection(&connection).await.map_err(said);
    connection.close().await.map_err(said)?;
    role
}
