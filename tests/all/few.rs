//! The integration tests that meet the layout of memory and the order of bytes and end soon, in a binary of
//! their own: for machines that are emulated. `ci/platforms` builds it, nothing else does.

mod collect;
mod counts;
mod ephemerons;
mod handles;
mod heap;
mod key_maps;
mod objects;
mod roots;
mod steps;
#[allow(dead_code, reason = "some of it serves other tests")]
mod subprocess;
mod weak;
mod weak_maps;
mod weak_sets;
