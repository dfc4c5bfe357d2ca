//! Access: the write barrier, references to objects, iteration, and destroying objects by hand.
#![expect(unsafe_code, reason = "several references at once, into different slots")]

use alloc::vec::Vec;
use core::marker::PhantomData;

use crate::bitmap::Bits;
use crate::geometry::Granule;
use crate::handle::RawHandle;
use crate::space::Space;
use crate::store::living::Living;
use crate::store::look::Headers;
use crate::store::pages::Past;
use crate::store::slot::Slot;
use crate::store::{Look, Store, Vacated};

/// Whether a change of an object is logged.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Barrier {
    /// It may hold handles: the collector must trace it again.
    Log,
    /// It holds none.
    None,
}

impl Barrier {
    #[inline(always)]
    pub(crate) const fn of(needs_trace: bool) -> Self {
        if needs_trace { Barrier::Log } else { Barrier::None }
    }
}

/// The write barrier of iteration; a single object has `log_one`. One test of the header, which is in the
/// cache.
#[inline(always)]
fn log<T>(dirty: &mut Vec<RawHandle>, slot: Slot<'_, T>, raw: RawHandle, barrier: Barrier) {
    // The first change of an object since it was traced. (Or before, while a full collection marks; then the
    // entry is superfluous: see `log_one`.)
    if barrier == Barrier::Log && !slot.is_logged() {
        slot.note_logged();
        push(dirty, raw);
    }
}

/// As `log`, for a change of a single object. While a full collection marks, what is white will be traced if
/// it is reached at all, so it needs no entry.
#[inline(always)]
fn log_one<T: 'static>(
    dirty: &mut Vec<RawHandle>,
    is_marking: &bool,
    space: &Space,
    slot: Slot<'_, T>,
    raw: RawHandle,
    barrier: Barrier,
) {
    if barrier == Barrier::Log && !slot.is_logged() {
        slot.note_logged();
        list::<T>(dirty, is_marking, space, raw);
    }
}

/// Outlined, so that a change of an object that is listed already saves no register.
#[inline(never)]
fn list<T: 'static>(dirty: &mut Vec<RawHandle>, is_marking: &bool, space: &Space, raw: RawHandle) {
    if *is_marking || dirty.len() == dirty.capacity() {
        list_unless_white::<T>(dirty, *is_marking, space, raw);
    } else {
        push(dirty, raw);
    }
}

/// Outlined, so that `list` saves none either.
#[cold]
#[inline(never)]
fn list_unless_white<T: 'static>(
    dirty: &mut Vec<RawHandle>,
    is_marking: bool,
    space: &Space,
    raw: RawHandle,
) {
    if !is_marking || !Look::of(space).is_white::<T>(raw) {
        push(dirty, raw);
    }
}

#[inline]
fn push(dirty: &mut Vec<RawHandle>, raw: RawHandle) {
    dirty.push(raw);
}

