//! Objects made through `&Heap`: values that wait for [`Heap::flush`], and where they will live.
//!
//! A handle is final when its value is taken, so a place must be found with `&Heap`. Places come in *blocks*:
//! a word of free slots that was set aside for this at the end of the last call with `&mut Heap`, or a page
//! that is promised: the next one that nobody has opened. A thread takes a block at a time under a lock, and
//! fills it under a lock of its own. Nothing in the storage changes before the flush, which opens the pages
//! promised, in the order of their promises, and puts the values into their slots.
//!
//! Invariant: no page is opened for anybody else while promised ones are not (`Limit::Promised`), and no
//! collection begins while values wait.

mod blocks;

use alloc::boxed::Box;
use alloc::vec::{Drain, Vec};
use core::any::{Any, TypeId};
use core::ops::Range;

use crate::config::{AllocError, Limit};
use crate::geometry::Geometry;
use crate::handle::Gc;
use crate::heap::alloc::refuse;
use crate::heap::load::owned;
use crate::heap::{Heap, Pending};
use crate::panics::Panics;
use crate::pool::Pool;
use crate::root::Root;
use crate::store::Claim;
use crate::sync::{Flag, Lock, Ordering, PerThread};
use crate::trace::Trace;

use blocks::{Block, Blocks, ByType, Demand, From, Places, Promised};

/// What was made with `&Heap` and is not in the heap so far.
#[derive(Default)]
pub(super) struct Later {
    /// Whether anything was ever made so.
    is_used: Flag,
    shards: PerThread<Lock<Shard>>,
    blocks: Lock<Blocks>,
    /// Counted where there are limits.
    pending: Lock<Pending>,
    /// What became of the pages promised: the claims of their slots, in the pool's `later`. `None`: the page
    /// could not be opened.
    opened: Vec<Option<Range<usize>>>,
}

/// What one thread made, or several that share a number.
#[derive(Default)]
struct Shard {
    places: ByType<usize>,
    buffers: Vec<(TypeId, Box<dyn Buffer>)>,
    /// The place of the type used last.
    last: usize,
}

/// The values of one type.
struct Values<T> {
    /// In the order of their places in the blocks.
    values: Vec<T>,
    /// The last one is being filled.
    blocks: Vec<Block>,
    places: Option<Places>,
}

/// [`Values`] of any type.
trait Buffer: Any + Send + Sync {
    fn as_any(&mut self) -> &mut dyn Any;
    /// Puts the values into their places. Returns how many found one.
    fn flush(&mut self, heap: &mut Heap, panics: &mut Panics) -> usize;
}

impl<T: Trace> Values<T> {
    /// Takes a value, or gives it back if there is no place for it.
    fn push(&mut self, heap: &Heap, value: T) -> Result<Gc<T>, (T, Limit)> {
        let raw = loop {
            if let Some(raw) = self.places.as_mut().and_then(|places| places.next::<T>(heap)) {
                break raw;
            }
            match heap.take_block::<T>() {
                Ok((from, places)) => {
                    self.blocks.push(Block { from, used: 0 });
                    self.places = Some(places);
                }
                Err(limit) => return Err((value, limit)),
            }
        };
        if let Some(block) = self.blocks.last_mut() {
            block.used += 1;
        }
        self.values.push(value);
        Ok(Gc::from_raw(raw))
    }
}

impl<T: Trace> Buffer for Values<T> {
    fn as_any(&mut self) -> &mut dyn Any {
        self
    }

    fn flush(&mut self, heap: &mut Heap, panics: &mut Panics) -> usize {
        self.places = None;
        let len = self.values.len();
        heap.later.blocks.with(|blocks| {
            blocks.types.entry(TypeId::of::<T>()).and_modify(|demand| demand.seen += len);
        });
        let index = heap.types.get::<T>().map(usize::from);
        let (mut values, mut made) = (self.values.drain(..), 0);
        for block in self.blocks.drain(..) {
            let words = match block.from {
                From::Word(word) => Some(word..word + 1),
                From::Page(number) => heap.later.opened.get(number).cloned().flatten(),
            };
            let (Some(index), Some(words)) = (index, words) else {
                // There is no page: the values are dropped, their handles never resolve.
                let mut left = block.used;
                panics.run_all(|| {
                    left = left.wrapping_sub(1);
                    left != usize::MAX && values.next().is_some()
                });
                continue;
            };
            let mut left = block.used;
            for word in words {
                let mut claim = heap.pools[index].take_later(word);
                let most = left.min(claim.len());
                made += heap.fill_claim(index, &mut claim, &mut values, most, panics);
                left -= most;
                heap.pools[index].put_later(word, claim);
            }
        }
        drop(values);
        // Not for ever as large as for the largest frame.
        if self.values.capacity() / 4 > len {
            self.values.shrink_to(2 * len);
        }
        made
    }
}

