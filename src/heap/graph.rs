//! Copying graphs of objects, and putting the new handles into copies.
//!
//! All or nothing: what was made so far is destroyed when something goes wrong, a panic in somebody's `clone`
//! included.

use alloc::vec;
use alloc::vec::Vec;

use crate::bitmap::Class;
use crate::config::{AllocError, Limit};
use crate::geometry::Geometry;
use crate::graph::{
    Care, Copies, GraphError, LeaveOut, Map, Relinked, Relinking, Schema, Stop, TypeList, Walk, path_to,
};
use crate::handle::{AnyGc, Gc, RawHandle};
use crate::heap::Heap;
use crate::heap::checkpoint::Keeping;
use crate::panics::Panics;
use crate::trace::{Handle, Link, Links, Relinker, Trace, Values};

impl Heap {
    /// Copies an object and everything that it reaches by strong edges: a prefab. Handles inside the copy
    /// lead to copies, strong and weak ones alike; those to objects outside lead where they led. Handles to
    /// the dead become null. Maps keyed by handles are filed again.
    ///
    /// The types must be `Clone`. A type's `clone` copies its handles as they are, as a derived one does.
    /// O(objects and edges).
    ///
    /// # Errors
    /// [`GraphError`]; the heap is as it was.
    ///
    /// # Examples
    /// ```
    /// use slotgc::{Gc, Heap, Schema, Trace, Weak};
    ///
    /// #[derive(Trace, Clone)]
    /// struct Part { parent: Weak<Part>, children: Vec<Gc<Part>> }
    ///
    /// let mut heap = Heap::new();
    /// let car = heap.alloc(Part { parent: Weak::dangling(), children: vec![] });
    /// let wheel = heap.alloc(Part { parent: car.into(), children: vec![] });
    /// heap[car].children = vec![wheel; 4];
    ///
    /// let (copy, _) = heap.clone_graph(car, &Schema::new().with::<Part>("part")).unwrap();
    /// let wheel = heap[copy].children[0];
    /// assert_eq!(heap[wheel].parent, copy);
    /// assert_eq!(heap.len(), 4);
    /// ```
    pub fn clone_graph<T: Trace, L: CloneTypes>(
        &mut self,
        h: impl Handle<Target = T>,
        schema: &Schema<L>,
    ) -> Result<(Gc<T>, Relinked), GraphError> {
        self.clone_graph_from(h, schema, None)
    }

    /// As [`clone_graph`](Self::clone_graph); objects of which `share` says so are not copied, nor what only
    /// they reach. It is asked once for each object but the first.
    ///
    /// # Errors
    /// [`GraphError`]; the heap is as it was.
    ///
    /// # Examples
    /// ```
    /// use slotgc::{Gc, Heap, Schema, Trace};
    ///
    /// #[derive(Trace, Clone)]
    /// struct Mob { skin: Gc<Texture> }
    /// #[derive(Trace)]
    /// struct Texture(Vec<u8>); // too large to be copied, and not in the schema
    ///
    /// let mut heap = Heap::new();
    /// let skin = heap.alloc(Texture(vec![0; 1 << 20]));
    /// let wolf = heap.alloc(Mob { skin });
    /// let schema = Schema::new().with::<Mob>("mob");
    /// let (copy, _) = heap.clone_graph_until(wolf, &schema, &mut |any| any == skin.erase()).unwrap();
    /// assert_eq!(heap[copy].skin, skin);
    /// ```
    pub fn clone_graph_until<T: Trace, L: CloneTypes>(
        &mut self,
        h: impl Handle<Target = T>,
        schema: &Schema<L>,
        share: &mut dyn FnMut(AnyGc) -> bool,
    ) -> Result<(Gc<T>, Relinked), GraphError> {
        let original = self.local(h).raw();
        let mut leave_out = |raw| raw != original && share(AnyGc::from_raw(raw));
        self.clone_graph_from(h, schema, Some(&mut leave_out))
    }

    fn clone_graph_from<T: Trace, L: CloneTypes>(
        &mut self,
        h: impl Handle<Target = T>,
        schema: &Schema<L>,
        mut leave_out: LeaveOut<'_>,
    ) -> Result<(Gc<T>, Relinked), GraphError> {
        let original = self.local(h).raw();
        if !self.is_alive(h) {
            return Err(GraphError::Dead(self.dead(h)));
        }
        // Nobody is asked twice what to leave out.
        let mut care = if leave_out.is_some() { Care::Each } else { Care::Late };
        let found = loop {
            let mut found = vec![Vec::new(); L::LEN];
            let mut walk = Walk::new(&self.store, &self.pools, schema.types(), care);
            walk.reach(original, &mut leave_out);
            match walk.follow(&mut leave_out, &mut |raw, index| found[index].push(raw)) {
                Ok(()) => break found,
                Err(Stop::Stale) => care = Care::Each,
                Err(stop) => return Err(self.graph_error(stop, schema, &[original])),
            }
        };

        let copies = Copies::new(found.iter().map(Vec::len).sum());
        let mut work = Work { found, copies, made: Made::new(self) };
        L::copy(&mut work)?;
        let Work { copies, mut made, .. } = work;
        let copy = Gc::from_raw(copies.get(original).expect("the first of the originals has a copy"));
        let mut relinked = Relinked {
            map: Map::Copies(copies),
            roots: Vec::from([copy.erase()]),
            became_null: 0,
            merged: 0,
        };
        made.relink::<L>(&mut relinked)?;
        made.keep();
        Ok((copy, relinked))
    }

