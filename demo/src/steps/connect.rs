//! Completes the connect pages as an administrator, and awaits the verification that follows.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use url::Url;

use super::tenant::administrator_address;
use crate::{
    Demo,
    backoff::{PollResult, poll_until},
    browser::{ACCEPTED_TERMS, Browser, Location, Page},
    error::{Result, ensure, unexpected},
    graph::{list_at, string_at},
    plan::{CalendarSystem, Step},
    report::StepResult,
};

/// Longest duration of a verification, including slow propagation of a permission.
const VERIFIED: Duration = Duration::from_mins(5);
/// Maximum time for a person who completes the connect pages manually.
const BY_HAND: Duration = Duration::from_hours(1);
/// Maximum number of times that a walk through the connect pages is restarted after the server became unreachable.
const WALKS: usize = 5;
const MOST_FORMS: usize = 8;

/// The steps of completing the connect pages once, in order.
const WALK: [Step; 8] = [
    Step::OpenLink,
    Step::TickTerms,
    Step::CorrectAnswer,
    Step::SignIn,
    Step::Consent,
    Step::TypeCredentials,
    Step::Authorise,
    Step::Land,
];

const INTEGRATIONS: &str = "query {
    integrations(first: 10) { nodes { id state reason { code message } connectedMailboxes(first: 1) { totalCount } } } }";
const AUTHORISE: &str = "mutation($input: AuthoriseIntegrationInput!) {
    authoriseIntegration(input: $input) { integration { id } userErrors { code message } } }";
const VERIFICATION: &str = "query($id: ID!) { integration(id: $id) {
    state serviceAccounts { address isCurrent }
    verifications(first: 1) { verdict checks { name mailbox verdict evidence } } } }";

pub(super) async fn run(demo: &mut Demo) -> Result<()> {
    if WALK.iter().all(|step| {
        step.unsupported_reason(demo.system).is_some() || demo.state.recorded_result(*step).is_some()
    }) {
        for step in WALK {
            demo.is_settled(step);
        }
    } else {
        first_walk(demo).await?;
    }
    demo.step(Step::Verify, verify).await
}

/// Performs the walk through the connect pages, and reports each of its completed steps.
async fn first_walk(demo: &mut Demo) -> Result<()> {
    let mut progress = WalkProgress::new();
    let walked = connect(demo, &mut progress, false).await;
    let mut seen = progress.seen.into_iter().peekable();
    for step in WALK {
        if demo.is_settled(step) {
            continue;
        }
        if seen.peek().is_some_and(|(known, ..)| *known == step) {
            let Some((_, note, took)) = seen.next() else { continue };
            demo.state.record_result(step, &note)?;
            demo.report.record(step, StepResult::Done(note), took);
        } else {
            let error = walked.err().unwrap_or_else(|| unexpected("this page never came"));
            demo.report.record(step, StepResult::Failed(error.to_string()), progress.since.elapsed());
            return Err(error);
        }
    }
    walked
}

/// Completed steps of a walk through the connect pages.
pub(super) struct WalkProgress {
    seen: Vec<(Step, String, Duration)>,
    since: Instant,
}

impl WalkProgress {
    pub(super) fn new() -> Self {
        Self { seen: Vec::new(), since: Instant::now() }
    }

    fn did(&mut self, step: Step, note: impl Into<String>) {
        self.seen.push((step, note.into(), self.since.elapsed()));
        self.since = Instant::now();
    }

    fn has(&self, step: Step) -> bool {
        self.seen.iter().any(|(known, ..)| *known == step)
    }
}

/// Performs the walk from the invitation to the landing page. A walk during which the server became unreachable is
/// restarted, as long as it has had no effect.
pub(super) async fn connect(demo: &mut Demo, progress: &mut WalkProgress, again: bool) -> Result<()> {
    if demo.system != CalendarSystem::CalDav && demo.sandbox.is_none() {
        return by_hand(demo, progress).await;
    }
    for walk in 1.. {
        let mut browser = browser(demo).await?;
        let Err(error) = follow(demo, &mut browser, progress, again).await else { return Ok(()) };
        if !browser.repeated || walk == WALKS {
            return Err(error);
        }
        match state(demo).await?.as_deref() {
            Some("AWAITING_AUTHORIZATION") => return authorise_without_page(demo, progress).await,
            Some("VERIFYING" | "AWAITING_PROPAGATION" | "ACTIVE" | "DEGRADED")
                if progress.has(last_before_authorise(demo)) =>
            {
                beyond(demo, progress);
                return Ok(());
            }
            _ => *progress = WalkProgress::new(),
        }
    }
    Ok(())
}

