//! [`Recorder`]: a tracer that only looks.
//!
//! It belongs to no heap and writes nothing in one. What a trace reports is kept in order, eight bytes an edge, in
//! chunks that are freed as they are read: an object of a million handles must not take several times their memory.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use crate::handle::RawHandle;
use crate::store::Store;
use crate::trace::tracer::Side;
use crate::trace::{EdgeStack, Tracer};

/// What a look-only trace finds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Found {
    /// A strong edge, as the handle says: nobody asked whether it resolves.
    Edge(RawHandle),
    /// What comes until the matching end counts only while this key lives. They nest.
    Ephemeron(RawHandle),
    EndOfEphemeron,
    /// A lock that somebody holds.
    Gap,
}

/// All that a trace found.
///
/// A word each. Handles are odd, so an even word is something else: a key with its lowest bit cleared, or one of the two
/// below.
#[derive(Default)]
pub(crate) struct Findings {
    /// The chunk that is read, from `next` on.
    first: Vec<u64>,
    more: VecDeque<Vec<u64>>,
    next: usize,
}

const CHUNK: usize = 4096;
/// Both in the page of the null handle, where no object is: a key from there is recorded as the null handle.
const END_OF_EPHEMERON: u64 = u64::MAX - 3;
const GAP: u64 = u64::MAX - 1;

impl Findings {
    pub(crate) fn push(&mut self, found: Found) {
        let word = match found {
            Found::Edge(edge) => edge.to_bits(),
            Found::Ephemeron(key) if key.granule().page() == RawHandle::NULL.granule().page() => {
                RawHandle::NULL.to_bits() & !1
            }
            Found::Ephemeron(key) => key.to_bits() & !1,
            Found::EndOfEphemeron => END_OF_EPHEMERON,
            Found::Gap => GAP,
        };
        if self.first.len() < CHUNK {
            return self.first.push(word);
        }
        match self.more.back_mut().filter(|chunk| chunk.len() < CHUNK) {
            Some(chunk) => chunk.push(word),
            None => {
                let mut chunk = Vec::with_capacity(CHUNK);
                chunk.push(word);
                self.more.push_back(chunk);
            }
        }
    }

    /// Empties it and keeps a little memory.
    fn clear(&mut self) {
        self.first.clear();
        self.more.clear();
        self.next = 0;
    }
}

impl Iterator for Findings {
    type Item = Found;

    fn next(&mut self) -> Option<Found> {
        if self.next == self.first.len() {
            self.first = self.more.pop_front()?;
            self.next = 0;
        }
        let word = *self.first.get(self.next)?;
        self.next += 1;
        Some(match word {
            END_OF_EPHEMERON => Found::EndOfEphemeron,
            GAP => Found::Gap,
            key if key & 1 == 0 => Found::Ephemeron(RawHandle::from_bits(key | 1)),
            edge => Found::Edge(RawHandle::from_bits(edge)),
        })
    }
}

/// Has values traced, and nothing written.
pub(crate) struct Recorder {
    /// Of no heap, and empty: no slot is white in there, so that nothing is written.
    store: Store,
    side: Side,
}

impl Recorder {
    pub(crate) fn new() -> Self {
        Self { store: Store::new(0), side: Side::recording() }
    }

    /// What the trace reports, in order.
    pub(crate) fn record(&mut self, trace: impl FnOnce(&mut Tracer<'_>)) -> Findings {
        // Without room for edges each one comes to the slow path of a push, which records it.
        trace(&mut Tracer::new(EdgeStack::default(), &self.store, &mut self.side));
        self.side.take_findings()
    }

    /// Keeps the memory for the next one.
    pub(crate) fn give_back(&mut self, mut findings: Findings) {
        findings.clear();
        self.side.put_findings(findings);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_found_comes_back_in_order_however_much_it_is() {
        let handle = |n: u64| RawHandle::from_bits(n << 32 | 1);
        let each = |n: u64| match n % 5 {
            0 => Found::Ephemeron(handle(n)),
            1 => Found::EndOfEphemeron,
            2 => Found::Gap,
            _ => Found::Edge(handle(n)),
        };
        let mut findings = Findings::default();
        (0..3 * CHUNK as u64 + 5).for_each(|n| findings.push(each(n)));
        (0..3 * CHUNK as u64 + 5).for_each(|n| assert_eq!(findings.next(), Some(each(n))));
        assert_eq!(findings.next(), None);
        findings.clear();
        findings.push(Found::Gap);
        assert_eq!((findings.next(), findings.next()), (Some(Found::Gap), None));
        for bits in [u64::MAX, u64::MAX - 2, RawHandle::NULL.to_bits()] {
            findings.push(Found::Ephemeron(RawHandle::from_bits(bits)));
            assert_eq!(findings.next(), Some(Found::Ephemeron(RawHandle::NULL)));
        }
    }
}
