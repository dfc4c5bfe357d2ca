//! Many objects at once: made, kept or destroyed.

use alloc::vec::Vec;
use core::error::Error;
use core::fmt;

use crate::collector::CycleKind;
use crate::config::{AllocError, Limit, Refusal};
use crate::geometry::{Geometry, RANGE_BYTES};
use crate::handle::{Gc, RawHandle};
use crate::heap::Heap;
use crate::panics::Panics;
use crate::stats::CollectStats;
use crate::store::Tenant;
use crate::trace::Trace;

/// # Many objects at once
impl Heap {
    /// Allocates an object for each value, in order, with one reservation for as many as the iterator
    /// promises (the lower bound of its `size_hint`). The objects are adjacent, as far as there is room.
    ///
    /// # Panics
    /// As [`alloc`](Self::alloc), when a limit is reached; what was made until then stays, and is garbage.
    /// [`try_alloc_many`](Self::try_alloc_many) loses nothing.
    ///
    /// # Examples
    /// ```
    /// use slotgc::Heap;
    ///
    /// let mut heap = Heap::new();
    /// let names = heap.alloc_many(["Teddy", "Pooh"].map(String::from));
    /// assert_eq!(heap[names[1]], "Pooh");
    /// ```
    #[track_caller]
    pub fn alloc_many<T: Trace>(&mut self, values: impl IntoIterator<Item = T>) -> Vec<Gc<T>> {
        let mut values = values.into_iter();
        let mut made = self.room_for_handles::<T>(values.size_hint().0);
        match self.fill_many(&mut values, |gc| made.push(gc)) {
            Ok(()) => made,
            Err((_, limit)) => refuse::<T>(limit),
        }
    }

    /// As [`alloc_many`](Self::alloc_many), up to a limit.
    ///
    /// # Errors
    /// [`AllocManyError`] with everything in it: the handles of what was made, the value that was refused,
    /// and the iterator with the rest.
    ///
    /// # Examples
    /// ```
    /// use slotgc::{Heap, HeapConfig};
    ///
    /// let mut heap = Heap::with_config(HeapConfig::default().max_objects(2));
    /// let refused = heap.try_alloc_many(1..=4).unwrap_err();
    /// let (made, refused, rest) = refused.into_parts();
    /// assert_eq!((heap[made[0]], heap[made[1]]), (1, 2));
    /// assert_eq!((refused.into_inner(), rest), (3, 4..=4));
    /// ```
    pub fn try_alloc_many<T: Trace, I: IntoIterator<Item = T>>(
        &mut self,
        values: I,
    ) -> Result<Vec<Gc<T>>, AllocManyError<T, I::IntoIter>> {
        let mut values = values.into_iter();
        let mut made = self.room_for_handles::<T>(values.size_hint().0);
        match self.fill_many(&mut values, |gc| made.push(gc)) {
            Ok(()) => Ok(made),
            Err((value, limit)) => {
                Err(AllocManyError { made, refused: AllocError::new(value, limit), rest: values })
            }
        }
    }

    /// Allocates an object for each value, as long as there is room.
    fn fill_many<T: Trace>(
        &mut self,
        values: &mut impl Iterator<Item = T>,
        mut made: impl FnMut(Gc<T>),
    ) -> Result<(), (T, Limit)> {
        self.reserve::<T>(values.size_hint().0);
        while let Some(value) = values.next() {
            #[cfg(gc_zeal)]
            self.mark_a_bit();
            let mut ready = match self.ready_pool::<T>() {
                Ok(ready) => ready,
                Err(limit) => return Err((value, limit)),
            };
            made(ready.fill(value));
            // The pool is found once for the slots of a claim, and the limits are one number to compare.
            while !cfg!(gc_zeal) && ready.has_room::<T>() {
                match values.next() {
                    Some(value) => made(ready.fill(value)),
                    None => return Ok(()),
                }
            }
        }
        Ok(())
    }

    /// Objects of `T` that the limits and the range leave room for, at most.
    fn most_more<T: Trace>(&self) -> usize {
        let objects = self.config.objects_limit().saturating_sub(self.counts.objects);
        let bytes = self.config.bytes_limit().saturating_sub(self.counts.bytes);
        let range = usize::try_from(RANGE_BYTES).unwrap_or(usize::MAX);
        objects.min(bytes.min(range) / Geometry::<T>::SLOT_BYTES)
    }

