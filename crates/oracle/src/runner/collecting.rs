//! Roots, deaths by hand, collections, and the end of heaps.

use std::mem;

use slotgc::{CollectStats, Heap, Tracer};

use crate::contents::Contents;
use crate::dyn_heap;
use crate::kind::{Fuse, Kind};
use crate::link::{Link, ObjectId};
use crate::log::{self, Event, Injected, Thrown};
use crate::model::{Collected, Index, ValueGoes, WatchRef};
use crate::ops::{Ending, Pick, Setup};
use crate::runner::frame::{Course, MOST};
use crate::runner::state::{Runner, World};

/// What a root source panics with.
const SOURCE: ObjectId = ObjectId(u32::MAX);

impl Runner {
    pub(super) fn root(&mut self, heap: usize, target: Pick) {
        let (kind, link) = self.link(heap, target);
        self.root_link(heap, kind, link);
    }

    pub(super) fn root_link(&mut self, heap: usize, kind: Kind, link: Link) {
        let found = self.model(heap).resolve(link);
        let root = dyn_heap::root(&self.worlds[heap].heap, kind, link);
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

    // ---- Deaths by hand

    /// These objects die in the model, with their notifications.
    pub(super) fn die(&mut self, heap: usize, dead: &[Index], value: ValueGoes, is_end: bool) {
        let dropped = self.worlds[heap].model.die(dead, value);
        if value == ValueGoes::Away {
            dropped.iter().for_each(|index| self.expect_dead(heap, *index));
        }
        self.worlds[heap].model.mourn(is_end);
    }

    /// The destructor of a dead object runs now: it cancels what it guards.
    pub(super) fn expect_dead(&mut self, heap: usize, index: Index) {
        let object = &mut self.worlds[heap].model.objects[index];
        let (kind, id, guards) = (object.kind, object.id, mem::take(&mut object.guards));
        self.expect_drop(kind, id);
        for watch in guards {
            self.cancel_in_model(watch);
        }
    }

    /// Cancels a registration in the model; returns whether it was still there.
    pub(super) fn cancel_in_model(&mut self, watch: WatchRef) -> bool {
        let world = &mut self.worlds[watch.heap];
        world.incarnation == watch.incarnation && world.model.deaths.cancel(watch.number)
    }

    /// What a death by hand sets off.
    fn course_of_death(&self, heap: usize) -> Course {
        if self.model(heap).deaths.is_telling { Course::Quiet } else { Course::after_death() }
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
        let Some(index) = self.model(heap).resolve(link) else {
            let value = dyn_heap::destroy(&mut self.worlds[heap].heap, kind, link);
            assert!(value.is_none(), "an object is destroyed if it is there");
            return;
        };
        let contents = self.model(heap).objects[index].contents.clone();
        let marks = contents.tables.marks();
        self.in_flight += marks;
        self.die(heap, &[index], ValueGoes::ToCaller, false);
        let course = self.course_of_death(heap);
        let (value, _) = self.framed(heap, course, |heap| dyn_heap::destroy(heap, kind, link));
        if let Some(value) = value {
            let value = value.expect("an object is destroyed if it is there");
            let id = self.model(heap).objects[index].id;
            assert!(value.holds(id, &contents), "destroy returns the value");
            let dropped = log::catch(|| drop(value)).err();
            assert_eq!(dropped, self.thrown_by_drop(id), "what the destructor threw");
        }
        self.expect_dead(heap, index);
        self.in_flight -= marks;
    }

    /// What dropping the object's value throws, where nothing else is thrown.
    pub(super) fn thrown_by_drop(&self, id: ObjectId) -> Option<Thrown> {
        self.armed.contains(&id).then_some(Thrown::Injected(id))
    }

    fn destroy_erased(&mut self, heap: usize, link: Link) {
        let found = self.model(heap).resolve(link);
        if let Some(index) = found {
            self.die(heap, &[index], ValueGoes::Away, false);
        }
        let course = found.map_or(Course::Quiet, |_| self.course_of_death(heap));
        let (died, _) = self.framed(heap, course, |heap| heap.destroy_any(link.any()));
        assert!(died.is_none_or(|died| died == found.is_some()), "destroy_any says whether it was there");
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

    // ---- Collections

    pub(super) fn collect(&mut self, heap: usize) {
        self.collecting_or_later(heap, &Contents::default(), None, Heap::collect);
    }

    pub(super) fn collect_with(&mut self, heap: usize, roots: [Pick; 3], ending: Ending) {
        let edges = roots.map(|pick| self.typed_link(heap, pick)).to_vec();
        let extra = Contents { edges, ..Contents::default() };
        let source = |tracer: &mut Tracer<'_>| {
            extra.trace(tracer);
            if ending == Ending::Panics {
                log::write(Event::TracePanicked(SOURCE));
                Injected(SOURCE).raise();
            }
        };
        let panics = (ending == Ending::Panics).then_some(SOURCE);
        self.collecting_or_later(heap, &extra, panics, |heap| heap.collect_with(&source));
    }

    /// A collection whose report is compared; inside of a callback it is deferred.
    fn collecting_or_later(
        &mut self,
        heap: usize,
        extra: &Contents,
        source_panics: Option<ObjectId>,
        call: impl FnOnce(&mut Heap) -> CollectStats,
    ) {
        if self.model(heap).deaths.is_telling {
            self.worlds[heap].model.deaths.wants_collection = true;
            let (stats, _) = self.framed(heap, Course::Quiet, call);
            assert_eq!(stats, Some(CollectStats::default()), "a collection inside of a callback waits");
            return;
        }
        let Some((stats, expected)) = self.collecting(heap, extra, source_panics, call) else { return };
        let CollectStats { marked, kept, freed, freed_bytes, pruned, notified, .. } = stats;
        let reported = Collected { marked, kept, freed, freed_bytes, pruned, notified };
        assert_eq!(reported, expected, "the collection's report (left), and what it had to do (right)");
    }

    /// A collection by `call`, with what `extra` holds kept. `None` if it panicked, as it had to.
    pub(super) fn collecting<R>(
        &mut self,
        heap: usize,
        extra: &Contents,
        source: Option<ObjectId>,
        call: impl FnOnce(&mut Heap) -> R,
    ) -> Option<(R, Collected)> {
        let before = self.model(heap).deaths.notified;
        let course = Course::Collect { extra: extra.clone(), source, pending: true, left: MOST };
        let (result, frame) = self.framed(heap, course, call);
        let notified = self.model(heap).deaths.notified - before;
        Some((result?, Collected { notified, ..frame.total }))
    }

    pub(super) fn shrink(&mut self, heap: usize) {
        let World { heap, model, .. } = &mut self.worlds[heap];
        let before = heap.stats();
        heap.shrink_to_fit();
        let after = heap.stats();
        assert!(after.pages <= before.pages, "shrinking returns pages");
        assert!(after.pages << 16 >= model.bytes, "objects are in memory");
    }

    // ---- The end

    /// Ends a heap by dropping it, or by its `shutdown`, and starts another in its place. Not inside of a
    /// call of the heap, which goes on using it.
    pub(super) fn fresh(&mut self, heap: usize, setup: Setup, end: fn(Heap)) {
        if self.worlds[heap].busy > 0 {
            return;
        }
        self.framed(heap, Course::Exit, |heap| end(mem::take(heap)));
        self.settle();
        self.poll(heap, true);
        self.exhume_all(heap);
        let incarnation = self.worlds[heap].incarnation + 1;
        let number = u8::try_from(heap).expect("one of two");
        self.worlds[heap] = World::new(number, setup, incarnation);
    }
}

/// Ends a heap by `shutdown`, whose error is raised as dropping it would.
pub(super) fn shut_down(heap: Heap) {
    if let Err(error) = heap.shutdown() {
        std::panic::resume_unwind(error.into_payload());
    }
}

impl crate::model::Model {
    /// The object's next `trace` panics no longer.
    pub(crate) fn disarm_trace(&mut self, id: ObjectId) {
        if let Some(object) = self.objects.iter_mut().find(|object| object.id == id) {
            object.fuses[Fuse::Trace as usize] = false;
        }
    }
}
