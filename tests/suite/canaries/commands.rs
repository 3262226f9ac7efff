//! Output of commands, successful and failed: no secret from the configuration or the database occurs, except those
//! that the command is asked to print.

use std::{
    fs::File,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
    time::Duration,
};

use domain::{Ids, SystemClock};
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::needles::{Kind, Needles, Search, hits};
use crate::harness::TestApp;

/// Runs an operator's command with this environment only; returns its output and errors.
fn said(arguments: &[&str], environment: &[(&str, String)]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_muster"));
    command.args(arguments).env_clear().env("MUSTER_LOG", "trace").envs(environment.iter().cloned());
    let output = command.stdin(std::process::Stdio::null()).output().unwrap();
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
}

#[test]
fn t20_commands_that_fail_say_nothing_secret() {
    let ids = Ids::random(Arc::new(SystemClock));
    let secret = || ids.random_secret();
    let (master, former, vendor) = (secret(), secret(), format!("muster_{}", secret()));
    let (client, password) = (secret(), secret());
    let folder = tempfile::tempdir().unwrap();
    let sqlite = format!("sqlite://{}?mode=rwc", folder.path().join("m.db").display());
    let sound = |database: &str, queue: &str| {
        vec![
            ("MUSTER_DATABASE_URL", database.to_owned()),
            ("MUSTER_QUEUE_URL", queue.to_owned()),
            ("MUSTER_PUBLIC_URL", "http://127.0.0.1:1".to_owned()),
            ("MUSTER_LISTEN", "127.0.0.1:0".to_owned()),
            ("MUSTER_MASTER_KEY", master.clone()),
            ("MUSTER_FORMER_MASTER_KEYS", former.clone()),
            ("MUSTER_VENDOR_KEY", vendor.clone()),
            ("MUSTER_MICROSOFT__CLIENT_ID", "client".to_owned()),
            ("MUSTER_MICROSOFT__CLIENT_SECRET", client.clone()),
        ]
    };
    let postgres = format!("postgres://muster_app:{password}@db.invalid:1/m");
    let redis = format!("redis://user:{password}@127.0.0.1:1/");
    let mut worlds = vec![sound(&sqlite, "memory:"), sound(&postgres, "memory:"), sound(&postgres, &redis)];
    // Each secret is given as the value of another setting.
    for (name, value) in [
        ("MUSTER_CONNECTIONS", &client),
        ("MUSTER_LISTEN", &master),
        ("MUSTER_PUBLIC_URL", &vendor),
        ("MUSTER_MICROSOFT", &client),
        ("MUSTER_ROLES", &former),
        ("MUSTER_DATABASE_URL", &password),
        ("MUSTER_QUEUE_URL", &password),
    ] {
        let mut world = sound(&sqlite, "memory:");
        world.retain(|(known, _)| known != &name && !known.starts_with(&format!("{name}__")));
        world.push((name, value.clone()));
        worlds.push(world);
    }
    let mut short = sound(&sqlite, "memory:");
    short.retain(|(name, _)| *name != "MUSTER_MASTER_KEY");
    short.push(("MUSTER_MASTER_KEY", format!("{master}0")));
    worlds.push(short);
    let mut needles = Needles::default();
    for secret in [&master, &former, &vendor, &client, &password] {
        needles.add(Kind::MasterKey, secret);
    }
    let (search, mut count) = (Search::new(&needles), 0);
    for (index, world) in worlds.iter().enumerate() {
        for arguments in
            [&["doctor"][..], &["migrate"], &["serve"], &["keys", "status"], &["keys", "rotate"], &["token"]]
        {
            // A server that starts successfully does not exit.
            if index == 0 && arguments == ["serve"] {
                continue;
            }
            let said = said(arguments, world);
            assert!(!said.is_empty() || arguments == ["migrate"], "{arguments:?} prints something");
            let hits: Vec<_> = search.hits(said.as_bytes()).collect();
            assert!(hits.is_empty(), "configuration {index}, {arguments:?} prints {hits:?}: {said}");
            count += 1;
        }
    }
    assert!(count > 50, "{count} commands were tried");
}

