//! The table below every weak collection: hashbrown's, with a record of what changed since the collector last
//! visited it.
//!
//! The collector visits a large table in slices of buckets: once to trace its entries, if they have edges,
//! and once to drop the dead ones. Between two slices the program may do anything to it. What it changes
//! behind a slice is in [`Changes`]; if entries move to other buckets, the collector starts over.

use alloc::vec::Vec;
use core::mem;

use hashbrown::HashTable;
use hashbrown::hash_table::{self, Entry};

use crate::geometry::Granule;
use crate::handle::Weak;
use crate::trace::{Era, LOOK_AHEAD, Liveness, Mode, Trace, Tracer};
use crate::weak::{Changes, Slack};

pub(crate) struct Table<E> {
    entries: HashTable<E>,
    slack: Slack,
    changes: Changes,
}

impl<E> Table<E> {
    pub(crate) fn new() -> Self {
        Self::with_capacity(0)
    }

    pub(crate) fn with_capacity(capacity: usize) -> Self {
        let entries = HashTable::with_capacity(capacity);
        Self { changes: Changes::new(entries.capacity()), entries, slack: Slack::default() }
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Bytes of the table itself.
    pub(crate) fn owned_bytes(&self) -> usize {
        self.entries.allocation_size() + self.changes.owned_bytes()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(crate) fn capacity(&self) -> usize {
        self.entries.capacity()
    }

    #[inline]
    pub(crate) fn find(&self, hash: u64, is_equal: impl FnMut(&E) -> bool) -> Option<&E> {
        self.entries.find(hash, is_equal)
    }

    /// An entry that may be changed.
    #[inline]
    pub(crate) fn find_mut(&mut self, hash: u64, is_equal: impl FnMut(&E) -> bool) -> Option<&mut E> {
        self.changes.note(hash, self.entries.len());
        self.entries.find_mut(hash, is_equal)
    }

    /// The place of an entry, which may be filled or changed.
    #[inline]
    pub(crate) fn entry(
        &mut self,
        hash: u64,
        is_equal: impl FnMut(&E) -> bool,
        hasher: impl Fn(&E) -> u64,
    ) -> Entry<'_, E> {
        let (len, capacity) = (self.entries.len(), self.entries.capacity());
        if let Some(capacity) = self.slack.check(len, capacity) {
            self.changes.note_rehash(capacity);
            self.entries.shrink_to(capacity, &hasher);
        } else if len == capacity {
            // hashbrown makes room for one more before it looks for an equal one.
            self.changes.note_rehash(len + 1);
        }
        self.changes.note(hash, len);
        self.entries.entry(hash, is_equal, hasher)
    }

    /// Makes room for one more entry, if the next insertion would rehash in place: in a smaller table. A
    /// user's `hasher` may panic, and hashbrown would then drop the entries that are not rehashed yet.
    #[inline]
    pub(crate) fn make_room_apart(&mut self, hasher: impl Fn(&E) -> u64) {
        let len = self.entries.len();
        if len == self.entries.capacity() {
            // Less than half full of entries, the rest of places that were not reclaimed.
            let half = capacity_of(self.entries.num_buckets()) / 2;
            if len < half {
                self.changes.note_rehash(half);
                self.entries.shrink_to(half, hasher);
            }
        }
    }

    #[inline]
    pub(crate) fn remove(&mut self, hash: u64, is_equal: impl FnMut(&E) -> bool) -> Option<E> {
        let entry = self.entries.find_entry(hash, is_equal).ok()?;
        Some(entry.remove().0)
    }

    pub(crate) fn clear(&mut self) {
        self.entries.clear();
    }

    pub(crate) fn shrink_to_fit(&mut self, hasher: impl Fn(&E) -> u64) {
        self.changes.note_rehash(self.entries.len());
        self.entries.shrink_to_fit(hasher);
    }

    pub(crate) fn iter(&self) -> hash_table::Iter<'_, E> {
        self.entries.iter()
    }

