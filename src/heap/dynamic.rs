//! Objects behind traits, read and changed.

use core::ops::{Index, IndexMut};

use crate::config::{Cause, Dead};
use crate::gc_dyn::{DynHandle, GcDyn, RootDyn, WeakDyn};
use crate::handle::Gc;
use crate::heap::Heap;
use crate::heap::access::raise;
use crate::root::Root;

/// # Objects behind traits
impl Heap {
    /// The object behind its trait, or `None` if it is gone. O(1), through a function pointer.
    ///
    /// # Examples
    /// ```
    /// use slotgc::{GcDyn, Heap, gc_dyn};
    ///
    /// trait Named { fn name(&self) -> &str; }
    /// gc_dyn!(dyn Named);
    /// impl Named for String { fn name(&self) -> &str { self } }
    ///
    /// let mut heap = Heap::new();
    /// let bear: GcDyn<dyn Named> = heap.alloc("Teddy".to_string()).into();
    /// assert_eq!(heap.get_dyn(bear).unwrap().name(), "Teddy");
    /// heap.collect();
    /// assert!(heap.get_dyn(bear).is_none());
    /// ```
    #[inline]
    pub fn get_dyn<H: DynHandle>(&self, h: H) -> Option<&H::Dyn> {
        self.local_dyn(h)?.get(&self.store)
    }

    /// The object behind its trait, mutably, or `None` if it is gone. Passes the write barrier, as
    /// [`get_mut`](Self::get_mut) does. O(1).
    #[inline]
    pub fn get_dyn_mut<H: DynHandle>(&mut self, h: H) -> Option<&mut H::Dyn> {
        self.local_dyn(h)?.get_mut(&mut self.store)
    }

    /// Whether the object is still there. O(1).
    pub fn is_alive_dyn(&self, h: impl DynHandle) -> bool {
        self.get_dyn(h).is_some()
    }

    /// A strong handle of the object, if it is still there. O(1).
    ///
    /// # Examples
    /// ```
    /// use slotgc::{Heap, WeakDyn, gc_dyn};
    ///
    /// trait Named {}
    /// gc_dyn!(dyn Named);
    /// impl Named for String {}
    ///
    /// let mut heap = Heap::new();
    /// let bear = heap.alloc("Teddy".to_string());
    /// let named: WeakDyn<dyn Named> = bear.downgrade().into();
    /// assert_eq!(heap.upgrade_dyn(named).unwrap().downcast(), Some(bear));
    /// ```
    pub fn upgrade_dyn<D: ?Sized>(&self, weak: WeakDyn<D>) -> Option<GcDyn<D>> {
        self.is_alive_dyn(weak).then(|| weak.assume_strong())
    }

    /// A root of the object, if it is still there. O(1).
    ///
    /// # Examples
    /// ```
    /// use slotgc::{GcDyn, Heap, gc_dyn};
    ///
    /// trait Named { fn name(&self) -> &str; }
    /// gc_dyn!(dyn Named);
    /// impl Named for String { fn name(&self) -> &str { self } }
    ///
    /// let mut heap = Heap::new();
    /// let bear: GcDyn<dyn Named> = heap.alloc("Teddy".to_string()).into();
    /// let root = heap.root_dyn(bear).unwrap();
    /// heap.collect();
    /// assert_eq!(heap[&root].name(), "Teddy");
    /// ```
    #[must_use = "the object is kept alive for as long as the root is"]
    #[track_caller]
    pub fn root_dyn<H: DynHandle>(&self, h: H) -> Option<RootDyn<H::Dyn>> {
        let handle = self.local_dyn(h).filter(|handle| self.is_alive_dyn(*handle))?;
        let gc = Gc::from_raw(handle.assume_strong().erase().raw());
        Some(RootDyn::of(Root::new(&self.roots, gc), handle))
    }

    /// The weak handle, unless it is a root's of another heap.
    fn local_dyn<H: DynHandle>(&self, h: H) -> Option<WeakDyn<H::Dyn>> {
        h.is_of(self.number()).then(|| h.downgrade())
    }
}

/// The error for a handle that does not resolve in the heap with this number.
fn dead<H: DynHandle>(h: H, heap: u64) -> Dead {
    h.downgrade().dead(match () {
        () if h.is_foreign(heap) => Cause::OtherHeap,
        () if h.is_strong() => Cause::NotKept,
        () => Cause::Gone,
    })
}

/// `heap[handle]` panics where `get_dyn` returns `None`.
macro_rules! index {
    ($($handle:ty),*) => {$(
        impl<D: ?Sized + 'static> Index<$handle> for Heap {
            type Output = D;

            /// # Panics
            /// With the text of [`Dead`](crate::Dead) if the object is gone.
            #[track_caller]
            fn index(&self, handle: $handle) -> &D {
                match self.get_dyn(handle) {
                    Some(object) => object,
                    None => raise(dead(handle, self.number())),
                }
            }
        }

        impl<D: ?Sized + 'static> IndexMut<$handle> for Heap {
            /// # Panics
            /// With the text of [`Dead`](crate::Dead) if the object is gone.
            #[track_caller]
            fn index_mut(&mut self, handle: $handle) -> &mut D {
                let heap = self.number();
                match self.get_dyn_mut(handle) {
                    Some(object) => object,
                    None => raise(dead(handle, heap)),
                }
            }
        }
    )*};
}

index!(GcDyn<D>, WeakDyn<D>, &GcDyn<D>, &WeakDyn<D>, &RootDyn<D>);
