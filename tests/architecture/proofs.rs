//! What `api` and the steps of workflows cannot do with the use cases, asked of the compiler.
//!
//! Each misuse stands beside a use that builds, from which it differs in the misuse alone. Both are compiled as code
//! of a crate with only the named dependencies: for `api` that is `services`, without `entity`.

use std::{
    collections::BTreeSet,
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

/// A use of our libraries and misuses of the same.
struct Case {
    /// Code that builds, with `{}` where the misuses differ.
    code: &'static str,
    /// What makes it build.
    works: &'static str,
    /// What does not build, each with the error that says so.
    fails: &'static [(&'static str, &'static str)],
}

/// The folder of this binary, in which cargo keeps all that was compiled with it.
fn folder() -> PathBuf {
    std::env::current_exe().unwrap().parent().unwrap().to_owned()
}

/// The library as it was compiled last, which is as this binary was compiled with it.
fn library(folder: &Path, name: &str) -> PathBuf {
    let prefix = format!("lib{name}-");
    let is_it = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with(&prefix) && name.ends_with(".rlib")
    };
    let found = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).filter(is_it);
    found.max_by_key(|path| fs::metadata(path).unwrap().modified().unwrap()).expect("it is compiled")
}

fn compile(libraries: &[&str], code: &str) -> Output {
    let (folder, scratch) = (folder(), tempfile::tempdir().unwrap());
    let mut child =
        Command::new(std::env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned()))
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .args(["--edition", "2024", "--crate-type", "lib", "--crate-name", "front", "--emit", "metadata"])
            .args(["--cap-lints", "allow", "--color", "never", "-"])
            .arg("-L")
            .arg(format!("dependency={}", folder.display()))
            .args(libraries.iter().flat_map(|name| {
                ["--extern".to_owned(), format!("{name}={}", library(&folder, name).display())]
            }))
            .arg("--out-dir")
            .arg(scratch.path())
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
    child.stdin.take().unwrap().write_all(code.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

/// The codes of the errors in what the compiler says.
fn errors(said: &str) -> BTreeSet<&str> {
    said.split("error[").skip(1).filter_map(|rest| rest.split(']').next()).collect()
}

fn check(libraries: &[&str], cases: &[Case]) {
    for Case { code, works, fails } in cases {
        let built = compile(libraries, &code.replace("{}", works));
        let said = String::from_utf8_lossy(&built.stderr).into_owned();
        assert!(built.status.success(), "{works} must build in {code}: {said}");
        for (misuse, error) in *fails {
            let built = compile(libraries, &code.replace("{}", misuse));
            let said = String::from_utf8_lossy(&built.stderr).into_owned();
            assert!(!built.status.success(), "{misuse} must not build in {code}");
            assert_eq!(errors(&said), [*error].into(), "{misuse} in {code}: {said}");
        }
    }
}

#[test]
fn a_use_case_takes_no_proof_of_another_permission() {
    check(
        &["services"],
        &[
            Case {
                code: "use services::{Allowed, Member, Own, Services, may};
                pub async fn remove(services: &Services, by: &{}, own: &Own) {
                    let _ = services.users().delete(by, own.user()).await;
                }",
                works: "Allowed<may::UserDelete>",
                fails: &[("Allowed<may::UserView>", "E0308"), ("Own", "E0308"), ("Member", "E0308")],
            },
            Case {
                code: "use services::{Allowed, Services, may};
                pub fn listen(services: &Services, by: &Allowed<{}>) {
                    drop(services.events().watch_bookings(by));
                }",
                works: "may::BookingView",
                fails: &[("may::RunView", "E0308"), ("may::SeeRooms", "E0308")],
            },
            Case {
                code: "use services::{Allowed, Member, Services, Staff, System, may};
                pub async fn rotate(services: &Services, by: &{}) {
                    let _ = services.keys().rotate_signing_key(by).await;
                }",
                works: "System",
                fails: &[("Services", "E0308"), ("Staff", "E0308"), ("Allowed<may::Staff>", "E0308")],
            },
        ],
    );
}

#[test]
fn nobody_but_a_caller_makes_a_proof_and_nobody_in_front_makes_a_system() {
    check(
        &["services"],
        &[
            Case {
                code: "use services::{Allowed, Caller, Member, System, may};
                pub fn prove(caller: &Caller, member: Member) -> Option<Allowed<may::UserEdit>> {
                    {}
                }",
                works: "caller.allow().ok()",
                fails: &[
                    ("Some(Allowed::new(member))", "E0624"),
                    ("Some(Allowed { member, rule: std::marker::PhantomData })", "E0451"),
                    ("caller.allow::<may::UserView>().ok()", "E0308"),
                ],
            },
            Case {
                code: "use services::{Caller, System};
                pub fn caller(known: services::access::Authenticated) -> Caller {
                    {}
                }",
                works: "known.caller",
                fails: &[
                    ("Caller { tenant: None, ..known.caller }", "E0451"),
                    ("Caller::new(entity::TrustedCode, known.caller.kind(), None, [].into())", "E0433"),
                    ("Caller::new((), known.caller.kind(), None, [].into())", "E0308"),
                ],
            },
            Case {
                code: "use services::{Services, System};
                pub fn give(services: &Services, system: System) -> System {
                    {}
                }",
                works: "system",
                fails: &[("services.clone()", "E0308"), ("System(system)", "E0423")],
            },
        ],
    );
}

#[test]
fn the_front_reaches_rows_but_no_table_and_no_connection() {
    check(
        &["services"],
        &[
            Case {
                code: "pub fn shown(row: &services::{}) { drop(row) }",
                works: "rows::tenant_user::Model",
                fails: &[
                    ("rows::tenant_user::Entity", "E0425"),
                    ("rows::tenant_user::Column", "E0425"),
                    ("entity::tenant_user::Model", "E0433"),
                    ("Store", "E0603"),
                ],
            },
            Case {
                code: "pub fn reach(services: &services::Services) {
                    let _ = &{};
                }",
                works: "services.settings",
                fails: &[
                    ("services.store", "E0616"),
                    ("services.queue", "E0616"),
                    ("services.vault", "E0616"),
                    ("services.begin_installation()", "E0624"),
                    ("entity::tenant_user::all_tenants()", "E0433"),
                ],
            },
        ],
    );
}

