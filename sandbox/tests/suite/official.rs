//! Microsoft's own clients (msal and the Graph client, both for Node) against the sandbox.

use std::{process::Command, sync::Arc};

use domain::{Ids, SharedClock, SystemClock};
use reqwest::{Certificate, Client};
use sandbox::{Config, Sandbox, Tls};
use serde_json::json;

use crate::setup::{CLIENT, RETURN, SECRET, Setup};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn microsofts_own_clients_work_with_nothing_changed_but_the_base_url() {
    let folder = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
    let certificate = made.cert.pem();
    let trusted = folder.path().join("certificate.pem");
    std::fs::write(&trusted, &certificate).unwrap();
    let clock: SharedClock = Arc::new(SystemClock);
    let ids = Ids::random(Arc::clone(&clock));
    let config = Config { listen: ([127, 0, 0, 1], 0).into(), data: None, journal: None, clock, ids };
    let tls = Tls {
        certificate: certificate.clone().into_bytes(),
        key: made.signing_key.serialize_pem().into_bytes(),
    };
    let running = Sandbox::start_tls(config, &tls).await.unwrap();
    let trust = Certificate::from_pem(certificate.as_bytes()).unwrap();
    let setup = Setup::furnish_over(running, Client::builder().tls_certs_only([trust])).await;
    setup.consent().await;
    // A room that answers changes the organiser's event, and with it the ETag that the clients hold.
    setup.control(&format!("organisations/{}/settings", setup.tenant), json!({ "room_delay_s": 3600 })).await;

    let node = std::env::var("MUSTER_NODE_DIR").expect("the tests are run by scripts/test");
    let told = json!({ "base": setup.base, "tenant": setup.tenant, "client": CLIENT, "secret": SECRET,
        "redirect": RETURN, "domain": "acme.test" });
    let ran = tokio::task::spawn_blocking(move || {
        Command::new("node")
            .arg("microsoft.mjs")
            .current_dir(node)
            .env("NODE_EXTRA_CA_CERTS", trusted)
            .env("MUSTER_TEST_WORLD", told.to_string())
            .output()
            .unwrap()
    })
    .await
    .unwrap();
    let (said, complained) = (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    assert!(ran.status.success(), "{said}\n{complained}");
    assert_eq!(said.lines().last(), Some("ok"), "{said}");
}
