//! Objects made through `&Heap`: values that wait for [`Heap::flush`], and where they will live.
//!
//! A handle is final when its value is taken, so a place must be found with `&Heap`. There are two kinds of
//! places. Words of free slots were set aside at the end of the last call with `&mut Heap`, among objects
//! that others read: nothing changes there before the flush, which moves the values into their slots. Drafts
//! are new pages that nothing can reach yet ([`Draft`]): values are written where they will stay, and the
//! flush opens the page. A thread takes a word or a page at a time, and fills it without any lock.
//!
//! Invariant: no collection begins while values wait.

mod blocks;
mod values;

use alloc::vec::{Drain, Vec};

use crate::config::{AllocError, Limit};
use crate::geometry::{Geometry, Granule};
use crate::handle::{Gc, RawHandle};
use crate::heap::access::barrier;
use crate::heap::alloc::refuse;
use crate::heap::load::owned;
use crate::heap::{Heap, Pending};
use crate::panics::Panics;
use crate::root::Root;
use crate::store::{Claim, Draft, Store};
use crate::sync::{Flag, Gauge, Lock, Ordering, PerThread};
use crate::trace::Trace;

use blocks::{ByType, Demand, Places};
use values::Shard;

/// What was made with `&Heap` and is not in the heap yet.
#[derive(Default)]
pub(super) struct Later {
    /// Whether anything was ever made this way.
    is_used: Flag,
    shards: PerThread<Shard>,
    types: Lock<ByType<Demand>>,
    /// Counted where there are limits.
    pending: Lock<Pending>,
    /// The weight of what is pending where it comes near a limit: more than any other.
    urgent: Gauge,
}

/// # Making objects from many threads
impl Heap {
    /// As [`alloc`](Self::alloc), through `&Heap`, from any thread: the value waits for the next
    /// [`flush`](Self::flush), and the handle is the one that its object will have. Until then it resolves to
    /// nothing. [`collect`](Self::collect), [`step`](Self::step), [`pace`](Self::pace) and the like flush
    /// first, so an object that must outlive them needs a root or an edge like any other:
    /// [`alloc_root_later`](Self::alloc_root_later) makes one.
    ///
    /// Values of one type from one thread become objects in that order. Between threads no order is promised,
    /// and the handles depend on timing, so this is not for programs in lockstep. O(1); takes a lock for
    /// about every sixty-fourth value.
    ///
    /// # Panics
    /// When a limit is reached, as `alloc`; pending values count.
    ///
    /// # Examples
    /// ```
    /// use slotgc::Heap;
    ///
    /// let mut heap = Heap::new();
    /// let sparks: Vec<_> = std::thread::scope(|scope| {
    ///     let heap = &heap; // parallel systems
    ///     let threads: Vec<_> = (0..2).map(|n| scope.spawn(move || heap.alloc_later(n))).collect();
    ///     threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    /// });
    /// assert!(!heap.is_alive(sparks[0]));
    /// assert_eq!(heap.flush(), 2);
    /// assert_eq!((heap[sparks[0]], heap[sparks[1]]), (0, 1));
    /// ```
    #[doc(alias("deferred", "parallel allocation"))]
    #[track_caller]
    pub fn alloc_later<T: Trace>(&self, value: T) -> Gc<T> {
        match self.put_later(value) {
            Ok(gc) => gc,
            Err((_, limit)) => refuse::<T>(limit),
        }
    }

    /// As [`alloc_later`](Self::alloc_later), or returns the value when a limit is reached.
    ///
    /// # Errors
    /// [`AllocError`] with the value in it. Its text names the limit.
    ///
    /// # Examples
    /// ```
    /// use slotgc::{Heap, HeapConfig};
    ///
    /// let heap = Heap::with_config(HeapConfig::default().max_objects(1));
    /// heap.alloc_later("first");
    /// assert_eq!(heap.try_alloc_later("second").unwrap_err().into_inner(), "second");
    /// ```
    pub fn try_alloc_later<T: Trace>(&self, value: T) -> Result<Gc<T>, AllocError<T>> {
        self.put_later(value).map_err(|(value, limit)| AllocError::new(value, limit))
    }

    /// As [`alloc_later`](Self::alloc_later), with a root for the future object.
    ///
    /// # Panics
    /// As [`alloc_later`](Self::alloc_later).
    ///
    /// # Examples
    /// ```
    /// use slotgc::Heap;
    ///
    /// let mut heap = Heap::new();
    /// let root = heap.alloc_root_later("made in a system");
    /// heap.collect();
    /// assert_eq!(heap[&root], "made in a system");
    /// ```
    #[must_use = "an object without a root is freed by the next collection; `alloc_later` makes one without"]
    #[track_caller]
    pub fn alloc_root_later<T: Trace>(&self, value: T) -> Root<T> {
        let gc = self.alloc_later(value);
        Root::new(&self.roots, gc)
    }

