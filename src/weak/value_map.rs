//! `WeakValueMap`.

use core::borrow::Borrow;
use core::fmt;
use core::hash::{BuildHasher, Hash};

use crate::handle::Weak;
use crate::trace::impls::owned;
use crate::trace::{Inspector, Links, Liveness, Trace, Tracer};
use crate::weak::common::emptied;
use crate::weak::iter::weak_value_map::{Drain, IntoIter, Iter, Keys, Values};
use crate::weak::{Entry, Fixed, Table};

/// A map from keys to objects that does not keep the objects alive: Python's `WeakValueDictionary`.
///
/// Put it in a field of an object, or give it a slot of its own; every collection that reaches it removes the
/// entries whose object died. Handles inside a key are strong edges. The usual use is a cache, see
/// [`Heap::get_or_alloc`](crate::Heap::get_or_alloc).
///
/// A map inside a key, or inside an element of an ordered set or a heap, is never pruned: such values are not
/// given out mutably.
///
/// The default hasher has a fixed seed, so iteration order depends on the program alone. If an attacker may
/// choose the keys, use a seeded one: `WeakValueMap::with_hasher(std::hash::RandomState::new())`.
///
/// If `Hash` or `Eq` of a key panics, the map is as it was before the call.
///
/// # Examples
/// ```
/// use slotgc::{Heap, WeakValueMap};
///
/// let mut heap = Heap::new();
/// let textures = heap.alloc_root(WeakValueMap::new());
/// let (grass, sand) = (heap.alloc_root("grass.png".to_string()), heap.alloc("sand.png".to_string()));
/// heap[&textures].insert("grass", &grass);
/// heap[&textures].insert("sand", sand);
/// heap.collect();
/// assert_eq!(heap[&textures].len(), 1);
/// assert_eq!(heap[&textures].get("grass"), Some(grass.downgrade()));
/// ```
#[doc(alias("cache", "WeakValueDictionary"))]
pub struct WeakValueMap<K, V, S = Fixed> {
    table: Table<(K, Weak<V>)>,
    hasher: S,
}

impl<K, V> WeakValueMap<K, V> {
    /// An empty map, without memory.
    pub fn new() -> Self {
        Self::with_hasher(Fixed::default())
    }

    /// An empty map with room for this many entries.
    pub fn with_capacity(capacity: usize) -> Self {
        Self::with_capacity_and_hasher(capacity, Fixed::default())
    }
}

impl<K, V, S> WeakValueMap<K, V, S> {
    /// An empty map that hashes its keys with this hasher.
    pub fn with_hasher(hasher: S) -> Self {
        Self { table: Table::new(), hasher }
    }

    /// An empty map with room for this many entries that hashes its keys with this hasher.
    pub fn with_capacity_and_hasher(capacity: usize, hasher: S) -> Self {
        Self { table: Table::with_capacity(capacity), hasher }
    }

    /// The hasher.
    pub fn hasher(&self) -> &S {
        &self.hasher
    }

    /// The entries.
    pub fn iter(&self) -> Iter<'_, K, V> {
        Iter(self.table.iter())
    }

    /// The keys.
    pub fn keys(&self) -> Keys<'_, K, V> {
        Keys(self.table.iter())
    }

    /// The objects.
    pub fn values(&self) -> Values<'_, K, V> {
        Values(self.table.iter())
    }

    /// Removes all entries, including those that the iterator did not reach.
    pub fn drain(&mut self) -> Drain<'_, K, V> {
        Drain(self.table.drain())
    }

    /// Keeps the entries for which `keep` returns true.
    pub fn retain(&mut self, mut keep: impl FnMut(&K, Weak<V>) -> bool) {
        self.table.retain(|(key, weak)| keep(key, *weak));
    }
}

impl<K: Eq + Hash, V, S: BuildHasher> WeakValueMap<K, V, S> {
    /// Releases as much memory as possible.
    pub fn shrink_to_fit(&mut self) {
        self.table.shrink_to_fit(|(key, _)| self.hasher.hash_one(key));
    }

    /// Maps the key to the object; returns the previous object. O(1).
    pub fn insert(&mut self, key: K, h: impl Into<Weak<V>>) -> Option<Weak<V>> {
        match self.entry(key) {
            Entry::Occupied(mut entry) => Some(entry.insert(h.into())),
            Entry::Vacant(entry) => {
                entry.insert(h.into());
                None
            }
        }
    }

    /// The object that the key is mapped to. O(1).
    pub fn get<Q: ?Sized + Eq + Hash>(&self, key: &Q) -> Option<Weak<V>>
    where
        K: Borrow<Q>,
    {
        let hash = self.hasher.hash_one(key);
        self.table.find(hash, |(known, _)| known.borrow() == key).map(|(_, weak)| *weak)
    }

