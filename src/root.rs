//! The root set: which objects a collection starts from.

mod notes;
mod table;

use alloc::borrow::Cow;
use core::fmt;
use core::hash::{Hash, Hasher};
use core::panic::Location;

use crate::handle::{AnyGc, Gc, ShortName, Weak};
use crate::sync::Arc;

use notes::RootNotes;

pub(crate) use notes::RootNote;
pub(crate) use table::{KeptRoots, RootTable};

/// Stands for a heap's number, but is never that of any heap.
const UNDONE: u64 = u64::MAX;

/// A strong root: keeps its object, and all that it reaches, alive until dropped.
///
/// `Clone`, `Send` and `Sync`; may be dropped on any thread, even while a collection runs: the next one
/// notices. Made by [`Heap::alloc_root`](crate::Heap::alloc_root) and [`Heap::root`](crate::Heap::root).
/// Cloning and dropping are O(1), without a lock.
///
/// A `Root` inside an object of the same heap would keep what it holds alive for ever, so it does not
/// implement [`Trace`](crate::Trace): store a [`Gc`] there.
///
/// Equal, ordered and hashed as its `Gc`, and `Borrow<Gc<T>>`: a set of roots can be queried with a handle.
/// Once its object was destroyed by hand, or by [`Heap::clear`](crate::Heap::clear), a `Root` keeps nothing
/// alive and resolves to `None`.
///
/// A `Root` knows its heap: in any other it resolves to nothing, and roots of two heaps are never equal.
///
/// # Examples
/// ```
/// use slotgc::Heap;
///
/// let mut heap = Heap::new();
/// let root = heap.alloc_root("Teddy".to_string());
/// heap.collect();
/// assert_eq!(heap[&root], "Teddy");
///
/// let gc = root.gc();
/// std::thread::spawn(move || drop(root)).join().unwrap();
/// heap.collect();
/// assert_eq!(heap.get(gc), None);
/// ```
#[doc(alias("Strong", "rooted", "pin"))]
pub struct Root<T> {
    gc: Gc<T>,
    index: u32,
    table: Arc<RootTable>,
}

impl<T> Root<T> {
    #[inline]
    #[track_caller]
    pub(crate) fn new(table: &Arc<RootTable>, gc: Gc<T>) -> Self {
        let root = Self { gc, index: table.insert(gc.raw()), table: Arc::clone(table) };
        if table.remembers_origins() {
            let origin = Location::caller();
            table.note(root.index, |note| note.origin = Some(origin));
        }
        root
    }

    /// The same root with a name for people, which paths and snapshots show. It lasts as long as any clone;
    /// naming again replaces it for all clones.
    ///
    /// # Examples
    /// ```
    /// use slotgc::Heap;
    ///
    /// let mut heap = Heap::new();
    /// let bus = heap.alloc_root("event bus").named("event_bus");
    /// # #[cfg(feature = "inspect")]
    /// assert_eq!(heap.why_alive(&bus).unwrap().root_name(), Some("event_bus"));
    /// ```
    pub fn named(self, name: impl Into<Cow<'static, str>>) -> Self {
        let name = name.into();
        self.table.note(self.index, |note| note.name = Some(name));
        self
    }

    /// Whether its object is one of this heap, and none that [`roll_back`](crate::Heap::roll_back) undid.
    #[inline(always)]
    pub(crate) fn is_of(&self, heap: u64) -> bool {
        self.table.is_of(heap, self.index)
    }

    pub(crate) fn heap_number(&self) -> u64 {
        self.table.heap_number()
    }

    /// What tells its object from others with the same handle: the heap's number, or `UNDONE`.
    fn identity(&self) -> u64 {
        if self.table.is_undone(self.index) { UNDONE } else { self.table.heap_number() }
    }

    /// The same root, with another type for its object.
    pub(crate) fn retyped<U>(self) -> Root<U> {
        // The old root releases its count when it is dropped.
        self.table.retain(self.index);
        Root { gc: Gc::from_raw(self.gc.raw()), index: self.index, table: Arc::clone(&self.table) }
    }

    /// The handle of the object, to be stored in other objects.
    #[inline]
    pub fn gc(&self) -> Gc<T> {
        self.gc
    }

    /// A weak handle of the object.
    #[inline]
    pub fn downgrade(&self) -> Weak<T> {
        self.gc.downgrade()
    }
}

impl<T> Clone for Root<T> {
    fn clone(&self) -> Self {
        self.table.retain(self.index);
        Self { gc: self.gc, index: self.index, table: Arc::clone(&self.table) }
    }
}

impl<T> Drop for Root<T> {
    fn drop(&mut self) {
        self.table.release(self.index);
    }
}

impl<T> PartialEq for Root<T> {
    fn eq(&self, other: &Self) -> bool {
        self.gc == other.gc && self.identity() == other.identity()
    }
}

impl<T> Eq for Root<T> {}

impl<T> PartialOrd for Root<T> {
    fn partial_cmp(&self, other: &Self) -> Option<core::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for Root<T> {
    fn cmp(&self, other: &Self) -> core::cmp::Ordering {
        self.gc.cmp(&other.gc).then(self.identity().cmp(&other.identity()))
    }
}

impl<T> Hash for Root<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.gc.hash(state);
    }
}

impl<T> core::borrow::Borrow<Gc<T>> for Root<T> {
    fn borrow(&self) -> &Gc<T> {
        &self.gc
    }
}

impl<T> fmt::Debug for Root<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Root<{}>({})", ShortName::of::<T>(), self.gc)
    }
}

impl<T> fmt::Display for Root<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.gc, f)
    }
}

impl<T> From<&Root<T>> for Gc<T> {
    fn from(root: &Root<T>) -> Self {
        root.gc
    }
}

impl<T> From<&Root<T>> for AnyGc {
    fn from(root: &Root<T>) -> Self {
        root.gc.erase()
    }
}

impl<T> From<&Root<T>> for Weak<T> {
    fn from(root: &Root<T>) -> Self {
        root.downgrade()
    }
}

/// Equality of a `Root` with the `Copy` handles, both ways round.
macro_rules! root_equals {
    ($($handle:ident),*) => {$(
        impl<T> PartialEq<$handle<T>> for Root<T> {
            fn eq(&self, other: &$handle<T>) -> bool {
                self.gc == *other
            }
        }

        impl<T> PartialEq<Root<T>> for $handle<T> {
            fn eq(&self, other: &Root<T>) -> bool {
                other.gc == *self
            }
        }
    )*};
}

root_equals!(Gc, Weak);
