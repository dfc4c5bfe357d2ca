//! The end of a cycle: what the program made meanwhile is looked at, and the heap reaches its final state.

use alloc::vec::Vec;
use core::mem;

use super::{Collector, CycleKind, Parts};
use crate::collector::meter::Meter;
use crate::handle::RawHandle;
use crate::panics::Panics;
use crate::pool::Pool;
use crate::stats::{CollectStats, Phase};
use crate::store::{Age, Color, Made, Store};
use crate::trace::Watcher;

/// How far the cycle has come with what the program made and changed since marking ended.
///
/// Those objects are old, and whatever they refer to is old too, since nothing else is made before the cycle
/// ends. But no `trace` has reported yet which of them change past the write barrier or have weak
/// collections, so the next minor collection would have to trace them all, in one piece. An incremental cycle
/// does that in its last steps, and leaves over only those that reported it.
#[derive(Clone, Default)]
pub(super) struct Settling {
    /// Objects left to look at, of those that there were at the last count: made, and changed.
    left: [usize; 2],
    /// Steps that came here.
    steps: usize,
    /// Pools, and places with objects that are left over.
    made: Vec<(usize, Made)>,
    changed: Vec<RawHandle>,
}

/// The most steps: a program may make more objects in each than a step looks at, and the cycle must end.
const STEPS: usize = 8;

/// No more than this are left to the next minor collection.
const FEW: usize = 2048;

impl Collector {
    /// Looks at what was made and changed since marking ended, until the budget is spent; `true` when it is
    /// done.
    pub(super) fn settle<H>(
        &mut self,
        parts: &mut Parts<'_, H>,
        meter: &mut Meter<'_>,
        panics: &mut Panics,
    ) -> bool {
        if !meter.is_limited() || !matches!(self.kind, CycleKind::Major | CycleKind::Minor) {
            return true;
        }
        parts.pools.iter_mut().for_each(Pool::note_made);
        self.settling.steps += 1;
        loop {
            if !self.settle_some(parts, meter, panics) {
                return self.settling.steps >= STEPS;
            }
            // The program made others meanwhile.
            let left = [parts.pools.iter().map(Pool::made_len).sum(), parts.store.dirty_len()];
            if left[0] + left[1] < FEW {
                return true;
            }
            self.settling.left = left;
        }
    }

    fn settle_some<H>(
        &mut self,
        parts: &mut Parts<'_, H>,
        meter: &mut Meter<'_>,
        panics: &mut Panics,
    ) -> bool {
        let Settling { left: [made_left, changed_left], made: kept_made, changed: kept_changed, .. } =
            &mut self.settling;
        let mut watcher = Watcher::counting();
        let mut declares =
            |store: &Store, pool: usize, raw: RawHandle| (self.ops[pool].declares)(store, raw, &mut watcher);
        for (number, pool) in parts.pools.iter_mut().enumerate() {
            while *made_left > 0 {
                if meter.is_spent() {
                    return false;
                }
                let Some(made) = pool.next_made() else { break };
                let len = made.bits.count_ones() as usize;
                *made_left = made_left.saturating_sub(len);
                meter.spend(len);
                // Left over, also when a `trace` panics.
                kept_made.push((number, made));
                let mut is_left = true;
                panics.run_once(|_| {
                    let mut any_declares = false;
                    pool.each_made(parts.store, made, &mut |raw| {
                        any_declares |= declares(parts.store, number, raw);
                    });
                    is_left = any_declares;
                });
                if !is_left {
                    kept_made.pop();
                }
            }
        }
        while *changed_left > 0 {
            if meter.is_spent() {
                return false;
            }
            let Some(raw) = parts.store.next_dirty() else { break };
            *changed_left -= 1;
            meter.spend(1);
            if parts.store.color_any(raw) != Color::Reached {
                continue;
            }
            kept_changed.push(raw);
            let (mut is_left, pool) = (true, parts.store.pool_of(raw.granule()) as usize);
            panics.run_once(|_| is_left = declares(parts.store, pool, raw));
            if !is_left {
                kept_changed.pop();
                parts.store.take_change(raw);
            }
        }
        true
    }

    /// Brings the heap into its final state.
    pub(super) fn end<H>(&mut self, parts: &mut Parts<'_, H>) {
        let Settling { made, changed, .. } = mem::take(&mut self.settling);
        made.into_iter().for_each(|(pool, made)| parts.pools[pool].put_made_back(made));
        parts.store.put_dirty_back(changed);
        for pool in &mut *parts.pools {
            pool.set_making(parts.store, Age::Young);
        }
        self.needs_major = false;
        self.phase = Phase::Notify;
    }

    /// Counts notifications, and the time that they took.
    pub(crate) fn count_notified(&mut self, count: usize, time: core::time::Duration) {
        self.stats.notified += count;
        if count > 0 {
            self.stats.notify_time = self.stats.notify_time.saturating_add(time);
        }
    }

    /// Ends the cycle after all notifications; returns what it did.
    pub(crate) fn finish(&mut self) -> (CycleKind, CollectStats) {
        self.phase = Phase::Idle;
        (self.kind, self.stats)
    }
}