impl Store {
    /// Logs a change of a living object.
    #[inline(always)]
    pub(super) fn note_change<T: 'static>(&mut self, raw: RawHandle, barrier: Barrier) {
        let Self { space, dirty, is_marking, .. } = self;
        if let Some(slot) = Look::of(space).find::<T>(raw) {
            log_one(dirty, is_marking, space, slot, raw, barrier);
        }
    }

    /// Notes whether a full collection marks: whether everything white will be traced if it is reached.
    pub(crate) fn set_marking(&mut self, is_marking: bool) {
        self.is_marking = is_marking;
    }

    /// The number of objects that were changed since they were last traced.
    pub(crate) fn dirty_len(&self) -> usize {
        self.dirty.len()
    }

    /// The next object that was changed since it was last traced; the latest first.
    pub(crate) fn next_dirty(&mut self) -> Option<RawHandle> {
        self.dirty.pop()
    }

    /// They must still be traced.
    pub(crate) fn put_dirty_back(&mut self, changed: Vec<RawHandle>) {
        self.dirty.extend(changed);
    }

    /// Whether the object was changed since it was last traced, or since this was last called.
    pub(crate) fn take_change(&self, raw: RawHandle) -> bool {
        self.untyped(raw.granule()).is_some_and(Slot::take_logged)
    }

    /// Prefetches the headers of the next `len`.
    pub(crate) fn prefetch_dirty(&self, len: usize) {
        let next = self.dirty.iter().rev().take(len);
        next.for_each(|raw| self.look().prefetch_near(raw.granule()));
    }

    /// Releases the spare memory of the lists.
    pub(crate) fn shrink_lists(&mut self) {
        self.dirty.shrink_to_fit();
    }

    /// Everything is white, so everything reached will be traced.
    pub(crate) fn forget_dirty(&mut self) {
        const KEEP: usize = 64 * 1024;
        self.dirty.clear();
        self.dirty.shrink_to(KEEP);
    }

    #[inline(always)]
    pub(crate) fn get_mut<T: 'static>(&mut self, raw: RawHandle, barrier: Barrier) -> Option<&mut T> {
        // SAFETY: the store is borrowed mutably for as long as the reference.
        unsafe { self.get_mut_apart(raw, barrier) }
    }

    /// As `get_mut`, with a lifetime that the caller chooses.
    ///
    /// # Safety
    /// While the reference lives the store may be used, but this object's value must not be accessed in any
    /// other way, and the object must not be ended.
    #[inline(always)]
    pub(crate) unsafe fn get_mut_apart<'a, T: 'static>(
        &mut self,
        raw: RawHandle,
        barrier: Barrier,
    ) -> Option<&'a mut T> {
        let Self { space, dirty, is_marking, .. } = self;
        let slot = Look::of(space).find::<T>(raw)?;
        log_one(dirty, is_marking, space, slot, raw, barrier);
        // SAFETY: the caller excludes all other access. Pages never move.
        unsafe { slot.exclusive() }.get_mut(raw)
    }

    /// Several objects at once; `None` if one is dead or two are the same.
    pub(crate) fn get_disjoint_mut<T: 'static, const N: usize>(
        &mut self,
        handles: [RawHandle; N],
        barrier: Barrier,
    ) -> Option<[&mut T; N]> {
        for (index, handle) in handles.iter().enumerate() {
            if !self.is_alive::<T>(*handle) || handles[..index].contains(handle) {
                return None;
            }
        }
        // SAFETY: the handles are alive and differ, hence so do the slots, and `&mut self` excludes all other
        // access.
        Some(handles.map(|raw| unsafe { self.get_mut_apart(raw, barrier) }.expect("seen alive just now")))
    }

    /// Two objects at once; `None` if one is dead or the two are the same.
    pub(crate) fn get_pair_mut<A: 'static, B: 'static>(
        &mut self,
        (a, a_barrier): (RawHandle, Barrier),
        (b, b_barrier): (RawHandle, Barrier),
    ) -> Option<(&mut A, &mut B)> {
        if a.granule() == b.granule() || !self.is_alive::<A>(a) || !self.is_alive::<B>(b) {
            return None;
        }
        // SAFETY: `&mut self` excludes all other access.
        let a = unsafe { self.get_mut_apart(a, a_barrier) }?;
        // SAFETY: likewise; the granules differ, so it is another slot than `a`'s.
        let b = unsafe { self.get_mut_apart(b, b_barrier) }?;
        Some((a, b))
    }

    /// Calls `change`, which adds no edges, with an object and what may be read beside it: generations and
    /// white bits.
    pub(crate) fn with_headers<T: 'static, R>(
        &mut self,
        raw: RawHandle,
        change: impl FnOnce(&mut T, Headers<'_>) -> R,
    ) -> Option<R> {
        // SAFETY: `&mut self` excludes all other access, and `Headers` reads only headers, which are not part
        // of the value.
        let value = unsafe { self.get_mut_apart(raw, Barrier::None) }?;
        Some(change(value, Headers::of(self)))
    }

    /// Every living object in these pages, in slot order.
    pub(crate) fn iter<'a, T: 'static>(&'a self, pages: &'a [u32]) -> Objects<'a, T> {
        Objects(Living::new(&self.space, &self.pages, pages))
    }

    /// Every living object in these pages, in slot order.
    pub(crate) fn iter_mut<'a, T: 'static>(
        &'a mut self,
        pages: &'a [u32],
        barrier: Barrier,
    ) -> ObjectsMut<'a, T> {
        let Self { space, pages: metas, dirty, .. } = self;
        ObjectsMut { living: Living::new(space, metas, pages), dirty, barrier, objects: PhantomData }
    }

    // ---- Death by hand

    /// Ends an object's life and returns its value. The slot stays occupied.
    pub(crate) fn take<T: 'static>(&mut self, raw: RawHandle) -> Option<(T, Vacated)> {
        let value = self.slot_mut::<T>(raw.granule())?.take(raw)?;
        self.note_past(raw.granule().page(), Past::Recycled);
        Some((value, Vacated::after(raw)))
    }

    /// Ends an object's life; the value waits for [`drop_slot`](Self::drop_slot). The slot stays occupied.
    pub(crate) fn kill<T: 'static>(&mut self, raw: RawHandle) -> Option<Vacated> {
        let is_own = self.slot_mut::<T>(raw.granule())?.doom(raw);
        is_own.then(|| {
            self.note_past(raw.granule().page(), Past::Recycled);
            Vacated::after(raw)
        })
    }

    /// Moves the value of a dead object out of its slot, unless its destructor ran or it was taken before.
    pub(crate) fn exhume<T: 'static>(&mut self, raw: RawHandle) -> Option<T> {
        self.slot_mut::<T>(raw.granule())?.exhume(raw)
    }

    /// Runs the destructor of a value whose object was killed, if it has not run yet. Adds up what it owned,
    /// according to `owned`.
    pub(crate) fn drop_slot<T: 'static>(&mut self, granule: Granule, owned: fn(&T) -> usize) {
        let mut freed = 0;
        if let Some(mut slot) = self.slot_mut::<T>(granule) {
            let freed = &mut freed;
            // Before the destructor, which may panic.
            slot.drop_doomed(|value| *freed = owned(value));
        }
        self.freed_owned = self.freed_owned.saturating_add(freed);
    }

    /// What values owned whose destructors ran since the last call.
    pub(crate) fn take_freed_owned(&mut self) -> usize {
        core::mem::take(&mut self.freed_owned)
    }

    /// Frees a slot whose object is gone, so that it can be claimed again.
    pub(crate) fn free(&mut self, granule: Granule) {
        if let Some(slot) = self.untyped(granule) {
            assert!(!slot.generation().is_occupied(), "only a dead object's slot is freed");
            self.clear(Bits::Occupied, granule);
            self.clear(Bits::White, granule);
        }
    }
}