const fn last_before_authorise(demo: &Demo) -> Step {
    match demo.system {
        CalendarSystem::Microsoft365 => Step::Consent,
        CalendarSystem::GoogleWorkspace | CalendarSystem::CalDav | CalendarSystem::Exchange => {
            Step::TypeCredentials
        }
    }
}

/// Continues without the pages after the server became unreachable, if the integration's state permits it.
async fn authorise_without_page(demo: &Demo, progress: &mut WalkProgress) -> Result<()> {
    let (id, _) = find_integration(demo).await?.ok_or_else(|| unexpected("there is no integration"))?;
    demo.graph.mutate(AUTHORISE, json!({ "input": { "id": id } })).await?;
    beyond(demo, progress);
    Ok(())
}

/// Reports the remaining steps of the walk that the integration's state shows to be completed.
fn beyond(demo: &Demo, progress: &mut WalkProgress) {
    for step in WALK {
        if step.unsupported_reason(demo.system).is_none() && !progress.has(step) {
            progress.did(step, "seen in the API: the server was away while the page was sent");
        }
    }
    progress.seen.sort_by_key(|(step, ..)| *step);
}

async fn browser(demo: &Demo) -> Result<Browser> {
    let mut answers = vec![
        ("provider", demo.system.api_name().to_owned()),
        ("address", administrator_address(demo).await?),
        ("service_mailbox", demo.state.made.service_mailbox.clone().unwrap_or_default()),
    ];
    if let Some(dav) = &demo.dav {
        answers.push(("server", dav.url.to_string()));
        answers.push(("user", dav.user.clone()));
        answers.push(("password", demo.password().to_owned()));
    }
    if let (CalendarSystem::Exchange, Some(sandbox), Some(user)) =
        (demo.system, &demo.sandbox, &demo.state.made.account)
    {
        answers.push(("server", sandbox.base_url().to_string()));
        answers.push(("user", user.clone()));
        answers.push(("password", demo.password().to_owned()));
    }
    if let (CalendarSystem::GoogleWorkspace, Some(sandbox), Some(organisation)) =
        (demo.system, &demo.sandbox, &demo.state.made.organisation)
    {
        answers.push(("user", administrator_address(demo).await?));
        answers.push(("key", sandbox.create_service_account(organisation, &demo.state.made.name).await?));
    }
    let answers = answers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    Ok(Browser::new(demo.client.clone(), answers).with_landing(demo.landing.clone()))
}

/// Performs one walk through the connect pages.
async fn follow(demo: &Demo, browser: &mut Browser, progress: &mut WalkProgress, again: bool) -> Result<()> {
    let link: Url = demo
        .state
        .made
        .link
        .as_deref()
        .and_then(|link| link.parse().ok())
        .ok_or_else(|| unexpected("there is no link"))?;
    demo.report.show_step(Step::OpenLink);
    let page = browser.open(link.clone()).await?.page()?;
    page.form()?;
    progress.did(Step::OpenLink, format!("\"{}\"", page.title));
    demo.report.show_step(Step::TickTerms);
    let page = browser.submit(&page, &[]).await?.page()?;
    let wrong = mistyped(demo);
    let mistyped = [("service_mailbox", wrong.as_str())];
    let answers = if again { ACCEPTED_TERMS.to_vec() } else { [&mistyped, ACCEPTED_TERMS].concat() };
    let mut place = tick(demo, browser, &page, &answers).await?;
    progress.did(Step::TickTerms, format!("refused without the ticks; {} chosen", demo.system.api_name()));
    if !again {
        demo.report.show_step(Step::CorrectAnswer);
        place = correct(browser, &link, &wrong).await?;
        progress.did(Step::CorrectAnswer, "a mistyped service mailbox, with the same link");
    }
    let place = match demo.system {
        CalendarSystem::Microsoft365 => at_the_provider(demo, browser, progress, &link, place).await?,
        CalendarSystem::GoogleWorkspace | CalendarSystem::CalDav | CalendarSystem::Exchange => {
            demo.report.show_step(Step::TypeCredentials);
            let page = place.page()?;
            let secret = if demo.system == CalendarSystem::GoogleWorkspace { "key" } else { "password" };
            ensure(page.form()?.has_field(secret), || format!("\"{}\" asks for no {secret}", page.title))?;
            let place = browser.submit(&page, &[]).await?;
            progress.did(Step::TypeCredentials, "typed and stored encrypted");
            place
        }
    };
    authorise(demo, browser, progress, place, again).await
}

