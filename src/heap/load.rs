//! What a heap weighs besides the bytes of its slots: bytes that objects own elsewhere, and what was released
//! but not collected yet. All of it counts towards the next collection.

use crate::config::HeapConfig;
use crate::handle::RawHandle;
use crate::heap::Heap;
use crate::trace::{Handle, Trace};

/// The weight besides slots, in bytes.
#[derive(Clone, Default)]
pub(super) struct Load {
    /// What living objects own outside their slots: exact after a full cycle, an estimate in between.
    owned: usize,
    /// What the program said objects own: exact, even if each claims the whole address space.
    hints: u128,
    /// What all objects owned that were ever allocated, or destroyed by hand.
    allocated: u64,
    destroyed: u64,
    /// The same when the current full cycle began.
    begin: (u64, u64),
    /// Weight for objects destroyed by hand since the last cycle: weak collections may have an entry for
    /// each.
    by_hand: usize,
    /// Weight for waiting: roots were dropped some frames ago, and no full cycle has run since.
    waiting: usize,
    /// More than this owned calls for a collection at once: the configured ceiling, or more if living objects
    /// own that.
    ceiling: usize,
    /// The weight of what is owned: more than any other if it is over the ceiling.
    owned_weight: usize,
    /// How many roots had been dropped when the last full cycle began, and the weight of each one dropped
    /// since.
    roots_dropped: u32,
    root_weight: usize,
}

impl Load {
    pub(super) fn new(config: &HeapConfig) -> Self {
        Self { ceiling: config.owned_limit(), ..Self::default() }
    }

    /// What is owned has changed.
    fn weigh(&mut self) {
        let owned = self.owned();
        self.owned_weight = if owned > self.ceiling { usize::MAX } else { owned };
    }

    /// What living objects own.
    pub(super) fn owned(&self) -> usize {
        self.owned.saturating_add(usize::try_from(self.hints).unwrap_or(usize::MAX))
    }

    /// What all objects owned that were ever allocated.
    pub(super) fn allocated(&self) -> u64 {
        self.allocated
    }

    #[inline(always)]
    pub(super) fn allocate(&mut self, bytes: usize) {
        if bytes > 0 {
            self.owned = self.owned.saturating_add(bytes);
            self.allocated = self.allocated.saturating_add(bytes as u64);
            self.weigh();
        }
    }

    /// An object died by hand.
    pub(super) fn destroy(&mut self, bytes: usize, may_have_entries: bool) {
        const ENTRY: usize = 32;
        self.free(bytes);
        self.destroyed = self.destroyed.saturating_add(bytes as u64);
        if may_have_entries {
            self.by_hand += ENTRY;
        }
    }

    /// Objects that owned this much died.
    pub(super) fn free(&mut self, bytes: usize) {
        self.owned = self.owned.saturating_sub(bytes);
        self.weigh();
    }

    /// The hints of dead objects went with them.
    pub(super) fn forget_hints(&mut self, bytes: u128) {
        self.hints -= bytes;
        self.weigh();
    }

    /// What the program said objects own.
    pub(super) fn set_hints(&mut self, bytes: u128) {
        self.hints = bytes;
        self.weigh();
    }

    /// The weight that calls for a full cycle: dropped roots.
    pub(super) fn roots_weight(&self, dropped: u32) -> usize {
        let roots = dropped.wrapping_sub(self.roots_dropped) as usize;
        roots.saturating_mul(self.root_weight).saturating_add(self.waiting)
    }

    /// Everything. `urgent` is nothing, or more than any other weight.
    #[inline]
    pub(super) fn total(&self, bytes: usize, dropped: u32, urgent: usize) -> usize {
        let released = self.by_hand.saturating_add(self.roots_weight(dropped));
        bytes.saturating_add(self.owned_weight | urgent).saturating_add(released)
    }

    /// What living objects take, in their slots and outside.
    pub(super) fn size(&self, bytes: usize) -> usize {
        bytes.saturating_add(self.owned())
    }

