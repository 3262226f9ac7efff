//! The administrator's way through the connect pages, and the verification that follows.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use url::Url;

use super::tenant::administrator;
use crate::{
    Demo,
    backoff::{Poll, until},
    browser::{Browser, Location, Page, TICKED},
    error::{Result, ensure, unexpected},
    graph::{list, text},
    plan::{Step, System},
    report::Verdict,
};

/// Longest duration of a verification, including slow propagation of a permission.
const VERIFIED: Duration = Duration::from_mins(5);
/// How long a person who connects by hand may take.
const BY_HAND: Duration = Duration::from_hours(1);
/// How often a walk is restarted if the server became unreachable during it.
const WALKS: usize = 5;
const MOST_FORMS: usize = 8;

/// The steps of completing the connect pages once, in order.
const WALK: [Step; 7] = [
    Step::OpenLink,
    Step::TickTerms,
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

pub(super) async fn steps(demo: &mut Demo) -> Result<()> {
    if WALK.iter().all(|step| step.missing(demo.system).is_some() || demo.state.done(*step).is_some()) {
        for step in WALK {
            demo.is_settled(step);
        }
    } else {
        first_walk(demo).await?;
    }
    demo.step(Step::Verify, verify).await
}

/// Performs the walk, and reports each of its completed steps.
async fn first_walk(demo: &mut Demo) -> Result<()> {
    let mut trail = WalkProgress::begin();
    let walked = connect(demo, &mut trail, false).await;
    let mut seen = trail.seen.into_iter().peekable();
    for step in WALK {
        if demo.is_settled(step) {
            continue;
        }
        if seen.peek().is_some_and(|(known, ..)| *known == step) {
            let Some((_, note, took)) = seen.next() else { continue };
            demo.state.finish(step, &note)?;
            demo.report.note(step, Verdict::Done(note), took);
        } else {
            let error = walked.err().unwrap_or_else(|| unexpected("this page never came"));
            demo.report.note(step, Verdict::Failed(error.to_string()), trail.since.elapsed());
            return Err(error);
        }
    }
    walked
}

/// What a walk has achieved so far.
pub(super) struct WalkProgress {
    seen: Vec<(Step, String, Duration)>,
    since: Instant,
}

impl WalkProgress {
    pub(super) fn begin() -> Self {
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
pub(super) async fn connect(demo: &mut Demo, trail: &mut WalkProgress, again: bool) -> Result<()> {
    if demo.system != System::CalDav && demo.sandbox.is_none() {
        return by_hand(demo, trail).await;
    }
    for walk in 1.. {
        let mut browser = browser(demo).await?;
        let Err(error) = follow(demo, &mut browser, trail, again).await else { return Ok(()) };
        if !browser.repeated || walk == WALKS {
            return Err(error);
        }
        match state(demo).await?.as_deref() {
            Some("AWAITING_AUTHORIZATION") => return authorise_without_page(demo, trail).await,
            Some("VERIFYING" | "AWAITING_PROPAGATION" | "ACTIVE" | "DEGRADED")
                if trail.has(last_before_authorise(demo)) =>
            {
                beyond(demo, trail);
                return Ok(());
            }
            _ => *trail = WalkProgress::begin(),
        }
    }
    Ok(())
}

const fn last_before_authorise(demo: &Demo) -> Step {
    match demo.system {
        System::Microsoft365 => Step::Consent,
        System::GoogleWorkspace | System::CalDav | System::Exchange => Step::TypeCredentials,
    }
}

/// Continues without the pages after the server became unreachable, if the integration's state permits it.
async fn authorise_without_page(demo: &Demo, trail: &mut WalkProgress) -> Result<()> {
    let (id, _) = integration(demo).await?.ok_or_else(|| unexpected("there is no integration"))?;
    demo.graph.change(AUTHORISE, json!({ "input": { "id": id } })).await?;
    beyond(demo, trail);
    Ok(())
}

/// Reports the remaining steps of the walk that the integration's state shows to be completed.
fn beyond(demo: &Demo, trail: &mut WalkProgress) {
    for step in WALK {
        if step.missing(demo.system).is_none() && !trail.has(step) {
            trail.did(step, "seen in the API: the server was away while the page was sent");
        }
    }
    trail.seen.sort_by_key(|(step, ..)| *step);
}

async fn browser(demo: &Demo) -> Result<Browser> {
    let mut answers = vec![
        ("provider", demo.system.word().to_owned()),
        ("address", administrator(demo).await?),
        ("service_mailbox", demo.state.made.service_mailbox.clone().unwrap_or_default()),
    ];
    if let Some(dav) = &demo.dav {
        answers.push(("server", dav.url.to_string()));
        answers.push(("user", dav.user.clone()));
        answers.push(("password", demo.password().to_owned()));
    }
    if let (System::Exchange, Some(sandbox), Some(user)) =
        (demo.system, &demo.sandbox, &demo.state.made.account)
    {
        answers.push(("server", sandbox.base().to_string()));
        answers.push(("user", user.clone()));
        answers.push(("password", demo.password().to_owned()));
    }
    if let (System::GoogleWorkspace, Some(sandbox), Some(organisation)) =
        (demo.system, &demo.sandbox, &demo.state.made.organisation)
    {
        answers.push(("user", administrator(demo).await?));
        answers.push(("key", sandbox.service_account(organisation, &demo.state.made.name).await?));
    }
    let answers = answers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    Ok(Browser::new(demo.client.clone(), answers).landing_at(demo.landing.clone()))
}

/// Performs one walk.
async fn follow(demo: &Demo, browser: &mut Browser, trail: &mut WalkProgress, again: bool) -> Result<()> {
    let link: Url = demo
        .state
        .made
        .link
        .as_deref()
        .and_then(|link| link.parse().ok())
        .ok_or_else(|| unexpected("there is no link"))?;
    demo.report.doing(Step::OpenLink);
    let page = browser.open(link.clone()).await?.page()?;
    page.form()?;
    trail.did(Step::OpenLink, format!("\"{}\"", page.title));
    demo.report.doing(Step::TickTerms);
    let page = browser.submit(&page, &[]).await?.page()?;
    let place = tick(demo, browser, &page).await?;
    trail.did(Step::TickTerms, format!("refused without the ticks; {} chosen with them", demo.system.word()));
    let place = match demo.system {
        System::Microsoft365 => at_the_provider(demo, browser, trail, &link, place).await?,
        System::GoogleWorkspace | System::CalDav | System::Exchange => {
            demo.report.doing(Step::TypeCredentials);
            let page = place.page()?;
            let secret = if demo.system == System::GoogleWorkspace { "key" } else { "password" };
            ensure(page.form()?.asks(secret), || format!("\"{}\" asks for no {secret}", page.title))?;
            let place = browser.submit(&page, &[]).await?;
            trail.did(Step::TypeCredentials, "typed and stored encrypted");
            place
        }
    };
    authorise(demo, browser, trail, place, again).await
}

/// Submits the choice without accepting the terms, which must be refused, and then with it.
async fn tick(demo: &Demo, browser: &mut Browser, page: &Page) -> Result<Location> {
    let form = page.form()?;
    ensure(form.asks("terms") && form.asks("privacy"), || format!("\"{}\" asks for no ticks", page.title))?;
    let offered =
        form.fields.iter().any(|field| field.name == "provider" && field.value == demo.system.word());
    ensure(offered, || format!("\"{}\" does not offer {}", page.title, demo.system.word()))?;
    let refused = browser.submit(page, &[]).await?.page()?;
    let code = refused.code.as_deref().unwrap_or("no code");
    ensure(code == "TERMS_NOT_ACCEPTED", || format!("without the ticks the page answers {code}"))?;
    browser.submit(page, TICKED).await
}

/// Signs in and consents on the provider's pages, until the browser is redirected back.
async fn at_the_provider(
    demo: &Demo,
    browser: &mut Browser,
    trail: &mut WalkProgress,
    link: &Url,
    place: Location,
) -> Result<Location> {
    demo.report.doing(Step::SignIn);
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
                ensure(trail.has(Step::SignIn), || "the provider asked for no consent".to_owned())?;
                trail.did(Step::Consent, "granted for the organisation");
                return Ok(back);
            }
        };
        if !trail.has(Step::SignIn) && page.url.path().contains("adminconsent") {
            trail.did(Step::SignIn, administrator(demo).await?);
            demo.report.doing(Step::Consent);
        }
        place = browser.submit(&page, &[]).await?;
    }
    Err(unexpected("the provider's pages do not end"))
}

