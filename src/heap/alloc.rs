//! Making objects, and limits.

use crate::config::{AllocError, Limit, Refusal};
use crate::geometry::Geometry;
use crate::handle::{Gc, RawHandle};
use crate::heap::access::barrier;
use crate::heap::load::{Load, owned};
use crate::heap::{Counts, Heap, Pending};
use crate::pool::Pool;
use crate::root::{Root, RootTable};
use crate::stats::Phase;
use crate::store::{Room, Store};
use crate::sync::Arc;
use crate::trace::{RootSource, Trace, Tracer, visit};

/// # Making objects
impl Heap {
    /// Allocates an object. O(1): the next free slot, usually next to the last one.
    ///
    /// Never collects: between two calls of `collect` a bare [`Gc`] in a local variable is as good as a root.
    /// A handle that must outlive the next collection goes into an object, a [`Root`] or a root source.
    ///
    /// The heap is borrowed while `alloc` runs, so an allocation inside an expression that already uses the
    /// heap needs a local first: not `heap[a].list.push(heap.alloc(x))` but `let x = heap.alloc(x);
    /// heap[a].list.push(x);`, and likewise for nested `alloc`s.
    ///
    /// # Panics
    /// When a limit is reached: one of [`HeapConfig`](crate::HeapConfig), 32 GiB, or the system's memory. See
    /// [`try_alloc`](Self::try_alloc).
    ///
    /// # Examples
    /// ```
    /// use slotgc::Heap;
    ///
    /// let mut heap = Heap::new();
    /// let list = heap.alloc(vec![heap.len()]);
    /// let number = heap.len();
    /// heap[list].push(number);
    /// assert_eq!(heap[list], [0, 1]);
    /// ```
    #[doc(alias("insert", "spawn", "new object"))]
    #[inline]
    #[track_caller]
    pub fn alloc<T: Trace>(&mut self, value: T) -> Gc<T> {
        #[cfg(gc_zeal)]
        self.mark_a_bit();
        self.alloc_beside(value)
    }

    /// As [`alloc`](Self::alloc), while a reference to another object is held: accesses no other object, not
    /// even in zeal mode.
    #[inline(always)]
    #[track_caller]
    pub(super) fn alloc_beside<T: Trace>(&mut self, value: T) -> Gc<T> {
        match self.ready_pool::<T>() {
            Ok(mut ready) => ready.fill(value),
            Err(limit) => refuse::<T>(limit),
        }
    }

    /// Allocates an object, or returns the value when a limit is reached.
    ///
    /// # Errors
    /// [`AllocError`] with the value in it. Its text names the limit.
    ///
    /// # Examples
    /// ```
    /// use slotgc::{Heap, HeapConfig};
    ///
    /// let mut heap = Heap::with_config(HeapConfig::default().max_objects(1));
    /// heap.alloc("first".to_string());
    /// let refused = heap.try_alloc("second".to_string()).unwrap_err();
    /// assert_eq!(refused.into_inner(), "second");
    /// ```
    #[inline]
    pub fn try_alloc<T: Trace>(&mut self, value: T) -> Result<Gc<T>, AllocError<T>> {
        #[cfg(gc_zeal)]
        self.mark_a_bit();
        match self.ready_pool::<T>() {
            Ok(mut ready) => Ok(ready.fill(value)),
            Err(limit) => Err(AllocError::new(value, limit)),
        }
    }

    /// Allocates an object; at a limit, collects and tries again. A minor collection is tried first where it
    /// is cheap, so that a heap that is nearly full of living objects does not pay for all of them each time.
    /// What the value refers to is kept alive (its weak collections are first pruned by the next collection).
    ///
    /// Inside a callback it does not collect. If the collection panics, the value is dropped.
    ///
    /// # Errors
    /// [`AllocError`] with the value in it, when the collection freed too little.
    ///
    /// # Examples
    /// ```
    /// use slotgc::{Heap, HeapConfig};
    ///
    /// let mut heap = Heap::with_config(HeapConfig::default().max_objects(2));
    /// let kept = heap.alloc("kept".to_string());
    /// heap.alloc("garbage".to_string());
    /// let list = heap.alloc_or_collect(vec![kept], &()).unwrap();
    /// assert_eq!(heap[heap[list][0]], "kept");
    /// ```
    pub fn alloc_or_collect<T: Trace>(
        &mut self,
        value: T,
        roots: &dyn RootSource,
    ) -> Result<Gc<T>, AllocError<T>> {
        let refused = match self.try_alloc(value) {
            Ok(gc) => return Ok(gc),
            Err(refused) if self.is_telling() => return Err(refused),
            Err(refused) => refused,
        };
        // Near a limit this happens again and again. What was allocated since the last collection is likely
        // to be garbage, and a minor collection looks at nothing else.
        let young = self.pacer.young(self.allocated());
        let refused = if young > 0 && young < self.counts.objects / 4 && self.can_do_minor() {
            let value = refused.into_inner();
            let edges = |tracer: &mut Tracer<'_>| visit(&value, tracer);
            self.collect_minor_with(&(&edges as &dyn RootSource, roots));
            match self.try_alloc(value) {
                Ok(gc) => return Ok(gc),
                Err(refused) => refused,
            }
        } else {
            refused
        };
        let value = refused.into_inner();
        let edges = |tracer: &mut Tracer<'_>| visit(&value, tracer);
        self.collect_with(&(&edges as &dyn RootSource, roots));
        self.try_alloc(value)
    }

