//! What the demo is told on the command line.

use std::path::PathBuf;

use url::Url;

use super::{
    error::{Error, Result},
    plan::System,
};

/// `muster demo`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// The address of a running server; without it the demo starts one of its own.
    #[arg(long, requires = "key")]
    pub url: Option<Url>,
    /// The vendor's key of the running server.
    #[arg(
        long,
        requires = "url",
        env = "MUSTER_DEMO_KEY",
        hide_env_values = true,
        allow_hyphen_values = true
    )]
    pub key: Option<String>,
    /// The calendar system to connect.
    #[arg(long, value_enum, default_value = "microsoft-365")]
    pub provider: System,
    /// How many users are made from the directory.
    #[arg(long, default_value_t = 12, value_parser = clap::value_parser!(u16).range(3..=400))]
    pub users: u16,
    /// The address of the CalDAV server.
    #[arg(long)]
    pub calendar_url: Option<Url>,
    /// The technical account on the CalDAV server.
    #[arg(long, allow_hyphen_values = true)]
    pub calendar_user: Option<String>,
    /// Its password.
    #[arg(long, env = "MUSTER_DEMO_CALENDAR_PASSWORD", hide_env_values = true, allow_hyphen_values = true)]
    pub calendar_password: Option<String>,
    /// The CalDAV server's file of `user:password` lines; the demo changes the technical account's password in it.
    #[arg(long)]
    pub calendar_users_file: Option<PathBuf>,
    /// A shell command that makes the CalDAV server refuse the technical account, in place of the file.
    #[arg(long, requires = "restore_command", conflicts_with = "calendar_users_file")]
    pub revoke_command: Option<String>,
    /// A shell command that undoes `--revoke-command`.
    #[arg(long, requires = "revoke_command")]
    pub restore_command: Option<String>,
    /// The mailbox that bookings for unreachable organisers are written to.
    #[arg(long)]
    pub service_mailbox: Option<String>,
    /// The address of somebody whose mailbox is out of the access' reach; the first such in the directory without it.
    #[arg(long)]
    pub out_of_reach: Option<String>,
    /// The running server's provider sandbox. Without one, a Microsoft 365 organisation is connected by hand.
    #[arg(long, requires = "url")]
    pub sandbox: Option<Url>,
    /// The database of the demo's own server; SQLite in a temporary folder without it.
    #[arg(long, conflicts_with = "url")]
    pub database_url: Option<String>,
    /// The database as its owner, if it is PostgreSQL.
    #[arg(long, requires = "database_url")]
    pub migration_url: Option<String>,
    /// The queue of the demo's own server; in-process without it.
    #[arg(long, conflicts_with = "url")]
    pub queue_url: Option<String>,
    /// A file that is told what was made. Started again with the same file, the demo goes on where it was.
    #[arg(long, requires = "url")]
    pub state: Option<PathBuf>,
    /// Prints the summary as one line of JSON.
    #[arg(long)]
    pub json: bool,
}

/// The technical account on a CalDAV server.
#[derive(Debug, Clone)]
pub struct Account {
    /// The server.
    pub url: Url,
    /// The user name.
    pub user: String,
    /// The password.
    pub password: String,
}

impl Args {
    /// The CalDAV account, which CalDAV cannot do without.
    pub fn account(&self) -> Result<Option<Account>> {
        if self.provider != System::CalDav {
            return Ok(None);
        }
        match (self.calendar_url.clone(), self.calendar_user.clone(), self.calendar_password.clone()) {
            (Some(url), Some(user), Some(password)) => Ok(Some(Account { url, user, password })),
            _ => Err(Error::Options("CalDAV needs --calendar-url, --calendar-user and --calendar-password.")),
        }
    }

    /// The hosts that are asked although they may be private: those that were named.
    pub fn hosts(&self) -> Vec<String> {
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
