//! Making objects, and limits.

use core::any::TypeId;

use crate::config::{AllocError, Limit, Refusal};
use crate::handle::{Gc, Geometry, RawHandle};
use crate::heap::access::barrier;
use crate::heap::{Counts, Heap, RECENT};
use crate::page::Store;
use crate::pool::Pool;
use crate::root::Root;
use crate::tag::Tag;
use crate::trace::{RootSource, Trace, Tracer};

impl Heap {
    /// Makes an object. O(1): the next free slot, usually next to the last one.
    ///
    /// Never collects: between two calls of `collect` a bare [`Gc`] in a local variable is as good as a root.
    /// A handle that must outlive the next collection goes into an object, a [`Root`] or a root source.
    ///
    /// The heap is borrowed while `alloc` runs, so an allocation inside an expression that uses the heap
    /// already needs a local first: not `heap[a].list.push(heap.alloc(x))` but
    /// `let x = heap.alloc(x); heap[a].list.push(x);`, and likewise for nested `alloc`s.
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
    #[inline]
    #[track_caller]
    pub fn alloc<T: Trace>(&mut self, value: T) -> Gc<T> {
        match self.ready_pool::<T>() {
            Ok(ready) => ready.fill(value),
            Err(limit) => refuse::<T>(limit),
        }
    }

    /// Makes an object, or gives the value back when a limit is reached.
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
        match self.ready_pool::<T>() {
            Ok(ready) => Ok(ready.fill(value)),
            Err(limit) => Err(AllocError::new(value, limit)),
        }
    }

    /// Makes an object; at a limit collects once and tries again. What the value refers to is kept alive (its
    /// weak collections are first pruned by the next collection).
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
        self.try_alloc(value).or_else(|refused| {
            if self.is_telling() {
                return Err(refused);
            }
            let value = refused.into_inner();
            let edges = |tracer: &mut Tracer<'_>| value.trace(tracer);
            self.collect_with(&(&edges as &dyn RootSource, roots));
            self.try_alloc(value)
        })
    }

    /// Makes an object and a root for it.
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

    /// Makes an object that holds its own handle, or shares it with objects made on the way.
    ///
    /// The handle that `make` gets resolves to nothing until `make` has returned. A collection inside `make` is
    /// allowed and counts the object under construction as live (as an ephemeron's key, too).
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
    #[track_caller]
    pub fn alloc_cyclic<T: Trace>(&mut self, make: impl FnOnce(&mut Heap, Gc<T>) -> T) -> Gc<T> {
        let reserved = match self.ready_pool::<T>() {
            Ok(ready) => ready.store.reserve::<T>(ready.pool.ready_claim()),
            Err(limit) => refuse::<T>(limit),
        };
        self.begin_making::<T>(reserved);
        let building = Building::<T> { heap: self, reserved, target: core::marker::PhantomData };
        let value = make(building.heap, Gc::from_raw(reserved));
        building.finish(value)
    }

    /// The pool of `T`, with a free slot at hand.
    #[inline(always)]
    fn ready_pool<T: Trace>(&mut self) -> Result<Ready<'_>, Limit> {
        #[cfg(gc_zeal)]
        self.mark_a_bit();
        // Cannot overflow: that many bytes are not addressed.
        if self.counts.bytes + Geometry::<T>::SLOT_BYTES > self.counts.bytes_stop {
            self.check_limits(Geometry::<T>::SLOT_BYTES)?;
        }
        let (tag, index) = self.recent[Tag::of::<T>().bucket(RECENT)];
        let index = if tag == Tag::of::<T>() { index } else { self.find_pool::<T>()? };
        let Heap { store, pools, counts, .. } = self;
        let pool = &mut pools[index as usize];
        pool.claim(store)?;
        Ok(Ready { store, pool, counts })
    }

    /// Whether an object of so many bytes is within the limits; notes how far the next ones are, so that the usual
    /// allocation has one number to compare.
    #[cold]
    #[inline(never)]
    fn check_limits(&mut self, slot_bytes: usize) -> Result<(), Limit> {
        let (most_objects, most_bytes) = (self.config.objects_limit(), self.config.bytes_limit());
        if (most_objects, most_bytes) == (usize::MAX, usize::MAX) {
            self.counts.bytes_stop = usize::MAX;
            return Ok(());
        }
        let Counts { objects, bytes, making, making_bytes, .. } = self.counts;
        let (mut objects, mut bytes) = (objects + making, bytes + making_bytes);
        if objects >= most_objects || slot_bytes > most_bytes.saturating_sub(bytes) {
            // Without the dead that are not swept yet.
            (objects, bytes) = (self.len() + making, self.bytes() + making_bytes);
        }
        if objects >= most_objects {
            return Err(Limit::Objects(most_objects));
        }
        let bytes_left = most_bytes.saturating_sub(bytes);
        if slot_bytes > bytes_left {
            return Err(Limit::Bytes(most_bytes));
        }
        let least_bytes = Geometry::<u8>::SLOT_BYTES;
        let room = bytes_left.min((most_objects - objects).saturating_mul(least_bytes)).max(slot_bytes);
        self.counts.bytes_stop = self.counts.bytes.saturating_add(room);
        Ok(())
    }

    /// The pool of a type that is not in the cache, made now if there is none.
    #[cold]
    fn find_pool<T: Trace>(&mut self) -> Result<u16, Limit> {
        let known = self.pools.iter().position(|pool| pool.info().id == TypeId::of::<T>());
        let index = match known {
            Some(index) => index as u16,
            None => {
                let most = usize::from(u16::MAX);
                let index = u16::try_from(self.pools.len()).ok().filter(|index| usize::from(*index) < most);
                let index = index.ok_or(Limit::Types(most))?;
                let mut pool = Pool::new::<T>(index, self.config.fresh_generation(), barrier::<T>());
                pool.set_making(&mut self.store, self.collector.making());
                self.pools.push(pool);
                self.collector.add_type::<T>();
                index
            }
        };
        self.recent[Tag::of::<T>().bucket(RECENT)] = (Tag::of::<T>(), index);
        Ok(index)
    }

    /// Takes note of an object under construction.
    fn begin_making<T: Trace>(&mut self, reserved: RawHandle) {
        self.collector.building_mut().push(reserved);
        self.counts.making += 1;
        self.counts.making_bytes += Geometry::<T>::SLOT_BYTES;
        self.counts.check_limits_next();
    }
}

