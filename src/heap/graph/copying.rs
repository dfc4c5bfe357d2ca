//! Copying a graph: each object is read once, and its copy is written once.
//!
//! What is reached is queued, first come first served, with the handle that its copy will have: a slot that
//! is set aside for it (`Room`). When its turn comes, its clone is written into that slot, its targets are
//! queued, and the handles in the clone are replaced: see `each`. All of this happens while the object is in
//! the cache, in code of its type. At that time nearly every strong handle has its replacement. A weak one
//! may lead to what is reached later, or out of the graph: such copies are relinked once more at the end.
//! That does no harm, since no new handle is also an old one.
//!
//! User code (`trace`, `clone`, `relink`) never has the heap, so nothing else uses a slot set aside.

mod each;

use alloc::vec::Vec;

use crate::bitmap::Class;
use crate::config::AllocError;
use crate::geometry::Geometry;
use crate::graph::{Ahead, Care, GraphError, LeaveOut, Map, Relinked, Stop, TypeOps, Walk};
use crate::handle::{AnyGc, RawHandle};
use crate::heap::Heap;
use crate::heap::checkpoint::Keeping;
use crate::heap::graph::relink::{HeapOps, HeapTypes, Owners};
use crate::panics::Panics;
use crate::store::{Room, Store};
use crate::tag::Tag;
use crate::trace::{Copies, Trace, Watcher};

/// The types of a [`Schema`](crate::Schema) that are all `Clone`; nothing to implement.
pub trait CloneTypes: HeapTypes {
    #[doc(hidden)]
    fn keep(keeping: &mut Keeping<'_>);

    #[doc(hidden)]
    fn copiers() -> Vec<Copier>;
}

impl CloneTypes for () {
    fn keep(_: &mut Keeping<'_>) {}

    fn copiers() -> Vec<Copier> {
        Vec::new()
    }
}

impl<T: Trace + Clone, L: CloneTypes> CloneTypes for (T, L) {
    fn keep(keeping: &mut Keeping<'_>) {
        L::keep(keeping);
        keeping.keep::<T>();
    }

    fn copiers() -> Vec<Copier> {
        let mut ops = Vec::new();
        <(T, L)>::ops(&mut ops);
        let mut copiers = L::copiers();
        copiers.push(Copier {
            class: Class::of::<T>(),
            slot_bytes: Geometry::<T>::SLOT_BYTES,
            relink: *ops.last().expect("one for each type"),
            follow: each::follow::<T>,
            make_room: make_room::<T>,
        });
        copiers
    }
}

/// The operations on objects of a listed type, with the type erased.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct Copier {
    class: Class,
    slot_bytes: usize,
    relink: HeapOps,
    follow: fn(&mut Walk, &mut Line<'_>, &mut Watcher, &mut LeaveOut<'_>, usize) -> Result<(), Stop>,
    make_room: fn(&mut Heap, &mut Room, usize, usize) -> Result<(), GraphError>,
}

/// Why there is no copy.
pub(super) enum Failure {
    Stop(Stop),
    Graph(GraphError),
}

impl From<Stop> for Failure {
    fn from(stop: Stop) -> Self {
        Failure::Stop(stop)
    }
}

/// An object and the handle of its copy.
#[derive(Clone, Copy)]
struct Entry {
    old: RawHandle,
    new: RawHandle,
}

/// What is known about the copies of a type.
struct Kind {
    copier: Copier,
    room: Room,
    /// Its pool, once room was made.
    pool: Option<usize>,
    /// Handles that were taken from earlier rooms.
    taken: usize,
    /// Objects that are made and not counted yet.
    made: usize,
    /// Those to be relinked once more: see above.
    open: Vec<RawHandle>,
    /// [`Trace::relinks_edges`], known once one was copied.
    relinks_edges: Option<bool>,
}

/// The queue: the objects reached, and how many are copied so far.
pub(super) struct Line<'a> {
    heap: &'a mut Heap,
    kinds: Vec<Kind>,
    entries: Vec<Entry>,
    /// How many are copied.
    done: usize,
    copies: Copies,
    owners: Owners,
    /// Handles in the queue that name no object.
    lost: Vec<Entry>,
    unsupported: Option<&'static str>,
    merged: usize,
    failure: Option<Failure>,
    /// Edges found in a copy and not yet followed, with the types that their handles claim.
    found: Vec<(RawHandle, Tag)>,
}

