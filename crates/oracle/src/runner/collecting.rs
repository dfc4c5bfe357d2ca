//! Roots, deaths by hand, collections, and the end of heaps.

use std::mem;

use slotgc::{CollectStats, Heap, Tracer};

use crate::calls;
use crate::kinds::{Fuse, Kind};
use crate::link::{Contents, Link};
use crate::log::{self, Injected, ObjectId, Thrown};
use crate::model::{Collected, Index, Life};
use crate::ops::{Ending, Pick, Setup};
use crate::runner::{Runner, World};

/// What a root source panics with.
const SOURCE: ObjectId = ObjectId(u32::MAX);

impl Runner {
    pub(super) fn root(&mut self, heap: usize, target: Pick) {
        let (kind, link) = self.link(heap, target);
        self.root_link(heap, kind, link);
    }

    pub(super) fn root_link(&mut self, heap: usize, kind: Kind, link: Link) {
        let found = self.model(heap).resolve(link);
        let root = calls::root(&self.worlds[heap].heap, kind, link);
        assert_eq!(root.is_some(), found.is_some(), "an object is rooted if it is there");
        if let (Some(root), Some(index)) = (root, found) {
            self.hold(heap, root, link, index);
        }
    }

    pub(super) fn clone_root(&mut self, index: u8) {
        if self.held.is_empty() {
            return;
        }
        let held = &self.held[usize::from(index) % self.held.len()];
        let (root, link, heap, object) = (held.root.clone_held(), held.link, held.heap, held.object);
        if held.incarnation == self.worlds[heap].incarnation {
            self.hold(heap, root, link, object);
        }
    }

    pub(super) fn drop_roots(&mut self, index: u8, len: u8) {
        for _ in 0..=len % 8 {
            if self.held.is_empty() {
                return;
            }
            let held = self.held.swap_remove(usize::from(index) % self.held.len());
            let world = &mut self.worlds[held.heap];
            if held.incarnation == world.incarnation {
                let place = world.model.roots.iter().position(|object| *object == held.object);
                world.model.roots.swap_remove(place.expect("a root is in the model as often as it is held"));
            }
        }
    }

    pub(super) fn destroy(&mut self, heap: usize, target: Pick, erased: bool) {
        let (kind, link) = self.link(heap, target);
        if erased {
            let link = self.erased_link(heap, target);
            self.destroy_erased(heap, link);
        } else {
            self.destroy_link(heap, kind, link);
        }
    }

    fn destroy_link(&mut self, heap: usize, kind: Kind, link: Link) {
        let found = self.model(heap).resolve(link);
        let value = calls::destroy(&mut self.worlds[heap].heap, kind, link);
        assert_eq!(value.is_some(), found.is_some(), "an object is destroyed if it is there");
        let (Some(value), Some(index)) = (value, found) else { return };
        let object = &self.model(heap).objects[index];
        assert!(value.holds(object.id, &object.contents), "destroy gives the value");
        let dropped = log::catch(|| drop(value));
        self.check_drop(heap, index, dropped);
        self.worlds[heap].model.kill(index);
    }

    fn destroy_erased(&mut self, heap: usize, link: Link) {
        let found = self.model(heap).resolve(link);
        let world = &mut self.worlds[heap];
        let died = log::catch(|| world.heap.destroy_any(link.any()));
        match (found, died) {
            (Some(index), died) => {
                self.check_drop(heap, index, died.map(|died| assert!(died, "destroy_any says so")));
                self.worlds[heap].model.kill(index);
            }
            (None, died) => assert_eq!(died, Ok(false), "there is no such object"),
        }
    }

    /// The value of an object was dropped; an armed one panicked.
    fn check_drop(&mut self, heap: usize, index: Index, dropped: Result<(), Thrown>) {
        let object = &self.model(heap).objects[index];
        let armed = object.is_armed(Fuse::Drop).then_some(Thrown::Injected(object.id));
        assert_eq!(dropped.err(), armed, "what the destructor threw");
        self.expect_dead(heap, index);
    }

    pub(super) fn destroy_many(&mut self, heap: usize, kind: Kind, size: u8, newest: bool) {
        let mut links: Vec<(Index, Link)> = Vec::new();
        for index in &self.model(heap).alive {
            let object = &self.model(heap).objects[*index];
            links.extend((object.kind == kind).then(|| (*index, object.link())));
        }
        if newest {
            links.reverse();
        }
        for (_, link) in links.into_iter().take(kind.burst_len(size)) {
            self.destroy_link(heap, kind, link);
        }
    }

    pub(super) fn collect(&mut self, heap: usize) {
        let collected = self.collecting(heap, &Contents::default(), None, Heap::collect);
        check_stats(collected);
    }