    fn room_for_handles<T: Trace>(&self, promised: usize) -> Vec<Gc<T>> {
        let mut handles = Vec::new();
        // An iterator that promises too much gets the room that exists, bit by bit.
        let _ = handles.try_reserve_exact(promised.min(self.most_more::<T>()));
        handles
    }

    /// Makes room in all lists for the pages of this many objects.
    pub(super) fn reserve<T: Trace>(&mut self, promised: usize) {
        let objects = promised.min(self.most_more::<T>());
        if objects < Geometry::<T>::PAGE_SLOTS as usize {
            return;
        }
        // One type too many is refused with the first value.
        if let Ok(index) = self.pool_index::<T>() {
            self.pools[usize::from(index)].reserve(&mut self.store, objects);
        }
    }

    /// Keeps the objects of type `T` for which `keep` returns true; the others die as by
    /// [`destroy_any`](Self::destroy_any).
    ///
    /// `keep` is called once for each living object, in slot order, and may change it: each passes the write
    /// barrier. Afterwards the others die at once; then their values move to their graveyards or are dropped,
    /// tags are sent and callbacks run. O(slots of `T`), and what each death costs.
    ///
    /// # Panics
    /// If `keep` does; then nothing has died. If a destructor or a callback does, at the end; everything else
    /// is dropped and notified all the same.
    ///
    /// # Examples
    /// ```
    /// use slotgc::Heap;
    ///
    /// let mut heap = Heap::new();
    /// let timers = heap.alloc_many([1_u32, 3]);
    /// heap.retain::<u32>(|_, timer| {
    ///     *timer -= 1;
    ///     *timer > 0
    /// });
    /// assert_eq!((heap.get(timers[0]), heap.get(timers[1])), (None, Some(&2)));
    /// ```
    pub fn retain<T: Trace>(&mut self, mut keep: impl FnMut(Gc<T>, &mut T) -> bool) {
        let dying = self.iter_mut::<T>().filter_map(|(gc, object)| (!keep(gc, object)).then(|| gc.raw()));
        let dying: Vec<_> = dying.collect();
        let mut panics = Panics::default();
        let mourning = self.begin_mourning();
        let dead = self.doom(dying, &mut panics);
        self.forget_dead(dead);
        mourning.tell(self, &mut panics);
        panics.raise();
    }

    /// Destroys all objects, as a collection that reaches nothing would, including those that a
    /// [`Root`](crate::Root) holds; it resolves to `None` from here on. Finalizers and callbacks run, on the
    /// emptied heap; what they make is there when this returns. An object under construction by
    /// [`alloc_cyclic`](Self::alloc_cyclic) stays.
    ///
    /// No earlier handle ever names another object. Drop the roots of what is gone, and empty the root
    /// sources: a stale handle in them costs the next collections some time. Memory is kept for new objects;
    /// [`shrink_to_fit`](Self::shrink_to_fit) returns it. O(slots + roots).
    ///
    /// A cycle in progress is finished first if it has begun freeing. Inside a callback the objects die as by
    /// [`destroy_any`](Self::destroy_any).
    ///
    /// # Panics
    /// If a destructor or a callback does, at the end: everything else has run all the same.
    ///
    /// # Examples
    /// ```
    /// use slotgc::Heap;
    ///
    /// let mut heap = Heap::new();
    /// let level = heap.alloc_root("forest".to_string());
    /// heap.on_death(&level, |heap, _| drop(heap.alloc("the forest is gone".to_string()))).unwrap();
    /// heap.clear();
    /// assert_eq!(heap.get(&level), None);
    /// assert_eq!(heap.iter::<String>().next().unwrap().1, "the forest is gone");
    /// ```
    pub fn clear(&mut self) {
        if self.is_telling() {
            let mut living = Vec::new();
            self.pools.iter().for_each(|pool| pool.each_living(&self.store, &mut |raw| living.push(raw)));
            let mut panics = Panics::default();
            let mourning = self.begin_mourning();
            let dead = self.doom(living, &mut panics);
            self.forget_dead(dead);
            mourning.tell(self, &mut panics);
            return panics.raise();
        }
        self.take_up_shared();
        self.in_one_go(|heap, clock, panics| {
            let own = heap.number();
            heap.finish_committed(&(), clock, panics);
            if heap.number() != own {
                return CollectStats::default();
            }
            // A root of an object that is gone names its slot, which must not be reused meanwhile: such slots
            // wait in limbo.
            let rooted = (0..heap.roots.words_len()).flat_map(|word| heap.roots.in_word(word));
            let rooted: Vec<_> = rooted.filter(|raw| heap.store.is_alive_any(*raw)).collect();
            heap.doom(rooted, panics);
            heap.wants_collection = false;
            heap.cycles(CycleKind::Clear, &(), clock, panics)
        });
    }