impl Ahead for Line<'_> {
    fn store(&self) -> &Store {
        &self.heap.store
    }

    #[inline(always)]
    fn push(&mut self, old: RawHandle, index: Option<u16>) {
        let Some(new) = index.and_then(|index| self.kinds[usize::from(index)].room.next()) else {
            return self.push_slowly(old, index);
        };
        self.entries.push(Entry { old, new });
        let class = self.kinds[usize::from(index.unwrap_or(0))].copier.class;
        self.copies.insert(class, old, new);
    }

    #[inline]
    fn has(&self, raw: RawHandle) -> bool {
        self.copies.get(raw).is_some()
    }
}

impl<'a> Line<'a> {
    /// There is no room, or no such type.
    #[cold]
    #[inline(never)]
    fn push_slowly(&mut self, old: RawHandle, index: Option<u16>) {
        if self.failure.is_some() {
            return;
        }
        let Some(at) = index.map(usize::from) else {
            if self.heap.store.is_alive_any(old) {
                self.failure = Some(Failure::Stop(Stop::NotInSchema(old)));
            }
            return;
        };
        let taken = self.kinds.iter().map(|kind| (kind.taken + kind.room.used(), kind.copier.slot_bytes));
        let (objects, bytes) =
            taken.fold((0, 0), |sum, (objects, bytes)| (sum.0 + objects, sum.1 + objects * bytes));
        let kind = &mut self.kinds[at];
        kind.taken += kind.room.used();
        match (kind.copier.make_room)(self.heap, &mut kind.room, objects, bytes) {
            Ok(()) => {
                let first = kind.room.first().expect("room for one at least");
                kind.pool = Some(usize::from(self.heap.store.pool_of(first.granule())));
                self.push(old, index);
            }
            Err(error) => self.failure = Some(Failure::Graph(error)),
        }
    }

    /// Counts the objects that are made, and gives up what is left of the slots set aside.
    fn settle(&mut self) {
        for kind in &mut self.kinds {
            let Some(pool) = kind.pool else { continue };
            let pool = &mut self.heap.pools[pool];
            pool.hand_out(&mut kind.room);
            let made = core::mem::take(&mut kind.made);
            pool.count_all_born(made);
            self.heap.counts.objects += made;
            self.heap.counts.bytes += made * kind.copier.slot_bytes;
        }
    }

    /// The next handle in the queue names no object.
    #[cold]
    fn lose(&mut self, walk: &mut Walk, entry: Entry) -> Result<(), Stop> {
        walk.take_back(&self.heap.store, entry.old)?;
        self.heap.waste(entry.new);
        self.lost.push(entry);
        self.done += 1;
        Ok(())
    }
}

/// Undoes everything, unless the queue is empty.
impl Drop for Line<'_> {
    fn drop(&mut self) {
        self.settle();
        for entry in self.entries.drain(self.done..) {
            self.heap.waste(entry.new);
        }
        let mut panics = Panics::default();
        panics.run_all(|| match self.entries.pop() {
            Some(entry) => {
                self.heap.unmake(entry.new);
                true
            }
            None => false,
        });
        panics.raise_unless_panicking();
    }
}

/// A graph that is being copied.
pub(super) struct Copying<'a> {
    walk: Walk,
    line: Line<'a>,
}

impl<'a> Copying<'a> {
    pub(super) fn new(heap: &'a mut Heap, types: &[TypeOps], copiers: Vec<Copier>, care: Care) -> Self {
        let walk = Walk::new(&heap.pools, types, care);
        let kinds = copiers.into_iter().map(|copier| Kind {
            copier,
            room: Room::default(),
            pool: None,
            taken: 0,
            made: 0,
            open: Vec::new(),
            relinks_edges: None,
        });
        let line = Line {
            kinds: kinds.collect(),
            heap,
            entries: Vec::new(),
            done: 0,
            copies: Copies::default(),
            owners: Vec::new(),
            lost: Vec::new(),
            unsupported: None,
            merged: 0,
            failure: None,
            found: Vec::new(),
        };
        Self { walk, line }
    }

