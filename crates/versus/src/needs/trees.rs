//! What the program "binary trees" needs of a peer: nodes of two edges and nothing else.

/// A program that makes many trees and keeps one.
pub(crate) trait Trees {
    /// Without a tree.
    fn new() -> Self;
    /// Builds a tree that lives until the end.
    fn keep(&mut self, depth: u32);
    /// The nodes of that tree.
    fn count_kept(&self) -> u64;
    /// Builds a tree, counts its nodes, and lets it go.
    fn pass(&mut self, depth: u32) -> u64;
    /// Frees all garbage, and returns how many nodes there are, if the peer can report it.
    fn living(&mut self) -> Option<u64>;
}

/// The nodes of a tree.
pub(crate) fn nodes(depth: u32) -> u64 {
    (2 << depth) - 1
}
