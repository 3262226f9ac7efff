//! Leaves again: disconnects the calendar system after its preview, and erases the tenant.
//!
//! Both steps may be repeated after an outage: what has happened already is found and not requested again.

use std::time::Duration;

use serde_json::{Value, json};

use crate::{
    Demo,
    backoff::{PollResult, poll_until},
    error::{Result, ensure, unexpected},
    graph::{list_at, number_at, string_at},
    plan::Step,
};

/// How long a disconnection or an erasure may take.
const LONGEST: Duration = Duration::from_mins(15);

const STATE: &str =
    "query($id: ID!) { integration(id: $id) { state version reason { message nextAction } } }";
const PREVIEW: &str = "query($id: ID!) { integrationDisconnectionPreview(id: $id) {
    mailboxes calendarCopies channels secrets bookingCount integration { version } } }";
const DISCONNECT: &str = "mutation($input: DisconnectIntegrationInput!) {
    disconnectIntegration(input: $input) { run { id } userErrors { code message } } }";
const ERASE: &str = "mutation($input: EraseTenantInput!) {
    eraseTenant(input: $input) { receipt { requestedAt } userErrors { code message } } }";
const RECEIPT: &str = "query($id: ID!) { erasureReceipt(tenantId: $id) {
    keysDestroyedAt finishedAt tables { table rows } } }";

pub(super) async fn run(demo: &mut Demo) -> Result<()> {
    demo.step(Step::Disconnect, disconnect).await?;
    demo.step(Step::Erase, erase).await
}

async fn disconnect(demo: &mut Demo) -> Result<String> {
    let id = demo.state.made.integration.clone().ok_or_else(|| unexpected("there is no integration"))?;
    let seen = demo.graph.query(STATE, json!({ "id": id })).await?;
    if !matches!(string_at(&seen, "/integration/state")?, "RETIRING" | "REMOVED") {
        request_disconnection(demo, &id).await?;
    }
    let seen = poll_until("the state REMOVED", LONGEST, async || {
        let seen = demo.graph.query(STATE, json!({ "id": id })).await?;
        let state = string_at(&seen, "/integration/state")?;
        ensure(matches!(state, "RETIRING" | "REMOVED"), || {
            format!("{state}: {}", seen["integration"]["reason"])
        })?;
        Ok(match state {
            "REMOVED" => PollResult::Done(seen),
            other => PollResult::NotYet(other.to_owned()),
        })
    })
    .await?;
    let reason = &seen["integration"]["reason"];
    Ok(reason["nextAction"].as_str().map_or_else(|| "REMOVED".to_owned(), |next| format!("REMOVED. {next}")))
}

/// Shows what goes and what stays, then requests it.
async fn request_disconnection(demo: &mut Demo, id: &str) -> Result<()> {
    let read = demo.graph.query(PREVIEW, json!({ "id": id })).await?;
    let preview = &read["integrationDisconnectionPreview"];
    let line = format!(
        "  goes: {} mailboxes, {} copies, {} channels, {} secrets; stays: {} bookings",
        preview["mailboxes"],
        preview["calendarCopies"],
        preview["channels"],
        preview["secrets"],
        preview["bookingCount"]
    );
    demo.report.print_line(&line);
    ensure(number_at(preview, "/secrets")? > 0, || format!("nothing is stored: {preview}"))?;
    let input = json!({ "input": { "id": id, "ifVersion": preview["integration"]["version"] } });
    demo.graph.mutate(DISCONNECT, input).await.map(drop)
}

async fn erase(demo: &mut Demo) -> Result<String> {
    let tenant = demo.state.made.tenant.clone().ok_or_else(|| unexpected("there is no tenant"))?;
    // Nobody acts within a tenant that is being erased.
    demo.graph.leave_tenant();
    if receipt(demo, &tenant).await?.is_null() {
        let input = json!({ "input": { "tenantId": tenant, "name": demo.state.made.name } });
        demo.graph.mutate(ERASE, input).await?;
    }
    let receipt = poll_until("the end of the erasure", LONGEST, async || {
        let receipt = receipt(demo, &tenant).await?;
        Ok(match receipt["finishedAt"].is_string() {
            true => PollResult::Done(receipt),
            false => PollResult::NotYet(receipt.to_string()),
        })
    })
    .await?;
    let tables = list_at(&receipt, "/tables")?;
    let rows: u64 = tables.iter().filter_map(|one| one["rows"].as_u64()).sum();
    ensure(receipt["keysDestroyedAt"].is_string(), || format!("no key was destroyed: {receipt}"))?;
    Ok(format!("{rows} rows of {} tables are gone; the receipt remains", tables.len()))
}

async fn receipt(demo: &Demo, tenant: &str) -> Result<Value> {
    let read = demo.graph.query(RECEIPT, json!({ "id": tenant })).await?;
    Ok(read["erasureReceipt"].clone())
}