/// Submits the selected calendar system, first without accepting the terms, which must be refused, and then with
/// acceptance.
async fn tick(demo: &Demo, browser: &mut Browser, page: &Page, answers: &[(&str, &str)]) -> Result<Location> {
    let form = page.form()?;
    ensure(form.has_field("terms") && form.has_field("privacy"), || {
        format!("\"{}\" asks for no ticks", page.title)
    })?;
    let offered =
        form.fields.iter().any(|field| field.name == "provider" && field.value == demo.system.api_name());
    ensure(offered, || format!("\"{}\" does not offer {}", page.title, demo.system.api_name()))?;
    let refused = browser.submit(page, &[]).await?.page()?;
    let code = refused.code.as_deref().unwrap_or("no code");
    ensure(code == "TERMS_NOT_ACCEPTED", || format!("without the ticks the page answers {code}"))?;
    browser.submit(page, answers).await
}

/// The service mailbox with a typing error; a made-up one if the service account itself is to be the service mailbox.
fn mistyped(demo: &Demo) -> String {
    format!("x{}", demo.state.made.service_mailbox.as_deref().unwrap_or("bookings@calendar.test"))
}

/// Opens the link again, which shows the wrong service mailbox, and replaces it with the right one.
async fn correct(browser: &mut Browser, link: &Url, wrong: &str) -> Result<Location> {
    let page = browser.open(link.clone()).await?.page()?;
    let page = browser.submit(&page, &[]).await?.page()?;
    let shown = page.form()?.fields.iter().find(|field| field.name == "service_mailbox");
    ensure(shown.is_some_and(|field| field.value == wrong), || {
        format!("\"{}\" does not show the answer to correct: {shown:?}", page.title)
    })?;
    browser.submit(&page, ACCEPTED_TERMS).await
}

/// Signs in and consents on the provider's pages, until the browser is redirected back.
async fn at_the_provider(
    demo: &Demo,
    browser: &mut Browser,
    progress: &mut WalkProgress,
    link: &Url,
    place: Location,
) -> Result<Location> {
    demo.report.show_step(Step::SignIn);
    let mut place = place;
    for _ in 0..MOST_FORMS {
        let page = match place {
            // Between the two pages of the provider stands one of ours.
            Location::Page(page)
                if page.url.origin() != link.origin() || page.url.path() == "/connect/consent" =>
            {
                page
            }
            back => {
                ensure(progress.has(Step::SignIn), || "the provider asked for no consent".to_owned())?;
                progress.did(Step::Consent, "granted for the organisation");
                return Ok(back);
            }
        };
        if !progress.has(Step::SignIn) && page.url.path().contains("adminconsent") {
            progress.did(Step::SignIn, administrator_address(demo).await?);
            demo.report.show_step(Step::Consent);
        }
        place = browser.submit(&page, &[]).await?;
    }
    Err(unexpected("the provider's pages do not end"))
}

/// Waits for the authorisation page, checks that no mailbox was accessed yet, authorises, and continues to the return
/// URL.
async fn authorise(
    demo: &Demo,
    browser: &mut Browser,
    progress: &mut WalkProgress,
    place: Location,
    again: bool,
) -> Result<()> {
    demo.report.show_step(Step::Authorise);
    let page = browser.wait(place).await?.page()?;
    page.form()?;
    let (_, seen) = find_integration(demo).await?.ok_or_else(|| unexpected("there is no integration"))?;
    let state = string_at(&seen, "/state")?;
    ensure(state == "AWAITING_AUTHORIZATION", || format!("before the authorisation the state is {state}"))?;
    let touched = seen.pointer("/connectedMailboxes/totalCount").and_then(Value::as_u64);
    ensure(again || touched == Some(0), || format!("{touched:?} mailboxes before the authorisation"))?;
    let place = browser.submit(&page, &[]).await?;
    progress.did(Step::Authorise, "no mailbox was touched before");
    demo.report.show_step(Step::Land);
    let page = browser.wait(place).await?.page()?;
    let Some(landed) = page.landing.clone() else {
        ensure(page.state.as_deref() == Some("AWAITING_PROPAGATION"), || page.stop_error().to_string())?;
        progress.did(Step::Land, "nobody has to wait: the provider is still applying the permission");
        return Ok(());
    };
    let said =
        |name: &str| landed.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned());
    let state = said("state").unwrap_or_default();
    ensure(said("integration").is_some(), || format!("{landed} names no integration"))?;
    progress.did(Step::Land, format!("{}{} with state {state}", landed.authority(), landed.path()));
    Ok(())
}

