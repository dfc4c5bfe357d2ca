//! Going back: a heap as it was, for games that roll back and run frames again.

use alloc::vec::Vec;
use core::fmt;

use crate::collector::Collector;
use crate::death::{Fate, Hints};
use crate::graph::{GraphError, Schema, path_to};
use crate::handle::{Generation, RawHandle};
use crate::heap::load::Load;
use crate::heap::pacer::Pacer;
use crate::heap::types::Types;
use crate::heap::{CloneTypes, Counts, Heap};
use crate::panics::Panics;
use crate::pool::KeptPool;
use crate::root::KeptRoots;
use crate::store::{KeptStore, Vacated};
use crate::trace::Trace;
use crate::weak::{Faithful, Renaming};

/// The state of a heap at some time, from [`Heap::checkpoint`]. [`Heap::roll_back`] restores it any number of
/// times.
///
/// Holds a copy of every object. `Send + Sync`; dropping it drops the copies.
pub struct Checkpoint {
    heap: u64,
    store: KeptStore,
    pools: Vec<KeptPool>,
    types: Types,
    #[cfg(feature = "inspect")]
    inspect_ops: Vec<crate::inspect::InspectOps>,
    collector: Collector,
    roots: KeptRoots,
    hints: Hints,
    counts: Counts,
    load: Load,
    pacer: Pacer,
    steps_in_cycle: u64,
    wants_collection: bool,
}

impl fmt::Debug for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Checkpoint").field("objects", &self.counts.objects).finish_non_exhaustive()
    }
}

/// A heap whose pools are being copied.
#[doc(hidden)]
pub struct Keeping<'a> {
    heap: &'a Heap,
    pools: Vec<Option<KeptPool>>,
}

impl fmt::Debug for Keeping<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keeping").finish_non_exhaustive()
    }
}

impl Keeping<'_> {
    pub(super) fn keep<T: Trace + Clone>(&mut self) {
        if let Some(index) = self.heap.types.get::<T>().map(usize::from) {
            self.pools[index] = Some(self.heap.pools[index].keep_values::<T>(&self.heap.store));
        }
    }
}

/// # Going back
impl Heap {
    /// Keeps the state of the heap, to go back to it with [`roll_back`](Self::roll_back): rollback netcode,
    /// which runs some frames again when the input of a player arrives late.
    ///
    /// Copies every object with `clone`, which must copy handles unchanged, as a derived one does. The
    /// progress of a cycle and of the pacer are kept too. O(slots).
    ///
    /// # Errors
    /// [`GraphError::NotInSchema`] if there is an object of a type that the schema does not list;
    /// [`GraphError::BeingMade`] inside `alloc_cyclic`.
    ///
    /// # Examples
    /// ```
    /// use slotgc::{Heap, Schema};
    ///
    /// let mut heap = Heap::new();
    /// let mob = heap.alloc_root(10_u32);
    /// let checkpoint = heap.checkpoint(&Schema::new().with::<u32>("hit points")).unwrap();
    ///
    /// heap[&mob] = 7;
    /// let arrow = heap.alloc(1);
    /// heap.roll_back(&checkpoint);
    /// assert_eq!(heap[&mob], 10);
    /// assert!(!heap.is_alive(arrow));
    /// assert_eq!(heap.alloc(2), arrow); // the same calls give the same handles
    /// ```
    #[doc(alias("rollback", "netcode", "undo"))]
    pub fn checkpoint<L: CloneTypes>(&self, schema: &Schema<L>) -> Result<Checkpoint, GraphError> {
        if !self.collector.building().is_empty() {
            return Err(GraphError::BeingMade);
        }
        // The copy must be consistent, so markers on other threads leave for as long as it takes.
        let _held = self.collector.hold();
        let number = self.collector.heap_number();
        let mut keeping = Keeping { heap: self, pools: self.pools.iter().map(|_| None).collect() };
        {
            let _faithful = Faithful::begin(Renaming { before: number, after: number });
            L::keep(&mut keeping);
        }
        let kept = keeping.pools.into_iter().zip(&self.pools).map(|(kept, pool)| match kept {
            Some(kept) => Ok(kept),
            None => pool.keep_empty(&self.store).map_err(|raw| GraphError::NotInSchema {
                type_name: pool.info().name,
                path: path_to(&self.store, &self.pools, schema.types(), &[raw], raw),
            }),
        });
        Ok(Checkpoint {
            heap: self.number(),
            store: self.store.keep(),
            pools: kept.collect::<Result<_, _>>()?,
            types: self.types.clone(),
            #[cfg(feature = "inspect")]
            inspect_ops: self.inspect_ops.clone(),
            collector: self.collector.clone(),
            roots: self.roots.keep(),
            hints: self.deaths.hints().clone(),
            counts: self.counts.clone(),
            load: self.load.clone(),
            pacer: self.pacer.clone(),
            steps_in_cycle: self.telemetry.steps_in_cycle,
            wants_collection: self.wants_collection,
        })
    }

