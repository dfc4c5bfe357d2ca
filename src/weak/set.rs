//! `WeakSet`.

use core::fmt;
use core::ops::{BitAnd, BitAndAssign, BitOr, BitOrAssign, BitXor, BitXorAssign, Sub, SubAssign};

use hashbrown::hash_table::Entry;

use crate::handle::Weak;
use crate::trace::{Inspector, Links, Liveness, Trace, Tracer};
use crate::weak::common::emptied;
use crate::weak::iter::weak_set::{
    Compared, Difference, Drain, Intersection, IntoIter, Iter, SymmetricDifference, Union, Wanted,
};
use crate::weak::{Table, hash_of};

/// A set of objects that does not keep them alive: Python's `WeakSet`.
///
/// Put it in a field of an object, or give it a slot of its own; every collection that reaches it removes the
/// handles of the dead. Elements are compared by identity. Iteration order depends on the program alone.
///
/// A set inside a key, or inside an element of an ordered set or a heap, is never pruned: such values are not
/// given out mutably.
///
/// A dead handle may be inserted, and after `destroy` the set may hold one until the next collection. It
/// resolves to nothing.
///
/// # Examples
/// ```
/// use slotgc::{Heap, WeakSet};
///
/// let mut heap = Heap::new();
/// let listeners = heap.alloc_root(WeakSet::new());
/// let (kept, lost) = (heap.alloc_root("kept"), heap.alloc("lost"));
/// assert!(heap[&listeners].insert(&kept));
/// assert!(heap[&listeners].insert(lost));
/// heap.collect();
/// assert_eq!(heap[&listeners].iter().collect::<Vec<_>>(), [kept.downgrade()]);
/// ```
pub struct WeakSet<T> {
    table: Table<Weak<T>>,
}

impl<T> WeakSet<T> {
    /// An empty set, without memory.
    pub fn new() -> Self {
        Self::with_capacity(0)
    }

    /// An empty set with room for this many elements.
    pub fn with_capacity(capacity: usize) -> Self {
        Self { table: Table::with_capacity(capacity) }
    }

    /// Releases as much memory as possible.
    pub fn shrink_to_fit(&mut self) {
        self.table.shrink_to_fit(hash_of);
    }

    /// Adds an object; `false` if it was in the set already. O(1).
    pub fn insert(&mut self, h: impl Into<Weak<T>>) -> bool {
        let weak = h.into();
        match self.table.entry(hash_of(&weak), |known| *known == weak, hash_of) {
            Entry::Occupied(_) => false,
            Entry::Vacant(place) => {
                place.insert(weak);
                true
            }
        }
    }

    /// Removes an object; `false` if it was not in the set. O(1).
    pub fn remove(&mut self, h: impl Into<Weak<T>>) -> bool {
        let weak = h.into();
        self.table.remove(hash_of(&weak), |known| *known == weak).is_some()
    }

    /// Whether the object is in the set. O(1).
    pub fn contains(&self, h: impl Into<Weak<T>>) -> bool {
        let weak = h.into();
        self.table.find(hash_of(&weak), |known| *known == weak).is_some()
    }

