//! The workflow engine, and one file per workflow.
//!
//! A workflow file begins with its purpose and table, followed by its memory, steps with their undos, and tests.
//! The binary calls [`engine()`] with the services; `api` sees tables and diagrams only through
//! `services::Catalogue`.

pub mod engine;
pub mod reconcile;

pub mod activate_mailbox;
pub mod campaign;
pub mod cancel_booking;
pub mod connect_integration;
pub mod move_booking;
pub mod verify_integration;
pub mod write_booking;

use std::sync::Arc;

use services::System;

pub use engine::Engine;

/// The tables of all workflows, in the version that new runs use.
pub const TABLES: [engine::Table; 7] = [
    connect_integration::ConnectIntegration::TABLE,
    verify_integration::VerifyIntegration::TABLE,
    campaign::Campaign::TABLE,
    activate_mailbox::ActivateMailbox::TABLE,
    write_booking::WriteBooking::TABLE,
    move_booking::MoveBooking::TABLE,
    cancel_booking::CancelBooking::TABLE,
];

/// The engine of a node, with every workflow. It also becomes the catalogue that use cases show.
pub fn engine(services: &System, node: &str) -> Engine {
    let engine = Engine::new(
        services.clone(),
        node,
        vec![
            Box::new(connect_integration::ConnectIntegration),
            Box::new(verify_integration::VerifyIntegration),
            Box::new(campaign::Campaign),
            Box::new(activate_mailbox::ActivateMailbox),
            Box::new(write_booking::WriteBooking),
            Box::new(move_booking::MoveBooking),
            Box::new(cancel_booking::CancelBooking),
        ],
    );
    services.set_catalogue(Arc::new(engine.clone()));
    engine
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
            assert_eq!(table.faults(), Vec::<String>::new(), "{}", table.name);
        }
    }
}
