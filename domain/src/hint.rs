//! Job hints: notifications between nodes that a run may have work to do.

use crate::{Id, ids, state::Lane};

/// A notification that a run may have work to do. The work itself stays in the database.
///
/// The crate that stores runs creates a hint whenever it writes a job. The lanes deliver it to other nodes and may lose
/// it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct JobHint {
    /// The id of the run to claim.
    pub run: Id<ids::Run>,
    /// The tenant that owns the run; workers alternate between tenants.
    pub tenant: Id<ids::Tenant>,
    /// The priority of the work.
    pub lane: Lane,
}
