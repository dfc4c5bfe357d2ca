//! What optional features add, in a binary of its own: a build with all of them compiles no other tests.
#![cfg(not(slotgc_plain))]

mod foreign;
/// What is saved and loaded is walked and relinked by the same code as what is copied.
#[path = "../all/graphs.rs"]
mod graphs;
#[path = "../all/objects.rs"]
#[allow(dead_code, unused_imports, reason = "the other tests need more of them")]
mod objects;
#[cfg(feature = "rayon")]
mod parallel;
mod saves;
