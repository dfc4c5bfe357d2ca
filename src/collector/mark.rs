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
//! [`Mode::Exact`], where only a matching generation clears the bit.

use alloc::vec::Vec;
use core::cell::RefCell;
use core::mem;

use bumpalo::Bump;

use crate::collector::ring::{RING_DEPTH, Ring};
use crate::handle::{AnyGc, Generation, Geometry, RawHandle};
use crate::page::{Store, Tenant};
use crate::pool::Pool;
use crate::root::RootTable;
use crate::trace::{Aside, During, EdgeStack, Liveness, RootSource, Side, Trace, Tracer};

/// When an object's white bit is cleared.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Mode {
    /// When the first edge to it is found: each object is pushed once. Wrong only where a stale edge names a
    /// slot that has a new tenant, which is noticed.
    Fast,
    /// When it is taken up and its generation was compared: right for every graph, and slower, since an object
    /// may be pushed several times and takes an indirect call of its own.
    Exact,
}

/// What marking does that depends on the type of the objects.
pub(crate) struct TraceOps {
    /// Traces the objects in the ring of a pool.
    drain: fn(&mut Marker, &Store, u16),
    /// Traces one object.
    trace: fn(&Store, RawHandle, &mut Tracer<'_>),
    /// Prunes an object's weak collections and gives the number of entries removed.
    prune: fn(&mut Store, RawHandle, &[RawHandle], &RefCell<Aside>, &Bump) -> usize,
}

impl TraceOps {
    pub(crate) fn of<T: Trace>() -> Self {
        Self { drain: drain::<T>, trace: trace::<T>, prune: prune::<T> }
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

    fn len(&self) -> usize {
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

    pub(crate) fn building(&self) -> &[RawHandle] {
        &self.side.building
    }

    pub(crate) fn building_mut(&mut self) -> &mut Vec<RawHandle> {
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
        let mut mode = if self.expect_tenants { Mode::Exact } else { Mode::Fast };
        loop {
            self.reset(store);
            pools.iter().for_each(|pool| pool.whiten(store));
            self.side.building.iter().for_each(|raw| store.spare(raw.granule()));
            self.side.gathering = mode == Mode::Exact;
            if mode == Mode::Exact {
                // Without room every edge is gathered.
                self.edges = EdgeStack::default();
            }
            self.trace_roots(store, roots, source);
            let complete = match mode {
                Mode::Fast => self.follow(ops, store),
                Mode::Exact => self.follow_exactly(ops, store),
            };
            if complete {
                break;
            }
            mode = Mode::Exact;
        }
        // What still waits has a dead key. The memory of a large graph's stack goes back now.
        self.side.waiting.reset(store);
        self.edges.reset();
        self.side.gathered.shrink_to(EdgeStack::KEEP);
        self.expect_tenants = self.met_tenant;
        self.marked
    }

    /// Leaves everything white: the end of the heap.
    pub(crate) fn mark_nothing(&mut self, store: &mut Store, pools: &[Pool]) -> usize {
        self.reset(store);
        pools.iter().for_each(|pool| pool.whiten(store));
        self.marked
    }

    /// Forgets what an earlier collection left, one that panicked perhaps.
    fn reset(&mut self, store: &Store) {
        self.edges.reset();
        self.rings.iter_mut().for_each(|ring| ring.ring.get_or_insert_with(Ring::new).clear());
        self.active.clear();
        self.side.gathered.clear();
        self.side.weak_owners.clear();
        self.side.waiting.reset(store);
        self.marked = 0;
        self.met_tenant = false;
    }

    fn trace_roots(&mut self, store: &Store, roots: &RootTable, source: &dyn RootSource) {
        let mut tracer = Tracer::new(mem::take(&mut self.edges), store, &mut self.side);
        roots.for_each(|raw| tracer.edge_any(AnyGc::from_raw(raw)));
        source.trace_roots(&mut tracer);
        self.edges = tracer.edges;
    }

    /// Follows all edges found. `false`: a stale edge met a tenant, so this was not exact.
    fn follow(&mut self, ops: &[TraceOps], store: &Store) -> bool {
        while !self.met_tenant {
            let pool = match self.fullest_ring() {
                Some(pool) => pool,
                None => match self.edges.pop() {
                    Some(raw) => self.enqueue(store, raw),
                    None => return true,
                },
            };
            (ops[pool as usize].drain)(self, store, pool);
        }
        false
    }

    /// Follows all edges gathered, one object at a time; always complete.
    fn follow_exactly(&mut self, ops: &[TraceOps], store: &Store) -> bool {
        let mut ring = Ring::new();
        let look = store.look();
        loop {
            while ring.len() < RING_DEPTH {
                let Some(raw) = self.side.gathered.pop() else { break };
                look.prefetch_far(raw.granule(), 1);
                ring.push(raw);
            }
            let Some(raw) = ring.pop() else { return true };
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
                    self.met_tenant = true;
                    continue;
                }
            }
            self.marked += 1;
            let mut tracer = Tracer::new(EdgeStack::default(), store, &mut self.side);
            tracer.current = raw;
            (ops[store.pool_of(raw.granule()) as usize].trace)(store, raw, &mut tracer);
            tracer.release(raw);
        }
    }