impl Shard {
    fn values<T: Trace>(&mut self) -> &mut Values<T> {
        let id = TypeId::of::<T>();
        if self.buffers.get(self.last).is_none_or(|(last, _)| *last != id) {
            self.last = *self.places.entry(id).or_insert(self.buffers.len());
            if self.last == self.buffers.len() {
                let values = Values::<T> { values: Vec::new(), blocks: Vec::new(), places: None };
                self.buffers.push((id, Box::new(values)));
            }
        }
        self.buffers[self.last].1.as_any().downcast_mut().expect("the buffer of this type")
    }
}

impl Heap {
    /// As [`alloc`](Self::alloc), through `&Heap`, from any thread: the value waits for the next
    /// [`flush`](Self::flush), and the handle is the one that its object will have. Until then it resolves to
    /// nothing. [`collect`](Self::collect), [`step`](Self::step), [`pace`](Self::pace) and the like flush
    /// first, so an object that is to outlive them needs a root or an edge as any other:
    /// [`alloc_root_later`](Self::alloc_root_later) makes one.
    ///
    /// What one thread makes of a type becomes objects in that order; between threads no order is promised,
    /// and the handles depend on their timing, so this is not for programs in lockstep. O(1), with a lock
    /// that is the thread's own but for every sixty-fourth value or so.
    ///
    /// # Panics
    /// When a limit is reached, as `alloc`: what waits counts.
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
    #[track_caller]
    pub fn alloc_later<T: Trace>(&self, value: T) -> Gc<T> {
        match self.put_later(value) {
            Ok(gc) => gc,
            Err((_, limit)) => refuse::<T>(limit),
        }
    }

    /// As [`alloc_later`](Self::alloc_later), or gives the value back when a limit is reached.
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

    /// As [`alloc_later`](Self::alloc_later), with a root for the object to be.
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

