//! Every workflow with faults at every one of its steps.
//!
//! A scenario is walked once without a fault, and its steps and requests are written down. Then it is walked again for
//! each of them and each kind of fault. The judge compares what the calendar system in memory and the database hold in
//! the end with what they held without a fault; where a run cannot succeed, it asks that nothing is left behind.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod acts;
mod beginnings;
mod judge;
mod planted;
mod scenarios;
mod setup;
mod system;
mod walks;
mod worker;

use std::collections::BTreeSet;

use crate::faults::{
    planted::InStep,
    scenarios::Scenario,
    setup::{On, Template},
    walks::{Plan, Walks, walk},
    worker::{Fault, FaultPoint},
};

/// Every signal that a run waits for.
const SIGNALS: [&str; 5] = ["authorised", "consented", "results_complete", "superseded", "terms_accepted"];

/// Plants every fault at every place, or only at each `every`-th one.
async fn meets_faults(scenario: Scenario, on: On, every: usize) {
    let mut walks = Walks::new(scenario, scenario.template(on).await, every).await;
    walks.passing_faults().await;
    if scenario.cuts() {
        walks.cut_requests().await;
    }
    walks.failures().await;
    walks.stops().await;
    walks.faults_in_undos().await;
    walks.parked().await;
    walks.end().await;
}

async fn walks(scenario: Scenario) -> Walks {
    Walks::new(scenario, scenario.template(On::Sqlite).await, 1).await
}

#[tokio::test]
async fn signals_to_a_connection_may_come_early_late_twice_and_after_its_end() {
    let mut walks = walks(Scenario::Connect).await;
    let connects = |at: &FaultPoint| at.workflow == "connect_integration";
    walks.signals(&["terms_accepted"], connects, true).await;
    // Nobody can consent before the terms, or authorise before the consent: the page does not let them.
    let consented = |at: &FaultPoint| {
        connects(at) && at.state != "AwaitTerms" && (at.state != "AwaitConsent" || at.turn == 2)
    };
    walks.signals(&["consented"], consented, true).await;
    let asked = |at: &FaultPoint| consented(at) && !matches!(at.state.as_str(), "AwaitConsent" | "Obtain");
    walks
        .signals(&["authorised"], |at| asked(at) && (at.state != "AwaitAuthorization" || at.turn == 2), true)
        .await;
    walks.signals(&["declined"], connects, false).await;
    walks.hurry().await;
    walks.signals_to_finished_runs(&SIGNALS).await;
    walks.end().await;
}

#[tokio::test]
async fn signals_to_a_campaign_may_come_early_late_twice_and_after_its_end() {
    let mut walks = walks(Scenario::Campaign).await;
    walks.signals(&["results_complete"], |at| at.workflow == "campaign", true).await;
    walks.signals_to_finished_runs(&SIGNALS).await;
    walks.end().await;
}

#[tokio::test]
async fn signals_to_a_booking_may_come_early_late_twice_and_after_its_end() {
    let mut walks = walks(Scenario::RoomAccepts).await;
    // Whoever takes the booking over waits for the rooms in its place; here nobody does.
    walks.signals(&["superseded"], |_| true, false).await;
    walks.hurry().await;
    walks.signals_to_finished_runs(&SIGNALS).await;
    walks.end().await;
}

#[tokio::test]
async fn people_who_do_not_wait_for_a_room_come_to_the_same_end() {
    for scenario in [Scenario::MoveBesideRoom, Scenario::CancelBesideRoom] {
        let mut walks = walks(scenario).await;
        walks.hurry().await;
        walks.end().await;
    }
}

#[tokio::test]
async fn a_booking_is_written_once_even_where_effect_keys_are_forgotten() {
    for scenario in [Scenario::RoomAccepts, Scenario::Service, Scenario::FoundLost] {
        let mut walks = walks(scenario).await;
        walks.forgotten_keys().await;
        walks.end().await;
    }
}

#[tokio::test]
async fn every_edge_is_walked_every_undo_is_done_and_every_awaited_signal_is_tested() {
    let bare = Scenario::organisation(On::Sqlite).await.leave().await;
    let setup = bare.open().await;
    Scenario::connected(&setup).await;
    let connected = setup.leave().await;
    let (mut walked, mut undone, mut awaited) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    let mut lasts: Vec<(Scenario, FaultPoint, BTreeSet<String>)> = Vec::new();
    for scenario in Scenario::ALL {
        let walk = one_walk(scenario, &bare, &connected, Plan::default()).await;
        walked.extend(walk.left.edges());
        walked.extend(edges_of_an_erasure(&walk.taken));
        undone.extend(walk.left.undone());
        awaited.extend(walk.awaited);
        let mut taken: Vec<FaultPoint> = walk.taken.into_iter().map(|taken| taken.place).collect();
        taken.retain(|at| !at.undoing);
        let names: BTreeSet<_> = taken.iter().map(|at| at.workflow).collect();
        for name in names {
            let mut of_it = taken.iter().filter(|at| at.workflow == name);
            let states: BTreeSet<_> = of_it.clone().map(|at| at.state.clone()).collect();
            lasts.push((scenario, of_it.next_back().unwrap().clone(), states));
        }
    }
    for (scenario, at, states) in lasts {
        if states.iter().any(|state| !undone.contains(&(at.workflow.to_owned(), state.clone()))) {
            // An erasure that is over leaves no history of what was undone.
            let is_erasure = at.workflow == "erase_tenant";
            let fault = if is_erasure { InStep::FailBefore } else { InStep::FailAfter };
            let plan = Plan { faults: vec![(at, Fault::InStep(fault))], ..Plan::default() };
            undone.extend(one_walk(scenario, &bare, &connected, plan).await.left.undone());
        }
    }
    let tables: Vec<_> = planted::flows(&planted::Armed::default()).iter().map(|flow| flow.table()).collect();
    let mut missing = Vec::new();
    for (table, row) in tables.iter().flat_map(|table| table.rows.iter().map(move |row| (table, row))) {
        let (name, state) = (table.name.to_owned(), row.state.to_owned());
        for next in row.then {
            if !walked.contains(&(name.clone(), state.clone(), (*next).to_owned())) {
                missing.push(format!("{name}: {state} -> {next} is never walked"));
            }
        }
        if !undone.contains(&(name.clone(), state.clone())) {
            missing.push(format!("{name}: {state} is never undone"));
        }
    }
    assert_eq!(missing, Vec::<String>::new());
    assert_eq!(awaited, BTreeSet::from(SIGNALS));
    let mut names: Vec<_> = tables.iter().map(|table| table.name).collect();
    let mut ordered = services::run_inputs::RunInput::WORKFLOWS.to_vec();
    names.sort_unstable();
    ordered.sort_unstable();
    assert_eq!(names, ordered, "every workflow has its scenarios");
}

