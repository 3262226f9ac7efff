//! The commands that plant and look, as a person types them, and the page that shows them.

use std::{collections::BTreeSet, path::Path};

use serde_json::{Value, json};

use crate::setup::Setup;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

fn page() -> String {
    std::fs::read_to_string(root().join("docs/sandbox.md")).unwrap()
}

/// The commands of the page's shell blocks, without the program's name.
fn examples(page: &str) -> Vec<String> {
    let blocks = page.split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let lines = blocks.flat_map(str::lines).filter_map(|line| line.strip_prefix("muster sandbox "));
    lines.filter(|line| !line.starts_with("serve")).map(str::to_owned).collect()
}

/// The words of a line; quotes keep words together, and files are those of the repository.
fn words(line: &str) -> Vec<String> {
    let mut words = vec!["muster sandbox".to_owned()];
    for (index, part) in line.split('"').enumerate() {
        if index % 2 == 1 {
            words.push(part.to_owned());
            continue;
        }
        words.extend(part.split_whitespace().map(|word| match word.strip_prefix("docs/") {
            Some(file) => root().join("docs").join(file).display().to_string(),
            None => word.to_owned(),
        }));
    }
    words
}

impl Setup {
    async fn try_types(&self, line: &str) -> Result<String, String> {
        let mut words = words(line);
        words.extend(["--url".to_owned(), format!("{}/", self.base)]);
        let said = sandbox::cli::run_line(words.iter().map(String::as_str)).await;
        said.map_err(|error| error.to_string())
    }

    async fn types(&self, line: &str) -> String {
        self.try_types(line).await.unwrap_or_else(|error| panic!("{line}: {error}"))
    }
}

/// A sandbox without any organisation in it.
async fn empty() -> Setup {
    let running = crate::setup::launch(None, None).await;
    let base = running.url().as_str().trim_end_matches('/').to_owned();
    let client = reqwest::Client::new();
    Setup { running, client, base, tenant: String::new(), organisation: Value::Null }
}

#[tokio::test]
async fn every_example_of_the_page_works_as_it_stands() {
    let (setup, page) = (empty().await, page());
    let examples = examples(&page);
    assert!(examples.len() > 30, "{}", examples.len());
    for line in &examples {
        let said = setup.types(line).await;
        assert!(said.ends_with('\n') && said.trim().len() > 3, "{line} says something: {said:?}");
    }
    let calls = page.split('`').skip(1).step_by(2).filter_map(|text| text.split_once(" /control/"));
    let mut seen = BTreeSet::new();
    for (method, path) in calls {
        let path = path.replace("{organisation}", "acme.test").replace("{client}", "nobody");
        let url = setup.url(&format!("control/{path}"));
        let method: reqwest::Method = method.parse().unwrap();
        let answer = setup.client.request(method, url).body("[]").send().await.unwrap();
        let told: Value = answer.json().await.unwrap();
        assert_ne!(told["error"]["message"], "there is no such control", "{path}");
        seen.insert(path);
    }
    assert!(seen.len() > 18, "{seen:?}");
}

#[tokio::test]
async fn the_page_names_every_command_and_every_fault() {
    let (setup, page) = (empty().await, page());
    let examples = examples(&page).join("\n");
    for (asked, least) in [("--help", 20), ("fault --help", 3), ("clock --help", 3)] {
        let help = setup.try_types(asked).await.unwrap_err();
        let listed = help.split("Commands:\n").nth(1).unwrap().split("\n\n").next().unwrap();
        let names: Vec<&str> = listed.lines().filter_map(|line| line.split_whitespace().next()).collect();
        assert!(names.len() > least, "{names:?}");
        for name in names.into_iter().filter(|name| !["help", "serve", "revoke"].contains(name)) {
            assert!(examples.contains(name), "{name} has no example");
        }
    }
    let help = setup.try_types("fault plant --help").await.unwrap_err();
    let faults = help.lines().filter_map(|line| line.trim().strip_prefix("- ")?.split_once(':'));
    let faults: Vec<&str> = faults.map(|(name, _)| name).collect();
    assert_eq!(faults.len(), 9, "{help}");
    for fault in faults {
        assert!(page.contains(&format!("| `{fault}` |")), "{fault} is not in the table");
        assert!(examples.contains(&format!("fault plant {fault}")), "{fault} has no example");
    }
}

