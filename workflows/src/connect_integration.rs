//! Connects an organisation's calendar system through a service account: from the terms to the first campaign.
//!
//! Enqueued when an integration is created or reconnected. The connect page sends the signals. An attempt that is
//! declined, fails or is abandoned leaves the integration with a reason and without a consent in effect; an
//! integration that was connected before keeps its mailboxes and is `FAILING` until it is connected again.
//!
//! Until the verification has passed, every answer can be corrected with the same link: the newest consent and the
//! newest choices replace the earlier ones (`Correct`), and an authorisation is only valid for the consent for which it
//! was given. While a person waits for a result, the run retries for two minutes at most.

mod patience;

use domain::{
    Id, Reason, Timestamp, ids,
    state::{IntegrationState, Verdict},
};
use engine::{Next, nothing};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use services::{
    Change,
    change::{IntegrationChange, TenantLocale, VerificationResult},
    connect::{Authorisation, ConsentSignal, SESSION_OVER_CODE},
    run_inputs::Connect,
    verification::{self, Report},
};
use uuid::Uuid;

use self::patience::{PATIENCE, trial_error, within_patience};
use crate::{CommittingContext, Outcome, Step, StepContext, StepError, UndoOutcome, messages};

engine::workflow! {
    /// Connects an organisation's calendar system through a service account.
    ConnectIntegration = "connect_integration" v 2 continues 1 (StepContext, Memory);

    // state             does                   undone by              retry      then
    AwaitTerms:          await_terms          | close commits        | NEVER    | [AwaitConsent];
    AwaitConsent:        await_consent        | nothing              | NEVER    | [Obtain];
    Obtain:              obtain_grant commits | revoke_grant commits | PATIENT  | [AwaitAuthorization, Correct];
    AwaitAuthorization:  await_authorization  | nothing              | NEVER    | [Verify, Correct];
    Verify:              verify               | nothing              | STANDARD | [AwaitPropagation, Activate, Correct];
    AwaitPropagation:    wait_for_permission  | nothing              | NEVER    | [Verify, Correct];
    Correct:             withdraw commits     | nothing              | STANDARD | [AwaitConsent];
    Activate:            activate             | nothing              | STANDARD | [];
}

/// State of the run that is kept between steps.
#[derive(Debug, Serialize, Deserialize)]
pub struct Memory {
    #[serde(flatten)]
    order: Connect,
    /// When the attempt expires if nobody continues it.
    #[serde(default)]
    deadline: Option<Timestamp>,
    /// The newest consent that the connect page reported.
    #[serde(default)]
    consented: Option<ConsentSignal>,
    /// The consent in effect: only an authorisation by its session counts.
    #[serde(default)]
    granted: Option<ConsentSignal>,
    /// Until when the current step is retried, because the administrator waits for its result.
    #[serde(default)]
    patience_ends: Option<Timestamp>,
    /// Prefix of the keys of the probe events.
    #[serde(default)]
    probe: Option<Uuid>,
    /// When the provider must have propagated the permission.
    #[serde(default)]
    spread_by: Option<Timestamp>,
    /// When the verification is repeated.
    #[serde(default)]
    resume_at: Option<Timestamp>,
    /// The verified service mailbox, with its display name.
    #[serde(default)]
    proven: Option<(String, String)>,
}

async fn await_terms(context: &StepContext, at: &mut Step<Memory>) -> Outcome<State> {
    let deadline = *at.memory.deadline.get_or_insert(at.now + context.services.settings().link_lifetime);
    if at.take_signal("terms_accepted").is_some() {
        require_known(context, at).await?;
        at.add_change(state(at, IntegrationState::AwaitingConsent, Some(consent_pending())));
        return Ok(Next::Go(State::AwaitConsent));
    }
    wait(at, deadline, "terms_accepted")
}

