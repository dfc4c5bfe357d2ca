//! `WeakKeyMap`.

use core::fmt;

use crate::handle::Weak;
use crate::trace::impls::owned;
use crate::trace::{Inspector, Links, Liveness, Trace, Tracer};
use crate::weak::common::emptied;
use crate::weak::iter::weak_key_map::{Drain, IntoIter, Iter, IterMut, Keys, Values, ValuesMut};
use crate::weak::{Entry, Table, hash_of};

/// A map from objects to values that does not keep the objects alive: Python's `WeakKeyDictionary`,
/// implemented as an ephemeron table.
///
/// An entry lives while its key does, and what the value refers to is kept alive by the entry only while the
/// key lives: also when the value refers to its own key, a case in which Python's and Java's tables leak.
/// Keys are compared by identity. Put the map in a field of an object, or give it a slot of its own; every
/// collection that reaches it removes the entries whose key died. A collection takes time linear in the
/// entries, however maps, keys and values refer to each other.
///
/// A map inside a key, or inside an element of an ordered set or a heap, is never pruned: such values are not
/// given out mutably.
///
/// # Examples
/// ```
/// use slotgc::{Gc, Heap, WeakKeyMap};
///
/// let mut heap = Heap::new();
/// let notes = heap.alloc_root(WeakKeyMap::new());
/// let bear = heap.alloc_root("Teddy".to_string());
/// let note: Gc<String> = heap.alloc("likes honey".to_string());
/// heap[&notes].insert(&bear, note);
/// heap.collect();
/// assert_eq!(heap[heap[&notes][&bear]], "likes honey");
///
/// drop(bear);
/// heap.collect();
/// assert!(heap[&notes].is_empty());
/// assert!(!heap.is_alive(note));
/// ```
#[doc(alias("ephemeron", "WeakMap", "WeakKeyDictionary", "side table"))]
pub struct WeakKeyMap<K, V> {
    table: Table<(Weak<K>, V)>,
}

impl<K, V> WeakKeyMap<K, V> {
    /// An empty map, without memory.
    pub fn new() -> Self {
        Self::with_capacity(0)
    }

    /// An empty map with room for this many entries.
    pub fn with_capacity(capacity: usize) -> Self {
        Self { table: Table::with_capacity(capacity) }
    }

    /// Releases as much memory as possible.
    pub fn shrink_to_fit(&mut self) {
        self.table.shrink_to_fit(|(key, _)| hash_of(key));
    }

    /// Sets the object's value and returns the previous one. O(1).
    pub fn insert(&mut self, key: impl Into<Weak<K>>, value: V) -> Option<V> {
        match self.entry(key) {
            Entry::Occupied(mut entry) => Some(entry.insert(value)),
            Entry::Vacant(entry) => {
                entry.insert(value);
                None
            }
        }
    }

    /// The object's value. O(1).
    pub fn get(&self, key: impl Into<Weak<K>>) -> Option<&V> {
        let key = key.into();
        self.table.find(hash_of(&key), |(known, _)| *known == key).map(|(_, value)| value)
    }

    /// The object's value, mutably. O(1).
    pub fn get_mut(&mut self, key: impl Into<Weak<K>>) -> Option<&mut V> {
        let key = key.into();
        self.table.find_mut(hash_of(&key), |(known, _)| *known == key).map(|(_, value)| value)
    }

    /// Removes and returns the object's value. O(1).
    pub fn remove(&mut self, key: impl Into<Weak<K>>) -> Option<V> {
        let key = key.into();
        self.table.remove(hash_of(&key), |(known, _)| *known == key).map(|(_, value)| value)
    }

    /// Whether the object has a value. O(1).
    pub fn contains_key(&self, key: impl Into<Weak<K>>) -> bool {
        self.get(key).is_some()
    }

    /// The object's entry, to be examined and filled. O(1).
    #[inline]
    pub fn entry(&mut self, key: impl Into<Weak<K>>) -> Entry<'_, Weak<K>, V> {
        let key = key.into();
        let place = self.table.entry(hash_of(&key), |(known, _)| *known == key, |(key, _)| hash_of(key));
        Entry::new(place, key)
    }

    /// The entries.
    pub fn iter(&self) -> Iter<'_, K, V> {
        Iter(self.table.iter())
    }

    /// The entries, with mutable values.
    pub fn iter_mut(&mut self) -> IterMut<'_, K, V> {
        IterMut(self.table.iter_mut())
    }

    /// The objects.
    pub fn keys(&self) -> Keys<'_, K, V> {
        Keys(self.table.iter())
    }

    /// The values.
    pub fn values(&self) -> Values<'_, K, V> {
        Values(self.table.iter())
    }

    /// The values, mutably.
    pub fn values_mut(&mut self) -> ValuesMut<'_, K, V> {
        ValuesMut(self.table.iter_mut())
    }

    /// Removes all entries, including those that the iterator did not reach.
    pub fn drain(&mut self) -> Drain<'_, K, V> {
        Drain(self.table.drain())
    }

    /// Keeps the entries for which `keep` returns true.
    pub fn retain(&mut self, mut keep: impl FnMut(Weak<K>, &mut V) -> bool) {
        self.table.retain_mut(|(key, value)| keep(*key, value));
    }
}

