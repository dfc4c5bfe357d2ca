//! Marking: follows every edge from the roots and clears the white bit of what it reaches.
//!
//! The work is bound by memory, so all of it serves one end: that an object's lines are in the cache when the
//! object is traced. Handles found go on a stack; from its top they move into a ring of their type and their
//! lines are asked for (second-level cache); shortly before they come out, once more (first level). Between
//! asking and tracing lie some sixty other objects, the time that memory needs. A million objects in a random
//! graph take a tenth of the time of a plain stack; see `benches/mark.rs`.
//!
//! Rings are of one type each, so that the loop in [`drain`] is monomorphic, the `trace` in it inlined and the
//! tracer's state in registers: one indirect call for a batch of objects instead of one for each.
//!
//! Exactness: an edge clears the white bit of the slot it names before anybody compares generations. If the
//! slot is empty (its object was destroyed) that does no harm, it only keeps the slot from being reused. If it
//! has a new tenant, the mismatch is seen when the handle comes out of the ring, and marking starts again in
//! [`Mode::WhenTaken`], where only a matching generation clears the bit.

use alloc::vec::Vec;
use core::cell::RefCell;
use core::mem;

use crate::collector::ring::{NEAR, RING_DEPTH, Ring};
use crate::handle::{AnyGc, Geometry, RawHandle};
use crate::page::Store;
use crate::pool::Pool;
use crate::root::RootTable;
use crate::trace::{Aside, EdgeStack, Liveness, Mode, RootSource, Side, Trace, Tracer};

/// What marking does that depends on the type of the objects.
pub(crate) struct TraceOps {
    /// Traces the objects in the ring of a pool.
    drain: fn(&mut Marker, &mut Store, Mode, u16),
    /// Prunes an object's weak collections and gives the number of entries removed.
    prune: fn(&mut Store, RawHandle, &[RawHandle], &RefCell<Aside>) -> usize,
}

impl TraceOps {
    pub(crate) fn of<T: Trace>() -> Self {
        Self { drain: drain::<T>, prune: prune::<T> }
    }
}

/// The state of marking: indices and handles, never addresses.
#[derive(Default)]
pub(crate) struct Marker {
    edges: EdgeStack,
    /// One for each pool.
    rings: Vec<TypeRing>,
    /// Pools whose ring is not empty, perhaps with some whose ring is.
    active: Vec<u16>,
    side: Side,
    marked: usize,
    /// Whether a stale edge met the slot's next tenant in this collection.
    met_tenant: bool,
    /// Whether one did in the last collection: then it is likely to again.
    expect_tenants: bool,
}

/// A ring, and how many lines to ask for when an object of its type enters it.
struct TypeRing {
    /// `None` before the first collection, and while `drain` has it in hand.
    ring: Option<Ring>,
    lines: u32,
}

impl TypeRing {
    #[inline(always)]
    fn ring(&mut self) -> &mut Ring {
        self.ring.as_mut().expect("a ring that is not in hand")
    }

    fn len(&self) -> u32 {
        self.ring.as_ref().map_or(0, Ring::len)
    }
}

