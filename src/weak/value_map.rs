//! `WeakValueMap`.

use core::borrow::Borrow;
use core::fmt;
use core::hash::{BuildHasher, Hash};

use hashbrown::HashMap;

use crate::handle::Weak;
use crate::trace::{Liveness, Trace, Tracer};
use crate::weak::{Entry, Fixed, Slack};

/// A map from keys to objects that does not keep the objects alive: Python's `WeakValueDictionary`.
///
/// Put it in a field of an object, or give it a slot of its own; every collection that reaches it removes the
/// entries whose object died. Handles inside a key are strong edges. The usual use is a cache, see
/// [`Heap::get_or_alloc`](crate::Heap::get_or_alloc).
///
/// The default hasher has a fixed seed, so iteration order depends on the program alone. Where somebody else
/// chooses the keys, take a seeded one: `WeakValueMap::with_hasher(std::hash::RandomState::new())`.
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
pub struct WeakValueMap<K, V, S = Fixed> {
    map: HashMap<K, Weak<V>, S>,
    slack: Slack,
}

impl<K, V> WeakValueMap<K, V> {
    /// An empty map, without memory.
    pub fn new() -> Self {
        Self::with_hasher(Fixed::default())
    }

    /// An empty map with room for so many entries.
    pub fn with_capacity(capacity: usize) -> Self {
        Self::with_capacity_and_hasher(capacity, Fixed::default())
    }
}

impl<K, V, S> WeakValueMap<K, V, S> {
    /// An empty map that hashes its keys with this hasher.
    pub fn with_hasher(hasher: S) -> Self {
        Self { map: HashMap::with_hasher(hasher), slack: Slack::default() }
    }

    /// An empty map with room for so many entries that hashes its keys with this hasher.
    pub fn with_capacity_and_hasher(capacity: usize, hasher: S) -> Self {
        Self { map: HashMap::with_capacity_and_hasher(capacity, hasher), slack: Slack::default() }
    }

    /// The hasher.
    pub fn hasher(&self) -> &S {
        self.map.hasher()
    }

    /// Entries; right after a collection exactly those whose object is alive.
    pub fn len(&self) -> usize {
        self.map.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.map.is_empty()
    }

    /// Entries for which there is room.
    pub fn capacity(&self) -> usize {
        self.map.capacity()
    }

    /// Removes all entries and keeps the memory.
    pub fn clear(&mut self) {
        self.map.clear();
    }

    /// The entries.
    pub fn iter(&self) -> impl Iterator<Item = (&K, Weak<V>)> {
        self.map.iter().map(|(key, weak)| (key, *weak))
    }

    /// The keys.
    pub fn keys(&self) -> impl Iterator<Item = &K> {
        self.map.keys()
    }

    /// The objects.
    pub fn values(&self) -> impl Iterator<Item = Weak<V>> {
        self.map.values().copied()
    }

    /// Takes all entries out, also those that the iterator did not come to.
    pub fn drain(&mut self) -> impl Iterator<Item = (K, Weak<V>)> {
        self.map.drain()
    }

    /// Keeps the entries of which `keep` says so.
    pub fn retain(&mut self, mut keep: impl FnMut(&K, Weak<V>) -> bool) {
        self.map.retain(|key, weak| keep(key, *weak));
    }
}

impl<K: Eq + Hash, V, S: BuildHasher> WeakValueMap<K, V, S> {
    /// Gives back what memory it can.
    pub fn shrink_to_fit(&mut self) {
        self.map.shrink_to_fit();
    }

    fn take_up_slack(&mut self) {
        if let Some(capacity) = self.slack.check(self.map.len(), self.map.capacity()) {
            self.map.shrink_to(capacity);
        }
    }

    /// Maps the key to the object; gives the object that it was mapped to. O(1).
    pub fn insert(&mut self, key: K, h: impl Into<Weak<V>>) -> Option<Weak<V>> {
        self.take_up_slack();
        self.map.insert(key, h.into())
    }

    /// The object that the key is mapped to. O(1).
    pub fn get<Q: ?Sized + Eq + Hash>(&self, key: &Q) -> Option<Weak<V>>
    where
        K: Borrow<Q>,
    {
        self.map.get(key).copied()
    }

    /// The handle that the key is mapped to, to be changed. O(1).
    pub fn get_mut<Q: ?Sized + Eq + Hash>(&mut self, key: &Q) -> Option<&mut Weak<V>>
    where
        K: Borrow<Q>,
    {
        self.map.get_mut(key)
    }

    /// Removes the key; gives the object that it was mapped to. O(1).
    pub fn remove<Q: ?Sized + Eq + Hash>(&mut self, key: &Q) -> Option<Weak<V>>
    where
        K: Borrow<Q>,
    {
        self.map.remove(key)
    }

    /// Whether there is an entry with this key. O(1).
    pub fn contains_key<Q: ?Sized + Eq + Hash>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.map.contains_key(key)
    }

    /// The place of the key, to be looked at and filled. O(1).
    pub fn entry(&mut self, key: K) -> Entry<'_, K, Weak<V>, S> {
        self.take_up_slack();
        Entry::new(self.map.entry(key))
    }
}

impl<K: Send + 'static, V: Trace, S> WeakValueMap<K, V, S> {
    /// Removes the entries whose object is not alive; sets their keys aside.
    pub(crate) fn prune_by(&mut self, live: &Liveness<'_>) {
        let before = self.map.len();
        let mut verdicts = live.verdicts(self.map.values().copied());
        for (key, _) in self.map.extract_if(|_, _| !verdicts.next()) {
            live.set_aside(key);
        }
        self.slack.note_pruned(before - self.map.len());
    }
}

impl<K: Trace, V: Trace, S: Send + Sync + 'static> Trace for WeakValueMap<K, V, S> {
    fn trace(&self, tracer: &mut Tracer<'_>) {
        tracer.weak_collection();
        if K::NEEDS_TRACE {
            self.map.keys().for_each(|key| key.trace(tracer));
        }
    }

    fn prune(&mut self, live: &Liveness<'_>) {
        self.prune_by(live);
    }
}

impl<K, V, S: Default> Default for WeakValueMap<K, V, S> {
    fn default() -> Self {
        Self::with_hasher(S::default())
    }
}

impl<K: Clone, V, S: Clone> Clone for WeakValueMap<K, V, S> {
    fn clone(&self) -> Self {
        Self { map: self.map.clone(), slack: self.slack }
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
    type IntoIter = hashbrown::hash_map::IntoIter<K, Weak<V>>;

    fn into_iter(self) -> Self::IntoIter {
        self.map.into_iter()
    }
}
