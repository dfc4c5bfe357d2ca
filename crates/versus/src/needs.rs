//! What the works need of a peer: traits, and the plain data that goes through them. Peers and limits
//! implement them, works call them; nothing here knows either.

pub(crate) mod alloc;
pub(crate) mod collect;
pub(crate) mod ecs;
pub(crate) mod ephemeron;
pub(crate) mod frame;
pub(crate) mod heaps;
pub(crate) mod iterate;
pub(crate) mod memory;
pub(crate) mod trees;
pub(crate) mod types;
pub(crate) mod weak;

use std::hint::black_box;

use crate::clock::Stopwatch;
use crate::work::per_object;

/// The size of every peer's node.
pub(crate) const NODE_BYTES: usize = 64;

/// A heap whose handles are plain values. For peers whose heap belongs to the thread it is an empty struct.
pub(crate) trait Handles {
    /// What names an object.
    type Handle;

    /// An empty heap. The number of objects that it will hold is for peers that reserve.
    fn new(objects: usize) -> Self;
    /// Makes an object without edges.
    fn alloc(&mut self, id: u64) -> Self::Handle;
    /// Reads the words of a living object that `F` selects.
    fn read<F: Field>(&self, handle: &Self::Handle) -> u64;
}

/// A heap whose objects can die.
pub(crate) trait Free: Handles {
    /// Makes these objects garbage, one after the other, and frees them, with a collection if it takes one.
    /// `kept` are all others.
    fn free(&mut self, dead: Vec<Self::Handle>, kept: &[Self::Handle]);
}

/// Which words of an object are read.
pub(crate) trait Field {
    /// For the name of the work.
    const SUFFIX: &'static str;
    /// For its description.
    const ABOUT: &'static str;

    /// Reads.
    fn pick(id: &u64, tail: &u64) -> u64;
    /// What reading all of `n` objects adds up to, when their ids add up to `ids`.
    fn sum(ids: u64, n: u64) -> u64;
}

/// The first word.
#[derive(Debug)]
pub(crate) struct First;

/// The last word.
#[derive(Debug)]
pub(crate) struct Last;

/// Both.
#[derive(Debug)]
pub(crate) struct Ends;

impl Field for First {
    const SUFFIX: &'static str = "";
    const ABOUT: &'static str = "the first word";

    #[inline(always)]
    fn pick(id: &u64, _: &u64) -> u64 {
        *id
    }

    fn sum(ids: u64, _: u64) -> u64 {
        ids
    }
}

impl Field for Last {
    const SUFFIX: &'static str = "-last";
    const ABOUT: &'static str = "the last word";

    #[inline(always)]
    fn pick(_: &u64, tail: &u64) -> u64 {
        *tail
    }

    fn sum(ids: u64, n: u64) -> u64 {
        ids + n
    }
}

impl Field for Ends {
    const SUFFIX: &'static str = "-ends";
    const ABOUT: &'static str = "the first and the last word";

    #[inline(always)]
    fn pick(id: &u64, tail: &u64) -> u64 {
        id.wrapping_add(*tail)
    }

    fn sum(ids: u64, n: u64) -> u64 {
        2 * ids + n
    }
}

/// Lookups in one measurement: some milliseconds even where everything is in the first-level cache.
const LOOKUPS: usize = 4_000_000;

/// The time of a lookup, when `sum` makes `n` of them and this is what they add up to.
pub(crate) fn passes(n: usize, expected: u64, sum: impl Fn() -> u64) -> f64 {
    let passes = (LOOKUPS / n).max(1);
    let start = Stopwatch::start();
    for _ in 0..passes {
        assert_eq!(black_box(sum()), expected);
    }
    per_object(start.elapsed(), passes * n)
}