    /// Goes back to a checkpoint of this heap. Every handle of that time resolves again, to the value of that
    /// time, and the same calls return the same handles as after the checkpoint.
    ///
    /// For that, budgets must be in objects and not in time, the same roots must be held, and nothing may be
    /// registered on objects that die in the undone frames. What [`pace`](Self::pace) does depends on what
    /// objects own ([`Trace::owned_bytes`]), and the buffers of copies may have other capacities: programs in
    /// lockstep call [`step`](Self::step), or have types that own nothing.
    ///
    /// What was made since is gone: its destructors run, as do those of all replaced values. Its handles may
    /// be used again for other objects, so keep none. A [`Root`](crate::Root) of such an object is dead for
    /// ever. Callbacks that ran do not run again. One registered since then stays if its object was alive at
    /// the checkpoint, otherwise it is dropped uncalled. Copies with `clone`; O(slots).
    ///
    /// # Panics
    /// If the checkpoint is another heap's, or inside a callback. If a `clone` or a destructor panics, at the
    /// end; an object that could not be copied is then dead.
    #[doc(alias("rollback", "netcode", "undo"))]
    pub fn roll_back(&mut self, to: &Checkpoint) {
        assert!(to.heap == self.number(), "slotgc: a checkpoint of another heap");
        assert!(!self.is_telling(), "slotgc: a heap cannot be rolled back inside one of its callbacks");
        let (mut panics, mut lost) = (Panics::default(), Vec::new());
        self.take_up_later(&mut panics);
        while self.roots.next_abandoned().is_some() {}
        for (index, pool) in self.pools.iter().enumerate() {
            pool.wipe(&mut self.store, to.pools.get(index), &to.store, &mut panics);
        }
        for (index, kept) in to.pools.iter().enumerate() {
            kept.reclaim(&mut self.store, self.pools.get(index));
        }
        self.store.restore(&to.store);
        let (before, after) = self.collector.go_back(&to.collector);
        {
            let _faithful = Faithful::begin(Renaming { before, after });
            to.pools.iter().for_each(|kept| kept.restore(&mut self.store, &mut lost, &mut panics));
        }
        self.store.restore_owned(&to.store);
        self.pools = to.pools.iter().map(KeptPool::unwatched).collect();
        self.types.clone_from(&to.types);
        #[cfg(feature = "inspect")]
        self.inspect_ops.clone_from(&to.inspect_ops);
        (self.counts, self.load, self.pacer) = (to.counts.clone(), to.load.clone(), to.pacer.clone());
        let Self { pools, store, .. } = self;
        pools.iter_mut().for_each(|pool| pool.return_later(store));
        self.telemetry.steps_in_cycle = to.steps_in_cycle;
        self.wants_collection = to.wants_collection;
        lost.into_iter().for_each(|raw| self.lose(raw));
        self.settle_registrations(to, &mut panics);
        panics.raise();
    }

    /// The object could not be made again.
    fn lose(&mut self, raw: RawHandle) {
        let index = usize::from(self.store.pool_of(raw.granule()));
        let is_used_up = raw.generation().next() == Generation::ZERO;
        let vacated = if is_used_up { Vacated::Retired } else { Vacated::Reusable };
        self.pools[index].count_dead(&mut self.store, raw.granule(), vacated);
        self.counts.died(1, self.pools[index].info().slot_bytes);
        self.collector.note_destroyed(raw);
    }

    /// Keeps roots and registrations, which are not part of the heap's state, as far as their objects exist.
    fn settle_registrations(&mut self, to: &Checkpoint, panics: &mut Panics) {
        let store = &self.store;
        self.roots.go_back(&to.roots, |raw| store.is_alive_any(raw));
        let mut undone = self.deaths.go_back(&to.hints, |raw| {
            let generation = store.generation_any(raw.granule());
            if store.is_alive_any(raw) {
                Fate::Alive
            } else if generation.is_some_and(|now| now.0 > raw.generation().0) {
                Fate::Dead
            } else {
                Fate::Undone
            }
        });
        let targets: Vec<_> = self.deaths.targets().collect();
        targets.into_iter().for_each(|raw| self.set_watched(raw));
        let hints = to.hints.iter().filter(|(raw, _)| self.store.is_alive_any(**raw));
        self.load.set_hints(hints.map(|(_, bytes)| *bytes as u128).sum());
        panics.run_all(|| undone.pop().is_some());
    }
}
