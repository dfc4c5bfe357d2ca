//! The comparison of heap and model.
//!
//! After every op, small heaps are compared completely; of large heaps, the counts and a sample of handles.
//! All handles are compared every now and then, and at the end.

use std::collections::HashSet;

use slotgc::inspect::Path;
use slotgc::{AnyGc, Heap};

use crate::contents::Contents;
use crate::dyn_heap;
use crate::kind::{Fuse, Kind};
use crate::link::Link;
use crate::log::Mark;
use crate::model::{Index, Life, Model};
use crate::ops::Pick;
use crate::runner::state::{Runner, World};
use crate::types::view::View;

/// Up to this many handles, all are compared after every op.
const SMALL: usize = 160;
/// Otherwise this many of them, and all every `WHOLE` ops.
const SAMPLE: usize = 32;
const WHOLE: u64 = 64;
/// A snapshot is compared every so many ops.
const SNAPSHOT_EVERY: u64 = 4;

impl Runner {
    /// The comparison after an op.
    pub(super) fn compare(&mut self) {
        let handles: usize = self.worlds.iter().map(|world| world.model.objects.len()).sum();
        if handles <= SMALL || self.report.ops % WHOLE == 0 {
            self.compare_all();
            return;
        }
        for heap in [0, 1] {
            self.compare_counts(heap);
            for _ in 0..SAMPLE {
                let len = self.model(heap).objects.len();
                if len > 0 {
                    let index = self.random() as usize % len;
                    self.compare_object(heap, index);
                }
            }
        }
    }

    fn random(&mut self) -> u64 {
        self.random = self.random.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
        self.random >> 33
    }

    /// Everything.
    pub(super) fn compare_all(&self) {
        for heap in [0, 1] {
            self.compare_counts(heap);
            self.compare_kinds(heap);
            self.compare_deaths(heap);
            // It takes longer than all other comparisons.
            if self.report.ops % SNAPSHOT_EVERY == 0 {
                self.compare_snapshot(heap);
            }
            let World { outside, outside_tables, .. } = &self.worlds[heap];
            assert!(outside.holds(outside_tables), "outside is {outside:?}, not {outside_tables:?}");
            for index in 0..self.model(heap).objects.len() {
                self.compare_object(heap, index);
            }
        }
        for held in &self.held {
            for (number, World { heap, model, incarnation, .. }) in self.worlds.iter().enumerate() {
                // A root knows its heap: in another one, in the same place perhaps, it resolves to nothing.
                let is_own = number == held.heap && *incarnation == held.incarnation;
                let found = if is_own { model.resolve(held.link) } else { None };
                compare_view(model, found, held.root.view(heap), held.link);
            }
        }
        let marks = self.worlds.iter().map(World::marks).sum::<usize>() + self.in_flight;
        assert_eq!(Mark::count(), marks, "keys and values of weak maps, in memory and in the model");
    }

    fn compare_counts(&self, heap: usize) {
        let World { heap, model, .. } = &self.worlds[heap];
        let stats = heap.stats();
        assert_eq!((heap.len(), stats.objects), (model.alive.len(), model.alive.len()), "len");
        assert_eq!(heap.is_empty(), model.alive.is_empty(), "is_empty");
        assert_eq!(stats.roots, model.roots.len(), "roots");
        assert_eq!(stats.collections, model.collections, "collections");
        let allocated = model.allocated;
        assert_eq!((heap.allocated(), stats.allocated), (allocated, allocated), "allocated");
        assert_eq!(stats.freed, allocated - model.alive.len() as u64, "freed");
        if !model.is_building() {
            assert_eq!(stats.bytes, model.bytes, "bytes");
        }
    }

    /// What a snapshot finds, and a search without one: the living, and those that roots reach.
    fn compare_snapshot(&self, heap: usize) {
        let World { heap, model, .. } = &self.worlds[heap];
        // An armed object panics when it is looked at; one under construction counts as a key, and has no
        // edges yet.
        let is_armed = |index: &Index| model.objects[*index].is_armed(Fuse::Trace);
        if model.is_building() || model.alive.len() > SMALL || model.alive.iter().any(is_armed) {
            return;
        }
        let (snapshot, plan) = (heap.snapshot(), model.plan(&Contents::default()));
        assert_eq!(snapshot.len(), model.alive.len(), "objects in the snapshot");
        let garbage: HashSet<AnyGc> = snapshot.unreachable().map(|node| node.handle()).collect();
        for (place, index) in model.alive.iter().enumerate() {
            let any = model.objects[*index].link().any();
            assert!(snapshot.get(any).is_some(), "{any} is in the snapshot");
            assert_eq!(!garbage.contains(&any), plan.reaches(*index), "{any} is reached");
            if place == (self.report.ops / SNAPSHOT_EVERY) as usize % model.alive.len() {
                let by_search = dyn_heap::why_alive(heap, model.objects[*index].kind, any);
                let len = |path: Option<Path>| path.map(|path| path.len());
                assert_eq!(len(by_search), len(snapshot.path_to(any)), "the path to {any}");
            }
        }
    }

