//! `muster dev`: runs a complete development installation in one process on loopback.
//!
//! It runs the API, a worker, an embedded store, and the provider sandbox on a port of its own, so that the sandbox has
//! a different origin, like the real providers. The data folder contains the database, the sandbox's state, the master
//! key and the vendor key; only its owner can read the keys.

mod folder;
mod ports;

use std::{io::Write, path::PathBuf, sync::Arc};

use domain::{Id, Ids, SharedClock, SystemClock, ids};
use futures::future::LocalBoxFuture;
use serde_json::json;
use url::Url;

use crate::{
    app::{self, Error, Node},
    config::{Cloud, Config, Google, KeylessSigning, Microsoft},
    database, seed,
};

/// Client id of Muster's application at the sandbox.
const CLIENT_ID: &str = "11111111-2222-4333-8444-555555555555";

/// Arguments of `muster dev`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Port of the server; the sandbox uses the next one. 0 selects any free ports; by default those from 4000 on are
    /// tried.
    #[arg(long)]
    port: Option<u16>,
    /// Folder for the data.
    #[arg(long, default_value = "data")]
    data: PathBuf,
    /// Starts from scratch: deletes the files that `muster dev` wrote to the data folder.
    #[arg(long)]
    reset: bool,
    /// Prints one line of JSON when the server is ready, for scripts.
    #[arg(long)]
    json: bool,
}

/// Options for starting a development server.
#[derive(Debug, Clone)]
pub struct Options {
    /// Folder for the data.
    pub data: PathBuf,
    /// Port of the server, with the next one for the sandbox; 0 selects any free ones, `None` the first free ones from
    /// 4000 on.
    pub port: Option<u16>,
    /// URL of the database; SQLite in the data folder by default.
    pub database_url: Option<String>,
    /// Connection URL that logs in as the owner of the database; PostgreSQL only.
    pub migration_url: Option<String>,
    /// URL of the queue; in-process by default.
    pub queue_url: Option<String>,
    /// Whether to create the two example tenants.
    pub seed: bool,
    /// Additional hosts that may be called although they are private.
    pub allowed_hosts: Vec<String>,
}

/// A running development server.
#[derive(Debug)]
pub struct DevServer {
    /// Base URL of the server.
    pub base: Url,
    /// Base URL of the sandbox.
    pub sandbox: Url,
    /// A vendor key with every permission, as plain text.
    pub vendor_key: String,
    /// The created example data; `None` if nothing was created.
    pub seeded: Option<seed::SeedData>,
    node: Node,
    running: sandbox::RunningSandbox,
    /// The last to go: whatever else ends may still write to the folder.
    _in_use: folder::InUse,
}

impl DevServer {
    /// URL of the GraphQL endpoint.
    pub fn graphql_url(&self) -> Url {
        self.base.join("/graphql").expect("a constant path")
    }

    /// Stops the server and the sandbox.
    pub async fn stop(self) {
        self.node.stop().await;
        self.running.stop().await;
    }
}

/// Launches servers for `muster demo`, as `muster dev` does.
#[derive(Debug, Clone, Copy)]
pub struct DevLauncher;

impl demo::Launch for DevLauncher {
    fn launch(
        &self,
        options: demo::ServerOptions,
    ) -> LocalBoxFuture<'_, Result<demo::LaunchedServer, String>> {
        let demo::ServerOptions { data, database_url, migration_url, queue_url, allowed_hosts } = options;
        let options = Options {
            data,
            port: Some(0),
            database_url,
            migration_url,
            queue_url,
            seed: false,
            allowed_hosts,
        };
        Box::pin(async move {
            let ready = start(options).await.map_err(|error| error.to_string())?;
            Ok(demo::LaunchedServer {
                graphql: ready.graphql_url(),
                key: ready.vendor_key.clone(),
                sandbox: ready.sandbox.clone(),
                stop: Box::new(|| Box::pin(ready.stop())),
            })
        })
    }
}

