//! `Interner`.

use core::fmt;
use core::hash::{BuildHasher, Hash};

use hashbrown::hash_table::Entry;

use crate::handle::Weak;
use crate::trace::{Inspector, Links, Liveness, Trace, Tracer};
use crate::weak::common::sized;
use crate::weak::iter::interner::{Interned, Iter};
use crate::weak::{Fixed, Table};

/// A table by which equal values share one object, for as long as something else refers to it.
///
/// Used by [`Heap::intern`](crate::Heap::intern): the values themselves live in the heap, the table holds
/// their hashes and weak handles. Give it a slot of its own, or put it in a field of an object. An interned
/// value must not be changed so that it hashes or compares differently.
///
/// # Examples
/// ```
/// use slotgc::{Heap, Interner};
///
/// let mut heap = Heap::new();
/// let names = heap.alloc_root(Interner::new());
/// let a = heap.intern(&names, "Teddy".to_string());
/// let b = heap.intern(&names, "Teddy".to_string());
/// assert_eq!(a, b);
///
/// heap.collect(); // nothing refers to it
/// assert!(heap[&names].is_empty());
/// ```
pub struct Interner<T, S = Fixed> {
    table: Table<Interned<T>>,
    hasher: S,
}

impl<T> Interner<T> {
    /// An empty table, without memory.
    pub fn new() -> Self {
        Self::with_hasher(Fixed::default())
    }
}

impl<T, S> Interner<T, S> {
    /// An empty table that hashes values with this hasher.
    pub fn with_hasher(hasher: S) -> Self {
        Self { table: Table::new(), hasher }
    }

    /// The hasher.
    pub fn hasher(&self) -> &S {
        &self.hasher
    }

    /// The objects.
    pub fn iter(&self) -> Iter<'_, T> {
        Iter(self.table.iter())
    }

    /// The object with this hash for which `is_equal` returns true.
    pub(crate) fn find(&self, hash: u64, mut is_equal: impl FnMut(Weak<T>) -> bool) -> Option<Weak<T>> {
        self.table.find(hash, |entry| entry.hash == hash && is_equal(entry.weak)).map(|entry| entry.weak)
    }

    /// Inserts an object whose value is not known yet.
    #[cfg(feature = "serde")]
    pub(crate) fn file_unhashed(&mut self, weak: Weak<T>) {
        self.file(crate::weak::hash_of(&weak), weak);
    }

    /// Inserts an object under the hash of its value.
    pub(crate) fn file(&mut self, hash: u64, weak: Weak<T>) {
        // Another object with an equal value is possible, the same one is not.
        match self.table.entry(hash, |entry| entry.weak == weak, |entry| entry.hash) {
            Entry::Occupied(_) => {}
            Entry::Vacant(place) => {
                place.insert(Interned { hash, weak });
            }
        }
    }
}

impl<T: Trace, S> Interner<T, S> {
    /// Removes the values that are not alive.
    pub(crate) fn prune_by(&mut self, live: &Liveness<'_>) {
        self.table.prune(live, |entry| entry.weak, None, |_| {}, |_| {});
    }
}

sized!([T, S] Interner<T, S>: "table" of "values", "alive");

impl<T: Trace + Eq + Hash, S: BuildHasher + Send + Sync + 'static> Trace for Interner<T, S> {
    const OWNS: bool = true;

    fn trace(&self, tracer: &mut Tracer<'_>) {
        tracer.weak_collection();
    }

    fn prune(&mut self, live: &Liveness<'_>) {
        self.prune_by(live);
    }

    fn owned_bytes(&self) -> usize {
        self.table.owned_bytes()
    }

    fn inspect(&self, inspector: &mut Inspector<'_>) {
        self.iter().enumerate().for_each(|(index, weak)| inspector.item(index, &weak));
    }

    /// Values that have no counterpart are dropped. The others are rehashed at the end, since the handles in
    /// them have changed.
    fn relink(&mut self, links: &mut Links<'_>) {
        let entries = self.table.take();
        if let Some(values) = links.values() {
            for Interned { weak, .. } in entries {
                if let Some(value) = values.get(weak) {
                    self.file(self.hasher.hash_one(value), weak);
                }
            }
            return;
        }
        links.note_table();
        for Interned { hash, mut weak } in entries {
            if links.weak_key(&mut weak) {
                self.file(hash, weak);
            }
        }
    }
}

impl<T, S: Default> Default for Interner<T, S> {
    fn default() -> Self {
        Self::with_hasher(S::default())
    }
}

impl<T, S: Clone> Clone for Interner<T, S> {
    fn clone(&self) -> Self {
        Self { table: self.table.clone(), hasher: self.hasher.clone() }
    }
}

impl<T, S> fmt::Debug for Interner<T, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

impl<'a, T, S> IntoIterator for &'a Interner<T, S> {
    type Item = Weak<T>;
    type IntoIter = Iter<'a, T>;

    fn into_iter(self) -> Iter<'a, T> {
        self.iter()
    }
}
