//! Weak collections: tables that do not keep their targets alive.
//!
//! They are plain values that live in a field of an object, or in a slot of their own, and are pruned by
//! every collection that finds them reachable, after marking and before any user code runs. Their tables are
//! hashbrown's; handles are hashed by identity.
//!
//! Invariant: no method here runs user code during a collection, and none knows a heap. What needs one
//! (`prune_dead`, canonicalising, interning) is in `heap/weak.rs`.

mod changes;
mod common;
mod entry;
mod interner;
pub(crate) mod iter;
mod key_map;
mod set;
mod table;
mod value_map;

use core::hash::{BuildHasher, BuildHasherDefault};

use crate::handle::Weak;
use crate::hash::HandleHasher;

use changes::Changes;
pub(crate) use changes::{Faithful, Renaming};
pub use entry::{Entry, OccupiedEntry, VacantEntry};
pub use interner::Interner;
pub use key_map::WeakKeyMap;
pub use set::WeakSet;
use table::Table;
pub use value_map::WeakValueMap;

/// The default hasher: fast, and the same in every run.
pub(crate) type Fixed = BuildHasherDefault<HandleHasher>;

/// The hash by which tables find an object.
#[inline]
fn hash_of<T>(weak: &Weak<T>) -> u64 {
    Fixed::default().hash_one(weak)
}

/// Whether a table should release memory at its next insertion: entries were pruned since the last check, and
/// few are left. Not done while pruning, which allocates nothing.
#[derive(Clone, Copy, Default, Debug)]
struct Slack {
    pruned: bool,
}

impl Slack {
    fn note_pruned(&mut self, entries: usize) {
        self.pruned |= entries > 0;
    }

    /// The capacity to shrink to, if the table is worth it.
    #[inline]
    fn check(&mut self, len: usize, capacity: usize) -> Option<usize> {
        const LEAST: usize = 32;
        if !self.pruned {
            return None;
        }
        self.pruned = false;
        (capacity > LEAST && len < capacity / 4).then_some((len + 1) * 2)
    }
}
