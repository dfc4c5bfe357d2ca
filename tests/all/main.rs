//! The integration tests: one binary, a module for each part of what the crate promises.
//!
//! A test's name is the claim that it checks. Cases of the list of weak references are marked with their
//! number: `// weak-cases 13`; those of its list of mistakes that others made with `// weak-cases: mistakes`.

// Without std a panic cannot be caught: a second one while the first unwinds ends the process. What provokes that is
// left out there.
mod caches;
mod child;
mod collect;
mod counts;
mod deaths;
mod derive;
#[cfg(feature = "std")]
mod differential;
mod ephemerons;
mod exhaustion;
mod finalizers;
mod foreign;
mod graveyards;
mod guarantees;
mod handles;
mod heap;
mod interner;
mod key_chains;
mod key_maps;
mod layers;
mod lies;
mod objects;
mod pacing;
#[cfg(feature = "std")]
mod panics;
mod peer_failures;
mod queues;
mod regressions;
mod roots;
mod shutdown;
mod steps;
mod threads;
mod weak;
mod weak_maps;
mod weak_sets;