/// Ends an unsuccessful attempt. As the last undo it also deletes typed credentials that were not tried.
async fn close(context: &CommittingContext, at: &mut Step<Memory>) -> UndoOutcome {
    require_known(&context.plain, at).await?;
    context.commits.delete_consents_of_finished_run(at.tenant, at.memory.order.integration).await?;
    let reason =
        at.failure.clone().unwrap_or_else(|| Reason::new("CONNECT_FAILED", messages::connect_failed()));
    let end = match (at.memory.order.again, reason.code.as_str()) {
        (true, _) => IntegrationState::Failing,
        (false, "CONNECT_EXPIRED") => IntegrationState::Expired,
        (false, "CONSENT_DECLINED" | "RUN_CANCELLED") => IntegrationState::Declined,
        (false, _) => IntegrationState::Failed,
    };
    let reason = if reason.next_action.is_some() {
        reason
    } else {
        reason.with_next_action(messages::start_the_connection_again())
    };
    at.add_change(state(at, end, Some(reason)));
    Ok(())
}

async fn await_consent(_context: &StepContext, at: &mut Step<Memory>) -> Outcome<State> {
    declined(at)?;
    // The terms may be ticked again by a second browser, and the choices are read when the consent is tried.
    while at.take_signal("terms_accepted").is_some() || at.take_signal("corrected").is_some() {}
    take_newest_consent(at)?;
    if at.memory.consented.is_some() {
        at.memory.patience_ends = Some(at.now + PATIENCE);
        let reason = Reason::new("CONSENT_TRIED", messages::consent_is_tried());
        at.add_change(state(at, IntegrationState::AwaitingConsent, Some(reason)));
        return Ok(Next::Go(State::Obtain));
    }
    let deadline = at.memory.deadline.unwrap_or(at.now);
    wait(at, deadline, "consented")
}

/// Takes over the newest consent that the connect page reported since the last step. Returns whether there is one.
fn take_newest_consent(at: &mut Step<Memory>) -> Result<bool, StepError> {
    let mut is_new = false;
    while let Some(said) = at.take_signal("consented") {
        let said: Result<ConsentSignal, _> = serde_json::from_value(said);
        let said = said.map_err(|_| StepError::fail("MEMORY_UNREADABLE", messages::consent_unreadable()))?;
        // A signal that comes twice is no correction.
        if at.memory.granted.as_ref() != Some(&said) {
            at.memory.consented = Some(said);
            is_new = true;
        }
    }
    Ok(is_new)
}

/// Whether the administrator has corrected an answer since the last step. The consent in effect is then withdrawn, and
/// what was authorised for it no longer counts.
fn corrected(at: &mut Step<Memory>) -> Result<bool, StepError> {
    let mut is_corrected = take_newest_consent(at)?;
    while at.take_signal("corrected").is_some() {
        is_corrected = true;
    }
    Ok(is_corrected)
}

/// Withdraws the consent in effect after an answer was corrected, so that nothing of it stays behind. An integration
/// that was connected before keeps its consent until the new one is in effect.
async fn withdraw(context: &CommittingContext, at: &mut Step<Memory>) -> Outcome<State> {
    withdraw_consent(context, at, true).await?;
    while at.take_signal("authorised").is_some() {}
    at.memory.granted = None;
    at.memory.proven = None;
    at.add_change(state(at, IntegrationState::AwaitingConsent, Some(consent_pending())));
    Ok(Next::Go(State::AwaitConsent))
}

/// Tries the consent and puts it into effect: it must be for the organisation that signed in, which no other tenant
/// may have connected.
async fn obtain_grant(context: &CommittingContext, at: &mut Step<Memory>) -> Outcome<State> {
    declined(at)?;
    take_newest_consent(at)?;
    if at.take_signal("corrected").is_some() {
        return Ok(Next::Go(State::Correct));
    }
    let services = &context.plain.services;
    let row = integration(&context.plain, at).await?;
    let consented = at.memory.consented.clone();
    let consented =
        consented.ok_or_else(|| StepError::fail("MEMORY_UNREADABLE", messages::consent_missing()))?;
    let secret = match services.stored_consent(at.tenant, row.id, consented.session).await {
        Err(error) if error.code() == SESSION_OVER_CODE => return Ok(forget_consent(at)),
        secret => secret?,
    };
    let (provider, session) =
        services.open_test_session(&row, &secret, &consented.by, consented.server.clone())?;
    let organisation =
        provider.organisation(&session).await.map_err(|error| trial_error(at, &*provider, error))?;
    if secret.organisation().is_some_and(|signed| !provider.is_same_organisation(signed, &organisation.id)) {
        return Err(StepError::fail("TENANT_MISMATCH", messages::another_organisation_granted()));
    }
    if row.external_tenant.as_deref().is_some_and(|known| known != organisation.id) {
        let message = messages::another_organisation_before();
        return Err(StepError::fail("TENANT_MISMATCH", message));
    }
    if let Some(signed_in) = secret.administrator() {
        let listed = provider.person(&session, &consented.by).await;
        let listed = listed.map_err(|error| trial_error(at, &*provider, error))?;
        if !signed_in.matches_listed_person(&listed, &organisation) {
            return Err(services::connect::wrong_administrator(&consented.by).into());
        }
    }
    match context.commits.activate_consent(&row, &consented, &secret, &organisation).await {
        Err(error) if error.code() == SESSION_OVER_CODE => return Ok(forget_consent(at)),
        activated => activated?,
    }
    at.memory.probe = Some(services.new_uuid());
    at.memory.granted = at.memory.consented.take();
    let reason = Reason::new("AUTHORISATION_PENDING", messages::authorisation_pending())
        .with_next_action(messages::authorise_the_access());
    at.add_change(state(at, IntegrationState::AwaitingAuthorization, Some(reason)));
    Ok(Next::Go(State::AwaitAuthorization))
}