    /// Keeps the slots that roots name, whose objects are gone, out of the sweep.
    pub(super) fn spare_what_roots_name(&mut self) {
        for word in 0..self.roots.words_len() {
            for raw in self.roots.in_word(word) {
                if self.store.tenant_of(raw) == Tenant::None {
                    self.store.spare(raw.granule());
                }
            }
        }
    }

    /// Ends these objects, all of them before any user code runs; then buries their values or runs their
    /// destructors. What is registered on them becomes due. Returns those that were alive.
    fn doom(&mut self, mut dying: Vec<RawHandle>, panics: &mut Panics) -> Vec<RawHandle> {
        self.note_peak();
        let may_have_entries = self.collector.knows_weak_collections();
        dying.retain(|raw| {
            let (is_watched, is_young) = (self.store.is_watched(*raw), self.is_young(*raw));
            let pool = &mut self.pools[usize::from(self.store.pool_of(raw.granule()))];
            let Some(vacated) = pool.kill(&mut self.store, *raw) else {
                return false;
            };
            // Not reused before their destructors have run: limbo is trimmed later.
            pool.count_doomed(&mut self.store, raw.granule(), vacated);
            let slot_bytes = pool.info().slot_bytes;
            self.count_died(*raw, slot_bytes, is_young);
            self.load.destroy(0, may_have_entries);
            if is_watched {
                self.mourn_one(*raw);
            }
            true
        });
        while self.deaths.bury_next(&mut self.store) {}
        let mut left = dying.iter();
        panics.run_all(|| {
            let next = left.next();
            if let Some(raw) = next {
                let pool = &self.pools[usize::from(self.store.pool_of(raw.granule()))];
                pool.drop_slot(&mut self.store, raw.granule());
            }
            next.is_some()
        });
        self.settle_owned();
        dying
    }

    /// Trims limbo, which may have become long.
    fn forget_dead(&mut self, dead: Vec<RawHandle>) {
        let mut last = None;
        for raw in dead {
            let pool = self.store.pool_of(raw.granule());
            if last.replace(pool) != Some(pool) {
                self.pools[usize::from(pool)].bound_limbo(&mut self.store);
            }
        }
    }
}

impl<T: Trace> Extend<T> for Heap {
    /// Allocates an object for each value, as [`alloc_many`](Heap::alloc_many) does, without returning
    /// handles: [`iter`](Heap::iter) finds the objects, and so does the next collection.
    ///
    /// # Panics
    /// As [`alloc`](Heap::alloc), when a limit is reached.
    #[track_caller]
    fn extend<I: IntoIterator<Item = T>>(&mut self, values: I) {
        if let Err((_, limit)) = self.fill_many(&mut values.into_iter(), |_| {}) {
            refuse::<T>(limit);
        }
    }
}

#[cold]
#[inline(never)]
#[track_caller]
fn refuse<T>(limit: Limit) -> ! {
    panic!("slotgc: {}", Refusal::of::<T>(limit))
}

/// A limit was reached during [`Heap::try_alloc_many`]. Nothing is lost.
///
/// # Examples
/// ```
/// use slotgc::{Heap, HeapConfig};
///
/// let mut heap = Heap::with_config(HeapConfig::default().max_objects(1));
/// let refused = heap.try_alloc_many(["a", "b"]).unwrap_err();
/// assert!(refused.to_string().ends_with("max_objects of 1 objects reached, after 1 of them"));
/// assert_eq!(heap[refused.made()[0]], "a");
/// ```
pub struct AllocManyError<T, I> {
    made: Vec<Gc<T>>,
    refused: AllocError<T>,
    rest: I,
}

impl<T, I> AllocManyError<T, I> {
    /// The objects that were made, in order.
    pub fn made(&self) -> &[Gc<T>] {
        &self.made
    }

    /// The objects that were made, the error with the refused value in it, and the iterator with the
    /// remaining values.
    pub fn into_parts(self) -> (Vec<Gc<T>>, AllocError<T>, I) {
        (self.made, self.refused, self.rest)
    }
}

impl<T, I> fmt::Debug for AllocManyError<T, I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AllocManyError({self})")
    }
}

impl<T, I> fmt::Display for AllocManyError<T, I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, after {} of them", self.refused, self.made.len())
    }
}

impl<T, I> Error for AllocManyError<T, I> {}