    /// The error for a walk that ended early.
    pub(super) fn graph_error<L>(&self, stop: Stop, schema: &Schema<L>, starts: &[RawHandle]) -> GraphError {
        let path = |raw| path_to(&self.store, &self.pools, schema.types(), starts, raw);
        match stop {
            Stop::NotInSchema(raw) => {
                let pool = &self.pools[usize::from(self.store.pool_of(raw.granule()))];
                GraphError::NotInSchema { type_name: pool.info().name, path: path(raw) }
            }
            Stop::Locked(raw) => GraphError::Locked { path: path(raw) },
            Stop::Stale => unreachable!("the walk was made again with care"),
            #[cfg(feature = "serde")]
            Stop::SourceLocked => GraphError::Locked { path: alloc::string::String::from("the root source") },
        }
    }

    /// Whether there is room for so many objects more, of so many bytes.
    pub(super) fn check_room(&self, objects: usize, bytes: usize) -> Result<(), GraphError> {
        let making = self.collector.building().len();
        let (most_objects, most_bytes) = (self.config.objects_limit(), self.config.bytes_limit());
        let refused = |limit| Err(GraphError::Limit(AllocError::new((), limit)));
        if objects > most_objects.saturating_sub(self.len() + making) {
            return refused(Limit::Objects(most_objects));
        }
        if bytes > most_bytes.saturating_sub(self.bytes() + self.counts.making_bytes) {
            return refused(Limit::Bytes(most_bytes));
        }
        Ok(())
    }

    /// Puts the new handles into new objects, those of each type.
    fn relink<L: HeapTypes>(
        &mut self,
        placed: &[&[RawHandle]],
        relinked: &mut Relinked,
    ) -> Result<(), GraphError> {
        let mut ops = Vec::new();
        L::ops(&mut ops);
        let mut pass = self.relink_once(&ops, placed, &relinked.map)?;
        if let Some(copies) = relinked.map.copies_mut() {
            // Most handles that lead out of the copy lead to the living. The rest becomes null in another
            // pass.
            pass.outside.retain(|raw| !raw.is_null() && !self.store.is_alive_any(*raw));
            if !pass.outside.is_empty() {
                copies.dead = pass.outside;
                let dead = Map::Copies(Copies::of_dead(copies.dead.clone()));
                relinked.merged += pass.merged;
                pass = self.relink_once(&ops, placed, &dead)?;
            }
        }
        relinked.became_null += pass.became_null;
        relinked.merged += pass.merged;
        for (index, owner) in pass.owners {
            (ops[index].refile)(self, owner);
        }
        Ok(())
    }

    fn relink_once(
        &mut self,
        ops: &[HeapOps],
        placed: &[&[RawHandle]],
        map: &Map,
    ) -> Result<Pass, GraphError> {
        let mut relinking = Relinking::new(map);
        let mut owners = Vec::new();
        for (index, placed) in placed.iter().enumerate() {
            (ops[index].relink)(self, placed, &mut relinking, &mut owners);
        }
        match relinking.unsupported {
            Some(type_name) => Err(GraphError::NotRelinkable { type_name }),
            None => Ok(Pass {
                owners,
                outside: relinking.outside,
                became_null: relinking.became_null,
                merged: relinking.merged,
            }),
        }
    }
}

/// The objects with tables to be filed again, by type.
type Owners = Vec<(usize, RawHandle)>;

/// What one pass over new objects came to.
struct Pass {
    owners: Owners,
    outside: hashbrown::HashSet<RawHandle, crate::weak::Fixed>,
    became_null: usize,
    merged: usize,
}

/// Tables are filed again; all handles stay.
struct Refiling<'a>(Values<'a>);

impl Relinker for Refiling<'_> {
    fn replace(&mut self, link: Link) -> RawHandle {
        link.raw
    }

    fn unsupported(&mut self, _: &'static str) {}

    fn merged(&mut self) {}

    fn values(&self) -> Option<Values<'_>> {
        Some(self.0)
    }
}

/// What a heap does with objects of a listed type.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct HeapOps {
    relink: fn(&mut Heap, &[RawHandle], &mut Relinking<'_>, &mut Owners),
    refile: fn(&mut Heap, RawHandle),
}

/// The types of a [`Schema`], whatever they are; nothing to implement.
#[doc(hidden)]
pub trait HeapTypes: TypeList {
    fn ops(ops: &mut Vec<HeapOps>);
}

impl HeapTypes for () {
    fn ops(_: &mut Vec<HeapOps>) {}
}