/// The session of the consent ended because an answer was corrected: another consent is awaited.
fn forget_consent(at: &mut Step<Memory>) -> Next<State> {
    at.memory.consented = None;
    Next::Go(State::Correct)
}

/// Withdraws the consent, so that the integration is not left half-connected.
async fn revoke_grant(context: &CommittingContext, at: &mut Step<Memory>) -> UndoOutcome {
    withdraw_consent(context, at, false).await
}

/// Withdraws the consent in effect; an integration that was connected before keeps the earlier one.
async fn withdraw_consent(
    context: &CommittingContext,
    at: &Step<Memory>,
    is_corrected: bool,
) -> Result<(), StepError> {
    if !at.memory.order.again {
        require_known(&context.plain, at).await?;
        let integration = at.memory.order.integration;
        context.commits.withdraw_consent(at.tenant, integration, is_corrected).await?;
    }
    Ok(())
}

/// Why the integration waits for the consent at the provider.
fn consent_pending() -> Reason {
    Reason::new("CONSENT_PENDING", messages::consent_pending())
        .with_next_action(messages::finish_the_consent())
}

async fn await_authorization(context: &StepContext, at: &mut Step<Memory>) -> Outcome<State> {
    declined(at)?;
    if corrected(at)? {
        return Ok(Next::Go(State::Correct));
    }
    // An authorisation for a consent that was replaced meanwhile is none for the present one.
    while let Some(said) = at.take_signal("authorised") {
        let said: Authorisation = serde_json::from_value(said).unwrap_or_default();
        if said.session != at.memory.granted.as_ref().map(|granted| granted.session) {
            continue;
        }
        require_known(context, at).await?;
        at.memory.spread_by = Some(at.now + context.services.settings().propagation);
        at.memory.patience_ends = Some(at.now + PATIENCE);
        at.add_change(state(at, IntegrationState::Verifying, None));
        return Ok(Next::Go(State::Verify));
    }
    let deadline = at.memory.deadline.unwrap_or(at.now);
    wait(at, deadline, "authorised")
}

async fn verify(context: &StepContext, at: &mut Step<Memory>) -> Outcome<State> {
    if corrected(at)? {
        return Ok(Next::Go(State::Correct));
    }
    let row = integration(context, at).await?;
    let probe = at.memory.probe.unwrap_or(at.run.uuid());
    let mailbox = verification::mailbox_to_verify(&row, None);
    let report = context.services.verify(&row, mailbox, probe).await?;
    if let Some(error) = report.again {
        return Err(within_patience(at, error.into()));
    }
    record_report(at, row.id, &report);
    // Nothing else is written before the connection stands: what fails yet leaves nothing half-connected.
    if report.verdict() == Verdict::Failed {
        let spreading = report.spreading && at.memory.spread_by.is_some_and(|by| at.now < by);
        if !spreading {
            return Err(StepError::from_reason(check_reason(&report)));
        }
        let reason = Reason::new("PERMISSION_SPREADING", messages::permission_spreading());
        at.add_change(state(at, IntegrationState::AwaitingPropagation, Some(reason)));
        return Ok(Next::Go(State::AwaitPropagation));
    }
    at.memory.proven = mailbox.map(str::to_owned).zip(report.service_name);
    Ok(Next::Go(State::Activate))
}

