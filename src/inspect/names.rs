//! Texts and names, each kept once.
//!
//! A name is a chain of segments, `listeners` and `[3]` of `.listeners[3]`: a segment is kept once for each
//! chain before it, so that a million edges called `.children[0]` to `.children[3]` cost five entries. If a
//! walk needs the same few names over and over, a small table finds them without hashing a text.
//!
//! Invariant: equal texts have equal [`TextId`]s and equal names equal [`NameId`]s. Nothing is ever removed.

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt::{self, Write};
use core::hash::{Hash, Hasher};

use hashbrown::HashTable;

use crate::hash::HandleHasher;

/// A text, by number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct TextId(u32);

impl TextId {
    /// The empty text.
    pub(crate) const EMPTY: TextId = TextId(0);

    pub(crate) fn place(self) -> usize {
        self.0 as usize
    }
}

/// Texts, each once, in one buffer.
#[derive(Clone, Debug)]
pub(crate) struct Texts {
    buffer: String,
    ends: Vec<usize>,
    table: HashTable<u32>,
}

impl Default for Texts {
    fn default() -> Self {
        let mut texts = Self { buffer: String::new(), ends: Vec::new(), table: HashTable::new() };
        texts.intern("");
        texts
    }
}

impl Texts {
    pub(crate) fn intern(&mut self, text: &str) -> TextId {
        let start = self.buffer.len();
        self.buffer.push_str(text);
        self.intern_tail(start)
    }

    /// As [`intern`](Self::intern), for what a value prints.
    pub(crate) fn intern_shown(&mut self, value: impl fmt::Display) -> TextId {
        let start = self.buffer.len();
        // An error of a foreign `Display` ends the text early.
        let _ = write!(self.buffer, "{value}");
        self.intern_tail(start)
    }

    /// The text that was appended to the buffer: it stays there if it is new.
    fn intern_tail(&mut self, start: usize) -> TextId {
        let Self { buffer, ends, table } = self;
        let at = |id: u32| &buffer[text_start(ends, id)..ends[id as usize]];
        let text = &buffer[start..];
        let hash = hash_of(text);
        if let Some(id) = table.find(hash, |id| at(*id) == text) {
            let id = *id;
            buffer.truncate(start);
            return TextId(id);
        }
        let id = u32::try_from(ends.len()).expect("slotgc: more than 2^32 names in a snapshot");
        ends.push(buffer.len());
        table.insert_unique(hash, id, |id| hash_of(&buffer[text_start(ends, *id)..ends[*id as usize]]));
        TextId(id)
    }

    pub(crate) fn get(&self, id: TextId) -> &str {
        &self.buffer[text_start(&self.ends, id.0)..self.ends[id.place()]]
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.ends.len()
    }

    /// No more texts will be added.
    pub(crate) fn seal(&mut self) {
        self.table = HashTable::new();
        self.buffer.shrink_to_fit();
        self.ends.shrink_to_fit();
    }

    fn bytes(&self) -> usize {
        self.buffer.capacity() + self.ends.capacity() * size_of::<usize>() + self.table.allocation_size()
    }
}

fn text_start(ends: &[usize], id: u32) -> usize {
    (id as usize).checked_sub(1).map_or(0, |before| ends[before])
}

fn hash_of(value: impl Hash) -> u64 {
    let mut hasher = HandleHasher::default();
    value.hash(&mut hasher);
    hasher.finish()
}

/// A name, by number; fits 30 bits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct NameId(u32);

impl NameId {
    /// The name of what has no name.
    pub(crate) const NONE: NameId = NameId(0);
    /// Names beyond this are not kept.
    pub(crate) const MAX: u32 = (1 << 30) - 1;

    pub(crate) fn from_number(number: u32) -> Self {
        Self(number & Self::MAX)
    }

    pub(crate) fn number(self) -> u32 {
        self.0
    }
}

