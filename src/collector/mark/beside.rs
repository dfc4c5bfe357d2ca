//! Marking with `&Heap`, beside readers and beside other markers.
//!
//! A [`Helper`] is a marker with a stack of its own. It takes edges from the exchange, follows them, and
//! leaves what it does not finish. It changes three kinds of words that other threads can see. White bits: by
//! atomic operations, of which one marker wins. The flags of an object that it traces: only the marker that
//! won the white bit writes them, or several if a change queued the object twice, which all write the same.
//! The exchange: under its lock. Readers look at generations, values, tags and roots, which no marker writes.

use alloc::vec::Vec;
use core::mem;

use super::exchange::{Findings, Held, Inside};
use super::follow::{TypeQueue, lines_of};
use super::{Marker, TraceOps};
use crate::collector::meter::Meter;
use crate::collector::prefetch_queue::QUEUE_DEPTH;
use crate::handle::RawHandle;
use crate::pool::Pool;
use crate::root::RootTable;
use crate::store::Store;
use crate::trace::beside::locks;
use crate::trace::{EdgeStack, Side, Trace, Tracer};

/// Objects traced before a helper checks what others need; few in a model.
const BATCH: usize = if cfg!(loom) { 1 } else { 128 };

/// How often a helper with a budget looks for edges from others.
const PATIENCE: u32 = 256;

/// With fewer edges than this, help is not worth it.
const FEW: usize = 512;

/// Steps without help after which none is expected any more.
const MISSES: u32 = 8;

/// A marker that has only `&Heap`.
pub(super) struct Helper {
    queues: Vec<TypeQueue>,
    active: Vec<u16>,
    edges: EdgeStack,
    side: Side,
    quota: usize,
    findings: Findings,
}

/// What is known about threads that mark with `&Heap` between the steps.
#[derive(Clone, Copy, Debug)]
pub(super) struct Help {
    /// Steps in a row that left edges and found that none had been followed.
    misses: u32,
    /// Whether the last step left any.
    has_left: bool,
    /// Whether what the program changed was left once in this cycle.
    has_left_changes: bool,
}

impl Default for Help {
    fn default() -> Self {
        Self { misses: MISSES, has_left: false, has_left_changes: false }
    }
}

impl Help {
    fn note(&mut self, traced: usize) {
        if traced > 0 {
            self.misses = 0;
        } else if self.has_left {
            self.misses = self.misses.saturating_add(1);
        }
        self.has_left = false;
    }

    /// Another cycle begins: what was left no longer counts.
    pub(super) fn begin(&mut self) {
        (self.has_left, self.has_left_changes) = (false, false);
    }

    fn is_expected(self) -> bool {
        self.misses < MISSES
    }
}

impl Marker {
    /// Offers the edges found to other threads, until [`take_back`](Self::take_back).
    pub(super) fn offer(&mut self) {
        if self.is_minor() || self.side.gathering {
            return;
        }
        for pool in self.active.drain(..) {
            let queue = self.queues[pool as usize].queue();
            while let Some(raw) = queue.pop() {
                self.edges.push(raw, &mut self.side.spill);
            }
        }
        self.help.has_left = self.edges.len(&self.side.spill) > 0;
        self.exchange.offer(&mut self.edges, &mut self.side.spill);
    }

    /// Takes back what was offered, with what was found meanwhile.
    pub(super) fn take_back(&mut self, ops: &[TraceOps], store: &Store) {
        let Findings { traced, owned, left, awaited, mut tenants } =
            self.exchange.take_back(&mut self.edges, &mut self.side.spill);
        self.help.note(traced);
        self.traced += traced;
        self.side.owned = self.side.owned.saturating_add(owned);
        self.side.tenants.append(&mut tenants);
        // Counted here, since tracing them once more first subtracts them.
        self.traced += left.len();
        let owned = |raw: &RawHandle| (ops[store.pool_of(raw.granule()) as usize].owned)(store, *raw);
        self.side.owned = left.iter().map(owned).fold(self.side.owned, usize::saturating_add);
        self.side.unfinished.extend(left);
        if !awaited.is_empty() {
            self.trace_with(store, |tracer| awaited.into_iter().for_each(|raw| tracer.release(raw)));
        }
    }

    /// Whether enough is left to follow that it should be left to helpers.
    #[inline]
    pub(super) fn leaves_edges(&self, meter: &Meter<'_>) -> bool {
        let is_wanted = meter.leaves_edges() && self.help.is_expected();
        // What only this marker can trace goes first.
        is_wanted && self.side.unfinished.is_empty() && self.edges.len(&self.side.spill) > FEW
    }

