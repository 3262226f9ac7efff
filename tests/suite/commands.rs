//! Commands of the operator, as typed.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::Arc,
};

use domain::{Id, Ids, SharedClock, SystemClock, ids, state::Lane};
use entity::TrustedCode;
use muster::{
    app,
    config::{Config, Role},
    database,
};
use services::{
    Anyone, Caller,
    run_inputs::{RunInput, Verify},
};

/// An installation whose operator sits at the keyboard.
pub struct Installation {
    file: PathBuf,
    pub run: Id<ids::Run>,
    pub tenant: Id<ids::Tenant>,
    pub user: Id<ids::User>,
    folder: tempfile::TempDir,
}

impl Installation {
    /// An installation with one run that nobody works on.
    pub async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock: SharedClock = Arc::new(SystemClock);
        let ids = Ids::random(Arc::clone(&clock));
        let file = folder.path().join("muster.toml");
        let url = format!("sqlite://{}?mode=rwc", folder.path().join("m.db").display());
        let (key, vendor) = (ids.random_secret(), format!("muster_{}", ids.random_secret()));
        let text = format!(
            "database_url = \"{url}\"\npublic_url = \"http://127.0.0.1:1\"\nmaster_key = \"{key}\"\nvendor_key = \"{vendor}\"\n"
        );
        std::fs::write(&file, text).unwrap();
        let config = Config { roles: vec![Role::Api], ..Config::read(Some(&file)).unwrap() };
        database::migrate(&config, &ids).await.unwrap();
        let node = app::start(&config, clock, None, None).await.unwrap();
        let bearer = format!("Bearer {vendor}");
        let caller = node.services.access().authenticate(Anyone, Some(&bearer), None).await.unwrap().caller;
        let new = services::tenants::NewTenant {
            name: "Acme".to_owned(),
            plan: domain::state::Plan::Plus,
            return_urls: Vec::new(),
            time_zone: None,
            language: None,
        };
        let tenant = node.services.tenants().create(&caller.allow_staff().unwrap(), new).await.unwrap();
        let mut tx = node.services.begin(tenant.id).await.unwrap();
        let order = RunInput::Verify(Verify { integration: ids.make(), candidate: None });
        let run = tx.enqueue(order, "test", Lane::Bulk).await.unwrap().unwrap();
        tx.commit().await.unwrap();
        let by = Caller::new(TrustedCode, caller.kind(), Some(tenant.id), caller.permissions().clone());
        let new = services::users::NewUser {
            email: "ada@acme.test".to_owned(),
            name: "Ada".to_owned(),
            ..services::users::NewUser::default()
        };
        let user = node.services.users().create(&by.allow().unwrap(), new).await.unwrap();
        node.stop().await;
        let (run, tenant, user) = (run, tenant.id, user.id);
        Self { file, run, tenant, user, folder }
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Changes the database behind Muster's back.
    pub async fn sql(&self, sql: &str) {
        use sea_orm::ConnectionTrait;
        let url = Config::read(Some(&self.file)).unwrap().database_url;
        let owner = entity::Store::connect_as_owner(&url).await.unwrap();
        assert_ne!(owner.execute_unprepared(sql).await.unwrap().rows_affected(), 0, "{sql}");
        owner.close().await.unwrap();
    }

    /// Runs a command.
    pub fn runs(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_muster"));
        command.arg("--config").arg(&self.file).args(arguments).output().unwrap()
    }

    fn workflows(&self, arguments: &[&str]) -> Output {
        self.runs(&[&["workflows"], arguments].concat())
    }

    /// Runs a command that must succeed; returns what it prints.
    pub fn says(&self, arguments: &[&str]) -> String {
        let done = self.runs(arguments);
        assert!(done.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8(done.stdout).unwrap()
    }
}

fn bare(arguments: &[&str]) -> (bool, String) {
    let done = Command::new(env!("CARGO_BIN_EXE_muster")).args(arguments).output().unwrap();
    let said = [done.stdout, done.stderr].concat();
    (done.status.success(), String::from_utf8(said).unwrap())
}

#[tokio::test]
async fn the_tables_of_workflows_are_shown_without_any_configuration() {
    let (fine, listed) = bare(&["workflows", "list"]);
    assert!(fine && listed.contains("write_booking") && listed.contains("connect_integration"), "{listed}");
    let (fine, drawn) = bare(&["workflows", "diagram", "move_booking"]);
    assert!(fine && drawn.starts_with("stateDiagram-v2") && drawn.contains("Change --> Settle"), "{drawn}");
    let (fine, said) = bare(&["workflows", "diagram", "nonsense"]);
    assert!(!fine && said.contains("muster workflows list"), "{said}");
}

#[tokio::test]
async fn an_operator_looks_after_runs_from_the_keyboard() {
    let installation = Installation::new().await;
    let run = installation.run.to_string();
    let shown = installation.says(&["workflows", "show", &run]);
    assert!(shown.contains("ORDERED") && shown.contains("verify_integration"), "{shown}");
    let listed = installation.says(&["workflows", "runs", "--status", "ordered"]);
    assert!(listed.contains("verify_int"), "{listed}");
    assert!(!installation.says(&["workflows", "runs", "--status", "FAILED"]).contains("ORDERED"));
    installation.says(&["workflows", "signal", &run, "hello", "--payload", "{\"a\": 1}"]);
    installation.says(&["workflows", "cancel", &run]);
    let refused = installation.workflows(&["retry", &run]);
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(!refused.status.success() && said.contains("Only a run that failed"), "{said}");
    let unknown = installation.workflows(&["show", "run_00000000000000000000000000000000"]);
    assert!(!unknown.status.success(), "there is no such run");
    let malformed = installation.workflows(&["show", "run_1"]);
    assert!(!malformed.status.success(), "that is no id");
}