impl<T: Trace, L: HeapTypes> HeapTypes for (T, L) {
    fn ops(ops: &mut Vec<HeapOps>) {
        L::ops(ops);
        ops.push(HeapOps {
            relink: |heap, placed, relinking, owners| {
                if !T::HOLDS_HANDLES {
                    return;
                }
                for raw in placed {
                    let tables = relinking.tables;
                    if let Some(object) = heap.get_mut(Gc::<T>::from_raw(*raw)) {
                        object.relink(&mut Links::new(relinking));
                    }
                    if relinking.tables > tables {
                        owners.push((L::LEN, *raw));
                    }
                }
            },
            refile: |heap, raw| {
                if let Some((object, others)) = heap.split_mut(Gc::<T>::from_raw(raw)) {
                    object.relink(&mut Links::new(&mut Refiling(others.values())));
                }
            },
        });
    }
}

/// The types of a [`Schema`] that are all `Clone`; nothing to implement.
pub trait CloneTypes: HeapTypes {
    #[doc(hidden)]
    fn keep(keeping: &mut Keeping<'_>);

    #[doc(hidden)]
    fn copy(work: &mut Work<'_>) -> Result<(), GraphError>;
}

impl CloneTypes for () {
    fn keep(_: &mut Keeping<'_>) {}

    fn copy(work: &mut Work<'_>) -> Result<(), GraphError> {
        work.check_room()
    }
}

impl<T: Trace + Clone, L: CloneTypes> CloneTypes for (T, L) {
    fn keep(keeping: &mut Keeping<'_>) {
        L::keep(keeping);
        keeping.keep::<T>();
    }

    fn copy(work: &mut Work<'_>) -> Result<(), GraphError> {
        L::copy(work)?;
        work.copy::<T>(L::LEN)
    }
}

/// A graph that is being copied.
#[doc(hidden)]
pub struct Work<'a> {
    /// The originals, by type.
    found: Vec<Vec<RawHandle>>,
    copies: Copies,
    made: Made<'a>,
}

impl core::fmt::Debug for Work<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Work").finish_non_exhaustive()
    }
}

impl Work<'_> {
    /// The types have not been seen yet, so only objects are counted, and the bytes of their slots looked up.
    fn check_room(&mut self) -> Result<(), GraphError> {
        let heap = &*self.made.heap;
        let bytes = self.found.iter().filter_map(|found| {
            let first = found.first()?;
            Some(found.len() * heap.pools[usize::from(heap.store.pool_of(first.granule()))].info().slot_bytes)
        });
        let objects = self.found.iter().map(Vec::len).sum::<usize>();
        heap.check_room(objects, bytes.sum())?;
        self.made.raws.reserve(objects);
        Ok(())
    }

    fn copy<T: Trace + Clone>(&mut self, index: usize) -> Result<(), GraphError> {
        let found = &self.found[index];
        self.made.heap.reserve::<T>(found.len());
        for raw in found {
            let original =
                self.made.heap.store.look().get::<T>(*raw).expect("nothing died since it was found");
            let copy = self.made.place(original.clone())?;
            self.copies.insert(Class::of::<T>(), *raw, copy);
        }
        self.made.end_type();
        Ok(())
    }
}

/// Objects that are being made, type by type, and are destroyed again unless they are kept.
pub(super) struct Made<'a> {
    heap: &'a mut Heap,
    raws: Vec<RawHandle>,
    /// Where those of each type of the schema end.
    ends: Vec<usize>,
}

impl<'a> Made<'a> {
    pub(super) fn new(heap: &'a mut Heap) -> Self {
        Self { heap, raws: Vec::new(), ends: Vec::new() }
    }

    /// All objects of the next type were made: these.
    pub(super) fn end_type(&mut self) -> &[RawHandle] {
        let start = self.ends.last().copied().unwrap_or(0);
        self.ends.push(self.raws.len());
        &self.raws[start..]
    }

    /// Puts the new handles into all of them.
    pub(super) fn relink<L: HeapTypes>(&mut self, relinked: &mut Relinked) -> Result<(), GraphError> {
        let starts = core::iter::once(&0).chain(&self.ends);
        let placed: Vec<&[RawHandle]> =
            starts.zip(&self.ends).map(|(start, end)| &self.raws[*start..*end]).collect();
        self.heap.relink::<L>(&placed, relinked)
    }

    pub(super) fn place<T: Trace>(&mut self, value: T) -> Result<RawHandle, GraphError> {
        const { Geometry::<T>::FITS };
        match self.heap.try_alloc(value) {
            Ok(gc) => {
                self.raws.push(gc.raw());
                Ok(gc.raw())
            }
            Err(refused) => Err(GraphError::Limit(refused.without_value())),
        }
    }

    pub(super) fn keep(mut self) {
        self.raws.clear();
    }
}

impl Drop for Made<'_> {
    fn drop(&mut self) {
        let mut panics = Panics::default();
        panics.run_all(|| match self.raws.pop() {
            Some(raw) => {
                self.heap.destroy_any(AnyGc::from_raw(raw));
                true
            }
            None => false,
        });
        panics.raise_unless_panicking();
    }
}