    /// Once in a cycle, when all else is done: leaves what the program changed to helpers. Later changes are
    /// few, and the steps do the rest of the cycle. `true` if there was enough to leave.
    pub(super) fn leave_changes(
        &mut self,
        ops: &[TraceOps],
        store: &mut Store,
        pools: &mut [Pool],
        roots: &RootTable,
        meter: &mut Meter<'_>,
    ) -> bool {
        /// Objects pushed on the stack that count as one traced.
        const UNIT: usize = 4;
        if self.help.has_left_changes || !meter.leaves_edges() || !self.help.is_expected() {
            return false;
        }
        while !self.help.has_left_changes && !meter.is_spent() {
            match self.catch_up(ops, store, pools, roots, true, meter) {
                0 => self.help.has_left_changes = true,
                found => meter.spend(found / UNIT),
            }
        }
        self.edges.len(&self.side.spill) > FEW
    }

    /// Whether other threads with `&Heap` mark between the steps.
    pub(crate) fn expects_help(&self) -> bool {
        self.help.is_expected()
    }

    /// Whether a `trace` panicked beside readers.
    pub(crate) fn has_failed(&self) -> bool {
        self.exchange.has_failed()
    }

    /// Keeps markers from entering, and waits until those inside have left.
    pub(crate) fn hold(&self) -> Held<'_> {
        self.exchange.hold()
    }

    /// Follows edges until the budget is spent or none are left.
    pub(crate) fn help(&self, ops: &[TraceOps], store: &Store, meter: &mut Meter<'_>) {
        let Some(mut inside) = self.exchange.enter() else { return };
        let mut helper = Helper {
            queues: self.queues.iter().map(TypeQueue::empty).collect(),
            active: Vec::new(),
            edges: EdgeStack::default(),
            side: self.side.beside(),
            quota: 0,
            findings: Findings::default(),
        };
        let patience = if meter.is_limited() { PATIENCE } else { u32::MAX };
        loop {
            if !helper.has_edges() && !inside.take(&mut helper.edges, &mut helper.side.spill, patience) {
                break;
            }
            helper.quota = meter.quota().min(BATCH);
            let pool = match helper.fullest_queue() {
                Some(pool) => pool,
                None => match helper.edges.pop() {
                    Some(raw) => helper.enqueue(store, raw),
                    None => {
                        helper.edges.unspill(&mut helper.side.spill);
                        continue;
                    }
                },
            };
            let work = (ops[pool as usize].help)(&mut helper, store, pool);
            meter.spend(work);
            if !inside.share(&mut helper.edges, &mut helper.side.spill) || meter.is_spent() {
                break;
            }
        }
        helper.leave(inside);
    }
}

impl Helper {
    fn has_edges(&self) -> bool {
        self.edges.len(&self.side.spill) > 0
            || self.active.iter().any(|pool| self.queues[*pool as usize].len() > 0)
    }

    fn fullest_queue(&mut self) -> Option<u16> {
        let queues = &self.queues;
        self.active.retain(|pool| queues[*pool as usize].len() > 0);
        self.active.iter().copied().max_by_key(|pool| queues[*pool as usize].len())
    }

    fn enqueue(&mut self, store: &Store, raw: RawHandle) -> u16 {
        let pool = store.pool_of(raw.granule());
        self.queues[pool as usize].enter(store, raw, pool, &mut self.active);
        pool
    }

    /// Hands over what it did not follow, and what it found.
    fn leave(mut self, inside: Inside<'_>) {
        for pool in self.active {
            while let Some(raw) = self.queues[pool as usize].queue().pop() {
                self.edges.push(raw, &mut self.side.spill);
            }
        }
        let Side { owned, unfinished: left, tenants, mut spill, .. } = self.side;
        inside.leave(self.edges, &mut spill, Findings { owned, left, tenants, ..self.findings });
    }
}