#[tokio::test]
async fn a_folder_of_calendars_becomes_an_organisation() {
    let setup = empty().await;
    let said = setup.types("load docs/sandbox/calendars --from 2026-11-30 --weeks 4").await;
    assert!(said.contains("pine.test is there. People: 2"), "{said}");
    let events = setup.ask("organisations/pine.test/events?mailbox=ada@pine.test").await;
    let ada: Vec<(String, String, String)> = events
        .as_array()
        .unwrap()
        .iter()
        .map(|event| {
            let text = |name: &str| event[name].as_str().unwrap().to_owned();
            (text("start").replace(":00.0000000Z", ""), text("subject"), text("show_as"))
        })
        .collect();
    let expected = [
        ("2026-11-30T08:30", "Team", "busy"),
        ("2026-12-02T07:00", "Doctor", "tentative"),
        ("2026-12-07T13:00", "Team, moved", "busy"),
        ("2026-12-10T08:30", "Team", "busy"),
        ("2026-12-13T23:00", "Leave", "oof"),
        ("2026-12-14T08:30", "Team", "busy"),
        ("2026-12-17T08:30", "Team", "busy"),
        ("2026-12-21T08:30", "Team", "busy"),
        ("2026-12-24T08:30", "Team", "busy"),
    ];
    let expected =
        expected.map(|(start, subject, show)| (start.to_owned(), subject.to_owned(), show.to_owned()));
    assert_eq!(ada, expected);
    let shown = setup.ask("organisations/pine.test").await;
    assert_eq!(shown["rooms"][0]["name"], "Room Oak");
    assert!(shown["users"].as_array().unwrap().iter().any(|user| user["name"] == "Ada Pine"));
    let room = setup.ask("organisations/pine.test/events?mailbox=room-oak@pine.test").await;
    assert_eq!(room[0]["start"], "2026-12-01T12:00:00.0000000Z", "a Windows zone");
}

#[tokio::test]
async fn what_cannot_be_done_is_said_in_words() {
    let setup = empty().await;
    setup.types("generate Acme --users 3 --rooms 1 --weeks 0").await;
    for (line, said) in [
        ("events nowhere.test", "NOT_FOUND: there is no such organisation."),
        ("events acme.test --mailbox nobody@acme.test", "NOT_FOUND: there is no such mailbox."),
        ("generate Acme --weeks 0", "INVALID: the domain acme.test is taken by another organisation."),
        ("room acme.test it-admin@acme.test --auto-accept false", "NOT_FOUND: there is no such room."),
        ("room acme.test room-alder@acme.test --approver nobody", "NOT_FOUND: there is no such approver."),
        ("secret nobody", "NOT_FOUND: there is no such application."),
        ("clock advance 0", "INVALID: the clock only moves forward."),
        ("load docs/nothing.json", "cannot be used"),
        ("load docs/sandbox.md", "cannot be used"),
        ("load docs/decisions", "no file is called by an address"),
        ("serve", "by the program alone"),
        ("nonsense", "unrecognized subcommand"),
    ] {
        let error = setup.try_types(line).await.unwrap_err();
        assert!(error.contains(said), "{line}: {error}");
    }
    let url = setup.running.url();
    setup.running.stop().await;
    let line = ["muster sandbox", "organisations", "--url", url.as_str()];
    let error = sandbox::cli::run_line(line).await.unwrap_err().to_string();
    assert!(error.starts_with("No sandbox answers at"), "{error}");
}

#[tokio::test]
async fn what_the_sandbox_answers_is_printed_word_for_word_when_asked() {
    let setup = empty().await;
    setup.types("generate Acme --users 3 --rooms 1 --weeks 0").await;
    let told: Value = serde_json::from_str(&setup.types("organisations --json").await).unwrap();
    assert_eq!(told[0]["domain"], "acme.test");
    let listed = setup.types("organisations").await;
    assert!(listed.starts_with("DOMAIN") && listed.contains("acme.test"), "{listed}");
    setup.types("fault plant slow --ms 5 --method GET --times 2").await;
    let faults = setup.ask("faults").await;
    assert_eq!(
        (&faults[0]["action"], &faults[0]["ms"], &faults[0]["times"]),
        (&json!("slow"), &json!(5), &json!(2))
    );
}