    pub(super) fn run(
        mut self,
        original: RawHandle,
        leave_out: &mut LeaveOut<'_>,
    ) -> Result<Relinked, Failure> {
        let Self { walk, line } = &mut self;
        let mut watcher = Watcher::new();
        walk.reach(original, leave_out, line);
        loop {
            if let Some(failure) = line.failure.take() {
                return Err(failure);
            }
            let Some(next) = line.entries.get(line.done) else { break };
            let index = usize::from(walk.index_of(next.old).expect("a page of a listed type"));
            (line.kinds[index].copier.follow)(walk, line, &mut watcher, leave_out, index)?;
        }
        match line.unsupported {
            Some(type_name) => Err(Failure::Graph(GraphError::NotRelinkable { type_name })),
            None => line.finish(walk).map_err(Failure::Graph),
        }
    }
}

impl Line<'_> {
    /// All copies are made. Relinks once more those that need it, and rehashes tables.
    fn finish(&mut self, walk: &Walk) -> Result<Relinked, GraphError> {
        self.settle();
        let ops: Vec<_> = self.kinds.iter().map(|kind| kind.copier.relink).collect();
        self.lost.iter().for_each(|entry| self.copies.remove(entry.old));
        let mut relinked = Relinked {
            map: Map::Copies(core::mem::take(&mut self.copies)),
            roots: Vec::from([AnyGc::from_raw(self.entries[0].new)]),
            became_null: 0,
            merged: self.merged,
        };
        let mut open: Vec<_> = self.kinds.iter_mut().map(|kind| core::mem::take(&mut kind.open)).collect();
        if open.iter().any(|open| !open.is_empty()) || !self.lost.is_empty() {
            let pass = self.heap.relink_once(&ops, &open, &relinked.map)?;
            relinked.merged += pass.merged;
            let mut dead = pass.outside;
            // Most handles that lead out of the copy lead to living objects. The rest become null in another
            // pass.
            dead.retain(|raw| !raw.is_null() && !self.heap.store.is_alive_any(*raw));
            let mut known = dead.clone();
            if !self.lost.is_empty() {
                known.extend(self.lost.iter().map(|entry| entry.old));
                // Any copy may have a handle of a copy that was never made.
                dead.extend(self.lost.iter().map(|entry| entry.new));
                open.iter_mut().for_each(Vec::clear);
                for entry in &self.entries {
                    let index = walk.index_of(entry.old).expect("a page of a listed type");
                    open[usize::from(index)].push(entry.new);
                }
            }
            if !dead.is_empty() {
                let pass = self.heap.relink_once(&ops, &open, &Map::Copies(Copies::of_dead(dead)))?;
                relinked.became_null += pass.became_null;
                relinked.merged += pass.merged;
            }
            relinked.map.set_dead(known);
        }
        self.heap.refile(&ops, &self.owners);
        self.entries.clear();
        self.done = 0;
        Ok(relinked)
    }
}

/// Looks ahead at the next free slots of `T`, within the limits of the heap. The counts are of the objects
/// being made and their bytes.
fn make_room<T: Trace>(
    heap: &mut Heap,
    room: &mut Room,
    objects: usize,
    bytes: usize,
) -> Result<(), GraphError> {
    if let Some(raw) = room.first() {
        heap.pools[usize::from(heap.store.pool_of(raw.granule()))].hand_out(room);
    }
    let with = |more: usize| (objects + more, bytes + more * Geometry::<T>::SLOT_BYTES);
    let (more_objects, more_bytes) = with(1);
    heap.check_room(more_objects, more_bytes)?;
    match heap.ready_pool::<T>() {
        Ok(mut ready) => ready.look_ahead::<T>(room),
        Err(limit) => return Err(GraphError::Limit(AllocError::new((), limit))),
    }
    let (more_objects, more_bytes) = with(room.len());
    if heap.check_room(more_objects, more_bytes).is_err() {
        room.truncate(1);
    }
    Ok(())
}

impl Heap {
    /// Uses up the slot of a handle that was set aside for a copy.
    fn waste(&mut self, raw: RawHandle) {
        self.collector.note_destroyed(raw);
        let pool = usize::from(self.store.pool_of(raw.granule()));
        let vacated = self.store.waste(raw);
        self.pools[pool].vacate(&mut self.store, raw.granule(), vacated);
    }
}
