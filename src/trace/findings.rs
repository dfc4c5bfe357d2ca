//! The findings of a look-only trace: eight bytes per edge, in chunks that are freed as they are read. An
//! object of a million handles must not take several times their memory.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use crate::handle::RawHandle;
use crate::tag::Tag;

/// A finding of a look-only trace. Handles are unchecked, with the type that they claim ([`Tag::NONE`]: any).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Recorded {
    /// A strong edge.
    Edge(RawHandle, Tag),
    /// What follows, up to the matching end, counts only while this key lives. These nest.
    Ephemeron(RawHandle, Tag),
    EndOfEphemeron,
    /// A lock that is held.
    Gap,
}

/// What a trace keeps of its reports.
#[derive(Clone, Default)]
pub(crate) enum Report {
    /// Nothing: it follows the edges.
    #[default]
    None,
    /// Nothing, and it follows no edges either.
    Ignored,
    Words(Findings),
    /// Takes three times the memory and is faster to read: for a loop over millions of edges that reads only
    /// a few at a time.
    #[cfg(feature = "inspect")]
    List(Vec<Recorded>),
}

impl Report {
    pub(crate) fn push(&mut self, found: Recorded) {
        match self {
            Report::None | Report::Ignored => {}
            Report::Words(words) => words.push(found),
            #[cfg(feature = "inspect")]
            Report::List(list) => list.push(found),
        }
    }
}

/// All that a trace found, in order; an iterator that removes it.
///
/// One word each. Handles are odd, so an even word is something else: a key with its lowest bit cleared, or
/// one of the three below. The type is written where it changes.
#[derive(Clone, Default)]
pub(crate) struct Findings {
    /// The chunk that is read, from `next` on.
    first: Vec<u64>,
    more: VecDeque<Vec<u64>>,
    next: usize,
    /// How many words were written and not read yet.
    len: usize,
    /// The type of what is written next, if it does not change.
    writing: Option<Tag>,
    /// The types, in the order in which they are read.
    tags: VecDeque<Tag>,
    /// The type of what is read next.
    reading: Option<Tag>,
}

const CHUNK: usize = 4096;
/// All three lie in the page of the null handle, which has no objects: a key from there is recorded as the
/// null handle.
const GAP: u64 = u64::MAX - 1;
const END_OF_EPHEMERON: u64 = u64::MAX - 3;
const OTHER_TYPE: u64 = u64::MAX - 5;

impl Findings {
    #[inline]
    pub(crate) fn push(&mut self, found: Recorded) {
        match found {
            Recorded::Edge(edge, of) => self.write_typed(edge.to_bits(), of),
            Recorded::Ephemeron(key, of) => {
                let is_nobodys = key.granule().page() == RawHandle::NULL.granule().page();
                let key = if is_nobodys { RawHandle::NULL } else { key };
                self.write_typed(key.to_bits() & !1, of);
            }
            Recorded::EndOfEphemeron => self.write(END_OF_EPHEMERON),
            Recorded::Gap => self.write(GAP),
        }
    }

    /// As `push` of an edge.
    #[inline(always)]
    pub(crate) fn push_edge(&mut self, edge: RawHandle, of: Tag) {
        self.write_typed(edge.to_bits(), of);
    }

    #[inline(always)]
    fn write_typed(&mut self, word: u64, of: Tag) {
        if self.writing != Some(of) {
            self.write_type(of);
        }
        self.write(word);
    }

    #[cold]
    #[inline(never)]
    fn write_type(&mut self, of: Tag) {
        self.writing = Some(of);
        self.tags.push_back(of);
        self.write(OTHER_TYPE);
    }

    #[inline(always)]
    fn write(&mut self, word: u64) {
        self.len += 1;
        if self.first.len() < CHUNK { self.first.push(word) } else { self.write_behind(word) }
    }

    #[cold]
    fn write_behind(&mut self, word: u64) {
        match self.more.back_mut().filter(|chunk| chunk.len() < CHUNK) {
            Some(chunk) => chunk.push(word),
            None => {
                let mut chunk = Vec::with_capacity(CHUNK);
                chunk.push(word);
                self.more.push_back(chunk);
            }
        }
    }

    /// An upper bound for how many are left.
    #[cfg(feature = "serde")]
    pub(crate) fn most(&self) -> usize {
        self.len
    }

    /// Empties it and keeps a little memory.
    #[inline(always)]
    pub(crate) fn clear(&mut self) {
        self.first.clear();
        if self.len > 0 {
            self.more.clear();
            self.tags.clear();
        }
        // If all was read, the type read last is the one written last; usually the next object's edges have
        // the same type.
        self.writing = if self.len == 0 { self.reading } else { None };
        (self.next, self.len) = (0, 0);
    }
}

impl Iterator for Findings {
    type Item = Recorded;

    #[inline]
    fn next(&mut self) -> Option<Recorded> {
        loop {
            let Some(word) = self.first.get(self.next).copied() else {
                self.first = self.more.pop_front()?;
                self.next = 0;
                continue;
            };
            self.next += 1;
            self.len -= 1;
            return Some(match word {
                GAP => Recorded::Gap,
                END_OF_EPHEMERON => Recorded::EndOfEphemeron,
                OTHER_TYPE => {
                    self.reading = Some(self.tags.pop_front()?);
                    continue;
                }
                key if key & 1 == 0 => {
                    Recorded::Ephemeron(RawHandle::from_bits(key | 1), self.reading.unwrap_or(Tag::NONE))
                }
                edge => Recorded::Edge(RawHandle::from_bits(edge), self.reading.unwrap_or(Tag::NONE)),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_found_comes_back_in_order_however_much_it_is() {
        let handle = |n: u64| RawHandle::from_bits(n << 32 | 1);
        let tags = [Tag::NONE, Tag::of::<u8>(), Tag::of::<u16>()];
        let each = |n: u64| match n % 7 {
            0 => Recorded::Ephemeron(handle(n), tags[n as usize / 7 % 3]),
            1 => Recorded::EndOfEphemeron,
            2 => Recorded::Gap,
            _ => Recorded::Edge(handle(n), tags[n as usize / 100 % 3]),
        };
        let mut findings = Findings::default();
        for _ in 0..2 {
            (0..3 * CHUNK as u64 + 5).for_each(|n| findings.push(each(n)));
            (0..3 * CHUNK as u64 + 5).for_each(|n| assert_eq!(findings.next(), Some(each(n))));
            assert_eq!(findings.next(), None);
            findings.clear();
        }
        for bits in [u64::MAX, u64::MAX - 2, u64::MAX - 4, RawHandle::NULL.to_bits()] {
            findings.push(Recorded::Ephemeron(RawHandle::from_bits(bits), tags[1]));
            assert_eq!(findings.next(), Some(Recorded::Ephemeron(RawHandle::NULL, tags[1])));
        }
    }
}
