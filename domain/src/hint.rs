//! Hints: notifications between nodes that a run has work to do.

use crate::{Id, ids, state::Lane};

/// A notice that a run may have work to do; carries no work itself.
///
/// The crate that stores runs creates a hint whenever it writes a job; the lanes between nodes deliver it, and may
/// lose it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct JobHint {
    /// The id of the run to claim.
    pub run: Id<ids::Run>,
    /// The owning tenant; tenants take turns.
    pub tenant: Id<ids::Tenant>,
    /// The priority of the work.
    pub lane: Lane,
}
