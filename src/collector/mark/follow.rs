//! Following edges: the inner loops of marking.

use alloc::vec::Vec;
use core::mem;
use core::time::Duration;

use super::{Marker, TraceOps};
use crate::collector::meter::Meter;
use crate::collector::prefetch_queue::{PrefetchQueue, QUEUE_DEPTH};
use crate::geometry::Geometry;
use crate::handle::RawHandle;
use crate::store::{Color, Made, Store, Tenant};
use crate::trace::{EdgeStack, Mode, Trace, Tracer, Watcher, visit};

/// A queue, and how many cache lines to prefetch when an object of its type enters it.
#[derive(Clone)]
pub(super) struct TypeQueue {
    /// `None` before it is first needed, and while `drain` has it.
    queue: Option<PrefetchQueue>,
    lines: u32,
}

impl TypeQueue {
    pub(super) fn of<T: Trace>() -> Self {
        Self { queue: None, lines: lines_of::<T>() }
    }

    #[inline(always)]
    pub(super) fn queue(&mut self) -> &mut PrefetchQueue {
        self.queue.get_or_insert_with(PrefetchQueue::new)
    }

    pub(super) fn len(&self) -> usize {
        self.queue.as_ref().map_or(0, PrefetchQueue::len)
    }

    /// An empty queue for the same type.
    pub(super) fn empty(&self) -> Self {
        Self { queue: None, lines: self.lines }
    }

    /// Takes the queue to be drained, until [`put`](Self::put).
    #[inline(always)]
    pub(super) fn take(&mut self) -> PrefetchQueue {
        self.queue.take().expect("a queue that is not in hand")
    }

    #[inline(always)]
    pub(super) fn put(&mut self, queue: PrefetchQueue) {
        self.queue = Some(queue);
    }

    /// Puts a handle into the queue, that of this pool.
    #[inline(always)]
    pub(super) fn enter(&mut self, store: &Store, raw: RawHandle, pool: u16, active: &mut Vec<u16>) {
        store.look().prefetch_far(raw.granule(), self.lines);
        let queue = self.queue();
        queue.push(raw);
        if queue.len() == 1 {
            active.push(pool);
        }
    }
}

/// Cache lines that the slots of `T` span, up to a limit: in an object with edges further back, the
/// processor's own prefetcher takes over.
pub(super) const fn lines_of<T: Trace>() -> u32 {
    const MOST: usize = 4;
    if !T::NEEDS_TRACE {
        return 1;
    }
    let bytes = Geometry::<T>::SLOT_BYTES;
    let lines = if bytes.is_power_of_two() {
        bytes.div_ceil(64)
    } else {
        bytes.div_ceil(64) + (bytes % 64 > 8) as usize
    };
    if lines < MOST { lines as u32 } else { MOST as u32 }
}

/// What pays for tracing.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Charge {
    Budget,
    Nobody,
}

impl Marker {
    /// Follows the edges found; `false` if the budget is spent before that is done, or a stale edge met a
    /// tenant.
    pub(super) fn follow(&mut self, ops: &[TraceOps], store: &Store, meter: &mut Meter<'_>) -> bool {
        while self.side.tenants.is_empty() {
            if self.leaves_edges(meter) {
                return false;
            }
            let pool = match self.fullest_queue() {
                Some(_) if meter.is_spent() => return false,
                Some(pool) => pool,
                None => match self.edges.pop() {
                    Some(raw) => self.enqueue(store, raw),
                    None if self.edges.unspill(&mut self.side.spill) => continue,
                    None => return true,
                },
            };
            let before = self.traced;
            self.quota = meter.quota();
            let slice = meter.slice().saturating_mul(1 + self.widening);
            self.side.slice = slice;
            let resumed = mem::take(&mut self.resumes).then(|| meter.clock().now());
            (ops[pool as usize].drain)(self, store, pool);
            if let Some(start) = resumed {
                self.widen(slice - self.side.slice, meter.clock().now().saturating_sub(start));
            }
            let granted = mem::take(&mut self.side.granted);
            meter.grant(granted);
            meter.spend(self.traced - before + (slice - self.side.slice) + granted);
        }
        false
    }

    /// Traces objects that were traced before, or were made in this cycle. They do not become edges first:
    /// they come in runs of one type, and each is found only once.
    pub(super) fn trace_again(
        &mut self,
        ops: &[TraceOps],
        store: &Store,
        due: &mut Vec<RawHandle>,
        meter: &mut Meter<'_>,
    ) {
        self.trace_some(store, meter, Charge::Budget, |tracer| again_each(ops, store, due, tracer));
    }