    /// Iteration and counts by type.
    fn compare_kinds(&self, heap: usize) {
        let World { heap, model, .. } = &self.worlds[heap];
        let mut living: Vec<_> = model.alive.iter().map(|index| &model.objects[*index]).collect();
        living.sort_by_key(|object| (object.kind, object.bits));
        let mut living = &living[..];
        for kind in Kind::ALL {
            let len = living.iter().take_while(|object| object.kind == kind).count();
            let (of_kind, rest) = living.split_at(len);
            living = rest;
            let mut expected = of_kind.iter();
            let len_of = dyn_heap::for_each(heap, kind, &mut |bits, object| {
                let next = expected.next().unwrap_or_else(|| panic!("iter yields a dead {kind:?}"));
                assert_eq!(bits, next.bits, "iter yields the {kind:?}s in slot order");
                assert!(object.holds(next.id, &next.contents), "iter yields {next:?}");
            });
            assert!(expected.next().is_none(), "iter yields all {kind:?}s");
            assert_eq!(len_of, len, "living {kind:?}s");
        }
    }

    /// A handle that one heap handed out, seen by both.
    fn compare_object(&self, heap: usize, index: Index) {
        let object = &self.model(heap).objects[index];
        for World { heap, model, .. } in &self.worlds {
            compare_link(heap, model, object.kind, object.link());
        }
        let World { heap, model, .. } = &self.worlds[heap];
        let expected = if object.life == Life::Alive { model.deaths.count_on(index) } else { 0 };
        let watch_count = dyn_heap::ask(heap, object.kind, object.link()).watch_count;
        assert_eq!(watch_count, expected, "watch_count of {object:?}");
    }

    pub(super) fn downcast(&mut self, heap: usize, target: Pick, kind: Kind) {
        let link = self.erased_link(heap, target);
        let World { heap, model, .. } = &self.worlds[heap];
        let found = model.resolve(link);
        assert_eq!(heap.is_alive_any(link.any()), found.is_some(), "is_alive_any of {link:?}");
        for kind in [Some(kind), found.map(|index| model.objects[index].kind)].into_iter().flatten() {
            let fits = found.is_some_and(|index| model.objects[index].kind == kind);
            let cast = dyn_heap::downcast(heap, kind, link.any());
            assert_eq!(cast, fits.then_some(link.bits), "{link:?} downcast to {kind:?}");
        }
    }

    pub(super) fn compare_two(&mut self, heap: usize, targets: [Pick; 2]) {
        let [(kind, a), (_, b)] = targets.map(|pick| self.link(heap, pick));
        let b = Link::typed(kind, b.bits);
        assert_eq!(dyn_heap::are_equal(kind, a, b), [a.bits == b.bits; 5], "{a:?} and {b:?} are equal");
    }
}

/// All that can be asked of a handle.
fn compare_link(heap: &Heap, model: &Model, kind: Kind, link: Link) {
    let found = model.resolve(link);
    let alive = found.map(|_| link.bits);
    let asked = dyn_heap::ask(heap, kind, link);
    compare_view(model, found, asked.view, link);
    assert_eq!(asked.is_alive, found.is_some(), "is_alive of {link:?}");
    assert_eq!(asked.upgrades_to, alive, "upgrade of {link:?}");
    assert_eq!(asked.downcasts_to, alive, "downcast of {link:?}");
    assert_eq!(
        asked.is_alive_any,
        model.resolve(Link::erased(link.bits)).is_some(),
        "is_alive_any of {link:?}"
    );
}

fn compare_view(model: &Model, found: Option<Index>, view: Option<&dyn View>, link: Link) {
    match (found, view) {
        (Some(index), Some(object)) => {
            let expected = &model.objects[index];
            assert!(object.holds(expected.id, &expected.contents), "the heap has another {expected:?}");
        }
        (None, None) => {}
        (Some(index), None) => panic!("{link:?} is lost: {:?}", model.objects[index]),
        (None, Some(_)) => panic!("{link:?} resolves, and must not"),
    }
}
