//! The Muster server that the demo uses: a running one, or its own one in a temporary folder.

use std::{path::PathBuf, sync::Arc};

use domain::{Ids, SharedClock, SystemClock};
use futures::future::LocalBoxFuture;
use http::Client;
use tempfile::TempDir;
use url::Url;

use super::{
    Args, Demo,
    args::ServiceAccount,
    browser,
    dav::{AccessControl, DavClient},
    error::{Error, Result, unexpected},
    graph::GraphQlClient,
    plan::CalendarSystem,
    report::Report,
    sandbox::SandboxClient,
    state::State,
};

/// Return URL to which the administrator's browser is redirected; no server listens at this URL.
const LANDING: &str = "http://localhost/settings/calendar";

/// Options for launching the demo's own server.
#[derive(Debug, Clone)]
pub struct ServerOptions {
    /// Folder for the server's files.
    pub data: PathBuf,
    /// Database URL of the server; SQLite in `data` by default.
    pub database_url: Option<String>,
    /// URL of the same database for the role that owns its tables; only for PostgreSQL.
    pub migration_url: Option<String>,
    /// Queue URL of the server; an in-process queue by default.
    pub queue_url: Option<String>,
    /// Hosts that the server may call even if their IP addresses are private.
    pub allowed_hosts: Vec<String>,
}

/// A server that was launched for the demo, with a provider sandbox.
pub struct LaunchedServer {
    /// URL of the GraphQL endpoint.
    pub graphql: Url,
    /// A vendor key.
    pub key: String,
    /// URL of the sandbox.
    pub sandbox: Url,
    /// Stops the server, and returns when its files are no longer in use.
    pub stop: Box<dyn FnOnce() -> LocalBoxFuture<'static, ()>>,
}

/// Launches a server for the demo.
pub trait Launch {
    /// Launches an empty server; the error explains why the server does not start.
    fn launch(
        &self,
        options: ServerOptions,
    ) -> LocalBoxFuture<'_, std::result::Result<LaunchedServer, String>>;
}

/// The server that the demo uses, with its resources.
pub struct DemoServer {
    client: Client,
    graphql: Url,
    key: String,
    sandbox: Option<Url>,
    account: Option<ServiceAccount>,
    own: Option<(LaunchedServer, TempDir)>,
}

impl DemoServer {
    /// Connects to the given server, or starts one.
    pub async fn start(args: &Args, launch: &dyn Launch) -> Result<Self> {
        let account = args.account()?;
        let client = browser::client_for_hosts(args.private_hosts())?;
        if let (Some(url), Some(key)) = (&args.url, &args.key) {
            let graphql =
                url.join("/graphql").map_err(|_| Error::Options("--url is no address of a server."))?;
            let (key, sandbox) = (key.clone(), args.sandbox.clone());
            return Ok(Self { client, graphql, key, sandbox, account, own: None });
        }
        let folder = tempfile::Builder::new().prefix("muster-demo-").tempdir();
        let folder = folder.map_err(|error| Error::Server(error.to_string()))?;
        let options = ServerOptions {
            data: folder.path().to_owned(),
            database_url: args.database_url.clone(),
            migration_url: args.migration_url.clone(),
            queue_url: args.queue_url.clone(),
            allowed_hosts: args.private_hosts(),
        };
        let ready = launch.launch(options).await.map_err(Error::Server)?;
        Ok(Self {
            client,
            graphql: ready.graphql.clone(),
            key: ready.key.clone(),
            sandbox: Some(ready.sandbox.clone()),
            account,
            own: Some((ready, folder)),
        })
    }

    /// Prepares the state shared by the steps.
    pub async fn prepare(&self, args: &Args) -> Result<Demo> {
        let clock: SharedClock = Arc::new(SystemClock);
        let ids = Ids::random(clock);
        let state = State::open(args.state.clone(), || format!("demo-{}", &ids.random_secret()[..12]))?;
        let sandbox = self.sandbox.clone().filter(|_| args.provider != CalendarSystem::CalDav);
        let mut graph = GraphQlClient::new(self.client.clone(), self.graphql.clone(), self.key.clone());
        if let Some(tenant) = &state.made.tenant {
            graph.set_tenant(tenant);
        }
        let mut demo = Demo {
            graph,
            client: self.client.clone(),
            sandbox: sandbox.map(|base| SandboxClient::new(self.client.clone(), base)),
            dav: self.dav(args)?,
            password: self.account.as_ref().map_or_else(
                // The same whenever a demo goes on.
                || format!("first-{}", state.made.name),
                |account| account.password.clone(),
            ),
            system: args.provider,
            users: usize::from(args.users),
            out_of_reach: args.out_of_reach.clone(),
            keep: args.keep,
            landing: LANDING.parse().map_err(|_| unexpected("the landing place is no address"))?,
            state,
            report: Report::begin(args.provider),
        };
        if demo.state.made.service_mailbox.is_none() {
            demo.state.made.service_mailbox = match (&args.service_mailbox, &demo.dav) {
                (None, Some(dav)) => Some(dav.account_address(demo.password()).await?),
                (named, _) => named.clone(),
            };
        }
        Ok(demo)
    }

    fn dav(&self, args: &Args) -> Result<Option<DavClient>> {
        let Some(account) = &self.account else { return Ok(None) };
        let commands = args.revoke_command.clone().zip(args.restore_command.clone());
        let lock = match (args.calendar_users_file.clone(), commands) {
            (Some(file), _) => AccessControl::File(file),
            (None, Some((revoke, restore))) => AccessControl::Commands { revoke, restore },
            (None, None) => {
                let message =
                    "CalDAV needs --calendar-users-file, or --revoke-command and --restore-command.";
                return Err(Error::Options(message));
            }
        };
        Ok(Some(DavClient::new(self.client.clone(), account.url.clone(), account.user.clone(), lock)))
    }

    /// Stops the demo's own server and removes its folder.
    pub async fn stop(self) {
        let Self { client, own, .. } = self;
        drop(client);
        if let Some((ready, folder)) = own {
            (ready.stop)().await;
            if let Err(error) = folder.close() {
                tracing::warn!(%error, "the temporary folder could not be removed");
            }
        }
    }
}
