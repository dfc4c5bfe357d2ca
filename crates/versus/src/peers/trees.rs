//! Binary trees of the peers, for `crate::works::trees`.

pub(crate) mod arena;
pub(crate) mod rc;
pub(crate) mod slotgc;
pub(crate) mod slotmap;
