//! Muster's workflows, one file each, and the reconcilers.
//!
//! A workflow file begins with its purpose and table, followed by its memory, steps with their undos, and tests.
//! The binary calls [`engine()`] with the services; `api` sees tables and diagrams only through
//! `services::WorkflowCatalogue`. How workflows are executed is in the crate `engine`, which knows nothing of calendars; what
//! steps get and return here is in `step`. A step cannot commit, unless its row says `commits`.

mod catalogue;
mod departure;
pub mod messages;
pub mod reconcile;
mod step;

pub mod activate_mailbox;
pub mod campaign;
pub mod cancel_booking;
pub mod check_integration;
pub mod connect_integration;
pub mod disconnect_integration;
pub mod disconnect_mailbox;
pub mod erase_tenant;
pub mod follow_booking;
pub mod move_booking;
pub mod open_channel;
pub mod refresh_calendar;
pub mod verify_integration;
pub mod write_booking;

use engine::{Contexts, Settings, Workflow};
use services::System;

use self::catalogue::Catalogue;
pub use self::step::{CommittingContext, Outcome, Step, StepContext, StepError, UndoOutcome};

/// The engine of a node, whose steps work with its services.
pub type Engine = engine::Engine<StepContext>;

/// The tables of all workflows, in the version that new runs use.
pub const TABLES: [engine::Table; 14] = [
    connect_integration::ConnectIntegration::TABLE,
    verify_integration::VerifyIntegration::TABLE,
    campaign::Campaign::TABLE,
    activate_mailbox::ActivateMailbox::TABLE,
    write_booking::WriteBooking::TABLE,
    move_booking::MoveBooking::TABLE,
    cancel_booking::CancelBooking::TABLE,
    follow_booking::FollowBooking::TABLE,
    refresh_calendar::RefreshCalendar::TABLE,
    check_integration::CheckIntegration::TABLE,
    open_channel::OpenChannel::TABLE,
    disconnect_mailbox::DisconnectMailbox::TABLE,
    disconnect_integration::DisconnectIntegration::TABLE,
    erase_tenant::EraseTenant::TABLE,
];

/// Creates the engine of a node with all workflows. Also registers it as the catalogue of workflows.
pub fn engine(services: &System, node: &str) -> Engine {
    let engine = engine_with(
        services,
        node,
        vec![
            Box::new(connect_integration::ConnectIntegration),
            Box::new(verify_integration::VerifyIntegration),
            Box::new(campaign::Campaign),
            Box::new(activate_mailbox::ActivateMailbox),
            Box::new(write_booking::WriteBooking),
            Box::new(move_booking::MoveBooking),
            Box::new(cancel_booking::CancelBooking),
            Box::new(follow_booking::FollowBooking),
            Box::new(refresh_calendar::RefreshCalendar),
            Box::new(check_integration::CheckIntegration),
            Box::new(open_channel::OpenChannel),
            Box::new(disconnect_mailbox::DisconnectMailbox),
            Box::new(disconnect_integration::DisconnectIntegration),
            Box::new(erase_tenant::EraseTenant),
        ],
    );
    services.set_catalogue(Catalogue::of(&engine));
    engine
}

/// Creates the engine of a node with only these workflows.
pub fn engine_with(services: &System, node: &str, flows: Vec<Box<dyn Workflow<StepContext>>>) -> Engine {
    let storage = runs::Storage::new(services.store.clone(), services.clock.clone(), services.ids.clone());
    let tenant_runs_at_once = services.settings.tenant_runs_at_once;
    let settings = Settings { node: node.to_owned(), tenant_runs_at_once };
    let plain = StepContext { services: services.for_steps() };
    let committing = CommittingContext { plain: plain.clone(), commits: services.step_commits() };
    let (contexts, writer) = (Contexts::new(plain, committing), services.clone());
    Engine::new(contexts, writer, storage, services.queue.clone(), settings, flows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_order_has_its_workflow_and_every_table_is_well_formed() {
        let mut names: Vec<&str> = TABLES.iter().map(|table| table.name).collect();
        let mut ordered = services::run_inputs::RunInput::WORKFLOWS.to_vec();
        names.sort_unstable();
        ordered.sort_unstable();
        assert_eq!(names, ordered);
        for table in TABLES {
            assert_eq!(table.find_faults(), Vec::<String>::new(), "{}", table.name);
        }
    }
}