    fn fullest_ring(&mut self) -> Option<u16> {
        let rings = &self.rings;
        self.active.retain(|pool| rings[*pool as usize].len() > 0);
        self.active.iter().copied().max_by_key(|pool| rings[*pool as usize].len())
    }

    /// Puts a handle into the ring of its type.
    fn enqueue(&mut self, store: &Store, raw: RawHandle) -> u16 {
        let pool = store.pool_of(raw.granule());
        let own = &mut self.rings[pool as usize];
        store.look().prefetch_far(raw.granule(), own.lines);
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
        let mut scratch = Bump::new();
        for raw in weak_owners.drain(..) {
            let pool = store.pool_of(raw.granule());
            pruned += (ops[pool as usize].prune)(store, raw, building, aside, &scratch);
            scratch.reset();
        }
        pruned
    }
}

/// Traces the objects in the ring of `T`, and whatever of that type they lead to, until the ring is empty or
/// another type's is full.
fn drain<T: Trace>(marker: &mut Marker, store: &Store, pool: u16) {
    let Marker { edges, rings, active, side, marked, met_tenant, .. } = marker;
    let lines = const { lines_of::<T>() };
    let mut ring = rings[pool as usize].ring.take().expect("a ring that is not in hand");
    let mut tracer = Tracer::new(mem::take(edges), store, side);
    let look = store.look();
    let mut taken = 0;
    'objects: loop {
        while ring.len() < RING_DEPTH {
            let Some(raw) = tracer.edges.pop() else { break };
            if look.is_page_of::<T>(raw.granule()) {
                look.prefetch_far(raw.granule(), lines);
                ring.push(raw);
                continue;
            }
            let target_pool = store.pool_of(raw.granule());
            let other = &mut rings[target_pool as usize];
            look.prefetch_far(raw.granule(), other.lines);
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
        look.prefetch_near(ring.near().granule());
        let Some((object, is_awaited)) = look.get_awaited::<T>(raw) else {
            // An empty slot is not handed out again as long as this edge is there.
            *met_tenant |= look.generation::<T>(raw.granule()).is_some_and(Generation::is_occupied);
            continue;
        };
        taken += 1;
        if T::NEEDS_TRACE {
            tracer.current = raw;
            object.trace(&mut tracer);
        }
        if is_awaited {
            tracer = release(tracer, raw);
        }
    }
    *edges = tracer.edges;
    *marked += taken;
    rings[pool as usize].ring = Some(ring);
}

fn trace<T: Trace>(store: &Store, raw: RawHandle, tracer: &mut Tracer<'_>) {
    if let Some(object) = store.look().get::<T>(raw) {
        object.trace(tracer);
    }
}

/// Lets go what waits for this object. Takes the tracer by value, so that the loop that calls it never gives
/// its address away and keeps it in registers.
#[cold]
#[inline(never)]
fn release<'a>(mut tracer: Tracer<'a>, raw: RawHandle) -> Tracer<'a> {
    tracer.release(raw);
    tracer
}

/// Prunes one object.
fn prune<T: Trace>(
    store: &mut Store,
    raw: RawHandle,
    building: &[RawHandle],
    aside: &RefCell<Aside>,
    scratch: &Bump,
) -> usize {
    let pruned = store.with_headers::<T, usize>(raw, |object, headers| {
        let live = Liveness::new(headers, During::Collection, building, aside, scratch);
        object.prune(&live);
        live.pruned()
    });
    pruned.unwrap_or(0)
}
