//! The types of objects that live in the heaps under test: every combination of destructor, edges, size and
//! alignment that the heap treats differently.
//!
//! Each is a core (what it holds) in a shape (its size and alignment). The large shapes have few slots a page,
//! so that pages fill, empty and close in short programs too.

mod shapes;

use arbitrary::{Arbitrary, Unstructured};
use slotgc::{Interner, Trace, WeakKeyMap, WeakSet, WeakValueMap};

use crate::containers::{Held, KeysView, SetView, Tag, ValuesView};
use crate::link::Contents;
use crate::log::{ObjectId, Token};
use crate::tables::Named;

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
}

use shapes::{Body, Flat, Line, Nothing, Pad, Shaped, Tip, Word};

pub(crate) type Node = Shaped<Body, ()>;
pub(crate) type Plain = Shaped<Flat, ()>;
pub(crate) type Leaf = Shaped<Tip, ()>;
pub(crate) type Small = Shaped<Word, ()>;
pub(crate) type Zero = Shaped<Nothing, ()>;
pub(crate) type Chunk = Shaped<Flat, Pad<1100>>;
pub(crate) type Block = Shaped<Body, Pad<2048>>;
pub(crate) type Large = Shaped<Body, Pad<9000>>;
pub(crate) type Wide = Shaped<Body, Line>;
pub(crate) use crate::containers::{Name, Shelf};
pub(crate) type ValueMap = WeakValueMap<Tag, Node>;
pub(crate) type KeyMap = WeakKeyMap<Node, Held<Node>>;
pub(crate) type Set = WeakSet<Node>;
pub(crate) type Names = Interner<Name>;

/// Evaluates an expression with a type's name bound to the type that a [`Kind`] stands for.
macro_rules! of_kind {
    ($kind:expr, $T:ident => $body:expr) => {
        match $kind {
            $crate::kinds::Kind::Node => {
                type $T = $crate::kinds::Node;
                $body
            }
            $crate::kinds::Kind::Plain => {
                type $T = $crate::kinds::Plain;
                $body
            }
            $crate::kinds::Kind::Leaf => {
                type $T = $crate::kinds::Leaf;
                $body
            }
            $crate::kinds::Kind::Small => {
                type $T = $crate::kinds::Small;
                $body
            }
            $crate::kinds::Kind::Zero => {
                type $T = $crate::kinds::Zero;
                $body
            }
            $crate::kinds::Kind::Chunk => {
                type $T = $crate::kinds::Chunk;
                $body
            }
            $crate::kinds::Kind::Block => {
                type $T = $crate::kinds::Block;
                $body
            }
            $crate::kinds::Kind::Large => {
                type $T = $crate::kinds::Large;
                $body
            }
            $crate::kinds::Kind::Wide => {
                type $T = $crate::kinds::Wide;
                $body
            }
            $crate::kinds::Kind::Name => {
                type $T = $crate::kinds::Name;
                $body
            }
            $crate::kinds::Kind::ValueMap => {
                type $T = $crate::kinds::ValueMap;
                $body
            }
            $crate::kinds::Kind::KeyMap => {
                type $T = $crate::kinds::KeyMap;
                $body
            }
            $crate::kinds::Kind::Set => {
                type $T = $crate::kinds::Set;
                $body
            }
            $crate::kinds::Kind::Names => {
                type $T = $crate::kinds::Names;
                $body
            }
            $crate::kinds::Kind::Shelf => {
                type $T = $crate::kinds::Shelf;
                $body
            }
        }
    };
}
pub(crate) use of_kind;

impl Kind {
    pub(crate) const ALL: [Kind; 15] = [
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
    ];

    /// What random programs make more often: what other objects refer to, and tables.
    const OFTEN: [Kind; 9] = [
        Kind::Node,
        Kind::Node,
        Kind::Node,
        Kind::Plain,
        Kind::Plain,
        Kind::Leaf,
        Kind::ValueMap,
        Kind::KeyMap,
        Kind::Shelf,
    ];

    /// Whether dropping one is seen in the log.
    pub(crate) fn has_destructor(self) -> bool {
        self.has_body() || matches!(self, Kind::Leaf | Kind::Name | Kind::Shelf)
    }

    /// Whether it has weak collections, and any number of edges.
    pub(crate) fn has_body(self) -> bool {
        matches!(self, Kind::Node | Kind::Block | Kind::Large | Kind::Wide)
    }

    /// How many objects a burst of this size makes: mostly a few, one time in four hundreds, so that pages fill and
    /// limbo overflows.
    pub(crate) fn burst_len(self, size: u8) -> usize {
        let size = usize::from(size);
        match self {
            Kind::Large => size / 100 + 1,
            Kind::Block | Kind::Chunk => size / 8 + 1,
            _ if size < 192 => size / 8 + 1,
            _ => (size - 191) * 20,
        }
    }

    /// Cuts contents down to what an object of this kind holds.
    pub(crate) fn fit(self, contents: &mut Contents) {
        let (edges, weak) = match self {
            Kind::Node | Kind::Block | Kind::Large | Kind::Wide => (1 << 12, 32),
            Kind::Plain | Kind::Chunk => (Flat::EDGES, 0),
            Kind::Shelf => (1 << 12, 0),
            _ => (0, 0),
        };
        contents.edges.truncate(edges);
        contents.weaks.truncate(weak);
        contents.entries.truncate(weak);
        if self == Kind::Zero || self == Kind::Name || self.is_bare() {
            contents.value = 0;
        }
        if self != Kind::Name {
            contents.name = 0;
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

/// An object of any kind, looked at.
pub(crate) trait View {
    /// Whether this is that object, with those contents.
    fn holds(&self, id: ObjectId, contents: &Contents) -> bool;
    /// Overwrites the contents.
    fn store(&mut self, contents: &Contents);
    /// Makes its next `trace` panic.
    fn arm_trace(&mut self) {}
    /// What its destructor does, if it has one.
    fn token(&mut self) -> Option<&mut Token> {
        None
    }
    /// The `WeakValueMap` that it is or has.
    fn values(&mut self) -> Option<&mut dyn ValuesView> {
        None
    }
    /// The `WeakKeyMap` that it is or has.
    fn keys(&mut self) -> Option<&mut dyn KeysView> {
        None
    }
    /// The `WeakSet` that it is or has.
    fn set(&mut self) -> Option<&mut dyn SetView> {
        None
    }
    /// Whether an entry is in its weak collection, of those that are pruned in slices; `None` if it has none.
    fn has(&self, entry: Named) -> Option<bool> {
        let _ = entry;
        None
    }
}

/// An object of any kind, made.
pub(crate) trait Object: Trace + View + Sized {
    fn make(id: ObjectId, contents: &Contents) -> Self;
}

/// Where an armed object panics.
#[derive(Arbitrary, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fuse {
    /// The next time it is traced, once.
    Trace,
    /// In its destructor.
    Drop,
}
