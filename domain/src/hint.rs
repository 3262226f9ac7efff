//! Hints: notifications between nodes that a run has work to do.

use crate::{Id, ids, state::Lane};

/// A notice that a run may have work to do; carries no work itself.
///
/// Whoever writes a job makes the hint, in the crate that stores runs; the lanes between nodes deliver it, and may lose
/// it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Hint {
    /// The id of the run to claim.
    pub run: Id<ids::Run>,
    /// The owning tenant; tenants take turns.
    pub tenant: Id<ids::Tenant>,
    /// The priority of the work.
    pub lane: Lane,
}
