//! Worlds of the peers, for `crate::works::frame`. Nodes are as in the other works: 64 bytes, four edges.

pub(crate) mod arena;
pub(crate) mod boa;
pub(crate) mod dumpster;
pub(crate) mod rc;
pub(crate) mod safe_gc;
pub(crate) mod slotgc;
pub(crate) mod slotmap;

/// The number of frames after which weak maps that do not prune themselves are pruned.
const PRUNE_EVERY: u32 = 64;
