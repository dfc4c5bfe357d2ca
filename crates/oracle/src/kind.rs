//! Kinds of objects, as data: what the op language, the model and the real types have in common.

use arbitrary::{Arbitrary, Unstructured};

/// A type of objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Any number of edges, weak entries, and a destructor.
    Node,
    /// Four edges, no destructor: pages close whole.
    Plain,
    /// No edges, a destructor.
    Leaf,
    /// No edges, no destructor.
    Small,
    /// Zero-sized.
    Zero,
    /// As `Plain`, 7 slots a page.
    Chunk,
    /// As `Node`, 3 slots a page.
    Block,
    /// As `Node`, larger than a page.
    Large,
    /// As `Node`, aligned to 64 bytes.
    Wide,
    /// What is interned: a small number, which never changes, and a destructor.
    Name,
    /// A `WeakValueMap` of nodes.
    ValueMap,
    /// A `WeakKeyMap` with nodes for keys.
    KeyMap,
    /// A `WeakSet` of nodes.
    Set,
    /// An `Interner` of names.
    Names,
    /// The first three in fields of one object, of `Plain`s, with edges and a destructor.
    Shelf,
    /// A `Shelf` in a `Mutex`: all that it holds may change through `&`.
    Locked,
}

impl Kind {
    pub(crate) const ALL: [Kind; 16] = [
        Kind::Node,
        Kind::Plain,
        Kind::Leaf,
        Kind::Small,
        Kind::Zero,
        Kind::Chunk,
        Kind::Block,
        Kind::Large,
        Kind::Wide,
        Kind::Name,
        Kind::ValueMap,
        Kind::KeyMap,
        Kind::Set,
        Kind::Names,
        Kind::Shelf,
        Kind::Locked,
    ];

    /// What random programs make more often: what other objects refer to, and tables.
    const OFTEN: [Kind; 11] = [
        Kind::Node,
        Kind::Node,
        Kind::Node,
        Kind::Plain,
        Kind::Plain,
        Kind::Leaf,
        Kind::ValueMap,
        Kind::KeyMap,
        Kind::Shelf,
        Kind::Locked,
        Kind::Locked,
    ];

    /// Whether dropping one is seen in the log.
    pub(crate) fn has_destructor(self) -> bool {
        self.has_body() || matches!(self, Kind::Leaf | Kind::Name) || self.has_shelf()
    }

    /// Whether it has weak collections of `Plain`s in fields.
    pub(crate) fn has_shelf(self) -> bool {
        matches!(self, Kind::Shelf | Kind::Locked)
    }

    /// Whether it has weak collections, and any number of edges.
    pub(crate) fn has_body(self) -> bool {
        matches!(self, Kind::Node | Kind::Block | Kind::Large | Kind::Wide)
    }

    /// How many objects a burst of this size makes: mostly a few, in one of four cases hundreds, so that
    /// pages fill and limbo overflows.
    pub(crate) fn burst_len(self, size: u8) -> usize {
        let size = usize::from(size);
        match self {
            Kind::Large => size / 100 + 1,
            Kind::Block | Kind::Chunk => size / 8 + 1,
            _ if size < 192 => size / 8 + 1,
            _ => (size - 191) * 20,
        }
    }

    /// Whether it is nothing but a weak collection of the crate's.
    pub(crate) fn is_bare(self) -> bool {
        matches!(self, Kind::ValueMap | Kind::KeyMap | Kind::Set | Kind::Names)
    }
}

impl<'a> Arbitrary<'a> for Kind {
    fn arbitrary(u: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        let number = usize::from(u8::arbitrary(u)?) % (Self::ALL.len() + Self::OFTEN.len());
        Ok(*Self::ALL.iter().chain(&Self::OFTEN).nth(number).expect("below the length"))
    }

    fn size_hint(_: usize) -> (usize, Option<usize>) {
        (1, Some(1))
    }
}

/// User code that the crate calls where no object is traced or dies: of keys, of interned values, of copies.
#[derive(Arbitrary, Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserCode {
    Hashing,
    Comparing,
    Cloning,
}

/// Where an armed object panics.
#[derive(Arbitrary, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fuse {
    /// The next time it is traced, once.
    Trace,
    /// In its destructor.
    Drop,
}