#[test]
fn a_step_commits_nothing_unless_its_table_says_so() {
    check(
        &["engine", "workflows"],
        &[
            Case {
                code: "use engine::{Next, nothing};
                    use workflows::{Outcome, Step, StepContext};
                    engine::workflow! {
                        /// Rings.
                        Bell = \"bell\" v 1 (StepContext, ());
                        Ring: ring | nothing | NEVER | [];
                    }
                    async fn ring(context: &StepContext, at: &mut Step<()>) -> Outcome<State> {
                        let _ = {};
                        Ok(Next::Done)
                    }",
                works: "context.services.users_with_mailbox(at.tenant).await",
                fails: &[
                    ("context.services.begin(at.tenant).await", "E0599"),
                    ("context.services.read(at.tenant).await", "E0599"),
                    ("context.services.connect()", "E0599"),
                    ("context.services.step_commits()", "E0599"),
                    ("context.services.store.write(at.tenant).await", "E0609"),
                    ("context.services.system.begin(at.tenant).await", "E0616"),
                    ("<StepContext as engine::Context>::writer(context)", "E0576"),
                    ("context.commits.withdraw_consent(at.tenant, at.memory).await", "E0609"),
                ],
            },
            Case {
                code: "use engine::Next;
                    use workflows::{CommittingContext, Outcome, Step, StepContext, UndoOutcome};
                    engine::workflow! {
                        /// Rings.
                        Bell = \"bell\" v 1 (StepContext, ());
                        Ring: {} | NEVER | [];
                    }
                    async fn ring(context: &CommittingContext, at: &mut Step<()>) -> Outcome<State> {
                        for row in context.plain.services.list_unactivated_mailboxes(at.tenant, &[]).await.unwrap() {
                            context.commits.open_or_renew_channel(&row).await.unwrap();
                        }
                        Ok(Next::Done)
                    }
                    async fn silence(_context: &CommittingContext, _at: &mut Step<()>) -> UndoOutcome {
                        Ok(())
                    }",
                works: "ring commits | silence commits",
                fails: &[("ring | silence commits", "E0308"), ("ring commits | silence", "E0308")],
            },
            Case {
                code: "use engine::{Next, nothing};
                    use workflows::{Outcome, Step, StepContext, UndoOutcome};
                    engine::workflow! {
                        /// Rings.
                        Bell = \"bell\" v 1 (StepContext, ());
                        Ring: {} | NEVER | [];
                    }
                    async fn ring(_context: &StepContext, _at: &mut Step<()>) -> Outcome<State> {
                        Ok(Next::Done)
                    }
                    async fn silence(_context: &StepContext, _at: &mut Step<()>) -> UndoOutcome {
                        Ok(())
                    }",
                works: "ring | silence",
                fails: &[
                    ("ring commits | silence", "E0308"),
                    ("ring | silence commits", "E0308"),
                    ("ring | nothing commits", "E0277"),
                ],
            },
        ],
    );
}