    /// Allocates an object, and makes a root for it.
    ///
    /// # Panics
    /// As [`alloc`](Self::alloc).
    ///
    /// # Examples
    /// ```
    /// use slotgc::Heap;
    ///
    /// let mut heap = Heap::new();
    /// let world = heap.alloc_root(vec![1, 2, 3]);
    /// heap.collect();
    /// assert_eq!(heap[&world], [1, 2, 3]);
    /// ```
    #[must_use = "an object without a root is freed by the next collection; `alloc` makes one without"]
    #[track_caller]
    pub fn alloc_root<T: Trace>(&mut self, value: T) -> Root<T> {
        let gc = self.alloc(value);
        Root::new(&self.roots, gc)
    }

    /// Allocates an object that holds its own handle, or shares it with objects that `make` allocates.
    ///
    /// The handle passed to `make` resolves to nothing until `make` has returned. A collection inside `make`
    /// is allowed and counts the object under construction as live (as an ephemeron's key, too).
    ///
    /// # Panics
    /// As [`alloc`](Self::alloc). If `make` panics, its handle never resolves.
    ///
    /// # Examples
    /// ```
    /// use slotgc::{Gc, Heap, Trace};
    ///
    /// #[derive(Trace)]
    /// struct Vehicle { seats: Vec<Gc<Seat>> }
    /// #[derive(Trace)]
    /// struct Seat { of: Gc<Vehicle> }
    ///
    /// let mut heap = Heap::new();
    /// let vehicle = heap.alloc_cyclic(|heap, of| Vehicle { seats: vec![heap.alloc(Seat { of })] });
    /// assert_eq!(heap[heap[vehicle].seats[0]].of, vehicle);
    /// ```
    #[doc(alias("insert_with_key", "new_cyclic"))]
    #[track_caller]
    pub fn alloc_cyclic<T: Trace>(&mut self, make: impl FnOnce(&mut Heap, Gc<T>) -> T) -> Gc<T> {
        #[cfg(gc_zeal)]
        self.mark_a_bit();
        self.take_back_abandoned();
        let reserved = match self.ready_pool::<T>() {
            Ok(ready) => ready.store.reserve::<T>(ready.pool.ready_claim()),
            Err(limit) => refuse::<T>(limit),
        };
        self.begin_making(reserved);
        let roots = Arc::clone(&self.roots);
        let making = Making::<T> { heap: self, roots, reserved, target: core::marker::PhantomData };
        let value = make(making.heap, Gc::from_raw(reserved));
        making.finish(value)
    }

