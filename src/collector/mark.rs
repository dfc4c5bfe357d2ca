//! Marking: follows every edge from the roots and clears the white bit of what it reaches.
//!
//! The work is bound by memory, so everything serves one purpose: that an object's lines are in the cache
//! when the object is traced. Handles found are pushed on a stack. From its top they move into a queue of
//! their type and are prefetched into the second-level cache; shortly before they leave the queue, into the
//! first. Some sixty other objects are traced in between, which gives memory time. A million objects in a
//! random graph take a tenth of the time of a plain stack; see `benches/mark.rs`.
//!
//! Each queue has one type, so that the loop in [`drain`] is monomorphic, its `trace` inlined and the
//! tracer's state in registers: one indirect call for a batch of objects instead of one for each.
//!
//! Exactness: an edge clears the white bit of the slot it names before generations are compared. If the slot
//! is empty (its object was destroyed) this does no harm, it only keeps the slot from being reused. If it has
//! a new tenant, the mismatch is seen when the handle leaves the queue, and a full collection marks again in
//! exact mode: edges are gathered, and only a matching generation clears the bit. That is right for every
//! graph but slower: an object may be gathered several times and takes its own indirect call. A minor
//! collection treats the tenant as alive instead; the next full one decides.
//!
//! In slices: the state between two slices is handles and indices. When all edges are followed, marking
//! catches up with what the program did since: roots that it made, objects that it made or changed. Marking
//! ends when nothing is left to catch up with, which a slice can tell since it has exclusive access to the
//! heap.

mod asking;
mod beside;
mod catch_up;
mod exchange;
mod follow;
mod prune;

use alloc::vec::Vec;
use core::mem;
use core::ops::Range;

use bumpalo::Bump;
use sync_wrapper::SyncWrapper;

use crate::collector::meter::Meter;
use crate::handle::RawHandle;
use crate::pool::Pool;
use crate::root::RootTable;
use crate::store::{Color, Made, Store};
use crate::trace::{EdgeStack, Era, RootSource, Side, Trace, Tracer, Watcher};

use asking::Asking;
use beside::{Help, Helper};
use catch_up::SOME;
use exchange::Exchange;
pub(crate) use exchange::Held;
use follow::TypeQueue;
use prune::{Pruned, Pruning};

