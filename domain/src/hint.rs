//! Hints: what nodes tell each other about runs that have work.

use crate::{Id, ids, state::Lane};

/// A notice that a run may have work to do; carries no work itself.
///
/// Whoever writes a job makes the hint, in the crate that stores runs; the lanes between nodes deliver it, and may lose
/// it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Hint {
    /// The id of the run to claim.
    pub run: Id<ids::Run>,
    /// The owning tenant, for taking turns.
    pub tenant: Id<ids::Tenant>,
    /// The priority of the work.
    pub lane: Lane,
}
