//! Looking up many handles, with their objects prefetched.

use core::fmt;
use core::iter::FusedIterator;

use crate::geometry::{GRANULE_BYTES, Geometry, Granule};
use crate::handle::ShortName;
use crate::heap::Heap;
use crate::trace::Handle;

/// How many objects ahead are prefetched. As in the mark loop: into the second-level cache early, which takes
/// many requests at a time, and into the first shortly before use. With the first level alone, or without the
/// second line of a slot, a million objects of 64 bytes take 14 to 16 nanoseconds each, as plain `get`s do;
/// with both it is 5.5 (`get/many` in `crates/versus`).
const FAR: usize = 64;
const NEAR: usize = 8;

/// # Many lookups at once
impl Heap {
    /// The objects of these handles, in order: what [`get`](Self::get) returns for each. Several times as
    /// fast where the objects lie apart, since the next ones are prefetched. O(handles).
    ///
    /// # Examples
    /// ```
    /// use slotgc::Heap;
    ///
    /// let mut heap = Heap::new();
    /// let healths = heap.alloc_many([70_u32, 30, 50]);
    /// heap.destroy(healths[1]);
    /// let alive: u32 = heap.get_many(&healths).flatten().sum();
    /// assert_eq!(alive, 120);
    /// assert!(heap.get_many(&healths).eq([Some(&70), None, Some(&50)]));
    /// ```
    #[doc(alias("batch", "prefetch"))]
    pub fn get_many<'a, H: Handle>(&'a self, handles: &'a [H]) -> GetMany<'a, H> {
        let many = GetMany { heap: self, handles };
        handles.iter().take(FAR).for_each(|h| many.prefetch_far(*h));
        handles.iter().take(NEAR).for_each(|h| many.prefetch_near(*h));
        many
    }
}

/// The objects of many handles: of [`Heap::get_many`].
///
/// # Examples
/// ```
/// use slotgc::{Gc, Heap, iter::GetMany};
///
/// fn total(healths: GetMany<'_, Gc<u32>>) -> u32 {
///     healths.flatten().sum()
/// }
///
/// let mut heap = Heap::new();
/// let healths = heap.alloc_many([1, 2, 3]);
/// assert_eq!(total(heap.get_many(&healths[1..])), 5);
/// ```
pub struct GetMany<'a, H> {
    heap: &'a Heap,
    handles: &'a [H],
}

impl<'a, H: Handle> GetMany<'a, H> {
    /// Prefetches the beginning of the slot: the one or two cache lines that it lies on. More of a large
    /// object would be wasted if the caller reads only a field.
    #[inline(always)]
    fn prefetch_far(&self, h: H) {
        const LINE_GRANULES: u32 = 64 / GRANULE_BYTES as u32;
        let (first, look) = (h.downgrade().raw().granule(), self.heap.store.look());
        let last = const { Geometry::<H::Target>::SLOT_GRANULES - 1 }.min(LINE_GRANULES);
        look.prefetch_far(first, 1);
        // A hint may name an address without a slot.
        look.prefetch_far(Granule(first.0.wrapping_add(last)), 1);
    }

    #[inline(always)]
    fn prefetch_near(&self, h: H) {
        self.heap.store.look().prefetch_near(h.downgrade().raw().granule());
    }
}

impl<'a, H: Handle> Iterator for GetMany<'a, H> {
    type Item = Option<&'a H::Target>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if let Some(h) = self.handles.get(FAR) {
            self.prefetch_far(*h);
        }
        if let Some(h) = self.handles.get(NEAR) {
            self.prefetch_near(*h);
        }
        let (h, rest) = self.handles.split_first()?;
        self.handles = rest;
        Some(self.heap.get(*h))
    }

    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.handles.len(), Some(self.handles.len()))
    }

    fn nth(&mut self, n: usize) -> Option<Self::Item> {
        self.handles = self.handles.get(n..).unwrap_or_default();
        self.next()
    }
}

impl<H: Handle> DoubleEndedIterator for GetMany<'_, H> {
    #[inline]
    fn next_back(&mut self) -> Option<Self::Item> {
        let len = self.handles.len();
        if let Some(before) = len.checked_sub(FAR + 1) {
            self.prefetch_far(self.handles[before]);
        }
        if let Some(before) = len.checked_sub(NEAR + 1) {
            self.prefetch_near(self.handles[before]);
        }
        let (h, rest) = self.handles.split_last()?;
        self.handles = rest;
        Some(self.heap.get(*h))
    }
}

impl<H: Handle> ExactSizeIterator for GetMany<'_, H> {}

impl<H: Handle> FusedIterator for GetMany<'_, H> {}

impl<H> Clone for GetMany<'_, H> {
    fn clone(&self) -> Self {
        Self { heap: self.heap, handles: self.handles }
    }
}

impl<H: Handle> fmt::Debug for GetMany<'_, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GetMany<{}>({} left)", ShortName::of::<H::Target>(), self.handles.len())
    }
}