    /// All entries, which may be changed.
    pub(crate) fn iter_mut(&mut self) -> hash_table::IterMut<'_, E> {
        self.changes.note_all();
        self.entries.iter_mut()
    }

    /// Removes all entries.
    pub(crate) fn take(&mut self) -> hash_table::IntoIter<E> {
        mem::take(self).into_iter()
    }

    pub(crate) fn drain(&mut self) -> hash_table::Drain<'_, E> {
        self.entries.drain()
    }

    /// Removes entries; those that stay are not changed.
    pub(crate) fn retain(&mut self, mut keep: impl FnMut(&E) -> bool) {
        self.entries.retain(|entry| keep(entry));
    }

    /// Removes entries, and may change those that stay.
    pub(crate) fn retain_mut(&mut self, keep: impl FnMut(&mut E) -> bool) {
        self.changes.note_all();
        self.entries.retain(keep);
    }

    /// Traces the entries with edges, or the new ones in a minor collection; as many as fit into the slice.
    pub(crate) fn trace<'e, T: Trace>(
        &'e self,
        tracer: &mut Tracer<'_>,
        target: impl Fn(&E) -> Weak<T> + Copy,
        trace: impl Fn(&mut Tracer<'_>, &'e E) + Copy,
    ) {
        if tracer.mode == Mode::Beside || tracer.is_counting() {
            // The table's notes need exclusive access to the heap, and the object was left for that; here it
            // only matters that it has a weak collection.
            return;
        }
        let (weak_collections, unguarded) = (tracer.weak_collections(), tracer.unguarded_values());
        self.trace_entries(&mut tracer.nest(), target, trace);
        if tracer.unguarded_values() != unguarded && !tracer.is_recording() {
            self.changes.set_unguarded(true);
        }
        if tracer.weak_collections() != weak_collections && !tracer.is_recording() {
            self.changes.note_nested();
        }
    }

    fn trace_entries<'e, T: Trace>(
        &'e self,
        tracer: &mut Tracer<'_>,
        target: impl Fn(&E) -> Weak<T> + Copy,
        trace: impl Fn(&mut Tracer<'_>, &'e E) + Copy,
    ) {
        if tracer.is_recording() {
            return self.entries.iter().for_each(|entry| trace(tracer, entry));
        }
        if self.changes.has_unguarded() {
            // Changes of the values go unseen: all of them may have changed.
            self.changes.set_unguarded(false);
            tracer.spend(self.entries.len());
            return self.trace_all(tracer, target, trace);
        }
        let era = tracer.era();
        if let Some(fresh) = self.changes.fresh(&era) {
            return self.trace_fresh(tracer, fresh, trace);
        }
        if !tracer.may_leave_unfinished() {
            return self.trace_all(tracer, target, trace);
        }
        // Until this returns: after a panic in an entry's `trace`, which may be caught, it is not known how
        // far the walk came.
        let walking = self.changes.walking();
        let Some((start, fresh)) = self.changes.walk(&era) else {
            tracer.spend(self.entries.len());
            self.trace_all(tracer, target, trace);
            return walking.finish();
        };
        tracer.spend(fresh.len());
        self.trace_fresh(tracer, fresh, trace);
        let buckets = self.entries.num_buckets();
        if start >= buckets {
            self.changes.walked(None);
            return walking.finish();
        }
        let len = self.entries.len();
        if start == 0 && (tracer.slice() >= len || self.changes.is_restless()) {
            if tracer.slice() >= len {
                tracer.spend(len);
            } else {
                // Else the next change would come before marking is done, again and again.
                tracer.grant(len);
            }
            self.trace_all(tracer, target, trace);
            self.changes.walked(None);
            return walking.finish();
        }
        // At least one window, though the slice may be spent: tables without a walk spend all of it each time
        // their object is traced. One of its tables gets that, which leaves the object unfinished; the others
        // wait for their turn.
        let mut next = start;
        while next < buckets && (tracer.slice() > 0 || (next == start && !tracer.is_left_unfinished())) {
            let end = (next + WINDOW).min(buckets);
            let mut len = 0;
            for entry in (next..end).filter_map(|bucket| self.entries.get_bucket(bucket)) {
                tracer.prefetch(target(entry));
                len += 1;
            }
            (next..end)
                .filter_map(|bucket| self.entries.get_bucket(bucket))
                .for_each(|entry| trace(tracer, entry));
            tracer.spend(len.max(1));
            next = end;
        }
        self.changes.walked((next < buckets).then_some(next));
        walking.finish();
        if next < buckets {
            tracer.leave_unfinished();
        }
    }

    fn trace_all<'e, T: Trace>(
        &'e self,
        tracer: &mut Tracer<'_>,
        target: impl Fn(&E) -> Weak<T> + Copy,
        trace: impl Fn(&mut Tracer<'_>, &'e E) + Copy,
    ) {
        if self.is_worth_sorting(tracer, target) {
            return self.trace_sorted(tracer, target, trace);
        }
        // Headers of keys that were reached already must be read, so some are prefetched.
        let mut ahead = self.entries.iter().skip(LOOK_AHEAD);
        for entry in &self.entries {
            if let Some(entry) = ahead.next() {
                tracer.prefetch(target(entry));
            }
            trace(tracer, entry);
        }
    }

    /// Whether there are many entries, and most will wait for their targets.
    fn is_worth_sorting<T: Trace>(&self, tracer: &Tracer<'_>, target: impl Fn(&E) -> Weak<T>) -> bool {
        const LARGE: usize = 4096;
        const SAMPLE: usize = 32;
        let is_white = |entry: &&E| tracer.is_place_white(target(entry).raw().granule());
        self.len() >= LARGE && self.entries.iter().take(SAMPLE).filter(is_white).count() > SAMPLE / 2
    }

    /// Traces entries in pieces, each in the order in which their targets lie.
    ///
    /// So targets are visited from page to page, and what waits for them is filed in their order. When a
    /// chain of entries is followed from key to key, and keys that belong together were made together, their
    /// records are neighbours too.
    fn trace_sorted<'e, T: Trace>(
        &'e self,
        tracer: &mut Tracer<'_>,
        target: impl Fn(&E) -> Weak<T>,
        trace: impl Fn(&mut Tracer<'_>, &'e E),
    ) {
        /// Few enough buckets that what is read of them stays in the cache.
        const PIECE: usize = 1 << 14;
        let buckets = self.entries.num_buckets();
        let mut order: Vec<(Granule, usize)> = Vec::with_capacity(PIECE);
        for start in (0..buckets).step_by(PIECE) {
            let piece = start..buckets.min(start + PIECE);
            order.extend(piece.filter_map(|bucket| {
                let entry = self.entries.get_bucket(bucket)?;
                Some((target(entry).raw().granule(), bucket))
            }));
            order.sort_unstable();
            for (index, (_, bucket)) in order.iter().enumerate() {
                if let Some((granule, _)) = order.get(index + LOOK_AHEAD) {
                    tracer.prefetch_header(*granule);
                }
                if let Some(entry) = self.entries.get_bucket(*bucket) {
                    trace(tracer, entry);
                }
            }
            order.clear();
        }
    }

    fn trace_fresh<'e>(
        &'e self,
        tracer: &mut Tracer<'_>,
        fresh: &[u64],
        trace: impl Fn(&mut Tracer<'_>, &'e E),
    ) {
        // Entries with equal hashes are traced too, which does no harm.
        fresh.iter().flat_map(|hash| self.entries.iter_hash(*hash)).for_each(|entry| trace(tracer, entry));
    }

    /// Prunes in a collection, as much as fits into the slice; outside a collection, everything. What is
    /// removed goes to `remove`; what stays is passed to `visit`, if entries have weak collections of their
    /// own. `hash` finds entries by the handles of their objects.
    pub(crate) fn prune<T: Trace>(
        &mut self,
        live: &Liveness<'_>,
        target: impl Fn(&E) -> Weak<T> + Copy,
        hash: Option<fn(&Weak<T>) -> u64>,
        remove: impl Fn(E) + Copy,
        visit: impl Fn(&mut E) + Copy,
    ) {
        let len = self.entries.len();
        match live.era() {
            None => self.prune_all(live, target, remove, visit),
            Some(era) if !self.prune_fresh(era, live, target, hash, remove, visit) => {
                self.prune_in_slices(era, live, target, remove, visit);
            }
            Some(_) => {}
        }
        let pruned = len - self.entries.len();
        live.count_pruned(pruned);
        self.slack.note_pruned(pruned);
    }

    fn prune_in_slices<T: Trace>(
        &mut self,
        era: &Era,
        live: &Liveness<'_>,
        target: impl Fn(&E) -> Weak<T> + Copy,
        remove: impl Fn(E) + Copy,
        visit: impl Fn(&mut E) + Copy,
    ) {
        let Some(mut next) = self.changes.prune_from(era) else { return };
        let len = self.entries.len();
        let has_nested = self.changes.has_nested();
        let fits = live.slice() >= len && (!has_nested || live.slice() == usize::MAX);
        if next == 0 && fits {
            live.spend(len);
            self.prune_all(live, target, remove, visit);
            return self.changes.note_pruned(era);
        }
        if next == 0 && self.changes.is_pruning_restless() {
            // Else the table would grow faster than it is pruned, for ever.
            live.beyond_slice(len, || self.prune_all(live, target, remove, visit));
            return self.changes.note_pruned(era);
        }
        let buckets = self.entries.num_buckets();
        while next < buckets {
            if live.slice() == 0 {
                self.changes.pruned_to(next);
                return live.leave_unfinished();
            }
            let end = (next + WINDOW).min(buckets);
            let looked_at = self.prune_window(next..end, live, target, remove).max(1);
            if has_nested {
                // With what is left for them before the window is paid for: else a small slice would reach
                // none of them, time and again.
                for bucket in next..end {
                    self.entries.get_bucket_mut(bucket).into_iter().for_each(visit);
                    if live.is_unfinished() {
                        live.spend(looked_at);
                        return self.changes.pruned_to(bucket);
                    }
                }
            }
            live.spend(looked_at);
            next = end;
        }
        self.changes.note_pruned(era);
    }

    /// Returns how many entries these buckets held.
    fn prune_window<T: Trace>(
        &mut self,
        buckets: core::ops::Range<usize>,
        live: &Liveness<'_>,
        target: impl Fn(&E) -> Weak<T> + Copy,
        remove: impl Fn(E) + Copy,
    ) -> usize {
        let mut len = 0;
        for entry in buckets.clone().filter_map(|bucket| self.entries.get_bucket(bucket)) {
            live.prefetch(target(entry));
            len += 1;
        }
        for bucket in buckets {
            if self.entries.get_bucket(bucket).is_some_and(|entry| !live.is_live(target(entry))) {
                if let Ok(entry) = self.entries.get_bucket_entry(bucket) {
                    remove(entry.remove().0);
                }
            }
        }
        len
    }

    fn prune_all<T: Trace>(
        &mut self,
        live: &Liveness<'_>,
        target: impl Fn(&E) -> Weak<T> + Copy,
        remove: impl Fn(E),
        visit: impl Fn(&mut E) + Copy,
    ) {
        let mut verdicts = live.verdicts(self.entries.iter().map(target));
        if mem::needs_drop::<E>() {
            self.entries.extract_if(|_| !verdicts.next()).for_each(remove);
        } else {
            self.entries.retain(|_| verdicts.next());
        }
        if self.changes.has_nested() {
            self.entries.iter_mut().for_each(visit);
        }
    }

    /// Prunes the new entries, in a minor collection that knows the rest.
    fn prune_fresh<T: Trace>(
        &mut self,
        era: &Era,
        live: &Liveness<'_>,
        target: impl Fn(&E) -> Weak<T> + Copy,
        hash: Option<fn(&Weak<T>) -> u64>,
        remove: impl Fn(E) + Copy,
        visit: impl Fn(&mut E) + Copy,
    ) -> bool {
        let Self { entries, changes, .. } = self;
        let Some(fresh) = changes.fresh(era) else { return false };
        // Any entry may name what the program destroyed since.
        let destroyed = changes.unknown(live.destroyed());
        let len = entries.len();
        let mut prune = |hash: u64| {
            while let Ok(entry) = entries.find_entry(hash, |entry| !live.is_live(target(entry))) {
                remove(entry.remove().0);
            }
        };
        if !destroyed.is_empty() {
            let can_find = !changes.has_nested() && destroyed.len() <= len + fresh.len();
            let Some(hash) = hash.filter(|_| can_find) else { return false };
            destroyed.iter().for_each(|destroyed| prune(hash(&Weak::from_raw(destroyed.raw))));
        }
        fresh.iter().for_each(|hash| prune(*hash));
        if changes.has_nested() {
            fresh.iter().for_each(|hash| entries.iter_hash_mut(*hash).for_each(visit));
        }
        changes.note_fresh_pruned(era);
        true
    }
}

/// How many entries hashbrown puts into so many buckets at most.
fn capacity_of(buckets: usize) -> usize {
    if buckets < 8 { buckets.saturating_sub(1) } else { buckets / 8 * 7 }
}

/// Buckets that are visited together: the headers of all their objects are prefetched first.
const WINDOW: usize = if cfg!(gc_zeal) { 4 } else { 16 };

impl<E> Default for Table<E> {
    fn default() -> Self {
        Self::new()
    }
}

impl<E: Clone> Clone for Table<E> {
    fn clone(&self) -> Self {
        Self {
            entries: self.entries.clone(),
            slack: self.slack,
            changes: self.changes.copied(self.entries.capacity()),
        }
    }
}

impl<E> IntoIterator for Table<E> {
    type Item = E;
    type IntoIter = hash_table::IntoIter<E>;

    fn into_iter(self) -> Self::IntoIter {
        self.entries.into_iter()
    }
}
