//! Objects of the types under test, as the runner sees them.

use slotgc::Trace;

use crate::contents::Contents;
use crate::link::{Link, ObjectId};
use crate::log::Token;
use crate::ops::{KeysEdit, SetEdit, ValuesEdit};
use crate::tables::{Answer, Named, Tables};

/// A view of an object of any kind.
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
    /// The same, where values may change through `&`.
    fn keys_shared(&self) -> Option<&dyn KeysView> {
        None
    }
    /// The `WeakSet` that it is or has.
    fn set(&mut self) -> Option<&mut dyn SetView> {
        None
    }
    /// Calls `f` with what it has behind a lock, if anything, which then changes through `&`. Whether it did.
    fn through(&self, f: &mut dyn FnMut(&mut dyn View)) -> bool {
        let _ = f;
        false
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

/// A `WeakValueMap`.
pub(crate) trait ValuesView {
    fn edit(&mut self, edit: ValuesEdit, links: &[Link]) -> Answer;
    fn holds(&self, tables: &Tables) -> bool;
    /// How many entries it holds without making room.
    fn capacity(&self) -> usize;
}

/// A `WeakKeyMap`.
pub(crate) trait KeysView {
    fn edit(&mut self, edit: KeysEdit, links: &[Link]) -> Answer;
    fn holds(&self, tables: &Tables) -> bool;
    /// How many entries it holds without making room.
    fn capacity(&self) -> usize;
    /// Gives the value of this key a lock.
    fn lock(&mut self, key: Link);
    /// Adds a link to the first value with a lock, through `&`; returns its key.
    fn add_through(&self, link: Link) -> Option<u64>;
}

/// A `WeakSet`.
pub(crate) trait SetView {
    fn edit(&mut self, edit: SetEdit, link: Link) -> Answer;
    fn holds(&self, tables: &Tables) -> bool;
    /// How many entries it holds without making room.
    fn capacity(&self) -> usize;
}
