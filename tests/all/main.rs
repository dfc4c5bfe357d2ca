//! The integration tests: one binary, a module for each part of what the crate promises.
//!
//! A test's name is the claim that it checks. Cases of the list of weak references are marked with their
//! number: `// weak-cases 13`.

mod caches;
mod child;
mod collect;
mod derive;
mod differential;
mod ephemerons;
mod handles;
mod heap;
mod interner;
mod key_chains;
mod key_maps;
mod layers;
mod lies;
mod notices;
mod objects;
mod panics;
mod regressions;
mod roots;
mod weak;
mod weak_maps;
mod weak_sets;