/// The part of marking that depends on the type of the objects.
#[derive(Clone, Copy)]
pub(crate) struct TraceOps {
    /// Traces the objects in the queue of a pool.
    drain: fn(&mut Marker, &Store, u16),
    /// As `drain`, beside readers and other markers.
    help: fn(&mut Helper, &Store, u16) -> usize,
    /// Traces one object.
    trace: fn(&Store, RawHandle, &mut Tracer<'_>),
    /// Traces an object that was traced before, or was made in this cycle.
    again: fn(&Store, RawHandle, &mut Tracer<'_>),
    /// As `again`, for the objects of a place in which some were made.
    made: fn(&Store, Made, &mut Tracer<'_>) -> usize,
    /// What an object owns outside its slot.
    owned: fn(&Store, RawHandle) -> usize,
    /// Whether an object's trace reports what a minor collection must know: see `finish.rs`.
    pub(super) declares: fn(&Store, RawHandle, &mut Watcher) -> bool,
    /// Prunes an object's weak collections and returns the number of entries removed.
    prune: fn(&mut Store, RawHandle, Pruning<'_>) -> Pruned,
}

impl TraceOps {
    pub(crate) fn of<T: Trace>() -> Self {
        Self {
            drain: follow::drain::<T>,
            help: beside::help::<T>,
            trace: follow::trace::<T>,
            again: follow::again::<T>,
            made: follow::made::<T>,
            owned: follow::owned::<T>,
            declares: follow::declares::<T>,
            prune: prune::prune::<T>,
        }
    }
}

/// The state of marking: indices and handles, never addresses.
#[derive(Clone, Default)]
pub(crate) struct Marker {
    edges: EdgeStack,
    /// One for each pool.
    queues: Vec<TypeQueue>,
    /// Pools whose queue is not empty, and perhaps some whose queue is.
    active: Vec<u16>,
    side: Side,
    /// How many objects a call of `drain` traces at most.
    quota: usize,
    /// Objects traced.
    traced: usize,
    /// How many of these were not for the first time.
    traced_again: usize,
    /// Room for objects that will be traced again.
    due: Vec<RawHandle>,
    /// Words of the root table that are still to be visited.
    roots: Range<usize>,
    asking: Asking,
    /// Steps in which only the program's changes were left, and too many of them.
    attempts: u32,
    /// What was left in the last of them.
    left: usize,
    /// Whether the program makes objects as fast as steps trace them.
    is_overrun: bool,
    /// Whether marking is exact from the start: a stale edge met a tenant in the last full collection, so
    /// this is likely to happen again.
    expect_tenants: bool,
    /// Objects whose prune is done, of those that requested it.
    pruned_owners: usize,
    /// Whether the next object has partly traced tables.
    resumes: bool,
    /// How many slices of a table are traced in one go, minus one: the longer the rest of the object takes,
    /// the more.
    widening: usize,
    /// Memory for the duration of one prune.
    scratch: Scratch,
    /// Where the edges are between two steps.
    exchange: Exchange,
    help: Help,
    /// How many threads mark in a collection that is not incremental.
    threads: usize,
}

/// Memory that holds nothing between two uses.
#[derive(Default)]
struct Scratch(SyncWrapper<Bump>);

impl Clone for Scratch {
    fn clone(&self) -> Self {
        Self::default()
    }
}

/// Roots that count as one object traced.
const ROOT_UNIT: usize = 8;
/// How many of them are visited in one go.
const MOST_ROOTS: usize = 1024;

impl Marker {
    pub(crate) fn add_type<T: Trace>(&mut self) {
        self.queues.push(TypeQueue::of::<T>());
    }

    /// How many threads mark in a collection that is not incremental.
    pub(crate) fn set_threads(&mut self, threads: usize) {
        self.threads = threads;
    }

    /// Releases the spare memory of lists.
    pub(crate) fn shrink(&mut self) {
        EdgeStack::shrink(&mut self.side.spill);
        self.side.reported.shrink();
        self.side.ephemerons.shrink();
    }

    pub(crate) fn building(&self) -> &[RawHandle] {
        &self.side.building
    }

    pub(crate) fn building_mut(&mut self) -> &mut Vec<RawHandle> {
        &mut self.side.building
    }

    /// The current cycle, or the last one. If marking starts over, this changes.
    pub(crate) fn era(&self) -> Era {
        self.side.era
    }

    fn is_minor(&self) -> bool {
        self.side.era.is_minor
    }

    pub(crate) fn era_mut(&mut self) -> &mut Era {
        &mut self.side.era
    }

    /// Begins to mark for a full collection: everything is white.
    pub(crate) fn begin_major(&mut self, store: &mut Store, pools: &mut [Pool], roots: &RootTable) {
        self.restart(store, pools, roots);
        self.side.gathering = self.expect_tenants;
    }

    fn restart(&mut self, store: &mut Store, pools: &mut [Pool], roots: &RootTable) {
        self.reset(store);
        self.roots = 0..roots.words_len();
        self.side.unguarded.clear();
        store.forget_dirty();
        pools.iter_mut().for_each(|pool| pool.begin_major(store));
        self.side.building.iter().for_each(|raw| store.spare(raw.granule()));
    }

    /// Begins to mark for a minor collection: white is what was made since the last one.
    pub(crate) fn begin_minor(&mut self, store: &mut Store) {
        self.reset(store);
        self.roots = 0..0;
        self.side.gathering = false;
        self.side.building.iter().for_each(|raw| store.spare(raw.granule()));
    }

    /// Leaves everything white: the end of the heap.
    pub(crate) fn mark_nothing(&mut self, store: &mut Store, pools: &mut [Pool], roots: &RootTable) {
        self.restart(store, pools, roots);
        self.roots = 0..0;
    }

    /// Forgets what an earlier collection left, which may have panicked.
    fn reset(&mut self, store: &Store) {
        let is_minor = self.is_minor();
        self.exchange.reset();
        self.help.begin();
        self.edges.reset(&mut self.side.spill, is_minor);
        self.queues.iter_mut().for_each(|queue| queue.queue().clear());
        self.active.clear();
        self.side.gathered.clear();
        self.side.reported.reset(is_minor);
        self.side.tenants.clear();
        for raw in self.side.weak_owners.drain(..) {
            store.set_weak_owner(raw, false);
        }
        self.side.ephemerons.reset(store);
        self.side.unfinished.clear();
        self.resumes = false;
        self.widening = 0;
        self.side.nested = 0;
        self.traced = 0;
        self.traced_again = 0;
        self.pruned_owners = 0;
        self.asking.begin();
        self.side.owned = 0;
        self.attempts = 0;
        self.left = usize::MAX;
    }

    /// Whether any object that was traced had a weak collection.
    pub(crate) fn knows_weak_collections(&self) -> bool {
        self.side.weak_collections > 0
    }

    /// What the reached objects own outside their slots.
    pub(crate) fn owned(&self) -> usize {
        self.side.owned
    }

    /// Whether a step of this cycle had only the program's changes left, and no fewer than the one before.
    pub(crate) fn is_behind_program(&self) -> bool {
        self.attempts > 0
    }

    /// Notes whether the program makes objects as fast as steps trace them.
    pub(crate) fn set_overrun(&mut self, is_overrun: bool) {
        self.is_overrun = is_overrun;
    }

    /// How many objects were reached.
    pub(crate) fn marked(&self) -> usize {
        self.traced.saturating_sub(self.traced_again)
    }

    /// Continues marking; `true` when everything reachable is marked, and nothing has changed since, because
    /// this has exclusive access to the heap. Otherwise the edges are offered to other threads until the next
    /// call.
    pub(crate) fn mark(
        &mut self,
        ops: &[TraceOps],
        store: &mut Store,
        pools: &mut [Pool],
        roots: &RootTable,
        source: &dyn RootSource,
        meter: &mut Meter<'_>,
    ) -> bool {
        self.take_back(ops, store);
        let is_done = self.mark_alone(ops, store, pools, roots, source, meter);
        if !is_done {
            self.offer();
        }
        is_done
    }

    fn mark_alone(
        &mut self,
        ops: &[TraceOps],
        store: &mut Store,
        pools: &mut [Pool],
        roots: &RootTable,
        source: &dyn RootSource,
        meter: &mut Meter<'_>,
    ) -> bool {
        if !self.asking.was_asked() && meter.is_spent() {
            // To begin took a step's time, and the source may take another.
            return false;
        }
        pools.iter_mut().for_each(Pool::note_made);
        let was_put_off = self.asking.is_first;
        // Whether the source was asked in this call: since then nothing changed, so it has nothing new.
        let mut is_source_known = self.asking.comes_first();
        if is_source_known {
            self.ask(store, source, meter);
            if was_put_off {
                Self::end_in_this_step(store, pools, roots, meter);
            }
        }
        let (mut saw_unguarded, mut was_patient) = (false, false);
        loop {
            let ran_dry = if self.side.gathering {
                self.follow_exactly(ops, store, meter)
            } else {
                self.follow_together(ops, store, meter)
            };
            if !self.side.gathering && !self.side.tenants.is_empty() {
                if self.is_minor() {
                    // It lives until the next full collection decides.
                    self.spare_tenants(ops, store);
                } else {
                    self.restart(store, pools, roots);
                    // What tables know about the cycle's marking is void.
                    self.side.era = self.side.era.again();
                    self.side.gathering = true;
                    self.ask(store, source, meter);
                    is_source_known = true;
                }
            } else if !ran_dry {
                if self.leaves_edges(meter) || !self.is_overrun || mem::replace(&mut was_patient, true) {
                    return false;
                }
                self.be_patient(usize::MAX, meter);
                if meter.is_spent() {
                    return false;
                }
            } else if let Some(raw) = self.side.unfinished.pop() {
                if meter.is_spent() {
                    self.side.unfinished.push(raw);
                    return false;
                }
                self.resumes = self.regray(ops, store, raw) && meter.is_timed();
            } else if !self.roots.is_empty() || !self.side.reported.is_empty() {
                if meter.is_spent() {
                    return false;
                }
                if self.roots.is_empty() {
                    self.trace_reported(store, meter)
                } else {
                    self.trace_roots(store, roots, meter)
                }
            } else if self.asking.has_rest {
                is_source_known = self.ask_for_rest(store, source, meter);
                if !is_source_known {
                    return false;
                }
            } else if self.leave_changes(ops, store, pools, roots, meter) {
                return false;
            } else {
                let found = self.catch_up(ops, store, pools, roots, false, meter);
                if found == 0 {
                    if !is_source_known {
                        if self.asking.is_put_off(meter) {
                            return false;
                        }
                        self.ask(store, source, meter);
                        is_source_known = true;
                    } else if saw_unguarded || !self.side.any_unguarded() {
                        break;
                    } else {
                        saw_unguarded = true;
                        self.trace_unguarded(ops, store, meter);
                    }
                } else if found < SOME {
                    // Such a small remainder is never left to the next step.
                    meter.grant(found);
                } else {
                    if !mem::replace(&mut was_patient, true) {
                        self.be_patient(Self::changes_len(store, pools, roots), meter);
                    }
                    if meter.is_spent() {
                        return false;
                    }
                }
            }
        }
        // The ephemerons that still wait have dead keys.
        self.side.ephemerons.forget(self.is_minor());
        self.side.gathered.shrink_to(EdgeStack::CHUNK);
        if !self.is_minor() {
            self.expect_tenants = self.side.gathering && !self.side.tenants.is_empty();
        }
        true
    }

    fn trace_with(&mut self, store: &Store, trace: impl FnOnce(&mut Tracer<'_>)) {
        // Without room every edge is gathered.
        let edges = if self.side.gathering { EdgeStack::default() } else { mem::take(&mut self.edges) };
        let mut tracer = Tracer::new(edges, store, &mut self.side);
        trace(&mut tracer);
        self.edges = tracer.edges;
    }

    /// Objects that even an empty minor collection has to look at: those that change past the write barrier.
    pub(crate) fn unguarded_len(&self) -> usize {
        self.side.unguarded_len()
    }

    /// Causes a reached object to be traced once more; `false` if it is gone, or not reached yet.
    fn regray(&mut self, ops: &[TraceOps], store: &Store, raw: RawHandle) -> bool {
        let is_reached = store.color_any(raw) == Color::Reached;
        if is_reached {
            self.gray_again(ops, store, raw);
        }
        is_reached
    }

    fn gray_again(&mut self, ops: &[TraceOps], store: &Store, raw: RawHandle) {
        self.traced_again += 1;
        // It will be added again.
        let owned = (ops[store.pool_of(raw.granule()) as usize].owned)(store, raw);
        self.side.owned = self.side.owned.saturating_sub(owned);
        if self.side.gathering {
            store.put_white_back(raw);
            self.side.gathered.push(raw);
        } else {
            self.edges.push(raw, &mut self.side.spill);
        }
    }

    /// The later tenant of a slot that a stale edge names has lost its white bit: it counts as reached.
    fn spare_tenants(&mut self, ops: &[TraceOps], store: &Store) {
        for raw in mem::take(&mut self.side.tenants) {
            self.regray(ops, store, raw);
        }
    }
}
