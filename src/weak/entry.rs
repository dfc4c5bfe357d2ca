//! One entry of a weak map, to be examined and filled.

use core::fmt;

use hashbrown::hash_table;

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
pub enum Entry<'a, K, V> {
    /// There is an entry with this key.
    Occupied(OccupiedEntry<'a, K, V>),
    /// There is no entry with this key.
    Vacant(VacantEntry<'a, K, V>),
}

/// An entry that is there.
pub struct OccupiedEntry<'a, K, V> {
    inner: hash_table::OccupiedEntry<'a, (K, V)>,
}

/// An entry that is not there yet.
pub struct VacantEntry<'a, K, V> {
    inner: hash_table::VacantEntry<'a, (K, V)>,
    key: K,
}

impl<'a, K, V> Entry<'a, K, V> {
    #[inline]
    pub(crate) fn new(inner: hash_table::Entry<'a, (K, V)>, key: K) -> Self {
        match inner {
            hash_table::Entry::Occupied(inner) => Self::Occupied(OccupiedEntry { inner }),
            hash_table::Entry::Vacant(inner) => Self::Vacant(VacantEntry { inner, key }),
        }
    }

    /// The value; inserts `default` if there is none.
    pub fn or_insert(self, default: V) -> &'a mut V {
        self.or_insert_with(|| default)
    }

    /// The value; inserts the result of `make` if there is none.
    pub fn or_insert_with(self, make: impl FnOnce() -> V) -> &'a mut V {
        match self {
            Self::Occupied(entry) => entry.into_mut(),
            Self::Vacant(entry) => entry.insert(make()),
        }
    }

    /// The value; inserts the default if there is none.
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

impl<'a, K, V> OccupiedEntry<'a, K, V> {
    /// The key in the map.
    pub fn key(&self) -> &K {
        &self.inner.get().0
    }

    /// The value.
    pub fn get(&self) -> &V {
        &self.inner.get().1
    }

    /// The value, mutably.
    pub fn get_mut(&mut self) -> &mut V {
        &mut self.inner.get_mut().1
    }

    /// The value, mutably, for as long as the map is borrowed.
    pub fn into_mut(self) -> &'a mut V {
        &mut self.inner.into_mut().1
    }

    /// Replaces the value and returns the old one.
    pub fn insert(&mut self, value: V) -> V {
        core::mem::replace(self.get_mut(), value)
    }

    /// Removes the entry and returns its value.
    pub fn remove(self) -> V {
        self.inner.remove().0.1
    }

    /// Removes the entry and returns it.
    pub fn remove_entry(self) -> (K, V) {
        self.inner.remove().0
    }
}

impl<'a, K, V> VacantEntry<'a, K, V> {
    /// The key that an insertion will have.
    pub fn key(&self) -> &K {
        &self.key
    }

    /// Returns the key.
    pub fn into_key(self) -> K {
        self.key
    }

    /// Inserts a value.
    pub fn insert(self, value: V) -> &'a mut V {
        &mut self.inner.insert((self.key, value)).into_mut().1
    }
}

impl<K: fmt::Debug, V: fmt::Debug> fmt::Debug for Entry<'_, K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Occupied(entry) => f.debug_tuple("Entry").field(entry).finish(),
            Self::Vacant(entry) => f.debug_tuple("Entry").field(entry).finish(),
        }
    }
}

impl<K: fmt::Debug, V: fmt::Debug> fmt::Debug for OccupiedEntry<'_, K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OccupiedEntry").field("key", self.key()).field("value", self.get()).finish()
    }
}

impl<K: fmt::Debug, V> fmt::Debug for VacantEntry<'_, K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("VacantEntry").field(self.key()).finish()
    }
}