/// A pool with a free slot at hand.
struct Ready<'a> {
    store: &'a mut Store,
    pool: &'a mut Pool,
    counts: &'a mut Counts,
}

impl Ready<'_> {
    #[inline(always)]
    fn fill<T: Trace>(self, value: T) -> Gc<T> {
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
fn refuse<T>(limit: Limit) -> ! {
    panic!("slotgc: {}", Refusal::of::<T>(limit))
}

/// An object under construction. Dropped without `finish` (its maker panicked), its slot goes the way of a
/// destroyed object's.
struct Building<'a, T: Trace> {
    heap: &'a mut Heap,
    reserved: RawHandle,
    target: core::marker::PhantomData<T>,
}

impl<T: Trace> Building<'_, T> {
    #[track_caller]
    fn finish(self, value: T) -> Gc<T> {
        if self.heap.store.fill_reserved(self.reserved, value, barrier::<T>()).is_err() {
            panic!("slotgc: the heap was replaced by another one inside `make` of `alloc_cyclic`");
        }
        let pool = self.heap.store.pool_of(self.reserved.granule());
        self.heap.pools[pool as usize].count_born();
        self.heap.counts.objects += 1;
        self.heap.counts.bytes += Geometry::<T>::SLOT_BYTES;
        Gc::from_raw(self.reserved)
    }
}

impl<T: Trace> Drop for Building<'_, T> {
    fn drop(&mut self) {
        let Heap { store, pools, collector, counts, .. } = &mut *self.heap;
        let building = collector.building_mut();
        if let Some(index) = building.iter().rposition(|raw| *raw == self.reserved) {
            building.remove(index);
            counts.making -= 1;
            counts.making_bytes -= Geometry::<T>::SLOT_BYTES;
            counts.check_limits_next();
        }
        if !store.is_alive::<T>(self.reserved) {
            collector.note_destroyed(self.reserved);
            if let Some(vacated) = store.abandon_reserved::<T>(self.reserved) {
                let granule = self.reserved.granule();
                pools[store.pool_of(granule) as usize].vacate(store, granule, vacated);
            }
        }
    }
}