    /// The elements.
    pub fn iter(&self) -> Iter<'_, T> {
        Iter(self.table.iter())
    }

    /// Removes all elements, including those that the iterator did not reach.
    pub fn drain(&mut self) -> Drain<'_, T> {
        Drain(self.table.drain())
    }

    /// Keeps the elements for which `keep` returns true.
    pub fn retain(&mut self, mut keep: impl FnMut(Weak<T>) -> bool) {
        self.table.retain(|weak| keep(*weak));
    }

    /// What is in either set.
    pub fn union<'a>(&'a self, other: &'a Self) -> Union<'a, T> {
        Union(self.iter().chain(other.compared(self, Wanted::Own)))
    }

    /// What is in both sets.
    pub fn intersection<'a>(&'a self, other: &'a Self) -> Intersection<'a, T> {
        let (small, large) = if self.len() <= other.len() { (self, other) } else { (other, self) };
        Intersection(small.compared(large, Wanted::Common))
    }

    /// What is in this set and not in the other.
    pub fn difference<'a>(&'a self, other: &'a Self) -> Difference<'a, T> {
        Difference(self.compared(other, Wanted::Own))
    }

    /// What is in exactly one of the sets.
    pub fn symmetric_difference<'a>(&'a self, other: &'a Self) -> SymmetricDifference<'a, T> {
        let (own, others) = (self.compared(other, Wanted::Own), other.compared(self, Wanted::Own));
        SymmetricDifference(own.chain(others))
    }

    fn compared<'a>(&'a self, other: &'a Self, wanted: Wanted) -> Compared<'a, T> {
        Compared { own: self.iter(), other: &other.table, wanted }
    }

    /// Whether all elements are in the other set.
    pub fn is_subset(&self, other: &Self) -> bool {
        self.len() <= other.len() && self.iter().all(|weak| other.contains(weak))
    }

    /// Whether all elements of the other set are in this one.
    pub fn is_superset(&self, other: &Self) -> bool {
        other.is_subset(self)
    }

    /// Whether no element is in both.
    pub fn is_disjoint(&self, other: &Self) -> bool {
        self.intersection(other).next().is_none()
    }
}

impl<T: Trace> WeakSet<T> {
    /// Removes the elements that are not alive.
    pub(crate) fn prune_by(&mut self, live: &Liveness<'_>) {
        self.table.prune(live, |weak| *weak, Some(hash_of), |_| {}, |_| {});
    }
}

emptied!([T] WeakSet<T>: "set" of "elements", "alive");

impl<T: Trace> Trace for WeakSet<T> {
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

    /// Elements whose object has no counterpart are dropped.
    fn relink(&mut self, links: &mut Links<'_>) {
        for mut weak in self.table.take() {
            if links.weak_key(&mut weak) && !self.insert(weak) {
                links.merged();
            }
        }
    }
}

impl<T> Default for WeakSet<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Clone for WeakSet<T> {
    fn clone(&self) -> Self {
        Self { table: self.table.clone() }
    }
}

impl<T> fmt::Debug for WeakSet<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

impl<T> PartialEq for WeakSet<T> {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.is_subset(other)
    }
}

impl<T> Eq for WeakSet<T> {}

impl<T, H: Into<Weak<T>>> Extend<H> for WeakSet<T> {
    fn extend<I: IntoIterator<Item = H>>(&mut self, handles: I) {
        for h in handles {
            self.insert(h);
        }
    }
}

impl<T, H: Into<Weak<T>>> FromIterator<H> for WeakSet<T> {
    fn from_iter<I: IntoIterator<Item = H>>(handles: I) -> Self {
        let mut set = Self::new();
        set.extend(handles);
        set
    }
}

impl<T> IntoIterator for WeakSet<T> {
    type Item = Weak<T>;
    type IntoIter = IntoIter<T>;

    fn into_iter(self) -> IntoIter<T> {
        IntoIter(self.table.into_iter())
    }
}

impl<'a, T> IntoIterator for &'a WeakSet<T> {
    type Item = Weak<T>;
    type IntoIter = Iter<'a, T>;

    fn into_iter(self) -> Iter<'a, T> {
        self.iter()
    }
}

/// Operators on references, and their assigning forms.
macro_rules! operators {
    ($($op:ident $op_fn:ident $assign:ident $assign_fn:ident $method:ident),* $(,)?) => {$(
        impl<T> $op for &WeakSet<T> {
            type Output = WeakSet<T>;

            fn $op_fn(self, other: Self) -> WeakSet<T> {
                self.$method(other).collect()
            }
        }

        impl<T> $assign<&WeakSet<T>> for WeakSet<T> {
            fn $assign_fn(&mut self, other: &WeakSet<T>) {
                *self = self.$method(other).collect();
            }
        }
    )*};
}

operators! {
    BitOr bitor BitOrAssign bitor_assign union,
    BitAnd bitand BitAndAssign bitand_assign intersection,
    Sub sub SubAssign sub_assign difference,
    BitXor bitxor BitXorAssign bitxor_assign symmetric_difference,
}