/// Records the results of a verification. The tenant's locale is updated only if the verification did not fail.
pub(crate) fn record_report<M>(at: &mut Step<M>, integration: Id<ids::Integration>, report: &Report) {
    if let Some(organisation) = report.organisation.clone()
        && report.verdict() != Verdict::Failed
    {
        let (zone, language) = (organisation.zone.clone(), organisation.language.clone());
        at.add_change(Change::Locale(TenantLocale { zone, language }));
        at.add_change(Change::Organisation { integration, organisation });
    }
    let checks = serde_json::to_value(&report.checks).unwrap_or(Value::Null);
    at.add_change(Change::Verification(VerificationResult {
        integration,
        verdict: report.verdict(),
        checks,
    }));
}

/// The reason of a failed verification: its first failed check.
pub(crate) fn check_reason(report: &Report) -> Reason {
    let Some(check) = report.first_failure() else {
        return Reason::new("VERIFICATION_FAILED", messages::verification_failed());
    };
    let code = format!("CHECK_{}_FAILED", check.name);
    Reason { code, message: check.evidence.clone(), next_action: check.next_action.clone() }
}

async fn wait_for_permission(context: &StepContext, at: &mut Step<Memory>) -> Outcome<State> {
    if corrected(at)? {
        return Ok(Next::Go(State::Correct));
    }
    let resume = *at.memory.resume_at.get_or_insert(at.now + chrono::Duration::minutes(2));
    if at.now < resume {
        return Ok(Next::Wait { until: Some(resume), or: None });
    }
    require_known(context, at).await?;
    at.memory.resume_at = None;
    at.memory.patience_ends = Some(at.now + PATIENCE);
    at.add_change(state(at, IntegrationState::Verifying, None));
    Ok(Next::Go(State::Verify))
}

async fn activate(context: &StepContext, at: &mut Step<Memory>) -> Outcome<State> {
    require_known(context, at).await?;
    let integration = at.memory.order.integration;
    if let Some((address, name)) = at.memory.proven.take() {
        at.add_change(Change::ServiceMailbox { integration, address, name });
    }
    at.add_change(state(at, IntegrationState::Active, None));
    // The campaign reads the rooms.
    at.add_change(Change::StartCampaign(integration));
    Ok(Next::Done)
}

fn state(at: &Step<Memory>, state: IntegrationState, reason: Option<Reason>) -> Change {
    Change::Integration(IntegrationChange {
        id: at.memory.order.integration,
        state: Some(state),
        reason: Some(reason),
        ..IntegrationChange::default()
    })
}

async fn integration(
    context: &StepContext,
    at: &Step<Memory>,
) -> Result<entity::integration::Model, StepError> {
    let row = context.services.integration(at.tenant, at.memory.order.integration).await?;
    let row = row.ok_or_else(|| StepError::fail("NOT_FOUND", messages::integration_removed()))?;
    row.state.require()?;
    Ok(row)
}

/// Lets the run wait while the integration is in a state that this version does not know.
async fn require_known(context: &StepContext, at: &Step<Memory>) -> Result<(), StepError> {
    if let Some(row) = context.services.integration(at.tenant, at.memory.order.integration).await? {
        row.state.require()?;
    }
    Ok(())
}

/// Fails if the administrator, or the provider on the administrator's behalf, declined.
fn declined(at: &mut Step<Memory>) -> Result<(), StepError> {
    let Some(said) = at.take_signal("declined") else { return Ok(()) };
    let unnamed = || Reason::new("CONSENT_DECLINED", messages::consent_declined());
    Err(StepError::from_reason(serde_json::from_value(said).unwrap_or_else(|_| unnamed())))
}

/// Waits for a signal until the attempt expires.
fn wait(at: &mut Step<Memory>, deadline: Timestamp, signal: &'static str) -> Outcome<State> {
    declined(at)?;
    if at.now >= deadline {
        return Err(StepError::fail("CONNECT_EXPIRED", messages::connect_expired()));
    }
    Ok(Next::Wait { until: Some(deadline), or: Some(signal) })
}