/// Without a sandbox, waits until a person has completed the pages.
async fn by_hand(demo: &Demo, progress: &mut WalkProgress) -> Result<()> {
    let link = demo.state.made.link.as_deref().unwrap_or_default();
    demo.report
        .print_line(&format!("\nOpen this link in a browser and connect the organisation:\n\n  {link}\n"));
    poll_until("the connection by hand", BY_HAND, async || {
        Ok(match state(demo).await?.as_deref() {
            Some("VERIFYING" | "AWAITING_PROPAGATION" | "ACTIVE" | "DEGRADED") => PollResult::Done(()),
            other => PollResult::NotYet(other.unwrap_or("no integration").to_owned()),
        })
    })
    .await?;
    for step in WALK.into_iter().filter(|step| step.unsupported_reason(demo.system).is_none()) {
        progress.did(step, "by hand");
    }
    Ok(())
}

/// The id and fields of the tenant's integration; `None` before its creation.
pub(super) async fn find_integration(demo: &Demo) -> Result<Option<(String, Value)>> {
    let read = demo.graph.query(INTEGRATIONS, json!({})).await?;
    let first = list_at(&read, "/integrations/nodes")?.first();
    first.map(|one| Ok((string_at(one, "/id")?.to_owned(), one.clone()))).transpose()
}

async fn state(demo: &Demo) -> Result<Option<String>> {
    let found = find_integration(demo).await?;
    found.map(|(_, seen)| Ok(string_at(&seen, "/state")?.to_owned())).transpose()
}

/// Waits until the integration is in one of these states; fails early in a final state.
pub(super) async fn wait_for_state(demo: &Demo, wanted: &[&str], limit: Duration) -> Result<Value> {
    poll_until(&format!("the state {}", wanted.join(" or ")), limit, async || {
        let Some((_, seen)) = find_integration(demo).await? else {
            return Ok(PollResult::NotYet("no integration".to_owned()));
        };
        let state = string_at(&seen, "/state")?;
        if wanted.contains(&state) {
            return Ok(PollResult::Done(seen));
        }
        let reason = &seen["reason"];
        ensure(!matches!(state, "FAILED" | "DECLINED" | "EXPIRED" | "REMOVED"), || {
            format!("{state}: {reason}")
        })?;
        Ok(PollResult::NotYet(format!("{state} {reason}")))
    })
    .await
}

async fn verify(demo: &mut Demo) -> Result<String> {
    wait_for_state(demo, &["ACTIVE", "DEGRADED"], VERIFIED).await?;
    let (id, _) = find_integration(demo).await?.ok_or_else(|| unexpected("there is no integration"))?;
    let read = demo.graph.query(VERIFICATION, json!({ "id": id })).await?;
    demo.state.made.integration = Some(id);
    let checks = list_at(&read, "/integration/verifications/0/checks")?;
    for check in checks {
        let verdict = string_at(check, "/verdict")?;
        let mailbox = check["mailbox"].as_str().unwrap_or_default();
        let line = format!(
            "  {verdict:<8} {:<16} {mailbox} {}",
            string_at(check, "/name")?,
            string_at(check, "/evidence")?
        );
        demo.report.print_line(&line);
    }
    for name in ["REACHABLE", "ACCEPTED", "PEOPLE", "SERVICE_MAILBOX", "WRITE"] {
        let passed = checks.iter().any(|check| check["name"] == name && check["verdict"] == "PASSED");
        ensure(passed, || format!("the check {name} did not pass"))?;
    }
    let rooms = checks.iter().filter(|check| check["name"] == "ROOM" && check["verdict"] == "PASSED").count();
    ensure(rooms > 0, || "no room was reached".to_owned())?;
    let account = string_at(&read, "/integration/serviceAccounts/0/address")?;
    // Whoever connected by hand chose it.
    demo.state.made.service_mailbox = Some(account.to_owned());
    Ok(format!("{} checks, {rooms} rooms reached, service mailbox {account}", checks.len()))
}