    /// Makes the objects whose values wait since [`alloc_later`](Self::alloc_later); returns how many.
    /// Whatever collects does it first.
    ///
    /// O(values). Should the system refuse the memory, the values are dropped and their handles never
    /// resolve.
    ///
    /// # Panics
    /// If an `owned_bytes` or a destructor does, when all is done; the object in question is not made.
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
        // Relaxed: seen by whoever has `&mut Heap`, since the program hands that over. Looked at first, since
        // a store takes the line away from all other threads.
        if !self.later.is_used.load(Ordering::Relaxed) {
            self.later.is_used.store(true, Ordering::Relaxed);
        }
        let has_limits = self.config.has_limits();
        if has_limits {
            if let Err(limit) = self.count_pending::<T>() {
                return Err((value, limit));
            }
        }
        let put = self.later.shards.with(|shard| shard.with(|shard| shard.values::<T>().push(self, value)));
        if put.is_err() && has_limits {
            self.later.pending.with(|pending| {
                pending.objects -= 1;
                pending.bytes -= Geometry::<T>::SLOT_BYTES;
            });
        }
        put
    }

    /// Counts one more value that waits, if the limits allow it.
    fn count_pending<T: Trace>(&self) -> Result<(), Limit> {
        self.later.pending.with(|pending| {
            self.within_limits(Geometry::<T>::SLOT_BYTES, *pending)?;
            pending.objects += 1;
            pending.bytes += Geometry::<T>::SLOT_BYTES;
            Ok(())
        })?;
        // The next `alloc` counts what waits.
        self.counts.check_limits_next();
        Ok(())
    }

    /// What waits and counts for the limits.
    pub(super) fn pending(&self) -> Pending {
        self.later.pending.with(|pending| *pending)
    }

    /// Takes the next places for values of `T`.
    fn take_block<T: Trace>(&self) -> Result<(From, Places), Limit> {
        let pool = self.types.get::<T>().map(|index| &self.pools[usize::from(index)]);
        self.later.blocks.with(|Blocks { types, promised }| {
            let demand = types.entry(TypeId::of::<T>()).or_insert(Demand {
                next: 0,
                seen: 0,
                values: 0,
                set_aside: |heap, values| heap.set_aside::<T>(values),
            });
            if let Some(claim) = pool.and_then(|pool| pool.later(demand.next)) {
                let from = From::Word(demand.next);
                demand.next += 1;
                let (page, word, free, first) = claim.places();
                return Ok((from, Places::Word { page, word, free, first }));
            }
            let page = self.store.promise_pages(Geometry::<T>::RUN_PAGES)?;
            crate::tag::register::<T>();
            promised.push(Promised { page, open: |heap, page| heap.open_promised::<T>(page) });
            let first = pool.map_or(self.config.fresh_generation(), Pool::first);
            Ok((From::Page(promised.len() - 1), Places::Page { page, next: 0, first }))
        })
    }

    /// Opens the pages promised, all of them: others come after.
    pub(super) fn open_all_promised(&mut self) {
        let done = self.later.opened.len();
        let promised: Vec<Promised> = self.later.blocks.with(|blocks| blocks.promised[done..].to_vec());
        let mut has_failed = false;
        for Promised { page, open } in promised {
            // After one that could not be opened the numbers of the others are wrong.
            let opened = if has_failed { None } else { open(self, page).ok() };
            has_failed |= opened.is_none();
            self.later.opened.push(opened);
        }
        self.store.forget_promises();
        if has_failed {
            // Handles of those pages are given out and dead: other pages may get their numbers.
            self.config.skip_generation();
            let first = self.config.fresh_generation();
            self.pools.iter_mut().for_each(|pool| pool.skip_to(first));
        }
    }

    fn open_promised<T: Trace>(&mut self, page: u32) -> Result<Range<usize>, Limit> {
        let index = match self.types.get::<T>() {
            Some(index) => index,
            None => self.find_pool::<T>()?,
        };
        self.pools[usize::from(index)].open_promised(&mut self.store, page)
    }

    fn set_aside<T: Trace>(&mut self, values: usize) {
        if let Some(index) = self.types.get::<T>() {
            self.pools[usize::from(index)].set_aside(&mut self.store, values);
        }
    }

    /// Whether any value was ever made to wait.
    #[inline]
    pub(super) fn is_later_used(&self) -> bool {
        // Relaxed: see `put_later`.
        self.later.is_used.load(Ordering::Relaxed)
    }

    /// Puts all values that wait into the heap; returns how many there were. After this nothing is promised
    /// and no slot set aside.
    pub(super) fn take_up_later(&mut self, panics: &mut Panics) -> usize {
        if !self.is_later_used() {
            return 0;
        }
        self.open_all_promised();
        let mut made = 0;
        for number in 0..self.later.shards.len() {
            let take = |shard: &Lock<Shard>| shard.with(core::mem::take);
            let Some(mut shard) = self.later.shards.get(number).map(take) else { continue };
            for (_, buffer) in &mut shard.buffers {
                made += buffer.flush(self, panics);
            }
            if let Some(place) = self.later.shards.get(number) {
                place.with(|place| *place = shard);
            }
        }
        self.later.opened.clear();
        self.later.pending.with(|pending| *pending = Pending::default());
        self.counts.check_limits_next();
        let Self { later, pools, store, .. } = self;
        pools.iter_mut().for_each(|pool| pool.return_later(store));
        later.blocks.with(|blocks| {
            blocks.promised.clear();
            blocks.types.values_mut().for_each(Demand::end_frame);
        });
        made
    }

    /// Sets slots aside for as many values as came lately.
    pub(super) fn set_aside_for_later(&mut self) {
        if !self.is_later_used() {
            return;
        }
        let wanted: Vec<_> = self
            .later
            .blocks
            .with(|blocks| blocks.types.values().map(|demand| (demand.set_aside, demand.values)).collect());
        wanted
            .into_iter()
            .filter(|(_, values)| *values > 0)
            .for_each(|(set_aside, values)| set_aside(self, values));
    }

    /// Fills the next slots of a claim with as many values; returns how many objects were made of them.
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
                // Its `owned_bytes` panicked: the handle that was given out is dead.
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