/// Runs the development server until the process is interrupted.
pub async fn run(args: Args) -> Result<(), Error> {
    if args.reset {
        let _in_use = folder::take(&args.data)?;
        folder::reset(&args.data)?;
    }
    let options = Options {
        data: args.data,
        port: args.port,
        database_url: None,
        migration_url: None,
        queue_url: None,
        seed: true,
        allowed_hosts: Vec::new(),
    };
    let ready = start(options).await?;
    let tokens = tokens(&ready).await?;
    // GraphiQL asks as tenant one's administrator.
    let header = ("Authorization".to_owned(), format!("Bearer {}", tokens.admin).into());
    ready.node.set_graphiql_headers([header].into_iter().collect());
    let mut out = std::io::stdout();
    let text = if args.json { format!("{}\n", as_json(&ready, &tokens)) } else { as_text(&ready, &tokens) };
    out.write_all(text.as_bytes())?;
    out.flush()?;
    app::wait_for_interrupt().await?;
    ready.stop().await;
    Ok(())
}

/// Starts the server and the sandbox, and creates missing example data.
pub async fn start(options: Options) -> Result<DevServer, Error> {
    let clock: SharedClock = Arc::new(SystemClock);
    let ids = Ids::random(Arc::clone(&clock));
    // A link and keys are kept in it.
    let in_use = folder::take(&options.data)?;
    let master_key = folder::kept_secret(&options.data.join("master.key"), || ids.random_secret())?;
    let vendor_key =
        folder::kept_secret(&options.data.join("vendor.key"), || format!("muster_{}", ids.random_secret()))?;
    let client_secret =
        folder::kept_secret(&options.data.join("sandbox-client.key"), || ids.random_secret())?;
    let (listener, sandbox_port) = ports::bind(options.port)?;
    let base: Url = format!("http://{}", listener.local_addr()?).parse().map_err(|_| not_a_url())?;
    let folder = options.data.join("sandbox");
    folder::own(&folder)?;
    let running = sandbox::Sandbox::start(sandbox::Config {
        listen: ([127, 0, 0, 1], sandbox_port).into(),
        journal: Some(folder.join("journal.jsonl")),
        data: Some(folder),
        clock: Arc::clone(&clock),
        ids: ids.clone(),
    })
    .await?;
    let sandbox = running.url();
    seed::register_application(&sandbox, CLIENT_ID, &client_secret, &base).await?;
    let database = options.data.join("muster.db");
    let database_url =
        options.database_url.unwrap_or_else(|| format!("sqlite://{}?mode=rwc", database.display()));
    let config = Config {
        migration_url: options.migration_url,
        queue_url: options.queue_url.unwrap_or_else(|| "memory:".to_owned()),
        listen: listener.local_addr()?,
        vendor_key: Some(vendor_key.clone().into()),
        microsoft: Some(Microsoft {
            client_id: CLIENT_ID.to_owned(),
            client_secret: Some(client_secret.clone().into()),
            certificate_file: None,
            private_key_file: None,
            cloud: Cloud::Global,
            login_url: Some(sandbox.clone()),
            graph_url: Some(sandbox.join("/v1.0").map_err(|_| not_a_url())?),
        }),
        google: Some(google_config(&sandbox, CLIENT_ID, &client_secret)?),
        exchange_autodiscover: vec![format!("{sandbox}autodiscover/autodiscover.xml")],
        allowed_hosts: [vec!["127.0.0.1".to_owned(), "localhost".to_owned()], options.allowed_hosts].concat(),
        // GraphiQL's page carries a token: nobody else's name may lead to it.
        hosts: base.host_str().into_iter().map(str::to_owned).collect(),
        // Short, so that whoever plays with the sandbox sees the status turn.
        health_every_seconds: 5,
        reread_after_seconds: 60,
        token_lifetime_seconds: 12 * 3600,
        push: true,
        open_introspection: true,
        ..Config::new(&database_url, &base, &master_key)?
    };
    config.check()?;
    database::migrate(&config, &ids).await.map_err(|error| match error {
        Error::NewerDatabase(_) => Error::Dev(format!(
            "The data folder {} was written by a later version of Muster. Use that version, choose another folder with \
             --data, or start from scratch with --reset.",
            options.data.display()
        )),
        error => error,
    })?;
    let node = app::start(&config, clock, Some(listener), Some(api::graphiql::GraphiQl::default())).await?;
    let seeded = match options.seed {
        true => Some(seed::seed(&node.services, &sandbox, &vendor_key, &options.data).await?),
        false => None,
    };
    Ok(DevServer { base, sandbox, vendor_key, seeded, node, running, _in_use: in_use })
}