    /// Another frame passed without a full cycle since roots were dropped. What only they reached must not
    /// stay for ever if nothing else happens, so after enough frames this is reason enough for a cycle.
    pub(super) fn wait(&mut self, dropped: u32, config: &HeapConfig) {
        const FRAMES: usize = 64;
        if dropped != self.roots_dropped {
            self.waiting += config.nursery() / FRAMES + 1;
        }
    }

    /// A cycle begins.
    pub(super) fn begin(&mut self, is_full: bool, dropped: u32) {
        self.by_hand = 0;
        if is_full {
            self.begin = (self.allocated, self.destroyed);
            self.waiting = 0;
            self.roots_dropped = dropped;
        }
    }

    /// A full cycle ended; reachable objects own this much.
    pub(super) fn finish_full(&mut self, marked: usize, roots: usize, config: &HeapConfig) {
        let made = (self.allocated - self.begin.0) as i128 - (self.destroyed - self.begin.1) as i128;
        self.owned = usize::try_from((marked as i128 + made).max(0)).unwrap_or(usize::MAX);
        self.ceiling = config.owned_limit();
        if self.owned() > self.ceiling {
            // Another collection now would free nothing.
            self.ceiling = self.owned().saturating_add(config.nursery());
        }
        self.weigh();
        // Half of all roots weigh as much as a nursery.
        self.root_weight =
            (config.nursery().saturating_mul(2) / (roots + 1)).clamp(1, config.nursery().max(1));
    }
}

/// # Memory outside the slots
impl Heap {
    /// Tells the heap that the object owns this many bytes that [`Trace::owned_bytes`] cannot know of: memory
    /// of a graphics card, a mapped file. They count towards the next collection like any other, until the
    /// object dies. `false` if it is gone.
    ///
    /// This adds to the object's `owned_bytes`, replaces an earlier call of this method, and lasts through
    /// cycles. O(1).
    ///
    /// # Examples
    /// ```
    /// use slotgc::Heap;
    ///
    /// let mut heap = Heap::new();
    /// let texture = heap.alloc_root(7_u32); // its number on the card
    /// assert!(heap.set_owned_bytes(&texture, 4 << 20));
    /// assert_eq!(heap.stats().owned_bytes, 4 << 20);
    /// drop(texture);
    /// heap.collect();
    /// assert_eq!(heap.stats().owned_bytes, 0);
    /// ```
    pub fn set_owned_bytes(&mut self, h: impl Handle, bytes: usize) -> bool {
        let Ok(raw) = self.living(h) else {
            return false;
        };
        let before = self.deaths.set_hint(raw, bytes);
        self.load.set_hints(self.load.hints - before as u128 + bytes as u128);
        if bytes > 0 {
            self.set_watched(raw);
        } else {
            self.unwatch(raw);
        }
        true
    }

    /// Something is registered on the object that its death must find.
    pub(super) fn set_watched(&mut self, raw: RawHandle) {
        if self.store.set_watched(raw, true) {
            self.pools[self.store.pool_of(raw.granule()) as usize].count_watched(true);
        }
    }

    /// The object has one registration fewer.
    pub(super) fn unwatch(&mut self, raw: RawHandle) {
        if !self.deaths.is_kept(raw) && self.store.set_watched(raw, false) {
            self.pools[self.store.pool_of(raw.granule()) as usize].count_watched(false);
        }
    }

    /// Everything that counts towards the next collection.
    #[inline]
    pub(super) fn weight(&self) -> usize {
        self.load.total(self.counts.bytes, self.roots.dropped(), self.pending_weight())
    }

    /// What living objects take.
    pub(super) fn size(&self) -> usize {
        self.load.size(self.counts.bytes)
    }

    /// Takes over what the storage and the registrations recorded about dead objects.
    pub(super) fn settle_owned(&mut self) {
        self.load.free(self.store.take_freed_owned());
        self.load.forget_hints(self.deaths.take_gone_hints());
    }
}

/// What a value owns, without a call where its type owns nothing.
#[inline(always)]
pub(super) fn owned<T: Trace>(value: &T) -> usize {
    if T::OWNS { value.owned_bytes() } else { 0 }
}