    /// Makes the objects of all pending calls of [`alloc_later`](Self::alloc_later); returns how many. Every
    /// collecting call does this first.
    ///
    /// O(values), and less where they went to new pages. If the system refuses memory for a page's metadata,
    /// its values are dropped and their handles never resolve.
    ///
    /// # Panics
    /// If an `owned_bytes` or a destructor does, at the end; that object is not made.
    ///
    /// # Examples
    /// ```
    /// use slotgc::Heap;
    ///
    /// let mut heap = Heap::new();
    /// let gc = heap.alloc_later(7);
    /// assert!(heap.get(gc).is_none());
    /// assert_eq!(heap.flush(), 1);
    /// assert_eq!(heap.get(gc), Some(&7));
    /// ```
    pub fn flush(&mut self) -> usize {
        let mut panics = Panics::default();
        let made = self.take_up_later(&mut panics);
        self.set_aside_for_later();
        panics.raise();
        made
    }

    fn put_later<T: Trace>(&self, value: T) -> Result<Gc<T>, (T, Limit)> {
        // Relaxed: the holder of `&mut Heap` sees it, since the program synchronises when it hands that over.
        // Read first, since a store takes the line away from all other threads.
        if !self.later.is_used.load(Ordering::Relaxed) {
            self.later.is_used.store(true, Ordering::Relaxed);
        }
        let has_limits = self.config.has_limits();
        if has_limits {
            if let Err(limit) = self.count_pending::<T>() {
                return Err((value, limit));
            }
        }
        let put = self.later.shards.with(|shard| shard.values::<T>().push(self, value));
        if put.is_err() && has_limits {
            self.later.pending.with(|pending| {
                pending.objects -= 1;
                pending.bytes -= Geometry::<T>::SLOT_BYTES;
            });
        }
        put
    }

    /// Counts one more pending value, if the limits allow it.
    fn count_pending<T: Trace>(&self) -> Result<(), Limit> {
        self.later.pending.with(|pending| {
            self.within_limits(Geometry::<T>::SLOT_BYTES, *pending)?;
            pending.objects += 1;
            pending.bytes += Geometry::<T>::SLOT_BYTES;
            let (objects, bytes) = (self.counts.objects + pending.objects, self.counts.bytes + pending.bytes);
            if self.pacer.is_urgent(self.pacer.nearness(objects, bytes, &self.config)) {
                // Relaxed: as `is_used`.
                self.later.urgent.store(usize::MAX, Ordering::Relaxed);
            }
            Ok(())
        })?;
        // The next `alloc` counts what is pending.
        self.counts.check_limits_next();
        Ok(())
    }

    /// The weight of what is pending.
    pub(super) fn pending_weight(&self) -> usize {
        self.later.urgent.load(Ordering::Relaxed)
    }

    /// What is pending and counts for the limits.
    pub(super) fn pending(&self) -> Pending {
        self.later.pending.with(|pending| *pending)
    }

    /// Takes the next word that was set aside for values of `T`.
    fn take_word<T: Trace>(&self) -> Option<(usize, Places)> {
        let pool = &self.pools[usize::from(self.types.get::<T>()?)];
        self.later.types.with(|types| {
            let demand = Demand::of::<T>(types);
            let (page, word, free, first) = pool.later(demand.next)?.places();
            demand.next += 1;
            Some((demand.next - 1, Places { page, word, free, first }))
        })
    }

    /// A new page for values of `T`.
    fn draft<T: Trace>(&self) -> Result<Draft<T>, Limit> {
        crate::tag::register::<T>();
        self.later.types.with(|types| _ = Demand::of::<T>(types));
        let (first, age) = match self.types.get::<T>().map(|index| &self.pools[usize::from(index)]) {
            Some(pool) => (pool.first(), pool.making()),
            None => (self.config.fresh_generation(), self.collector.making()),
        };
        self.store.draft(first, age, barrier::<T>())
    }

    /// Opens a filled page; returns the number of its objects.
    fn open_draft<T: Trace>(&mut self, draft: Draft<T>, panics: &mut Panics) -> usize {
        let found = match self.types.get::<T>() {
            Some(index) => Ok(index),
            None => self.find_pool::<T>(),
        };
        let found = found.and_then(|index| {
            self.pools[usize::from(index)].reserve_page()?;
            Ok(index)
        });
        let Self { store, pools, counts, .. } = self;
        let opened = match found {
            Ok(index) => {
                let making = pools[usize::from(index)].making();
                store.open_draft(draft, index, making, barrier::<T>()).map(|opened| (index, opened))
            }
            Err(_) => Err(draft),
        };
        let (index, (page, len)) = match opened {
            Ok(opened) => opened,
            Err(draft) => {
                // There is no memory for the page's metadata.
                store.discard_draft(draft, panics);
                return 0;
            }
        };
        pools[usize::from(index)].adopt(page, len, Store::made_on::<T>(page, len));
        counts.objects += len as usize;
        counts.bytes += len as usize * Geometry::<T>::SLOT_BYTES;
        let lost = if T::OWNS { self.weigh_draft::<T>(page, len, panics) } else { 0 };
        len as usize - lost
    }

