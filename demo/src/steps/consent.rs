//! Revokes the consent at the provider, waits until the integration fails, and restores it with a new consent.

use std::time::Duration;

use serde_json::json;

use super::{
    connect::{WalkProgress, connect, wait_for_state},
    tenant::invite_administrator,
};
use crate::{
    Demo,
    error::{Result, ensure, unexpected},
    graph::string_at,
    plan::{CalendarSystem, Step},
};

/// How long an integration's state may take to change: a health check runs every few minutes.
const TURNS: Duration = Duration::from_mins(10);
/// Time after which the demo requests a verification instead of waiting for the next health check.
const NUDGE: Duration = Duration::from_secs(20);
const BY_HAND: Duration = Duration::from_hours(1);

const VERIFY: &str = "mutation($input: VerifyIntegrationInput!) {
    verifyIntegration(input: $input) { run { id } userErrors { code message } } }";

pub(super) async fn run(demo: &mut Demo) -> Result<()> {
    demo.step(Step::Revoke, revoke).await?;
    demo.step(Step::TurnsFailing, turns).await?;
    demo.step(Step::Reconnect, reconnect).await?;
    demo.step(Step::ActiveAgain, active_again).await
}

async fn revoke(demo: &mut Demo) -> Result<String> {
    if let (CalendarSystem::Exchange, Some(sandbox)) = (demo.system, demo.sandbox.clone()) {
        let fresh = format!("changed-{}", demo.state.made.name);
        let organisation = demo.state.made.organisation.clone().unwrap_or_default();
        sandbox.set_exchange_account(&organisation, &fresh).await?;
        demo.state.made.password = Some(fresh);
        return Ok("the service account's password was changed".to_owned());
    }
    if let (Some(sandbox), Some(organisation)) = (&demo.sandbox, &demo.state.made.organisation) {
        if demo.system == CalendarSystem::GoogleWorkspace {
            let revoked = sandbox.withdraw_delegations(organisation).await?;
            ensure(revoked > 0, || "there was no delegation at the provider".to_owned())?;
            return Ok("the administrator removed the client from domain-wide delegation".to_owned());
        }
        let revoked = sandbox.revoke_consents(organisation).await?;
        ensure(revoked > 0, || "there was no consent at the provider".to_owned())?;
        return Ok("the administrator removed the application".to_owned());
    }
    let Some(dav) = demo.dav.clone() else {
        demo.report.print_line("\nTake the consent back at the provider now: remove the application.\n");
        return Ok("asked for, to be done by hand".to_owned());
    };
    let before = demo.password().to_owned();
    let fresh = format!("changed-{}", demo.state.made.name);
    dav.revoke(&fresh).await?;
    ensure(!dav.accepts_login(&before).await?, || "the server still takes the old password".to_owned())?;
    // Kept before it is used: a demo that is started again has to know it.
    demo.state.made.password = Some(fresh);
    Ok("the service account's password was changed".to_owned())
}

async fn turns(demo: &mut Demo) -> Result<String> {
    let limit = if demo.system != CalendarSystem::CalDav && demo.sandbox.is_none() { BY_HAND } else { TURNS };
    let seen = match wait_for_state(demo, &["FAILING"], NUDGE).await {
        Ok(seen) => seen,
        Err(_) => {
            check_now(demo).await?;
            wait_for_state(demo, &["FAILING"], limit).await?
        }
    };
    Ok(format!("FAILING: {}", string_at(&seen, "/reason/message")?))
}

async fn check_now(demo: &Demo) -> Result<()> {
    let input = json!({ "input": { "id": demo.state.made.integration } });
    match demo.graph.mutate(VERIFY, input).await {
        Err(error) if error.code() != "VERIFICATION_RUNS" => Err(error),
        _ => Ok(()),
    }
}

async fn reconnect(demo: &mut Demo) -> Result<String> {
    if let Some(dav) = demo.dav.clone() {
        let fresh = demo.password().to_owned();
        let counts = dav.restore(&demo.password, &fresh).await?;
        ensure(dav.accepts_login(&counts).await?, || "the server does not take the new password".to_owned())?;
        demo.state.made.password = Some(counts);
    }
    let integration =
        demo.state.made.integration.clone().ok_or_else(|| unexpected("there is no integration"))?;
    let email = invite_administrator(demo, Some(&integration)).await?;
    connect(demo, &mut WalkProgress::new(), true).await?;
    Ok(format!("{email} walked the pages again, with a new link"))
}

async fn active_again(demo: &mut Demo) -> Result<String> {
    let seen = wait_for_state(demo, &["ACTIVE"], TURNS).await?;
    Ok(string_at(&seen, "/state")?.to_owned())
}
