//! One entry of a weak map, to be looked at and filled.

use core::fmt;

use hashbrown::hash_map;

/// A place in a map for one key, from [`WeakValueMap::entry`](crate::WeakValueMap::entry) or
/// [`WeakKeyMap::entry`](crate::WeakKeyMap::entry).
///
/// # Examples
/// ```
/// use slotgc::{Heap, WeakKeyMap};
///
/// let mut heap = Heap::new();
/// let mob = heap.alloc_root("mob");
/// let mut hits: WeakKeyMap<&str, u32> = WeakKeyMap::new();
/// *hits.entry(&mob).or_insert(0) += 1;
/// *hits.entry(&mob).or_default() += 1;
/// assert_eq!(hits.get(&mob), Some(&2));
/// ```
pub enum Entry<'a, K, V, S> {
    /// There is an entry with this key.
    Occupied(OccupiedEntry<'a, K, V, S>),
    /// There is none.
    Vacant(VacantEntry<'a, K, V, S>),
}

/// An entry that is there.
pub struct OccupiedEntry<'a, K, V, S> {
    inner: hash_map::OccupiedEntry<'a, K, V, S>,
}

/// An entry that is not there yet.
pub struct VacantEntry<'a, K, V, S> {
    inner: hash_map::VacantEntry<'a, K, V, S>,
}

impl<'a, K, V, S> Entry<'a, K, V, S>
where
    K: Eq + core::hash::Hash,
    S: core::hash::BuildHasher,
{
    pub(crate) fn new(inner: hash_map::Entry<'a, K, V, S>) -> Self {
        match inner {
            hash_map::Entry::Occupied(inner) => Self::Occupied(OccupiedEntry { inner }),
            hash_map::Entry::Vacant(inner) => Self::Vacant(VacantEntry { inner }),
        }
    }

    /// The value, which is `default` if there was none.
    pub fn or_insert(self, default: V) -> &'a mut V {
        self.or_insert_with(|| default)
    }

    /// The value, which `make` makes if there was none.
    pub fn or_insert_with(self, make: impl FnOnce() -> V) -> &'a mut V {
        match self {
            Self::Occupied(entry) => entry.into_mut(),
            Self::Vacant(entry) => entry.insert(make()),
        }
    }

    /// The value, which is the default one if there was none.
    pub fn or_default(self) -> &'a mut V
    where
        V: Default,
    {
        self.or_insert_with(V::default)
    }

    /// Changes the value if there is one.
    #[must_use]
    pub fn and_modify(mut self, change: impl FnOnce(&mut V)) -> Self {
        if let Self::Occupied(entry) = &mut self {
            change(entry.get_mut());
        }
        self
    }

    /// The key.
    pub fn key(&self) -> &K {
        match self {
            Self::Occupied(entry) => entry.key(),
            Self::Vacant(entry) => entry.key(),
        }
    }
}

impl<'a, K, V, S> OccupiedEntry<'a, K, V, S> {
    /// The key in the map.
    pub fn key(&self) -> &K {
        self.inner.key()
    }

    /// The value.
    pub fn get(&self) -> &V {
        self.inner.get()
    }

    /// The value, to be changed.
    pub fn get_mut(&mut self) -> &mut V {
        self.inner.get_mut()
    }

    /// The value, to be changed, for as long as the map is borrowed.
    pub fn into_mut(self) -> &'a mut V {
        self.inner.into_mut()
    }

    /// Replaces the value and gives the old one.
    pub fn insert(&mut self, value: V) -> V {
        self.inner.insert(value)
    }

    /// Takes the entry out and gives its value.
    pub fn remove(self) -> V {
        self.inner.remove()
    }

    /// Takes the entry out.
    pub fn remove_entry(self) -> (K, V) {
        self.inner.remove_entry()
    }
}

impl<'a, K, V, S> VacantEntry<'a, K, V, S> {
    /// The key that an insertion will have.
    pub fn key(&self) -> &K {
        self.inner.key()
    }

    /// Gives the key back.
    pub fn into_key(self) -> K {
        self.inner.into_key()
    }

    /// Puts a value in.
    pub fn insert(self, value: V) -> &'a mut V
    where
        K: Eq + core::hash::Hash,
        S: core::hash::BuildHasher,
    {
        self.inner.insert(value)
    }
}

impl<K: fmt::Debug, V: fmt::Debug, S> fmt::Debug for Entry<'_, K, V, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Occupied(entry) => f.debug_tuple("Entry").field(entry).finish(),
            Self::Vacant(entry) => f.debug_tuple("Entry").field(entry).finish(),
        }
    }
}

impl<K: fmt::Debug, V: fmt::Debug, S> fmt::Debug for OccupiedEntry<'_, K, V, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OccupiedEntry").field("key", self.key()).field("value", self.get()).finish()
    }
}

impl<K: fmt::Debug, V, S> fmt::Debug for VacantEntry<'_, K, V, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("VacantEntry").field(self.key()).finish()
    }
}