    /// Traces objects that change past the write barrier once more, in one go and whatever is left of the
    /// budget: else the next step would begin with the first of them again. They report themselves again
    /// then.
    pub(super) fn trace_unguarded(&mut self, ops: &[TraceOps], store: &Store, meter: &mut Meter<'_>) {
        let mut unguarded = mem::take(&mut self.side.unguarded);
        unguarded.sort_unstable();
        unguarded.dedup();
        unguarded.retain(|raw| store.color_any(*raw) == Color::Reached);
        self.trace_some(store, meter, Charge::Nobody, |tracer| {
            again_each(ops, store, &mut unguarded, tracer)
        });
    }

    /// Traces the objects made there once more, if they are reached; returns how many.
    pub(super) fn trace_made(
        &mut self,
        ops: &TraceOps,
        store: &Store,
        made: Made,
        meter: &mut Meter<'_>,
    ) -> usize {
        self.trace_some(store, meter, Charge::Budget, |tracer| (ops.made)(store, made, tracer))
    }

    /// Traces some objects, and counts them and the work that they granted themselves.
    fn trace_some(
        &mut self,
        store: &Store,
        meter: &mut Meter<'_>,
        charge: Charge,
        trace: impl FnOnce(&mut Tracer<'_>) -> usize,
    ) -> usize {
        let (slice, mut len) = (meter.slice(), 0);
        self.side.slice = slice;
        self.trace_with(store, |tracer| len = trace(tracer));
        let granted = mem::take(&mut self.side.granted);
        let units = len + (slice - self.side.slice) + granted;
        meter.grant(if charge == Charge::Budget { granted } else { units });
        meter.spend(units);
        len
    }

    /// Follows all gathered edges, one object at a time; `false` if the budget is spent before that is done.
    pub(super) fn follow_exactly(&mut self, ops: &[TraceOps], store: &Store, meter: &mut Meter<'_>) -> bool {
        let mut queue = PrefetchQueue::new();
        let look = store.look();
        loop {
            while queue.len() < QUEUE_DEPTH {
                let Some(raw) = self.side.gathered.pop() else { break };
                look.prefetch_far(raw.granule(), 1);
                queue.push(raw);
            }
            if meter.is_spent() {
                self.side.gathered.extend(core::iter::from_fn(|| queue.pop()));
                return self.side.gathered.is_empty();
            }
            let Some(raw) = queue.pop() else { return true };
            match store.tenant_of(raw) {
                Tenant::Own if store.take_white_any(raw) => {}
                // Another edge led here before.
                Tenant::Own => continue,
                Tenant::None => {
                    // An empty slot is not handed out again as long as this edge is there.
                    store.take_white_any(raw);
                    continue;
                }
                Tenant::Other => {
                    self.side.tenants.push(raw);
                    continue;
                }
            }
            self.traced += 1;
            let slice = meter.slice();
            self.side.slice = slice;
            let mut tracer = Tracer::new(EdgeStack::default(), store, &mut self.side);
            tracer.current = raw;
            (ops[store.pool_of(raw.granule()) as usize].trace)(store, raw, &mut tracer);
            tracer.release(raw);
            let granted = mem::take(&mut self.side.granted);
            meter.grant(granted);
            meter.spend(1 + (slice - self.side.slice) + granted);
        }
    }

    /// Follows some edges, and draws no conclusion.
    #[cfg(gc_zeal)]
    pub(crate) fn mark_a_bit(&mut self, ops: &[TraceOps], store: &Store, meter: &mut Meter<'_>) {
        self.take_back(ops, store);
        if self.side.gathering {
            self.follow_exactly(ops, store, meter)
        } else {
            self.follow(ops, store, meter)
        };
        self.offer();
    }

    /// An object with a large table took `time` for `entries` of the table. If most of the time was not spent
    /// on the table, a larger slice is traced next time, so that the object is not traced too often.
    fn widen(&mut self, entries: usize, time: Duration) {
        const ENTRY: Duration = Duration::from_nanos(200);
        const MOST: usize = 15;
        if entries > 0 && time > ENTRY * u32::try_from(entries).unwrap_or(u32::MAX) {
            self.widening = (2 * self.widening + 1).min(MOST);
        } else {
            // The thread may have been preempted.
            self.widening /= 2;
        }
    }

    fn fullest_queue(&mut self) -> Option<u16> {
        let queues = &self.queues;
        self.active.retain(|pool| queues[*pool as usize].len() > 0);
        self.active.iter().copied().max_by_key(|pool| queues[*pool as usize].len())
    }

    /// Puts a handle into the queue of its type.
    pub(super) fn enqueue(&mut self, store: &Store, raw: RawHandle) -> u16 {
        let pool = store.pool_of(raw.granule());
        self.queues[pool as usize].enter(store, raw, pool, &mut self.active);
        pool
    }
}

/// Traces the objects in the queue of `T`, and objects of that type that they lead to, until the queue is
/// empty or another type's queue is full.
pub(super) fn drain<T: Trace>(marker: &mut Marker, store: &Store, pool: u16) {
    let Marker { edges, queues, active, side, traced, quota, .. } = marker;
    let lines = const { lines_of::<T>() };
    let mut queue = queues[pool as usize].take();
    let mut tracer = Tracer::new(mem::take(edges), store, side);
    let look = store.look();
    let (mut taken, quota) = (0, *quota);
    'objects: while taken < quota {
        while queue.len() < QUEUE_DEPTH {
            let Some(raw) = tracer.edges.pop() else { break };
            if look.is_page_of::<T>(raw.granule()) {
                look.prefetch_far(raw.granule(), lines);
                queue.push(raw);
                continue;
            }
            let target_pool = store.pool_of(raw.granule());
            let other = &mut queues[target_pool as usize];
            look.prefetch_far(raw.granule(), other.lines);
            let other = other.queue();
            other.push(raw);
            if other.len() == 1 {
                active.push(target_pool);
            }
            if other.is_full() {
                break 'objects;
            }
        }
        let Some(raw) = queue.pop() else { break };
        look.prefetch_near(queue.near().granule());
        let Some((object, is_awaited)) = look.get_to_trace::<T>(raw) else {
            // An empty slot is not handed out again as long as this edge is there.
            let tenant = look.generation::<T>(raw.granule()).filter(|generation| generation.is_occupied());
            if let Some(generation) = tenant {
                tracer.side.tenants.push(RawHandle::new(raw.granule(), generation));
            }
            continue;
        };
        taken += 1;
        if T::OWNS {
            tracer.side.owned = tracer.side.owned.saturating_add(object.owned_bytes());
        }
        if T::NEEDS_TRACE {
            tracer.current = raw;
            object.trace(&mut tracer);
        }
        if is_awaited {
            // Keeps this a constant for the optimiser.
            tracer = Tracer { mode: Mode::Follow, ..release(tracer, raw) };
        }
    }
    *edges = tracer.edges;
    *traced += taken;
    queues[pool as usize].put(queue);
}