/// Output of the commands that read and export, on an installation where every feature was exercised.
pub async fn exports(app: &TestApp) -> String {
    let config = &app.config;
    let environment = [
        ("MUSTER_DATABASE_URL", config.database_url.clone()),
        ("MUSTER_MIGRATION_URL", config.migration_url.clone().unwrap()),
        ("MUSTER_QUEUE_URL", config.queue_url.clone()),
        ("MUSTER_QUEUE_PREFIX", config.queue_prefix.clone()),
        ("MUSTER_PUBLIC_URL", config.public_url.to_string()),
        ("MUSTER_MASTER_KEY", config.master_key.expose_secret().to_owned()),
        ("MUSTER_VENDOR_KEY", app.vendor_key.clone()),
    ];
    let listed = app.vendor().query("{ tenants(first: 10) { nodes { id } } }", json!({})).await;
    let tenants = listed["tenants"]["nodes"].as_array().unwrap();
    let mut orders: Vec<Vec<&str>> = vec![
        vec!["audit", "export", "--installation"],
        vec!["audit", "verify"],
        vec!["audit", "checkpoint"],
        vec!["keys", "status"],
        vec!["keys", "rotate"],
        vec!["workflows", "runs"],
        vec!["doctor"],
    ];
    for tenant in tenants {
        orders.push(vec!["audit", "export", "--tenant", tenant["id"].as_str().unwrap()]);
    }
    assert!(tenants.len() >= 3, "{listed}");
    let all: Vec<String> = orders.iter().map(|order| said(order, &environment)).collect();
    let lines = all.iter().flat_map(|said| said.lines());
    let entries =
        lines.filter(|line| serde_json::from_str::<Value>(line).is_ok_and(|line| line["hash"].is_string()));
    assert!(entries.count() > 20, "the audit log is exported: {all:#?}");
    all.concat()
}

/// A long-running command that logs at the finest level to a file.
struct Going {
    child: std::process::Child,
    complained: std::path::PathBuf,
}

impl Going {
    fn begin(folder: &Path, arguments: &[&str]) -> Self {
        let complained = folder.join("complained");
        let mut command = Command::new(env!("CARGO_BIN_EXE_muster"));
        command.args(arguments).env_clear().env("MUSTER_LOG", "trace").env("TMPDIR", folder);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(File::create(&complained).unwrap());
        Self { child: command.spawn().unwrap(), complained }
    }
}

impl Drop for Going {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The secrets in a development server's folder; `None` until all of them are written.
fn kept(data: &Path) -> Option<Needles> {
    let mut needles = Needles::default();
    for (file, kind) in [
        ("master.key", Kind::MasterKey),
        ("vendor.key", Kind::VendorKey),
        ("sandbox-client.key", Kind::ClientSecret),
    ] {
        let secret = std::fs::read_to_string(data.join(file)).ok()?;
        needles.add(kind, Some(secret.trim()).filter(|secret| secret.len() > 16)?);
    }
    Some(needles)
}

#[test]
fn t20_a_development_server_prints_what_is_pasted_and_logs_none_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let mut dev =
        Going::begin(folder.path(), &["dev", "--json", "--port", "0", "--data", data.to_str().unwrap()]);
    let mut ready = String::new();
    BufReader::new(dev.child.stdout.take().unwrap()).read_line(&mut ready).unwrap();
    let told: Value = serde_json::from_str(&ready).unwrap();
    let mut needles = kept(&data).unwrap();
    let shown = hits(&needles, ready.as_bytes());
    assert!(
        shown.iter().all(|(kind, _)| *kind == Kind::VendorKey) && !shown.is_empty(),
        "the server prints {shown:?}"
    );
    for token in ["admin", "user"] {
        needles.add(Kind::AccessToken, told["tokens"][token].as_str().unwrap());
    }
    needles.add(Kind::Link, told["connect"].as_str().unwrap().rsplit('/').next().unwrap());
    let complained = std::fs::read(&dev.complained).unwrap();
    assert!(complained.len() > 10_000, "the server logs at the finest level");
    assert_eq!(hits(&needles, &complained), []);
}

#[tokio::test]
async fn t20_the_demo_says_nothing_secret() {
    let folder = tempfile::tempdir().unwrap();
    let mut demo = Going::begin(folder.path(), &["demo", "--json", "--users", "4"]);
    let stdout = demo.child.stdout.take().unwrap();
    let reading = std::thread::spawn(move || std::io::read_to_string(stdout).unwrap());
    // The demo deletes its server's folder when it exits.
    let needles = loop {
        let folders = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path());
        if let Some(needles) = folders.filter(|path| path.is_dir()).find_map(|path| kept(&path)) {
            break needles;
        }
        assert!(demo.child.try_wait().unwrap().is_none(), "the demo exited before it wrote its keys");
        tokio::time::sleep(Duration::from_millis(2)).await;
    };
    let printed = reading.join().unwrap();
    assert!(demo.child.wait().unwrap().success(), "{printed}");
    let complained = std::fs::read(&demo.complained).unwrap();
    assert!(printed.len() > 500 && complained.len() > 10_000, "{printed}");
    assert_eq!(hits(&needles, printed.as_bytes()), []);
    assert_eq!(hits(&needles, &complained), []);
}