    /// The pool of `T`, with a free slot at hand.
    #[inline(always)]
    pub(super) fn ready_pool<T: Trace>(&mut self) -> Result<Ready<'_>, Limit> {
        // Cannot overflow: that many bytes are not addressed.
        if self.counts.bytes + Geometry::<T>::SLOT_BYTES > *self.counts.bytes_stop.get_mut() {
            self.check_limits(Geometry::<T>::SLOT_BYTES)?;
        }
        let index = match self.types.recent::<T>() {
            Some(index) => index,
            None => self.find_pool::<T>()?,
        };
        if let Err(limit) = self.pools[index as usize].claim(&mut self.store) {
            self.claim_from_others(index, limit)?;
        }
        let Heap { store, pools, counts, load, .. } = self;
        Ok(Ready { store, pool: &mut pools[index as usize], counts, load })
    }

    /// The number of the pool of `T`, which is made if there is none.
    #[inline(always)]
    pub(super) fn pool_index<T: Trace>(&mut self) -> Result<u16, Limit> {
        match self.types.recent::<T>() {
            Some(index) => Ok(index),
            None => self.find_pool::<T>(),
        }
    }

    /// The system has no more memory or the range no more pages: empty pages of other types may help.
    #[cold]
    fn claim_from_others(&mut self, index: u16, limit: Limit) -> Result<(), Limit> {
        match limit {
            Limit::Memory(_) | Limit::Range(_) => _ = self.release_empty_pages(),
            _ => return Err(limit),
        }
        self.pools[index as usize].claim(&mut self.store)
    }

    /// Whether an object of this size is within the limits. Computes how far away the next one is, so that
    /// the usual allocation compares a single number.
    #[cold]
    #[inline(never)]
    fn check_limits(&mut self, slot_bytes: usize) -> Result<(), Limit> {
        if !self.config.has_limits() {
            self.counts.bytes_stop.set(usize::MAX);
            return Ok(());
        }
        let (objects, bytes) = self.within_limits(slot_bytes, self.pending())?;
        // Up to the next size that matters to pacing, or to the limit itself. Perhaps less than this object
        // takes: it may come to nothing, if user code panics, and others may be smaller.
        let next = self.pacer.next_mark(objects, bytes, &self.config);
        let least_bytes = Geometry::<u8>::SLOT_BYTES;
        let room = (next.bytes - bytes).min((next.objects - objects).saturating_mul(least_bytes));
        self.counts.bytes_stop.set(self.counts.bytes.saturating_add(room));
        Ok(())
    }

    /// Whether an object of this size is within the limits. Returns what there is, pending objects and those
    /// under construction included.
    pub(super) fn within_limits(&self, slot_bytes: usize, later: Pending) -> Result<(usize, usize), Limit> {
        let (most_objects, most_bytes) = (self.config.objects_limit(), self.config.bytes_limit());
        let making = self.making();
        let more = Pending { objects: making.objects + later.objects, bytes: making.bytes + later.bytes };
        let (mut objects, mut bytes) = (self.counts.objects + more.objects, self.counts.bytes + more.bytes);
        if objects >= most_objects || slot_bytes > most_bytes.saturating_sub(bytes) {
            // Without dead objects that are not swept yet.
            (objects, bytes) = (self.len() + more.objects, self.bytes() + more.bytes);
        }
        if objects >= most_objects {
            return Err(Limit::Objects(most_objects));
        }
        if slot_bytes > most_bytes.saturating_sub(bytes) {
            return Err(Limit::Bytes(most_bytes));
        }
        Ok((objects, bytes))
    }

    /// Objects under construction, without slots that no call will fill.
    pub(super) fn making(&self) -> Pending {
        Pending {
            objects: self.collector.building().len().saturating_sub(self.roots.abandoned_len()),
            bytes: self.counts.making_bytes.saturating_sub(self.roots.abandoned_bytes()),
        }
    }

    /// The pool of a type that is not in the cache, made now if there is none.
    #[cold]
    pub(super) fn find_pool<T: Trace>(&mut self) -> Result<u16, Limit> {
        if let Some(index) = self.types.promote::<T>() {
            return Ok(index);
        }
        let most = usize::from(u16::MAX);
        let index = u16::try_from(self.pools.len()).ok().filter(|index| usize::from(*index) < most);
        let index = index.ok_or(Limit::Types(most))?;
        let mut pool = Pool::new::<T>(index, self.config.fresh_generation(), barrier::<T>());
        pool.set_making(&mut self.store, self.collector.making());
        self.pools.push(pool);
        self.collector.add_type::<T>();
        #[cfg(feature = "inspect")]
        self.inspect_ops.push(crate::inspect::InspectOps::of::<T>());
        self.types.add::<T>(index);
        self.types.promote::<T>();
        Ok(index)
    }

    /// An object is under construction.
    fn begin_making(&mut self, reserved: RawHandle) {
        self.collector.building_mut().push(reserved);
        if self.collector.phase() == Phase::Mark {
            // Edges found meanwhile are found in vain. When the object is there it counts as changed.
            self.store.spare(reserved.granule());
        }
        self.counts.making_bytes += self.slot_bytes(reserved);
        self.counts.check_limits_next();
    }

    /// Its construction ended; `false` if it was not under construction.
    fn end_making(&mut self, reserved: RawHandle) -> bool {
        let building = self.collector.building_mut();
        let Some(index) = building.iter().rposition(|raw| *raw == reserved) else {
            return false;
        };
        building.remove(index);
        self.counts.making_bytes -= self.slot_bytes(reserved);
        self.counts.check_limits_next();
        true
    }

    /// Gives up the slot of an object whose construction failed, as that of a destroyed object.
    fn abandon(&mut self, reserved: RawHandle) {
        if self.end_making(reserved) {
            self.abandon_unmade(reserved);
        }
    }

    /// Gives up a reserved slot whose handle is known outside, so that it never resolves.
    pub(super) fn abandon_unmade(&mut self, reserved: RawHandle) {
        self.collector.note_destroyed(reserved);
        let pool = self.store.pool_of(reserved.granule()) as usize;
        if let Some(vacated) = self.pools[pool].abandon_reserved(&mut self.store, reserved) {
            self.pools[pool].vacate(&mut self.store, reserved.granule(), vacated);
        }
    }

    /// Gives up what was under construction when the heap was swapped away inside `make`.
    pub(super) fn take_back_abandoned(&mut self) {
        while let Some(reserved) = self.roots.next_abandoned() {
            self.abandon(reserved);
        }
    }

    fn slot_bytes(&self, raw: RawHandle) -> usize {
        self.pools[self.store.pool_of(raw.granule()) as usize].info().slot_bytes
    }
}

