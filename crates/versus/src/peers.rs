//! The peers, one per file.
//!
//! Every peer has a node type of exactly 64 bytes: its `id`, four edges as that peer stores them (with the
//! cell that it needs to change them), words to fill up, and a `tail`, which equals the id plus one.

pub(crate) mod boa_gc;
pub(crate) mod dumpster;
pub(crate) mod ecs;
pub(crate) mod frame;
pub(crate) mod gc;
pub(crate) mod gc_arena;
pub(crate) mod rc;
pub(crate) mod rust_cc;
pub(crate) mod safe_gc;
pub(crate) mod slotgc;
pub(crate) mod slotmap;
pub(crate) mod thunderdome;
pub(crate) mod trees;
pub(crate) mod types;
pub(crate) mod weak;
