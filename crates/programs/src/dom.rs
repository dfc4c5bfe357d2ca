//! A document: elements with attributes and text, in a tree whose nodes know parent, siblings and children.

pub(crate) mod benchmark;
mod edit;
mod generate;
mod node;
mod on_gc_arena;
mod on_indices;
mod on_rc;
mod on_slotgc;
mod query;
#[cfg(test)]
mod tests;
mod tree;
