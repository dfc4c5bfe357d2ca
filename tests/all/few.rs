//! The integration tests that depend on memory layout, byte order or the standard library and end soon, in a
//! binary of their own: for emulated machines, and for a library without `std`.

mod collect;
mod counts;
mod ephemerons;
mod handles;
mod heap;
mod key_maps;
mod objects;
#[cfg(feature = "std")]
mod panics;
mod roots;
mod steps;
#[allow(dead_code, reason = "other tests use the rest")]
mod subprocess;
mod weak;
mod weak_maps;
mod weak_sets;
