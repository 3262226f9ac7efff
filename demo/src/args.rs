//! The command line of the demo.

use std::path::PathBuf;

use url::Url;

use super::{
    error::{Error, Result},
    plan::CalendarSystem,
};

/// Arguments of `muster demo`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// URL of a running server; by default the demo starts its own.
    #[arg(long, requires = "key")]
    pub url: Option<Url>,
    /// Vendor key of the running server.
    #[arg(
        long,
        requires = "url",
        env = "MUSTER_DEMO_KEY",
        hide_env_values = true,
        allow_hyphen_values = true
    )]
    pub key: Option<String>,
    /// Calendar system to connect.
    #[arg(long, value_enum, default_value = "microsoft-365")]
    pub provider: CalendarSystem,
    /// Number of users to create from the directory.
    #[arg(long, default_value_t = 12, value_parser = clap::value_parser!(u16).range(3..=400))]
    pub users: u16,
    /// URL of the CalDAV server.
    #[arg(long)]
    pub calendar_url: Option<Url>,
    /// Service account on the CalDAV server.
    #[arg(long, allow_hyphen_values = true)]
    pub calendar_user: Option<String>,
    /// Password of the service account.
    #[arg(long, env = "MUSTER_DEMO_CALENDAR_PASSWORD", hide_env_values = true, allow_hyphen_values = true)]
    pub calendar_password: Option<String>,
    /// The CalDAV server's file of `user:password` lines, in which the demo changes the service account's password.
    #[arg(long)]
    pub calendar_users_file: Option<PathBuf>,
    /// Shell command that makes the CalDAV server refuse the service account, instead of changing the file.
    #[arg(long, requires = "restore_command", conflicts_with = "calendar_users_file")]
    pub revoke_command: Option<String>,
    /// Shell command that undoes `--revoke-command`.
    #[arg(long, requires = "revoke_command")]
    pub restore_command: Option<String>,
    /// Mailbox for the bookings of unreachable organisers.
    #[arg(long)]
    pub service_mailbox: Option<String>,
    /// Email address of a person whose mailbox is out of scope; by default the first such person in the directory.
    #[arg(long)]
    pub out_of_reach: Option<String>,
    /// URL of the running server's provider sandbox. If omitted, a Microsoft 365 organisation is connected manually.
    #[arg(long, requires = "url")]
    pub sandbox: Option<Url>,
    /// Database of the demo's own server; by default SQLite in a temporary folder.
    #[arg(long, conflicts_with = "url")]
    pub database_url: Option<String>,
    /// URL of the same database for the role that owns its tables; only for PostgreSQL.
    #[arg(long, requires = "database_url")]
    pub migration_url: Option<String>,
    /// Queue of the demo's own server; in-process by default.
    #[arg(long, conflicts_with = "url")]
    pub queue_url: Option<String>,
    /// File that records what the demo has created. A demo started again with the same file continues where it stopped.
    #[arg(long, requires = "url")]
    pub state: Option<PathBuf>,
    /// Keeps the tenant and its connection, instead of disconnecting and erasing them at the end.
    #[arg(long)]
    pub keep: bool,
    /// Prints the summary as one line of JSON.
    #[arg(long)]
    pub json: bool,
}

/// The service account on a CalDAV server.
#[derive(Debug, Clone)]
pub struct ServiceAccount {
    /// The server's URL.
    pub url: Url,
    /// The user name on the server.
    pub user: String,
    /// The account's password; the demo changes it to revoke access.
    pub password: String,
}

impl Args {
    /// The CalDAV account from the arguments; an error if CalDAV is selected without an account.
    pub fn account(&self) -> Result<Option<ServiceAccount>> {
        if self.provider != CalendarSystem::CalDav {
            return Ok(None);
        }
        match (self.calendar_url.clone(), self.calendar_user.clone(), self.calendar_password.clone()) {
            (Some(url), Some(user), Some(password)) => Ok(Some(ServiceAccount { url, user, password })),
            _ => Err(Error::Options("CalDAV needs --calendar-url, --calendar-user and --calendar-password.")),
        }
    }

    /// The hosts in the arguments, which may be called even if their IP addresses are private.
    pub fn private_hosts(&self) -> Vec<String> {
        let named = [&self.url, &self.calendar_url, &self.sandbox];
        let hosts = named.into_iter().flatten().filter_map(|url| url.host_str());
        let plain = hosts.map(|host| host.trim_matches(['[', ']']).to_owned());
        plain.chain(["127.0.0.1".to_owned(), "localhost".to_owned()]).collect()
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    #[test]
    fn a_name_or_a_secret_may_begin_with_a_hyphen() {
        let told = [
            "--url",
            "http://localhost:4000",
            "--key",
            "-k",
            "--calendar-user",
            "--svc",
            "--calendar-password",
            "-C-",
        ];
        let args = Line::try_parse_from(["demo"].into_iter().chain(told)).unwrap().args;
        let read = [args.key, args.calendar_user, args.calendar_password].map(Option::unwrap);
        assert_eq!(read, ["-k", "--svc", "-C-"]);
    }
}