/// Every living object of some pages.
pub(crate) struct Objects<'a, T>(Living<'a, T>);

impl<T> Clone for Objects<'_, T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<'a, T: 'static> Iterator for Objects<'a, T> {
    type Item = (RawHandle, &'a T);

    #[inline(always)]
    fn next(&mut self) -> Option<Self::Item> {
        let (raw, slot) = self.0.next()?;
        Some((raw, slot.get(raw)?))
    }

    #[inline(always)]
    fn fold<B, F: FnMut(B, Self::Item) -> B>(self, init: B, mut visit: F) -> B {
        self.0.fold(init, |all, raw, slot| match slot.get(raw) {
            Some(object) => visit(all, (raw, object)),
            None => all,
        })
    }
}

impl<T: 'static> DoubleEndedIterator for Objects<'_, T> {
    #[inline(always)]
    fn next_back(&mut self) -> Option<Self::Item> {
        let (raw, slot) = self.0.next_back()?;
        Some((raw, slot.get(raw)?))
    }
}

/// Every living object of some pages, mutably.
pub(crate) struct ObjectsMut<'a, T> {
    living: Living<'a, T>,
    dirty: &'a mut Vec<RawHandle>,
    barrier: Barrier,
    objects: PhantomData<&'a mut T>,
}

impl<'a, T: 'static> ObjectsMut<'a, T> {
    #[inline(always)]
    fn change(&mut self, raw: RawHandle, slot: Slot<'a, T>) -> Option<(RawHandle, &'a mut T)> {
        log(self.dirty, slot, raw, self.barrier);
        // SAFETY: `Living` returns each slot once, and the store is borrowed mutably for as long as the
        // reference; the iterator reads headers and bitmaps only.
        let slot = unsafe { slot.exclusive() };
        Some((raw, slot.get_mut(raw)?))
    }
}