/// As [`drain`](super::follow::drain), beside other markers. Returns how many objects it looked at.
pub(super) fn help<T: Trace>(helper: &mut Helper, store: &Store, pool: u16) -> usize {
    let Helper { queues, active, edges, side, quota, findings } = helper;
    let lines = const { lines_of::<T>() };
    let mut queue = queues[pool as usize].take();
    let mut tracer = Tracer::beside(mem::take(edges), store, side);
    let look = store.look();
    let (mut taken, mut traced, quota) = (0, 0, *quota);
    'objects: while taken < quota {
        while queue.len() < QUEUE_DEPTH {
            let gathered = tracer.side.gathered.pop();
            let Some(raw) = (if gathered.is_some() { gathered } else { tracer.edges.pop() }) else { break };
            if look.is_page_of::<T>(raw.granule()) {
                look.prefetch_far(raw.granule(), lines);
                queue.push(raw);
                continue;
            }
            let target_pool = store.pool_of(raw.granule());
            let other = &mut queues[target_pool as usize];
            other.enter(store, raw, target_pool, active);
            if other.queue().is_full() {
                break 'objects;
            }
        }
        let Some(raw) = queue.pop() else { break };
        look.prefetch_near(queue.near().granule());
        let Some((object, is_awaited)) = look.get_to_trace::<T>(raw) else {
            // An empty slot is not reused as long as this edge exists.
            match look.generation::<T>(raw.granule()) {
                Some(generation) if generation.is_occupied() => {
                    tracer.side.tenants.push(RawHandle::new(raw.granule(), generation));
                }
                _ => {}
            }
            continue;
        };
        taken += 1;
        let left = tracer.side.unfinished.len();
        if T::NEEDS_TRACE {
            tracer.current = raw;
            object.trace(&mut tracer);
        }
        if T::OWNS && tracer.side.unfinished.len() == left {
            match locks::without(|| object.owned_bytes()) {
                Some(owned) => tracer.side.owned = tracer.side.owned.saturating_add(owned),
                None => tracer.side.unfinished.push(raw),
            }
        }
        // The marker that traces it as a whole counts it, and releases what waits for it.
        let is_whole = tracer.side.unfinished.len() == left;
        traced += usize::from(is_whole);
        if is_awaited && is_whole {
            findings.awaited.push(raw);
        }
    }
    *edges = tracer.edges;
    for raw in side.gathered.drain(..) {
        edges.push(raw, &mut side.spill);
    }
    findings.traced += traced;
    queues[pool as usize].put(queue);
    taken
}

/// Threads of its own.
#[cfg(feature = "std")]
mod threads {
    use super::{FEW, Marker, TraceOps};
    use crate::collector::meter::Meter;
    use crate::config::Budget;
    use crate::store::Store;

    /// With fewer edges than this, a thread is not worth it.
    const MANY: usize = 2 * FEW;
    /// Objects traced alone before this is checked again.
    const ALONE: usize = 4096;

    impl Marker {
        /// As [`follow`](Self::follow); in a full collection without a budget with other threads, once there
        /// are many edges to share.
        pub(in crate::collector::mark) fn follow_together(
            &mut self,
            ops: &[TraceOps],
            store: &Store,
            meter: &mut Meter<'_>,
        ) -> bool {
            if self.threads <= 1 || self.is_minor() || meter.is_limited() {
                return self.follow(ops, store, meter);
            }
            loop {
                let mut alone = Meter::new(Budget::Objects(ALONE), meter.clock(), meter.clock().now());
                let ran_dry = self.follow(ops, store, &mut alone);
                meter.spend(alone.work());
                if ran_dry || !self.side.tenants.is_empty() {
                    return ran_dry;
                }
                if self.edges.len(&self.side.spill) >= MANY {
                    self.share_with_threads(ops, store, meter);
                }
            }
        }

        fn share_with_threads(&mut self, ops: &[TraceOps], store: &Store, meter: &mut Meter<'_>) {
            // These threads do not count as help between steps.
            let help = self.help;
            self.offer();
            let (before, marker, threads) = (self.traced, &*self, self.threads);
            std::thread::scope(|scope| {
                let mark = || {
                    // A budget without limits reads no clock.
                    let clock = crate::clock::Clock::default().timer();
                    marker.help(ops, store, &mut Meter::new(Budget::Unlimited, &clock, clock.now()));
                };
                let spawn = |_| std::thread::Builder::new().spawn_scoped(scope, mark).ok();
                // If the system refuses a thread, marking does without it.
                let others: Vec<_> = (1..threads).filter_map(spawn).collect();
                mark();
                for other in others {
                    if let Err(payload) = other.join() {
                        std::panic::resume_unwind(payload);
                    }
                }
            });
            self.take_back(ops, store);
            self.help = help;
            meter.spend(self.traced - before);
        }
    }
}

/// Without std there are no threads.
#[cfg(not(feature = "std"))]
impl Marker {
    pub(in crate::collector::mark) fn follow_together(
        &mut self,
        ops: &[TraceOps],
        store: &Store,
        meter: &mut Meter<'_>,
    ) -> bool {
        self.follow(ops, store, meter)
    }
}
