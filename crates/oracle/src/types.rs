//! The types of objects that live in the heaps under test: every combination of destructor, edges, size and
//! alignment that the heap treats differently.
//!
//! Each is a core (what it holds) in a shape (its size and alignment). The large shapes have few slots a
//! page, so that pages fill, empty and close in short programs too.

pub(crate) mod containers;
mod shapes;
mod tables;
pub(crate) mod view;

use std::sync::OnceLock;

use slotgc::Heap;

use crate::contents::Contents;
use crate::kind::Kind;
use crate::link::ObjectId;
use crate::log;
pub(crate) use crate::types::shapes::{Block, Chunk, Large, Leaf, Node, Plain, Small, Wide, Zero};
pub(crate) use crate::types::tables::{KeyMap, Locked, Name, Names, Set, Shelf, ValueMap, has_names};
use crate::types::view::Object;

/// Evaluates an expression with a type's name bound to the type that a [`Kind`] stands for.
macro_rules! of_kind {
    ($kind:expr, $T:ident => $body:expr) => {
        match $kind {
            $crate::kind::Kind::Node => {
                type $T = $crate::types::Node;
                $body
            }
            $crate::kind::Kind::Plain => {
                type $T = $crate::types::Plain;
                $body
            }
            $crate::kind::Kind::Leaf => {
                type $T = $crate::types::Leaf;
                $body
            }
            $crate::kind::Kind::Small => {
                type $T = $crate::types::Small;
                $body
            }
            $crate::kind::Kind::Zero => {
                type $T = $crate::types::Zero;
                $body
            }
            $crate::kind::Kind::Chunk => {
                type $T = $crate::types::Chunk;
                $body
            }
            $crate::kind::Kind::Block => {
                type $T = $crate::types::Block;
                $body
            }
            $crate::kind::Kind::Large => {
                type $T = $crate::types::Large;
                $body
            }
            $crate::kind::Kind::Wide => {
                type $T = $crate::types::Wide;
                $body
            }
            $crate::kind::Kind::Name => {
                type $T = $crate::types::Name;
                $body
            }
            $crate::kind::Kind::ValueMap => {
                type $T = $crate::types::ValueMap;
                $body
            }
            $crate::kind::Kind::KeyMap => {
                type $T = $crate::types::KeyMap;
                $body
            }
            $crate::kind::Kind::Set => {
                type $T = $crate::types::Set;
                $body
            }
            $crate::kind::Kind::Names => {
                type $T = $crate::types::Names;
                $body
            }
            $crate::kind::Kind::Shelf => {
                type $T = $crate::types::Shelf;
                $body
            }
            $crate::kind::Kind::Locked => {
                type $T = $crate::types::Locked;
                $body
            }
        }
    };
}
pub(crate) use of_kind;

/// The bytes that an object of each kind counts, measured.
pub(crate) fn slot_bytes() -> &'static [usize; Kind::ALL.len()] {
    static BYTES: OnceLock<[usize; Kind::ALL.len()]> = OnceLock::new();
    BYTES.get_or_init(|| {
        let bytes = Kind::ALL.map(|kind| of_kind!(kind, T => measure::<T>()));
        // What the scratch heaps dropped is not part of a run.
        log::take();
        bytes
    })
}

#[inline(never)]
fn measure<T: Object>() -> usize {
    let mut heap = Heap::new();
    heap.alloc(T::make(ObjectId(0), &Contents::default()));
    let bytes = heap.stats().bytes;
    assert!(bytes >= size_of::<T>(), "an object counts at least its size");
    bytes
}