/// The edges that an erasure walked, whose history is erased with everything else.
fn edges_of_an_erasure(taken: &[worker::Taken]) -> Vec<(String, String, String)> {
    let states = taken.iter().map(|taken| &taken.place).filter(|at| at.workflow == "erase_tenant");
    let states: Vec<&String> = states.map(|at| &at.state).collect();
    let steps = states.windows(2).filter(|pair| pair[0] != pair[1]);
    steps.map(|pair| ("erase_tenant".to_owned(), pair[0].clone(), pair[1].clone())).collect()
}

async fn one_walk(scenario: Scenario, bare: &Template, connected: &Template, plan: Plan) -> walks::Walked {
    let template = if scenario.is_connecting() { bare } else { connected };
    let setup = template.open().await;
    scenario.prepare(&setup).await;
    let walked = walk(scenario, &setup, plan).await;
    setup.close().await;
    walked
}

/// Makes a test of each scenario, with every so many of its faults.
macro_rules! faults_leave_no_trace_in {
    ($store:ident on $on:ident: $($name:ident $scenario:ident / $every:literal,)*) => {
        mod $store { $(
            #[tokio::test]
            async fn $name() {
                super::super::meets_faults(super::super::Scenario::$scenario, super::super::On::$on, $every).await;
            }
        )* }
    };
}

mod faults_leave_no_trace_in {
    faults_leave_no_trace_in! {
        sqlite on Sqlite:
        a_connection Connect / 1,
        a_permission_that_spreads Spreading / 1,
        a_connection_whose_answers_are_corrected Corrected / 1,
        a_consent_that_is_declined Declined / 1,
        a_consent_that_expires Expired / 1,
        a_connection_that_is_not_proven Unproven / 1,
        a_reconnection Reconnect / 1,
        a_reconnection_that_is_not_proven ReconnectUnproven / 1,
        a_verification Verify / 1,
        a_change_of_the_service_mailbox Candidate / 1,
        a_service_mailbox_that_is_refused CandidateRefused / 1,
        a_consent_that_is_lost ConsentLost / 1,
        b12_a_campaign_that_is_interrupted_anywhere Campaign / 1,
        b12_a_campaign_that_is_retried CampaignRetried / 1,
        an_activation Activate / 1,
        an_activation_of_a_mailbox_that_is_gone ActivateGone / 1,
        an_activation_without_consent ActivateLost / 1,
        a_calendar_that_is_read_again Refresh / 1,
        a_check_after_the_consent_was_revoked CheckRevoked / 1,
        a_check_after_the_consent_was_restored CheckRestored / 1,
        a_push_channel_that_is_opened OpenChannel / 1,
        s6_6_a_mailbox_that_is_disconnected DisconnectMailbox / 1,
        s6_7_an_integration_that_is_disconnected DisconnectIntegration / 1,
        s6_8_a_tenant_that_is_erased EraseTenant / 1,
        a_booking Write / 1,
        a_booking_with_a_room RoomAccepts / 1,
        a_booking_whose_room_declines RoomDeclines / 1,
        a_booking_whose_room_is_silent RoomSilent / 1,
        a_booking_through_the_service_account Service / 1,
        a_booking_whose_organiser_is_found_lost FoundLost / 1,
        a_booking_that_nobody_can_write NoCalendar / 1,
        a_booking_without_consent Abandoned / 1,
        a_booking_that_is_refused Refused / 1,
        a_move Move / 1,
        a_move_beside_a_room MoveBesideRoom / 1,
        a_move_that_is_refused MoveRefused / 1,
        a_move_that_lost_its_slot SlotLost / 1,
        a_move_whose_event_is_gone MoveGone / 1,
        s7_1_a_booking_whose_event_was_deleted FollowGone / 1,
        s7_2_a_booking_whose_event_was_moved FollowMoved / 1,
        a_cancellation Cancel / 1,
        a_cancellation_beside_a_room CancelBesideRoom / 1,
        a_cancellation_before_the_writing CancelEarly / 1,
        a_cancellation_that_is_refused CancelRefused / 1,
    }

    faults_leave_no_trace_in! {
        postgres on Postgres:
        a_connection Connect / 13,
        b12_a_campaign_that_is_interrupted_anywhere Campaign / 11,
        a_booking_with_a_room RoomAccepts / 6,
        a_booking_that_is_refused Refused / 6,
        a_move Move / 6,
        s7_2_a_booking_whose_event_was_moved FollowMoved / 6,
        a_cancellation_before_the_writing CancelEarly / 6,
        s6_7_an_integration_that_is_disconnected DisconnectIntegration / 6,
        s6_8_a_tenant_that_is_erased EraseTenant / 6,
    }
}