    pub(super) fn collect_with(&mut self, heap: usize, roots: [Pick; 3], ending: Ending) {
        let edges = roots.map(|pick| self.typed_link(heap, pick)).to_vec();
        let extra = Contents { edges, ..Contents::default() };
        let source = |tracer: &mut Tracer<'_>| {
            extra.trace(tracer);
            if ending == Ending::Panics {
                Injected(SOURCE).raise();
            }
        };
        let panics = (ending == Ending::Panics).then_some(SOURCE);
        let collected = self.collecting(heap, &extra, panics, |heap| heap.collect_with(&source));
        check_stats(collected);
    }

    /// A collection by `call`, with what `extra` holds kept. `None` if it panicked, as it had to.
    pub(super) fn collecting<R>(
        &mut self,
        heap: usize,
        extra: &Contents,
        source_panics: Option<ObjectId>,
        call: impl FnOnce(&mut Heap) -> R,
    ) -> Option<(R, Collected)> {
        let mut plan = self.model(heap).plan(extra);
        plan.armed.extend(source_panics);
        let world = &mut self.worlds[heap];
        let result = log::catch(|| call(&mut world.heap));
        if !plan.armed.is_empty() {
            let Err(Thrown::Injected(id)) = result else {
                panic!("no `trace` panicked, but {:?}", plan.armed)
            };
            assert!(plan.armed.contains(&id), "{id:?} panicked, not one of {:?}", plan.armed);
            if let Some(object) = world.model.objects.iter_mut().find(|object| object.id == id) {
                object.fuses[Fuse::Trace as usize] = false;
            }
            return None;
        }
        let (collected, dead) = world.model.carry_out(&plan);
        self.report.collections += 1;
        self.report.freed += dead.len() as u64;
        let thrown = self.expect_destructors(heap, &dead, collected.pruned);
        match (result, thrown) {
            (Ok(result), None) => Some((result, collected)),
            (Err(Thrown::Injected(id)), Some(first)) if id == first => None,
            (Err(thrown), first) => panic!("the collection raised {thrown:?} instead of {first:?}"),
            (Ok(_), Some(first)) => panic!("the destructor of {first:?} panicked, and nobody heard"),
        }
    }

    /// The destructors of these dead objects and entries must have run. Gives the first that panicked.
    fn expect_destructors(&mut self, heap: usize, dead: &[Index], pruned: usize) -> Option<ObjectId> {
        dead.iter().for_each(|index| self.expect_dead(heap, *index));
        self.entries[0] += pruned;
        let dropped = self.read_log();
        let objects = dead.iter().map(|index| &self.model(heap).objects[*index]);
        let armed = objects.filter(|object| object.is_armed(Fuse::Drop)).map(|object| object.id);
        first_of(&dropped, &armed.collect::<Vec<_>>())
    }

    pub(super) fn shrink(&mut self, heap: usize) {
        let World { heap, model, .. } = &mut self.worlds[heap];
        let before = heap.stats();
        heap.shrink_to_fit();
        let after = heap.stats();
        assert!(after.pages <= before.pages, "shrinking gives pages back");
        assert!(after.pages << 16 >= model.bytes, "objects are in memory");
    }

    pub(super) fn fresh(&mut self, heap: usize, setup: Setup) {
        if self.model(heap).is_building() {
            return;
        }
        let incarnation = self.worlds[heap].incarnation + 1;
        let number = u8::try_from(heap).expect("one of two");
        let old = mem::replace(&mut self.worlds[heap], World::new(number, setup, incarnation));
        let World { heap: old_heap, model, .. } = old;
        let thrown = log::catch(|| drop(old_heap)).err();
        let dropped = self.read_log();
        let dead = model.objects.iter().filter(|object| object.life == Life::Alive);
        dead.clone().for_each(|object| self.expect_drop(object.kind, object.id));
        let armed = dead.filter(|object| object.is_armed(Fuse::Drop)).map(|object| object.id);
        let first = first_of(&dropped, &armed.collect::<Vec<_>>()).map(Thrown::Injected);
        assert_eq!(thrown, first, "the first panic of a destructor is raised by the heap's drop");
    }
}

/// The first of these that is one of those.
fn first_of(ids: &[ObjectId], those: &[ObjectId]) -> Option<ObjectId> {
    ids.iter().copied().find(|id| those.contains(id))
}

/// Compares what a collection reported with what it did.
fn check_stats(collected: Option<(CollectStats, Collected)>) {
    let Some((stats, expected)) = collected else { return };
    let CollectStats { marked, kept, freed, freed_bytes, pruned, notified, .. } = stats;
    let reported = Collected { marked, kept, freed, freed_bytes, pruned };
    assert_eq!(reported, expected, "the collection's report (left), and what it had to do (right)");
    assert_eq!(notified, 0, "nobody asked to be notified");
}