impl<K: Trace, V: Send + 'static> WeakKeyMap<K, V> {
    /// Removes the entries whose key is not alive; sets their values aside.
    pub(crate) fn prune_by(&mut self, live: &Liveness<'_>) {
        self.prune_with(live, |_| {});
    }

    fn prune_with(&mut self, live: &Liveness<'_>, visit: impl Fn(&mut V) + Copy) {
        let remove = |(_, value)| live.discard(value);
        self.table.prune(live, |(key, _)| *key, Some(hash_of), remove, |(_, value)| visit(value));
    }
}

emptied!([K, V] WeakKeyMap<K, V>: "map" of "entries", "whose key is alive");

impl<K: Trace, V: Trace> Trace for WeakKeyMap<K, V> {
    const OWNS: bool = true;

    fn trace(&self, tracer: &mut Tracer<'_>) {
        tracer.weak_collection();
        if V::NEEDS_TRACE {
            self.table.trace(tracer, |(key, _)| *key, |tracer, (key, value)| tracer.ephemeron(*key, value));
        }
    }

    fn prune(&mut self, live: &Liveness<'_>) {
        self.prune_with(live, |value| value.prune(live));
    }

    fn owned_bytes(&self) -> usize {
        owned::sum([self.table.owned_bytes(), owned::by_items(self.len(), self.values())])
    }

    fn inspect(&self, inspector: &mut Inspector<'_>) {
        self.iter().for_each(|(key, value)| inspector.ephemeron(key, value));
    }

    /// Entries whose key has no counterpart are dropped.
    fn relink(&mut self, links: &mut Links<'_>) {
        for (mut key, mut value) in self.table.take() {
            if !links.weak_key(&mut key) {
                continue;
            }
            links.field(&mut value);
            match self.entry(key) {
                Entry::Occupied(_) => links.merged(),
                Entry::Vacant(entry) => {
                    entry.insert(value);
                }
            }
        }
    }
}

impl<K, V> Default for WeakKeyMap<K, V> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K, V: Clone> Clone for WeakKeyMap<K, V> {
    fn clone(&self) -> Self {
        Self { table: self.table.clone() }
    }
}

impl<K, V: fmt::Debug> fmt::Debug for WeakKeyMap<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl<K, V, H: Into<Weak<K>>> core::ops::Index<H> for WeakKeyMap<K, V> {
    type Output = V;

    /// # Panics
    /// If the object has no value.
    #[track_caller]
    fn index(&self, key: H) -> &V {
        let key = key.into();
        match self.get(key) {
            Some(value) => value,
            None => panic!("no entry in a WeakKeyMap for the key {key:?}"),
        }
    }
}

impl<K, V, H: Into<Weak<K>>> Extend<(H, V)> for WeakKeyMap<K, V> {
    fn extend<I: IntoIterator<Item = (H, V)>>(&mut self, entries: I) {
        for (key, value) in entries {
            self.insert(key, value);
        }
    }
}

impl<K, V, H: Into<Weak<K>>> FromIterator<(H, V)> for WeakKeyMap<K, V> {
    fn from_iter<I: IntoIterator<Item = (H, V)>>(entries: I) -> Self {
        let mut map = Self::new();
        map.extend(entries);
        map
    }
}

impl<K, V> IntoIterator for WeakKeyMap<K, V> {
    type Item = (Weak<K>, V);
    type IntoIter = IntoIter<K, V>;

    fn into_iter(self) -> IntoIter<K, V> {
        IntoIter(self.table.into_iter())
    }
}

impl<'a, K, V> IntoIterator for &'a WeakKeyMap<K, V> {
    type Item = (Weak<K>, &'a V);
    type IntoIter = Iter<'a, K, V>;

    fn into_iter(self) -> Iter<'a, K, V> {
        self.iter()
    }
}

impl<'a, K, V> IntoIterator for &'a mut WeakKeyMap<K, V> {
    type Item = (Weak<K>, &'a mut V);
    type IntoIter = IterMut<'a, K, V>;

    fn into_iter(self) -> IterMut<'a, K, V> {
        self.iter_mut()
    }
}
