//! `WeakKeyMap`.

use core::fmt;

use hashbrown::HashMap;

use crate::handle::Weak;
use crate::trace::{Era, Liveness, Trace, Tracer};
use crate::weak::{Entry, Fixed, News, Slack};

/// A map from objects to values that does not keep the objects alive: Python's `WeakKeyDictionary`, done as an
/// ephemeron table.
///
/// An entry lives while its key does, and what the value refers to is kept alive by the entry only while the
/// key lives: also when the value refers to its own key, where Python's and Java's tables leak for ever. Keys
/// are compared by identity. Put the map in a field of an object, or give it a slot of its own; every
/// collection that reaches it removes the entries whose key died. A collection takes time linear in the
/// entries, however maps, keys and values refer to each other.
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
pub struct WeakKeyMap<K, V> {
    map: HashMap<Weak<K>, V, Fixed>,
    slack: Slack,
    news: News<K>,
}

impl<K, V> WeakKeyMap<K, V> {
    /// An empty map, without memory.
    pub fn new() -> Self {
        Self::with_capacity(0)
    }

    /// An empty map with room for so many entries.
    pub fn with_capacity(capacity: usize) -> Self {
        let map = HashMap::with_capacity_and_hasher(capacity, Fixed::default());
        Self { map, slack: Slack::default(), news: News::default() }
    }

    /// Entries; right after a collection exactly those whose key is alive.
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

    /// Gives back what memory it can.
    pub fn shrink_to_fit(&mut self) {
        self.map.shrink_to_fit();
    }

    fn take_up_slack(&mut self) {
        if let Some(capacity) = self.slack.check(self.map.len(), self.map.capacity()) {
            self.map.shrink_to(capacity);
        }
    }

    /// Gives the object a value; gives the value that it had. O(1).
    pub fn insert(&mut self, key: impl Into<Weak<K>>, value: V) -> Option<V> {
        self.take_up_slack();
        let key = key.into();
        self.news.note(key, self.map.len());
        self.map.insert(key, value)
    }

    /// The object's value. O(1).
    pub fn get(&self, key: impl Into<Weak<K>>) -> Option<&V> {
        self.map.get(&key.into())
    }

    /// The object's value, to be changed. O(1).
    pub fn get_mut(&mut self, key: impl Into<Weak<K>>) -> Option<&mut V> {
        let key = key.into();
        self.news.note(key, self.map.len());
        self.map.get_mut(&key)
    }

    /// Takes the object's value out. O(1).
    pub fn remove(&mut self, key: impl Into<Weak<K>>) -> Option<V> {
        self.map.remove(&key.into())
    }

    /// Whether the object has a value. O(1).
    pub fn contains_key(&self, key: impl Into<Weak<K>>) -> bool {
        self.map.contains_key(&key.into())
    }

    /// The place of the object's value, to be looked at and filled. O(1).
    pub fn entry(&mut self, key: impl Into<Weak<K>>) -> Entry<'_, Weak<K>, V, Fixed> {
        self.take_up_slack();
        let key = key.into();
        self.news.note(key, self.map.len());
        Entry::new(self.map.entry(key))
    }

    /// The entries.
    pub fn iter(&self) -> impl Iterator<Item = (Weak<K>, &V)> {
        self.map.iter().map(|(key, value)| (*key, value))
    }

    /// The entries, values to be changed.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (Weak<K>, &mut V)> {
        self.news.note_all();
        self.map.iter_mut().map(|(key, value)| (*key, value))
    }

    /// The objects.
    pub fn keys(&self) -> impl Iterator<Item = Weak<K>> {
        self.map.keys().copied()
    }

    /// The values.
    pub fn values(&self) -> impl Iterator<Item = &V> {
        self.map.values()
    }

    /// The values, to be changed.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        self.news.note_all();
        self.map.values_mut()
    }

    /// Takes all entries out, also those that the iterator did not come to.
    pub fn drain(&mut self) -> impl Iterator<Item = (Weak<K>, V)> {
        self.map.drain()
    }

    /// Keeps the entries of which `keep` says so.
    pub fn retain(&mut self, mut keep: impl FnMut(Weak<K>, &mut V) -> bool) {
        self.news.note_all();
        self.map.retain(|key, value| keep(*key, value));
    }
}

impl<K: Trace, V: Send + 'static> WeakKeyMap<K, V> {
    /// Removes the entries whose key is not alive; sets their values aside.
    pub(crate) fn prune_by(&mut self, live: &Liveness<'_>) {
        let before = self.map.len();
        let mut verdicts = live.verdicts(self.map.keys().copied());
        for (_, value) in self.map.extract_if(|_, _| !verdicts.next()) {
            live.set_aside(value);
        }
        self.slack.note_pruned(before - self.map.len());
    }
}

impl<K: Trace, V: Trace> WeakKeyMap<K, V> {
    /// Prunes what is new.
    fn prune_fresh(&mut self, era: &Era, live: &Liveness<'_>) -> bool {
        let Some(fresh) = self.news.fresh(era) else {
            return false;
        };
        let before = self.map.len();
        for key in fresh {
            if !live.is_live(*key) {
                if let Some(value) = self.map.remove(key) {
                    live.set_aside(value);
                }
            } else if V::NEEDS_TRACE {
                if let Some(value) = self.map.get_mut(key) {
                    value.prune(live);
                }
            }
        }
        self.slack.note_pruned(before - self.map.len());
        true
    }
}

impl<K: Trace, V: Trace> Trace for WeakKeyMap<K, V> {
    fn trace(&self, tracer: &mut Tracer<'_>) {
        tracer.weak_collection();
        if V::NEEDS_TRACE {
            match self.news.fresh(&tracer.era()) {
                Some(fresh) => {
                    let entries = fresh.iter().filter_map(|key| Some((*key, self.map.get(key)?)));
                    entries.for_each(|(key, value)| tracer.ephemeron(key, value));
                }
                None => tracer.ephemerons(self.map.iter().map(|(key, value)| (*key, value))),
            }
        }
    }

    fn prune(&mut self, live: &Liveness<'_>) {
        let era = live.era();
        if !era.is_some_and(|era| self.prune_fresh(era, live)) {
            self.prune_by(live);
            if V::NEEDS_TRACE {
                self.map.values_mut().for_each(|value| value.prune(live));
            }
        }
        if let Some(era) = era {
            self.news.note_pruned(era);
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
        Self { map: self.map.clone(), slack: self.slack, news: News::default() }
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
        match self.map.get(&key) {
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
    type IntoIter = hashbrown::hash_map::IntoIter<Weak<K>, V>;

    fn into_iter(self) -> Self::IntoIter {
        self.map.into_iter()
    }
}