/// Lines that the slots of `T` span, at most: what has its edges further back is long enough for the
/// processor to notice by itself.
const fn lines_of<T: Trace>() -> u32 {
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

impl Marker {
    pub(crate) fn add_type<T: Trace>(&mut self) {
        self.rings.push(TypeRing { ring: None, lines: lines_of::<T>() });
    }

    pub(crate) fn building(&mut self) -> &mut Vec<RawHandle> {
        &mut self.side.building
    }

    /// Marks everything reachable and gives how many objects that is.
    pub(crate) fn mark(
        &mut self,
        ops: &[TraceOps],
        store: &mut Store,
        pools: &[Pool],
        roots: &RootTable,
        source: &dyn RootSource,
    ) -> usize {
        let mut mode = if self.expect_tenants { Mode::WhenTaken } else { Mode::AtEdge };
        loop {
            self.reset();
            pools.iter().for_each(|pool| pool.whiten(store));
            self.side.building.iter().for_each(|raw| store.spare(raw.granule()));
            self.trace_roots(store, mode, roots, source);
            let complete = self.follow(ops, store, mode);
            if complete {
                break;
            }
            mode = Mode::WhenTaken;
        }
        self.expect_tenants = self.met_tenant;
        self.marked
    }

    /// Forgets what an earlier collection left, one that panicked perhaps.
    fn reset(&mut self) {
        self.edges.reset();
        self.rings.iter_mut().for_each(|ring| ring.ring.get_or_insert_with(Ring::new).clear());
        self.active.clear();
        self.side.weak_owners.clear();
        self.side.waiting.reset();
        self.marked = 0;
        self.met_tenant = false;
    }

    fn trace_roots(&mut self, store: &mut Store, mode: Mode, roots: &RootTable, source: &dyn RootSource) {
        let mut tracer = Tracer::new(mem::take(&mut self.edges), store.reach(), mode, &mut self.side);
        roots.for_each(|raw| tracer.edge_any(AnyGc::from_raw(raw)));
        source.trace_roots(&mut tracer);
        self.edges = tracer.edges;
    }

    /// Follows all edges found. `false`: a stale edge met a tenant and marking has to start again.
    fn follow(&mut self, ops: &[TraceOps], store: &mut Store, mode: Mode) -> bool {
        loop {
            if self.met_tenant && mode == Mode::AtEdge {
                return false;
            }
            let pool = match self.fullest_ring() {
                Some(pool) => pool,
                None => match self.edges.pop() {
                    Some(raw) => self.enqueue(store, raw),
                    None => return true,
                },
            };
            (ops[pool as usize].drain)(self, store, mode, pool);
        }
    }

    fn fullest_ring(&mut self) -> Option<u16> {
        let rings = &self.rings;
        self.active.retain(|pool| rings[*pool as usize].len() > 0);
        self.active.iter().copied().max_by_key(|pool| rings[*pool as usize].len())
    }

    /// Puts a handle into the ring of its type.
    fn enqueue(&mut self, store: &Store, raw: RawHandle) -> u16 {
        let pool = store.slots().pool_of(raw.granule());
        let own = &mut self.rings[pool as usize];
        store.slots().prefetch_far(raw.granule(), own.lines);
        let ring = own.ring();
        ring.push(raw);
        if ring.len() == 1 {
            self.active.push(pool);
        }
        pool
    }

    /// Prunes the weak collections of all live objects that asked for it; gives the number of entries removed.
    pub(crate) fn prune(&mut self, ops: &[TraceOps], store: &mut Store, aside: &RefCell<Aside>) -> usize {
        let Side { weak_owners, building, .. } = &mut self.side;
        let mut pruned = 0;
        for raw in weak_owners.drain(..) {
            let pool = store.slots().pool_of(raw.granule());
            pruned += (ops[pool as usize].prune)(store, raw, building, aside);
        }
        pruned
    }
}

/// Traces the objects in the ring of `T`, and whatever of that type they lead to, until the ring is empty or
/// another type's is full.
fn drain<T: Trace>(marker: &mut Marker, store: &mut Store, mode: Mode, pool: u16) {
    let Marker { edges, rings, active, side, marked, met_tenant, .. } = marker;
    let own = &mut rings[pool as usize];
    let lines = own.lines;
    let mut ring = own.ring.take().expect("a ring that is not in hand");
    let mut tracer = Tracer::new(mem::take(edges), store.reach(), mode, side);
    let slots = tracer.reach.slots();
    let mut taken = 0;
    'objects: loop {
        while ring.len() < RING_DEPTH {
            let Some(raw) = tracer.edges.pop() else { break };
            let target_pool = slots.pool_of(raw.granule());
            if target_pool == pool {
                slots.prefetch_far(raw.granule(), lines);
                ring.push(raw);
                continue;
            }
            let other = &mut rings[target_pool as usize];
            slots.prefetch_far(raw.granule(), other.lines);
            let other = other.ring();
            other.push(raw);
            if other.len() == 1 {
                active.push(target_pool);
            }
            if other.is_full() {
                break 'objects;
            }
        }
        let Some(raw) = ring.pop() else { break };
        if ring.len() > NEAR {
            slots.prefetch_near(ring.near().granule());
        }
        let Some(object) = slots.get::<T>(raw) else {
            // Empty: destroyed. Its slot is not handed out again as long as this edge is there.
            let tenant =
                slots.generation::<T>(raw.granule()).is_some_and(|generation| generation.is_occupied());
            *met_tenant |= tenant;
            if !tenant {
                tracer.reach.take_white::<T>(raw, u64::MAX);
            }
            continue;
        };
        if mode == Mode::WhenTaken && !tracer.reach.take_white::<T>(raw, u64::MAX) {
            continue;
        }
        taken += 1;
        if T::NEEDS_TRACE {
            tracer.current = raw;
            object.trace(&mut tracer);
        }
        if !tracer.side.waiting.is_empty() {
            tracer.release(raw);
        }
    }
    *edges = tracer.edges;
    *marked += taken;
    rings[pool as usize].ring = Some(ring);
}

/// Prunes one object.
fn prune<T: Trace>(
    store: &mut Store,
    raw: RawHandle,
    building: &[RawHandle],
    aside: &RefCell<Aside>,
) -> usize {
    let pruned = store.with_headers::<T, usize>(raw, |object, headers, white| {
        let live = Liveness::new(headers, Some(white), building, aside);
        object.prune(&live);
        live.pruned()
    });
    pruned.unwrap_or(0)
}