    /// Counts what the objects of a former draft own. Returns for how many this failed: those do not become
    /// objects.
    fn weigh_draft<T: Trace>(&mut self, page: u32, len: u32, panics: &mut Panics) -> usize {
        let (mut next, mut lost) = (0, Vec::new());
        let mut asked = None;
        panics.run_all(|| {
            lost.extend(asked.take());
            while next < len {
                let granule = Granule::of_slot::<T>(page, next);
                next += 1;
                let generation = self.store.look().generation::<T>(granule).expect("a page of T's");
                let raw = RawHandle::new(granule, generation);
                asked = Some(raw);
                if let Some(value) = self.store.look().get::<T>(raw) {
                    self.load.allocate(owned(value));
                }
                asked = None;
            }
            false
        });
        let len = lost.len();
        let mut values = Vec::new();
        for raw in lost {
            self.collector.note_destroyed(raw);
            let Some((value, vacated)) = self.store.take::<T>(raw) else { continue };
            let pool = usize::from(self.store.pool_of(raw.granule()));
            self.pools[pool].count_dead(&mut self.store, raw.granule(), vacated);
            self.counts.objects -= 1;
            self.counts.bytes -= Geometry::<T>::SLOT_BYTES;
            values.push(value);
        }
        panics.run_all(|| values.pop().is_some());
        len
    }

    fn set_aside<T: Trace>(&mut self, values: usize) {
        if let Some(index) = self.types.get::<T>() {
            self.pools[usize::from(index)].set_aside(&mut self.store, values);
        }
    }

    /// Whether any value was ever pending.
    #[inline]
    pub(super) fn is_later_used(&self) -> bool {
        // Relaxed: see `put_later`.
        self.later.is_used.load(Ordering::Relaxed)
    }

    /// Puts all pending values into the heap; returns how many there were. Afterwards no page is being filled
    /// and no slot is set aside.
    pub(super) fn take_up_later(&mut self, panics: &mut Panics) -> usize {
        if !self.is_later_used() {
            return 0;
        }
        let mut made = 0;
        let mut shards = core::mem::take(&mut self.later.shards);
        shards.each(|shard| made += shard.flush(self, panics));
        self.later.shards = shards;
        self.later.pending.with(|pending| *pending = Pending::default());
        *self.later.urgent.get_mut() = 0;
        self.pacer.hurry(self.pacer.nearness(self.counts.objects, self.counts.bytes, &self.config));
        self.counts.check_limits_next();
        let Self { later, pools, store, .. } = self;
        pools.iter_mut().for_each(|pool| pool.return_later(store));
        later.types.with(|types| types.values_mut().for_each(Demand::end_frame));
        made
    }

    /// Drops all pending values: the heap ends.
    pub(super) fn drop_later(&mut self, panics: &mut Panics) {
        let Self { later, store, .. } = self;
        later.shards.each(|shard| shard.discard(store, panics));
    }

    /// Sets aside slots for as many values as came recently.
    pub(super) fn set_aside_for_later(&mut self) {
        if !self.is_later_used() {
            return;
        }
        let wanted: Vec<_> = self
            .later
            .types
            .with(|types| types.values().map(|demand| (demand.set_aside, demand.values)).collect());
        wanted
            .into_iter()
            .filter(|(_, values)| *values > 0)
            .for_each(|(set_aside, values)| set_aside(self, values));
    }

    /// Fills the next slots of a claim with these values; returns how many became objects.
    fn fill_claim<T: Trace>(
        &mut self,
        index: usize,
        claim: &mut Claim,
        values: &mut Drain<'_, T>,
        most: usize,
        panics: &mut Panics,
    ) -> usize {
        let (mut taken, mut filled) = (0, 0);
        let mut lost = Vec::new();
        let Self { store, load, .. } = self;
        panics.run_all(|| {
            if filled < taken {
                // Its `owned_bytes` panicked: its handle stays dead.
                lost.push(store.reserve::<T>(claim));
                filled += 1;
            }
            while taken < most {
                let Some(value) = values.next() else { break };
                taken += 1;
                if T::OWNS {
                    load.allocate(owned(&value));
                }
                store.fill(claim, value);
                filled += 1;
            }
            false
        });
        let made = filled - lost.len();
        self.pools[index].count_all_born(made);
        self.counts.objects += made;
        self.counts.bytes += made * Geometry::<T>::SLOT_BYTES;
        lost.into_iter().for_each(|raw| self.abandon_unmade(raw));
        made
    }
}