/// A part of a name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Segment<'a> {
    /// `loot`; of an enum `Variant.field`.
    Field(&'static str),
    /// `[3]`.
    Index(usize),
    /// `["sheep"]`, `[Mob 3v1]`: what is between the brackets, as it is shown.
    Key(&'a str),
}

/// As [`Segment`], with its text by number.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Part {
    Field(TextId),
    Index(u64),
    Key(TextId),
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Entry {
    before: NameId,
    part: Part,
}

const _: () = assert!(size_of::<Entry>() <= 24);

/// Names, each once.
#[derive(Debug)]
pub(crate) struct Names {
    pub(crate) texts: Texts,
    entries: Vec<Entry>,
    table: HashTable<u32>,
    recent: Vec<Recent>,
}

/// A name looked up before: the chain before it, and the address and length of a field's name, or an index.
#[derive(Clone, Copy, Debug)]
struct Recent {
    what: (usize, usize),
    before: NameId,
    name: NameId,
}

/// Places for names looked up recently: a few lines of the nearest cache for the usual type.
const RECENT: usize = 512;

impl Default for Names {
    fn default() -> Self {
        let nothing = Entry { before: NameId::NONE, part: Part::Field(TextId::EMPTY) };
        Self { texts: Texts::default(), entries: vec![nothing], table: HashTable::new(), recent: Vec::new() }
    }
}

impl Names {
    /// The name extended by this segment.
    pub(crate) fn child(&mut self, before: NameId, segment: Segment<'_>) -> NameId {
        // No field's name has this many bytes.
        let what = match segment {
            Segment::Field(name) => (name.as_ptr() as usize, name.len()),
            Segment::Index(index) => (index, usize::MAX),
            Segment::Key(_) => return self.file(before, segment),
        };
        if self.recent.is_empty() {
            let none = Recent { what: (0, 0), before: NameId(u32::MAX), name: NameId::NONE };
            self.recent = vec![none; RECENT];
        }
        let mixed = (what.0 ^ what.1.rotate_left(7) ^ (before.0 as usize) << 5).wrapping_mul(0x9e37_79b9);
        let place = (mixed >> 16) % RECENT;
        let known = self.recent[place];
        if known.what == what && known.before == before {
            return known.name;
        }
        let name = self.file(before, segment);
        self.recent[place] = Recent { what, before, name };
        name
    }

    #[inline(never)]
    fn file(&mut self, before: NameId, segment: Segment<'_>) -> NameId {
        let part = match segment {
            Segment::Field(name) => Part::Field(self.texts.intern(name)),
            Segment::Index(index) => Part::Index(index as u64),
            Segment::Key(text) => Part::Key(self.texts.intern(text)),
        };
        let Self { entries, table, .. } = self;
        let entry = Entry { before, part };
        let hash = hash_of(entry);
        if let Some(number) = table.find(hash, |number| entries[*number as usize] == entry) {
            return NameId(*number);
        }
        let number = entries.len() as u32;
        if number > NameId::MAX {
            return before;
        }
        entries.push(entry);
        table.insert_unique(hash, number, |number| hash_of(entries[*number as usize]));
        NameId(number)
    }

    /// How many names there are, including the empty one and chains that are the beginning of others.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The index, if the name is only an index.
    #[cfg_attr(not(feature = "std"), allow(dead_code, reason = "for writing files, which takes std"))]
    pub(crate) fn as_index(&self, name: NameId) -> Option<u32> {
        match self.entries[name.0 as usize] {
            Entry { before: NameId::NONE, part: Part::Index(index) } => u32::try_from(index).ok(),
            _ => None,
        }
    }

    /// Appends the name, `listeners[3].of`; nothing for [`NameId::NONE`].
    pub(crate) fn write(&self, name: NameId, out: &mut String) {
        let mut chain = Vec::new();
        let mut at = name;
        while at != NameId::NONE {
            let entry = self.entries[at.0 as usize];
            chain.push(entry.part);
            at = entry.before;
        }
        for (depth, part) in chain.into_iter().rev().enumerate() {
            // Writing to a `String` cannot fail.
            let _ = match part {
                Part::Field(text) if depth == 0 => write!(out, "{}", self.texts.get(text)),
                Part::Field(text) => write!(out, ".{}", self.texts.get(text)),
                Part::Index(index) => write!(out, "[{index}]"),
                Part::Key(text) => write!(out, "[{}]", self.texts.get(text)),
            };
        }
    }

    pub(crate) fn shown(&self, name: NameId) -> String {
        let mut text = String::new();
        self.write(name, &mut text);
        text
    }

    /// No more names will be added.
    pub(crate) fn seal(&mut self) {
        self.recent = Vec::new();
        self.table = HashTable::new();
        self.entries.shrink_to_fit();
        self.texts.seal();
    }

    pub(crate) fn bytes(&self) -> usize {
        self.texts.bytes() + self.entries.capacity() * size_of::<Entry>() + self.table.allocation_size()
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;

    use super::*;

    #[test]
    fn a_name_is_kept_once_and_shown_as_it_is_written() {
        let mut names = Names::default();
        let listeners = names.child(NameId::NONE, Segment::Field("listeners"));
        let third = names.child(listeners, Segment::Index(3));
        let of = names.child(third, Segment::Field("of"));
        let sheep = names.child(of, Segment::Key("\"sheep\""));
        assert_eq!(names.shown(sheep), "listeners[3].of[\"sheep\"]");
        assert_eq!(names.child(listeners, Segment::Index(3)), third);
        // Another address, the same text.
        let copy: &'static str = String::from("listeners").leak();
        assert_eq!(names.child(NameId::NONE, Segment::Field(copy)), listeners);
        assert_eq!(names.len(), 5);
        assert_eq!(names.shown(NameId::NONE), "");
        let alone = names.child(NameId::NONE, Segment::Index(7));
        assert_eq!((names.as_index(alone), names.as_index(third)), (Some(7), None));
    }

    #[test]
    fn many_names_survive_the_table_of_recent_ones() {
        let mut names = Names::default();
        let base = names.child(NameId::NONE, Segment::Field("all"));
        let ids = |names: &mut Names| -> Vec<NameId> {
            (0..10_000).map(|index| names.child(base, Segment::Index(index))).collect()
        };
        let first = ids(&mut names);
        assert_eq!(ids(&mut names), first);
        for index in [0, 511, 512, 9_999] {
            assert_eq!(names.shown(first[index]), format!("all[{index}]"));
        }
    }

    #[test]
    fn texts_are_told_apart_by_content() {
        let mut texts = Texts::default();
        let (a, b) = (texts.intern("wolf"), texts.intern_shown(format_args!("wo{}", "lf")));
        assert_eq!(a, b);
        assert_eq!(texts.intern(""), TextId::EMPTY);
        let c = texts.intern("wol");
        assert_eq!((texts.get(a), texts.get(c), texts.len()), ("wolf", "wol", 3));
    }
}
