//! The integration tests: one binary, one module for each part of what the crate promises.
//!
//! A test's name is the claim that it checks. `// weak-cases 13` marks a test of case 13 in
//! `docs/weak-cases.md`, `// weak-cases: mistakes` one of the mistakes that are listed there.

// Without std a panic cannot be caught: a second one during unwinding ends the process. Tests that provoke
// that are left out.
mod barriers;
mod behind_traits;
mod caches;
#[cfg(feature = "std")]
mod caught;
mod checkpoints;
#[cfg(feature = "std")]
mod clocks;
mod collect;
mod counts;
mod deaths;
mod derive;
#[cfg(feature = "std")]
mod differential;
mod ephemerons;
mod exhaustion;
mod finalizers;
mod graphs;
mod graveyards;
mod guarantees;
mod handles;
mod heap;
#[cfg(feature = "inspect")]
mod inspect;
mod interner;
mod iteration;
mod key_chains;
mod key_maps;
#[cfg(feature = "std")]
mod later;
mod layers;
mod lies;
mod many;
mod noted;
mod objects;
mod pacing;
#[cfg(feature = "std")]
mod panics;
mod peer_failures;
mod queues;
mod regressions;
mod replaced;
mod roots;
#[cfg(feature = "std")]
mod shared;
mod shown;
mod shutdown;
mod std_types;
mod steps;
mod strangers;
mod subprocess;
mod threads;
mod weak;
mod weak_maps;
mod weak_sets;
mod world;
