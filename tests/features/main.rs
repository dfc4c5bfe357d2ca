//! What optional features add, in a binary of its own, so that a build with all features compiles no other
//! tests.
#![cfg(not(slotgc_plain))]

mod foreign;
/// Saving and loading walk and relink with the same code as copying.
#[path = "../all/graphs.rs"]
mod graphs;
#[path = "../all/objects.rs"]
#[allow(dead_code, unused_imports, reason = "the other tests need more of them")]
mod objects;
#[cfg(feature = "rayon")]
mod parallel;