impl<'a, T: 'static> Iterator for ObjectsMut<'a, T> {
    type Item = (RawHandle, &'a mut T);

    #[inline(always)]
    fn next(&mut self) -> Option<Self::Item> {
        let (raw, slot) = self.living.next()?;
        self.change(raw, slot)
    }

    #[inline(always)]
    fn fold<B, F: FnMut(B, Self::Item) -> B>(self, init: B, mut visit: F) -> B {
        let Self { living, dirty, barrier, objects } = self;
        // Everything but `living`.
        let mut rest = ObjectsMut { living: living.clone(), dirty, barrier, objects };
        living.fold(init, |all, raw, slot| match rest.change(raw, slot) {
            Some(item) => visit(all, item),
            None => all,
        })
    }
}

impl<T: 'static> DoubleEndedIterator for ObjectsMut<'_, T> {
    #[inline(always)]
    fn next_back(&mut self) -> Option<Self::Item> {
        let (raw, slot) = self.living.next_back()?;
        self.change(raw, slot)
    }
}

/// Every living object of some pages, mutably and already logged: for several threads.
#[cfg(feature = "rayon")]
pub(crate) struct LoggedMut<'a, T> {
    living: Living<'a, T>,
    objects: PhantomData<&'a mut T>,
}

#[cfg(feature = "rayon")]
impl<'a, T: 'static> Objects<'a, T> {
    /// See [`Living::split_at`].
    pub(crate) fn split_at(self, starts: &[usize], number: usize) -> (Self, Self) {
        let (left, right) = self.0.split_at(starts, number);
        (Self(left), Self(right))
    }

    /// The number of objects in the page of this index.
    pub(crate) fn len_of_page(&self, page: usize) -> usize {
        self.0.survey(page, Barrier::None).0
    }
}

#[cfg(feature = "rayon")]
impl<'a, T: 'static> LoggedMut<'a, T> {
    /// See [`Living::split_at`].
    pub(crate) fn split_at(self, starts: &[usize], number: usize) -> (Self, Self) {
        let (left, right) = self.living.split_at(starts, number);
        (Self { living: left, objects: PhantomData }, Self { living: right, objects: PhantomData })
    }

    fn exclusive(slot: Slot<'a, T>, raw: RawHandle) -> Option<(RawHandle, &'a mut T)> {
        // SAFETY: pieces of a split have no slot in common, `Living` returns each slot once, and the store is
        // borrowed mutably for as long as the reference; iterators read headers and bitmaps only.
        let slot = unsafe { slot.exclusive() };
        Some((raw, slot.get_mut(raw)?))
    }
}

#[cfg(feature = "rayon")]
impl<'a, T: 'static> Iterator for LoggedMut<'a, T> {
    type Item = (RawHandle, &'a mut T);

    fn next(&mut self) -> Option<Self::Item> {
        let (raw, slot) = self.living.next()?;
        Self::exclusive(slot, raw)
    }
}

#[cfg(feature = "rayon")]
impl<T: 'static> DoubleEndedIterator for LoggedMut<'_, T> {
    fn next_back(&mut self) -> Option<Self::Item> {
        let (raw, slot) = self.living.next_back()?;
        Self::exclusive(slot, raw)
    }
}

#[cfg(feature = "rayon")]
impl Store {
    /// Logs the objects in the page of this index. Returns their number, and those that must be passed to
    /// [`note_logged`](Self::note_logged). Several pages may be surveyed at once.
    pub(crate) fn log_page<T: 'static>(
        &self,
        pages: &[u32],
        page: usize,
        barrier: Barrier,
    ) -> (usize, Vec<RawHandle>) {
        Living::<T>::new(&self.space, &self.pages, pages).survey(page, barrier)
    }

    /// Adds logged objects to the list.
    pub(crate) fn note_logged(&mut self, mut logged: Vec<RawHandle>) {
        self.dirty.append(&mut logged);
    }

    /// Every living object in these pages, in slot order. All have been logged.
    pub(crate) fn iter_logged_mut<'a, T: 'static>(&'a mut self, pages: &'a [u32]) -> LoggedMut<'a, T> {
        LoggedMut { living: Living::new(&self.space, &self.pages, pages), objects: PhantomData }
    }
}
