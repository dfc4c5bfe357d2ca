//! The heap without one object.
#![expect(unsafe_code, reason = "keeps one object apart from the others, for as long as both are borrowed")]

use crate::handle::{Gc, RawHandle, Weak};
use crate::heap::Heap;
use crate::heap::access::{barrier, index, raise};
use crate::root::Root;
use crate::trace::{Handle, Trace, Values};

/// Every object but the one split off, from [`Heap::split_mut`].
///
/// The one split off is alive for [`is_alive`](Self::is_alive) and [`upgrade`](Self::upgrade), `None` for
/// [`get`](Self::get) and [`get_mut`](Self::get_mut), and panics when indexed. Nothing dies while an `Others`
/// exists: there is no `collect` and no `destroy`.
///
/// # Examples
/// ```
/// use slotgc::Heap;
///
/// let mut heap = Heap::new();
/// let (list, item) = (heap.alloc(vec![]), heap.alloc(7));
/// let (numbers, mut rest) = heap.split_mut(list).unwrap();
/// numbers.push(rest[item]);
/// let made = rest.alloc(8);
/// numbers.push(rest[made]);
/// assert_eq!(heap[list], [7, 8]);
/// ```
#[derive(Debug)]
pub struct Others<'a> {
    /// Used only by the methods below, none of which touches the value of the object kept apart.
    heap: &'a mut Heap,
    apart: RawHandle,
}

impl<'a> Others<'a> {
    pub(super) fn split<T: Trace>(heap: &'a mut Heap, weak: Weak<T>) -> Option<(&'a mut T, Self)> {
        // SAFETY: while `Others` lives it has the heap to itself. Its `get` and `get_mut` refuse the object
        // kept apart, `alloc` writes to unoccupied slots, and nothing in it kills or drops an object.
        let value = unsafe { heap.store.get_mut_apart::<T>(weak.raw(), barrier::<T>()) }?;
        Some((value, Self { heap, apart: weak.raw() }))
    }

    /// The object; `None` if it is gone or the one split off.
    #[inline]
    pub fn get<H: Handle>(&self, h: H) -> Option<&H::Target> {
        if self.heap.local(h).raw() == self.apart { None } else { self.heap.get(h) }
    }

    /// The object, mutably; `None` if it is gone or the one split off.
    #[inline]
    pub fn get_mut<H: Handle>(&mut self, h: H) -> Option<&mut H::Target> {
        if self.heap.local(h).raw() == self.apart { None } else { self.heap.get_mut(h) }
    }

    /// Whether the object is still there; the one split off is.
    #[inline]
    pub fn is_alive(&self, h: impl Handle) -> bool {
        self.heap.is_alive(h)
    }

    /// A strong handle of the object, if it is still there; the one split off is.
    #[inline]
    pub fn upgrade<T: Trace>(&self, weak: Weak<T>) -> Option<Gc<T>> {
        self.heap.upgrade(weak)
    }

    /// Makes an object, see [`Heap::alloc`].
    ///
    /// # Panics
    /// When a limit is reached.
    #[track_caller]
    pub fn alloc<T: Trace>(&mut self, value: T) -> Gc<T> {
        self.heap.alloc_beside(value)
    }

    /// Access to the values of the other objects, for a table that hashes them.
    pub(super) fn values(&self) -> Values<'_> {
        Values::new(&self.heap.store, self.apart)
    }

    #[inline]
    #[track_caller]
    fn at<H: Handle>(&self, h: H) -> &H::Target {
        match self.get(h) {
            Some(value) => value,
            None => self.refuse(h),
        }
    }

    #[inline]
    #[track_caller]
    fn at_mut<H: Handle>(&mut self, h: H) -> &mut H::Target {
        if self.heap.local(h).raw() == self.apart || !self.is_alive(h) {
            self.refuse(h);
        }
        self.get_mut(h).expect("seen alive just now")
    }

    #[cold]
    #[inline(never)]
    #[track_caller]
    fn refuse<H: Handle>(&self, h: H) -> ! {
        let raw = self.heap.local(h).raw();
        if raw == self.apart {
            panic!(
                "{:?} is split off from these others: use the reference that `split_mut` returned",
                Gc::<H::Target>::from_raw(raw)
            );
        }
        raise(self.heap.dead(h))
    }
}

index!(Others<'_>: Gc<T>, Weak<T>, &Root<T>, &Gc<T>, &Weak<T>);
