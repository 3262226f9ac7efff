//! The workflows of an engine, as use cases show them.

use std::sync::Arc;

use engine::{Row, Table};
use services::catalogue::{StateInfo, WorkflowInfo};

use crate::Engine;

/// Describes the workflows that an engine knows.
#[derive(Debug)]
pub(crate) struct Catalogue(Engine);

impl Catalogue {
    pub(crate) fn of(engine: &Engine) -> Arc<dyn services::WorkflowCatalogue> {
        Arc::new(Self(engine.clone()))
    }
}

impl services::WorkflowCatalogue for Catalogue {
    fn workflows(&self) -> Vec<WorkflowInfo> {
        let info = |table: &'static Table| WorkflowInfo {
            name: table.name,
            version: table.version,
            about: table.about,
            states: states(table),
        };
        self.0.tables().map(info).collect()
    }

    fn diagram(&self, workflow: &str, version: i32, present: Option<&str>) -> Option<String> {
        self.0.table(workflow, Some(version)).map(|table| table.mermaid(present))
    }
}

/// The rows of a table in a form for display.
fn states(table: &Table) -> Vec<StateInfo> {
    let info =
        |row: &Row| StateInfo { name: row.state, does: row.does, undone_by: row.undone_by, then: row.then };
    table.rows.iter().map(info).collect()
}
