//! What commands say when they do not succeed: nothing of what the configuration keeps secret.

use std::{process::Command, sync::Arc};

use domain::{Ids, SystemClock};

use super::needles::{Kind, Needles, Search};

/// A command of the operator with this configuration and no other.
fn said(arguments: &[&str], environment: &[(&str, String)]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_muster"));
    command.args(arguments).env_clear().env("MUSTER_LOG", "trace").envs(environment.iter().cloned());
    let output = command.stdin(std::process::Stdio::null()).output().unwrap();
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
}

#[test]
fn t20_commands_that_fail_say_nothing_secret() {
    let ids = Ids::random(Arc::new(SystemClock));
    let secret = || ids.secret();
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
    // Each secret stands where something else is wanted.
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
            // A server that can start does not end.
            if index == 0 && arguments == ["serve"] {
                continue;
            }
            let said = said(arguments, world);
            assert!(!said.is_empty() || arguments == ["migrate"], "{arguments:?} says something");
            let hits: Vec<_> = search.hits(said.as_bytes()).collect();
            assert!(hits.is_empty(), "world {index}, {arguments:?} says {hits:?}: {said}");
            count += 1;
        }
    }
    assert!(count > 50, "{count} commands were tried");
}