/// Waits for the page of the second step, checks that nothing was accessed yet, authorises, and lands.
async fn authorise(
    demo: &Demo,
    browser: &mut Browser,
    trail: &mut WalkProgress,
    place: Location,
    again: bool,
) -> Result<()> {
    demo.report.doing(Step::Authorise);
    let page = browser.wait(place).await?.page()?;
    page.form()?;
    let (_, seen) = integration(demo).await?.ok_or_else(|| unexpected("there is no integration"))?;
    let state = text(&seen, "/state")?;
    ensure(state == "AWAITING_AUTHORIZATION", || format!("before the authorisation the state is {state}"))?;
    let touched = seen.pointer("/connectedMailboxes/totalCount").and_then(Value::as_u64);
    ensure(again || touched == Some(0), || format!("{touched:?} mailboxes before the authorisation"))?;
    let place = browser.submit(&page, &[]).await?;
    let Location::Landed(landed) = place else {
        return Err(place.page()?.stops());
    };
    trail.did(Step::Authorise, "no mailbox was touched before");
    let said =
        |name: &str| landed.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned());
    let state = said("state").unwrap_or_default();
    ensure(said("integration").is_some(), || format!("{landed} names no integration"))?;
    trail.did(Step::Land, format!("{}{} with state {state}", landed.authority(), landed.path()));
    Ok(())
}