/// Traces objects that were traced before; returns how many.
fn again_each(ops: &[TraceOps], store: &Store, due: &mut Vec<RawHandle>, tracer: &mut Tracer<'_>) -> usize {
    let len = due.len();
    for raw in due.drain(..) {
        tracer.current = raw;
        (ops[usize::from(store.pool_of(raw.granule()))].again)(store, raw, tracer);
    }
    len
}

/// Releases what waits for this object. Takes the tracer by value, so that the calling loop never exposes its
/// address and keeps it in registers.
#[cold]
#[inline(never)]
fn release<'a>(mut tracer: Tracer<'a>, raw: RawHandle) -> Tracer<'a> {
    tracer.release(raw);
    tracer
}

/// What an object owns.
pub(super) fn owned<T: Trace>(store: &Store, raw: RawHandle) -> usize {
    if T::OWNS { store.look().get::<T>(raw).map_or(0, T::owned_bytes) } else { 0 }
}

/// Whether a trace of the object, which changes nothing, reports more than edges.
pub(super) fn declares<T: Trace>(store: &Store, raw: RawHandle, watcher: &mut Watcher) -> bool {
    T::NEEDS_TRACE
        && store.look().get::<T>(raw).is_some_and(|object| watcher.declares(|tracer| object.trace(tracer)))
}

/// Traces one object, wherever it is.
pub(super) fn trace<T: Trace>(store: &Store, raw: RawHandle, tracer: &mut Tracer<'_>) {
    if let Some((object, _)) = store.look().get_to_trace::<T>(raw) {
        if T::OWNS {
            tracer.side.owned = tracer.side.owned.saturating_add(object.owned_bytes());
        }
        visit(object, tracer);
    }
}

/// Traces an object once more. What it owns was counted.
pub(super) fn again<T: Trace>(store: &Store, raw: RawHandle, tracer: &mut Tracer<'_>) {
    if let Some((object, is_awaited)) = store.look().get_to_trace::<T>(raw) {
        visit(object, tracer);
        if is_awaited {
            tracer.release(raw);
        }
    }
}

/// Traces the objects made there once more, if they are reached; returns how many.
pub(super) fn made<T: Trace>(store: &Store, made: Made, tracer: &mut Tracer<'_>) -> usize {
    let mut len = 0;
    store.each_reached::<T>(made, |raw| {
        tracer.current = raw;
        again::<T>(store, raw, tracer);
        len += 1;
    });
    len
}