/// Configuration of the sandbox's Google emulator.
pub fn google_config(sandbox: &Url, client_id: &str, client_secret: &str) -> Result<Google, Error> {
    let at = |path: &str| sandbox.join(path).map_err(|_| not_a_url());
    Ok(Google {
        client_id: Some(client_id.to_owned()),
        client_secret: Some(client_secret.to_owned().into()),
        token_url: at("/google/token")?,
        accounts_url: at("/google")?,
        calendar_url: at("/google/calendar/v3")?,
        directory_url: at("/google/admin/directory/v1")?,
        keyless: Some(KeylessSigning {
            token_url: Some(at("/google/computeMetadata/v1/instance/service-accounts/default/token")?),
            token_header: Some("Metadata-Flavor: Google".to_owned().into()),
            token_file: None,
            iam_url: at("/google/iam/v1")?,
        }),
    })
}

/// Access tokens of the example users, issued anew at every start.
struct Tokens {
    admin: String,
    user: String,
}

async fn tokens(ready: &DevServer) -> Result<Tokens, Error> {
    let seeded = ready.seeded.as_ref().ok_or_else(|| Error::Dev("nothing was seeded".to_owned()))?;
    let services = &ready.node.services;
    let authorization = format!("Bearer {}", ready.vendor_key);
    let caller = services.access().authenticate(services::Anyone, Some(&authorization), None).await?.caller;
    let staff = caller.allow_staff().map_err(services::Error::from)?;
    let token = async |user: Id<ids::User>| {
        services.access().issue(&staff, seeded.tenant, user, None).await.map(|token| token.token)
    };
    Ok(Tokens { admin: token(seeded.admin).await?, user: token(seeded.user).await? })
}

fn as_json(ready: &DevServer, tokens: &Tokens) -> String {
    let at = |path: &str| ready.base.join(path).map(String::from).unwrap_or_default();
    let seeded = ready.seeded.as_ref();
    json!({
        "graphql": at("/graphql"),
        "graphql_ws": at("/graphql/ws").replacen("http", "ws", 1),
        "graphiql": at("/graphiql"),
        "sandbox": ready.sandbox,
        "health": at("/health"),
        "connect": seeded.map(|seeded| seeded.connect.clone()),
        "tenant": seeded.map(|seeded| seeded.tenant.to_string()),
        "tokens": { "vendor": ready.vendor_key, "admin": tokens.admin, "user": tokens.user },
    })
    .to_string()
}

fn as_text(ready: &DevServer, tokens: &Tokens) -> String {
    let base = ready.base.as_str().trim_end_matches('/');
    let seeded = ready.seeded.as_ref();
    let line = |name: &str, value: &str| format!("  {name:<14}{value}\n");
    let mut text = String::from("\nMuster is ready.\n\n");
    text += &line("GraphiQL", &format!("{base}/graphiql"));
    text += &line("GraphQL", &format!("{base}/graphql"));
    text += &line("Subscriptions", &format!("{}/graphql/ws", base.replacen("http", "ws", 1)));
    text += &line("Connect page", seeded.map_or("", |seeded| seeded.connect.as_str()));
    text += &line("Sandbox", ready.sandbox.as_str().trim_end_matches('/'));
    text += &line("Health", &format!("{base}/health"));
    text += "\nGoes behind \"Authorization: Bearer\":\n\n";
    text += &line("vendor", &ready.vendor_key);
    text += &line("admin", &tokens.admin);
    text += &line("user", &tokens.user);
    if let Some(seeded) = seeded {
        text += "\nA vendor key acts for one tenant at a time, named in the header Muster-Tenant:\n\n";
        text += &line(&seeded.tenant.to_string(), &format!("  {}, connected", seed::CONNECTED_TENANT));
        text +=
            &line(&seeded.waiting.to_string(), &format!("  {}, before its consent", seed::PENDING_TENANT));
    }
    text
}

fn not_a_url() -> Error {
    Error::Dev("the address of the server is not a URL".to_owned())
}
