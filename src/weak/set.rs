//! `WeakSet`.

use core::fmt;
use core::ops::{BitAnd, BitAndAssign, BitOr, BitOrAssign, BitXor, BitXorAssign, Sub, SubAssign};

use hashbrown::HashSet;

use crate::handle::Weak;
use crate::trace::{Liveness, Trace, Tracer};
use crate::weak::{Fixed, News, Slack};

/// A set of objects that does not keep them alive: Python's `WeakSet`.
///
/// Put it in a field of an object, or give it a slot of its own; every collection that reaches it removes the
/// handles of the dead. Elements are compared by identity. Iteration order depends on the program alone.
///
/// A dead handle may be inserted, and after `destroy` the set may still hold one: until the next collection. It
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
    set: HashSet<Weak<T>, Fixed>,
    slack: Slack,
    news: News<T>,
}

impl<T> WeakSet<T> {
    /// An empty set, without memory.
    pub fn new() -> Self {
        Self::with_capacity(0)
    }

    /// An empty set with room for so many elements.
    pub fn with_capacity(capacity: usize) -> Self {
        let set = HashSet::with_capacity_and_hasher(capacity, Fixed::default());
        Self { set, slack: Slack::default(), news: News::default() }
    }

    /// Elements; right after a collection exactly those alive.
    pub fn len(&self) -> usize {
        self.set.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.set.is_empty()
    }

    /// Elements for which there is room.
    pub fn capacity(&self) -> usize {
        self.set.capacity()
    }

    /// Removes all elements and keeps the memory.
    pub fn clear(&mut self) {
        self.set.clear();
    }

    /// Gives back what memory it can.
    pub fn shrink_to_fit(&mut self) {
        self.set.shrink_to_fit();
    }

    /// Adds an object; `false` if it was in the set already. O(1).
    pub fn insert(&mut self, h: impl Into<Weak<T>>) -> bool {
        if let Some(capacity) = self.slack.check(self.set.len(), self.set.capacity()) {
            self.set.shrink_to(capacity);
        }
        let weak = h.into();
        self.news.note(weak, self.set.len());
        self.set.insert(weak)
    }

    /// Removes an object; `false` if it was not in the set. O(1).
    pub fn remove(&mut self, h: impl Into<Weak<T>>) -> bool {
        self.set.remove(&h.into())
    }

    /// Whether the object is in the set. O(1).
    pub fn contains(&self, h: impl Into<Weak<T>>) -> bool {
        self.set.contains(&h.into())
    }

    /// The elements.
    pub fn iter(&self) -> impl Iterator<Item = Weak<T>> {
        self.set.iter().copied()
    }

    /// Takes all elements out, also those that the iterator did not come to.
    pub fn drain(&mut self) -> impl Iterator<Item = Weak<T>> {
        self.set.drain()
    }

    /// Keeps the elements of which `keep` says so.
    pub fn retain(&mut self, mut keep: impl FnMut(Weak<T>) -> bool) {
        self.set.retain(|weak| keep(*weak));
    }

    /// What is in either set.
    pub fn union<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = Weak<T>> {
        self.set.union(&other.set).copied()
    }

    /// What is in both sets.
    pub fn intersection<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = Weak<T>> {
        self.set.intersection(&other.set).copied()
    }

    /// What is in this set and not in the other.
    pub fn difference<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = Weak<T>> {
        self.set.difference(&other.set).copied()
    }

    /// What is in exactly one of the sets.
    pub fn symmetric_difference<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = Weak<T>> {
        self.set.symmetric_difference(&other.set).copied()
    }

    /// Whether all elements are in the other set.
    pub fn is_subset(&self, other: &Self) -> bool {
        self.set.is_subset(&other.set)
    }

    /// Whether all elements of the other set are in this one.
    pub fn is_superset(&self, other: &Self) -> bool {
        self.set.is_superset(&other.set)
    }

    /// Whether no element is in both.
    pub fn is_disjoint(&self, other: &Self) -> bool {
        self.set.is_disjoint(&other.set)
    }
}

impl<T: Trace> WeakSet<T> {
    /// Removes the elements that are not alive.
    pub(crate) fn prune_by(&mut self, live: &Liveness<'_>) {
        let before = self.set.len();
        let mut verdicts = live.verdicts(self.set.iter().copied());
        self.set.retain(|_| verdicts.next());
        live.count_pruned(before - self.set.len());
        self.slack.note_pruned(before - self.set.len());
    }
}

impl<T: Trace> Trace for WeakSet<T> {
    fn trace(&self, tracer: &mut Tracer<'_>) {
        tracer.weak_collection();
    }

    fn prune(&mut self, live: &Liveness<'_>) {
        match live.era().and_then(|era| self.news.fresh(era)) {
            Some(fresh) => {
                let dead = fresh.iter().filter(|weak| !live.is_live(**weak));
                let pruned = dead.filter(|weak| self.set.remove(*weak)).count();
                live.count_pruned(pruned);
                self.slack.note_pruned(pruned);
            }
            None => self.prune_by(live),
        }
        if let Some(era) = live.era() {
            self.news.note_pruned(era);
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
        Self { set: self.set.clone(), slack: self.slack, news: News::default() }
    }
}

impl<T> fmt::Debug for WeakSet<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

impl<T> PartialEq for WeakSet<T> {
    fn eq(&self, other: &Self) -> bool {
        self.set == other.set
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
    type IntoIter = hashbrown::hash_set::IntoIter<Weak<T>>;

    fn into_iter(self) -> Self::IntoIter {
        self.set.into_iter()
    }
}

impl<'a, T> IntoIterator for &'a WeakSet<T> {
    type Item = Weak<T>;
    type IntoIter = core::iter::Copied<hashbrown::hash_set::Iter<'a, Weak<T>>>;

    fn into_iter(self) -> Self::IntoIter {
        self.set.iter().copied()
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