/// Without a sandbox, waits while a person completes the pages.
async fn by_hand(demo: &Demo, trail: &mut WalkProgress) -> Result<()> {
    let link = demo.state.made.link.as_deref().unwrap_or_default();
    demo.report.say(&format!("\nOpen this link in a browser and connect the organisation:\n\n  {link}\n"));
    until("the connection by hand", BY_HAND, async || {
        Ok(match state(demo).await?.as_deref() {
            Some("VERIFYING" | "AWAITING_PROPAGATION" | "ACTIVE" | "DEGRADED") => Poll::Done(()),
            other => Poll::NotYet(other.unwrap_or("no integration").to_owned()),
        })
    })
    .await?;
    for step in WALK.into_iter().filter(|step| step.missing(demo.system).is_none()) {
        trail.did(step, "by hand");
    }
    Ok(())
}

/// The tenant's integration: its id and its fields.
pub(super) async fn integration(demo: &Demo) -> Result<Option<(String, Value)>> {
    let read = demo.graph.ask(INTEGRATIONS, json!({})).await?;
    let first = list(&read, "/integrations/nodes")?.first();
    first.map(|one| Ok((text(one, "/id")?.to_owned(), one.clone()))).transpose()
}

async fn state(demo: &Demo) -> Result<Option<String>> {
    let found = integration(demo).await?;
    found.map(|(_, seen)| Ok(text(&seen, "/state")?.to_owned())).transpose()
}

/// Waits until the integration is in one of these states; fails early in a final state.
pub(super) async fn wait_for(demo: &Demo, wanted: &[&str], limit: Duration) -> Result<Value> {
    until(&format!("the state {}", wanted.join(" or ")), limit, async || {
        let Some((_, seen)) = integration(demo).await? else {
            return Ok(Poll::NotYet("no integration".to_owned()));
        };
        let state = text(&seen, "/state")?;
        if wanted.contains(&state) {
            return Ok(Poll::Done(seen));
        }
        let reason = &seen["reason"];
        ensure(!matches!(state, "FAILED" | "DECLINED" | "EXPIRED" | "REMOVED"), || {
            format!("{state}: {reason}")
        })?;
        Ok(Poll::NotYet(format!("{state} {reason}")))
    })
    .await
}

async fn verify(demo: &mut Demo) -> Result<String> {
    wait_for(demo, &["ACTIVE", "DEGRADED"], VERIFIED).await?;
    let (id, _) = integration(demo).await?.ok_or_else(|| unexpected("there is no integration"))?;
    let read = demo.graph.ask(VERIFICATION, json!({ "id": id })).await?;
    demo.state.made.integration = Some(id);
    let checks = list(&read, "/integration/verifications/0/checks")?;
    for check in checks {
        let verdict = text(check, "/verdict")?;
        let mailbox = check["mailbox"].as_str().unwrap_or_default();
        let line =
            format!("  {verdict:<8} {:<16} {mailbox} {}", text(check, "/name")?, text(check, "/evidence")?);
        demo.report.say(&line);
    }
    for name in ["REACHABLE", "ACCEPTED", "PEOPLE", "SERVICE_MAILBOX", "WRITE"] {
        let passed = checks.iter().any(|check| check["name"] == name && check["verdict"] == "PASSED");
        ensure(passed, || format!("the check {name} did not pass"))?;
    }
    let rooms = checks.iter().filter(|check| check["name"] == "ROOM" && check["verdict"] == "PASSED").count();
    ensure(rooms > 0, || "no room was reached".to_owned())?;
    let account = text(&read, "/integration/serviceAccounts/0/address")?;
    // Whoever connected by hand chose it.
    demo.state.made.service_mailbox = Some(account.to_owned());
    Ok(format!("{} checks, {rooms} rooms reached, service mailbox {account}", checks.len()))
}