    /// The handle that the key is mapped to, mutably. O(1).
    pub fn get_mut<Q: ?Sized + Eq + Hash>(&mut self, key: &Q) -> Option<&mut Weak<V>>
    where
        K: Borrow<Q>,
    {
        let hash = self.hasher.hash_one(key);
        self.table.find_mut(hash, |(known, _)| known.borrow() == key).map(|(_, weak)| weak)
    }

    /// Removes the key; returns the object that it was mapped to. O(1).
    pub fn remove<Q: ?Sized + Eq + Hash>(&mut self, key: &Q) -> Option<Weak<V>>
    where
        K: Borrow<Q>,
    {
        let hash = self.hasher.hash_one(key);
        self.table.remove(hash, |(known, _)| known.borrow() == key).map(|(_, weak)| weak)
    }

    /// Whether there is an entry with this key. O(1).
    pub fn contains_key<Q: ?Sized + Eq + Hash>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.get(key).is_some()
    }

    /// The key's entry, to be examined and filled. O(1).
    #[inline]
    pub fn entry(&mut self, key: K) -> Entry<'_, K, Weak<V>> {
        let Self { table, hasher } = self;
        let hash = hasher.hash_one(&key);
        table.make_room_apart(|(key, _)| hasher.hash_one(key));
        let place = table.entry(hash, |(known, _)| *known == key, |(key, _)| hasher.hash_one(key));
        Entry::new(place, key)
    }
}

impl<K: Send + 'static, V: Trace, S> WeakValueMap<K, V, S> {
    /// Removes the entries whose object is not alive; sets their keys aside.
    pub(crate) fn prune_by(&mut self, live: &Liveness<'_>) {
        self.table.prune(live, |(_, weak)| *weak, None, |(key, _)| live.discard(key), |_| {});
    }
}

emptied!([K, V, S] WeakValueMap<K, V, S>: "map" of "entries", "whose object is alive");

impl<K, V, S> Trace for WeakValueMap<K, V, S>
where
    K: Trace + Eq + Hash,
    V: Trace,
    S: BuildHasher + Send + Sync + 'static,
{
    const OWNS: bool = true;

    fn trace(&self, tracer: &mut Tracer<'_>) {
        tracer.weak_collection();
        if K::NEEDS_TRACE {
            self.table.trace(tracer, |(_, weak)| *weak, |tracer, (key, _)| key.trace(tracer));
        }
    }

    fn prune(&mut self, live: &Liveness<'_>) {
        self.prune_by(live);
    }

    fn owned_bytes(&self) -> usize {
        owned::sum([self.table.owned_bytes(), owned::by_items(self.len(), self.keys())])
    }

    fn inspect(&self, inspector: &mut Inspector<'_>) {
        self.iter().for_each(|(key, weak)| inspector.entry(key, &weak));
    }

    /// Entries whose object has no counterpart are dropped.
    fn relink(&mut self, links: &mut Links<'_>) {
        for (mut key, mut weak) in self.table.take() {
            if !links.weak_key(&mut weak) {
                continue;
            }
            links.field(&mut key);
            match self.entry(key) {
                Entry::Occupied(_) => links.merged(),
                Entry::Vacant(entry) => {
                    entry.insert(weak);
                }
            }
        }
    }
}

impl<K, V, S: Default> Default for WeakValueMap<K, V, S> {
    fn default() -> Self {
        Self::with_hasher(S::default())
    }
}

impl<K: Clone, V, S: Clone> Clone for WeakValueMap<K, V, S> {
    fn clone(&self) -> Self {
        Self { table: self.table.clone(), hasher: self.hasher.clone() }
    }
}

impl<K: fmt::Debug, V, S> fmt::Debug for WeakValueMap<K, V, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl<K: Eq + Hash, V, S: BuildHasher, H: Into<Weak<V>>> Extend<(K, H)> for WeakValueMap<K, V, S> {
    fn extend<I: IntoIterator<Item = (K, H)>>(&mut self, entries: I) {
        for (key, h) in entries {
            self.insert(key, h);
        }
    }
}

impl<K: Eq + Hash, V, S: BuildHasher + Default, H: Into<Weak<V>>> FromIterator<(K, H)>
    for WeakValueMap<K, V, S>
{
    fn from_iter<I: IntoIterator<Item = (K, H)>>(entries: I) -> Self {
        let mut map = Self::default();
        map.extend(entries);
        map
    }
}

impl<K, V, S> IntoIterator for WeakValueMap<K, V, S> {
    type Item = (K, Weak<V>);
    type IntoIter = IntoIter<K, V>;

    fn into_iter(self) -> IntoIter<K, V> {
        IntoIter(self.table.into_iter())
    }
}

impl<'a, K, V, S> IntoIterator for &'a WeakValueMap<K, V, S> {
    type Item = (&'a K, Weak<V>);
    type IntoIter = Iter<'a, K, V>;

    fn into_iter(self) -> Iter<'a, K, V> {
        self.iter()
    }
}