/// A pool with a free slot at hand.
pub(super) struct Ready<'a> {
    store: &'a mut Store,
    pool: &'a mut Pool,
    counts: &'a mut Counts,
    load: &'a mut Load,
}

impl Ready<'_> {
    /// Whether the claim and the limits have room for another object.
    #[inline(always)]
    pub(super) fn has_room<T: Trace>(&mut self) -> bool {
        let is_within_limits = self.counts.bytes + Geometry::<T>::SLOT_BYTES <= self.counts.bytes_stop.get();
        is_within_limits && !self.pool.ready_claim().is_empty()
    }

    /// Looks ahead at the claim's slots.
    pub(super) fn look_ahead<T: Trace>(&mut self, room: &mut Room) {
        self.store.look_ahead::<T>(self.pool.ready_claim(), room);
    }

    /// Makes an object in the next slot of the claim, which must have one.
    #[inline(always)]
    pub(super) fn fill<T: Trace>(&mut self, value: T) -> Gc<T> {
        if T::OWNS {
            // First, since it may panic.
            self.load.allocate(owned(&value));
        }
        let raw = self.store.fill(self.pool.ready_claim(), value);
        self.pool.count_born();
        self.counts.objects += 1;
        self.counts.bytes += Geometry::<T>::SLOT_BYTES;
        Gc::from_raw(raw)
    }
}

#[cold]
#[inline(never)]
#[track_caller]
pub(super) fn refuse<T>(limit: Limit) -> ! {
    panic!("slotgc: {}", Refusal::of::<T>(limit))
}

/// An object under construction. If it is dropped without `finish` (`make` panicked), its slot is given up as
/// that of a destroyed object.
struct Making<'a, T: Trace> {
    heap: &'a mut Heap,
    /// The root table of the heap that has the slot. It tells whether the heap at hand is still that one, and
    /// carries a message to it otherwise.
    roots: Arc<RootTable>,
    reserved: RawHandle,
    target: core::marker::PhantomData<T>,
}

impl<T: Trace> Making<'_, T> {
    fn is_own_heap(&self) -> bool {
        self.heap.number() == self.roots.heap_number()
    }

    #[track_caller]
    fn finish(self, value: T) -> Gc<T> {
        let Self { reserved, .. } = self;
        if !self.is_own_heap() {
            panic!("slotgc: the heap was replaced by another one inside `make` of `alloc_cyclic`");
        }
        let owned = owned(&value);
        if self.heap.store.fill_reserved(reserved, value, barrier::<T>()).is_err() {
            panic!("slotgc: the slot that `alloc_cyclic` reserved is gone");
        }
        self.heap.load.allocate(owned);
        self.heap.end_making(reserved);
        let pool = self.heap.store.pool_of(reserved.granule());
        self.heap.pools[pool as usize].count_born();
        self.heap.counts.objects += 1;
        self.heap.counts.bytes += Geometry::<T>::SLOT_BYTES;
        Gc::from_raw(reserved)
    }
}

impl<T: Trace> Drop for Making<'_, T> {
    fn drop(&mut self) {
        if self.is_own_heap() {
            // Nothing, if it was finished.
            self.heap.abandon(self.reserved);
        } else {
            self.roots.note_abandoned(self.reserved, Geometry::<T>::SLOT_BYTES);
        }
    }
}
