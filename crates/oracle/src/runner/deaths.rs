//! Registering, cancelling, and taking tags and buried values.

use std::panic::AssertUnwindSafe;

use slotgc::{Watch, WatchGuard};

use crate::dyn_heap::deaths::{self as death_calls, Finalizing, Tagged};
use crate::lent;
use crate::link::{Link, ObjectId};
use crate::log::{self, NoticeToken};
use crate::model::{Index, Notice, Registered, WatchRef};
use crate::ops::{Access, Block, Ending, Pick, Using};
use crate::runner::frame::Course;
use crate::runner::state::{HeldFinalizer, Runner};

/// What a registration without code does.
fn silent() -> (Block, Ending) {
    (Block::default(), Ending::Returns)
}

impl Runner {
    /// What the next registration on this heap is called.
    fn next_watch(&mut self, heap: usize) -> (WatchRef, ObjectId) {
        let id = self.next_id();
        let world = &self.worlds[heap];
        let (incarnation, number) = (world.incarnation, world.model.deaths.next_number());
        (WatchRef { heap, incarnation, number }, id)
    }

    /// What is dropped with the closure or tag of a registration.
    fn token(&mut self, id: ObjectId) -> NoticeToken {
        self.notices.insert(id);
        NoticeToken(id)
    }

    /// Records a registration in the model; a refused one was dropped with its text.
    fn registered<T>(
        &mut self,
        heap: usize,
        (link, id): (Link, ObjectId),
        registering: Result<T, String>,
        notice: Notice,
        (then, ending): (Block, Ending),
    ) -> Option<T> {
        match (self.model(heap).resolve(link), registering) {
            (Some(target), Ok(watch)) => {
                let registered = Registered { id, target, notice, then, ending };
                self.worlds[heap].model.deaths.register(registered);
                Some(watch)
            }
            (None, Err(text)) => {
                assert!(text.starts_with("weakly-referenced object no longer exists"), "{text}");
                None
            }
            (found, registering) => {
                panic!("registering on {found:?} returned {:?}", registering.err());
            }
        }
    }

    pub(super) fn on_death(&mut self, heap: usize, target: Pick, then: &Block, ending: Ending) {
        let (kind, link) = self.link(heap, target);
        let (watch, id) = self.next_watch(heap);
        let token = self.token(id);
        let code = lent::code::<Self>(watch, token);
        let made = death_calls::on_death(&mut self.worlds[heap].heap, kind, link, code);
        let made = self.registered(heap, (link, id), made, Notice::Callback, (then.clone(), ending));
        self.watches.extend(made.map(|made| (made, watch)));
    }

    pub(super) fn finalize(&mut self, heap: usize, target: Pick, then: &Block, ending: Ending) {
        let (kind, link) = self.link(heap, target);
        let (watch, id) = self.next_watch(heap);
        let token = self.token(id);
        let code = lent::code::<Self>(watch, token);
        let made = death_calls::finalizer(&mut self.worlds[heap].heap, kind, link, watch.number, code);
        let notice = Notice::Finalizer { at_exit: true };
        let made = self.registered(heap, (link, id), made, notice, (then.clone(), ending));
        self.finalizers.extend(made.map(|finalizer| HeldFinalizer { finalizer, watch }));
    }

    pub(super) fn watch_queue(&mut self, heap: usize, target: Pick) {
        let (kind, link) = self.link(heap, target);
        let (watch, id) = self.next_watch(heap);
        let token = self.token(id);
        let world = &mut self.worlds[heap];
        let tag = Tagged { number: watch.number, _token: token };
        let made = death_calls::watch(&mut world.heap, kind, link, &world.queue, tag);
        let made = self.registered(heap, (link, id), made, Notice::Tag, silent());
        self.watches.extend(made.map(|made| (made, watch)));
    }

    pub(super) fn bury(&mut self, heap: usize, target: Pick, second: bool) {
        let (kind, link) = self.link(heap, target);
        let (watch, id) = self.next_watch(heap);
        let world = &mut self.worlds[heap];
        let place = world.graves.iter().position(|grave| grave.0 == (kind, second));
        let place = place.unwrap_or_else(|| {
            world.graves.push(((kind, second), death_calls::graveyard(kind)));
            world.graves.len() - 1
        });
        let made = world.graves[place].1.bury(&mut world.heap, link);
        let made = self.registered(heap, (link, id), made, Notice::Burial { second }, silent());
        self.watches.extend(made.map(|made| (made, watch)));
    }

    // ---- Cancelling

    fn watch_at(&self, watch: u8) -> Option<(Watch, WatchRef)> {
        self.watches.get(usize::from(watch) % self.watches.len().max(1)).copied()
    }

    /// Cancels a watch, which may be one of the other heap or of one that is gone.
    pub(super) fn cancel(&mut self, heap: usize, watch: u8) {
        let Some((watch, known)) = self.watch_at(watch) else { return };
        let expected = known.heap == heap && self.cancel_in_model(known);
        let cancelled = self.worlds[heap].heap.cancel(watch);
        assert_eq!(cancelled, expected, "cancel says whether {known:?} was still there");
        assert!(!self.worlds[heap].heap.cancel(watch), "cancelled once");
    }

    pub(super) fn drop_guard(&mut self, watch: u8) {
        let Some((watch, known)) = self.watch_at(watch) else { return };
        let kept = WatchGuard::from(watch).keep();
        assert_eq!(kept, watch, "a guard that is kept cancels nothing");
        drop(WatchGuard::from(watch));
        self.cancel_in_model(known);
    }

    pub(super) fn guard_in(&mut self, heap: usize, target: Pick, watch: u8) {
        let (kind, link) = self.link(heap, target);
        let Some((watch, known)) = self.watch_at(watch) else { return };
        let Some(index) = self.model(heap).resolve(link).filter(|_| kind.has_destructor()) else { return };
        let world = &mut self.worlds[heap];
        let object = crate::dyn_heap::write(&mut world.heap, kind, link, Access::ByGc);
        let token = object.expect("a living object").token().expect("a destructor");
        token.guards.push(WatchGuard::from(watch));
        world.model.objects[index].guards.push(known);
    }

    pub(super) fn use_finalizer(&mut self, heap: usize, index: u8, by: Using) {
        if self.finalizers.is_empty() {
            return;
        }
        let index = usize::from(index) % self.finalizers.len();
        let HeldFinalizer { finalizer, watch } = self.finalizers.swap_remove(index);
        let known = self.target_of(heap, watch);
        let alive = known.and_then(|target| self.alive_bits(heap, target));
        let heap_under_test = &mut self.worlds[heap].heap;
        match by {
            Using::Calling => self.call_finalizer(heap, &*finalizer, watch, known),
            Using::Detaching => {
                assert_eq!(finalizer.detach(heap_under_test), alive, "detach returns a living target");
                if known.is_some() {
                    self.cancel_in_model(watch);
                }
            }
            Using::Peeking => {}
            Using::AtExit(at_exit) => {
                finalizer.set_at_exit(heap_under_test, at_exit);
                self.set_at_exit(heap, watch, at_exit);
            }
        }
        self.check_finalizer(heap, &*finalizer, watch);
        self.finalizers.push(HeldFinalizer { finalizer, watch });
    }

    fn set_at_exit(&mut self, heap: usize, watch: WatchRef, exit: bool) {
        if self.target_of(heap, watch).is_some() {
            let registered = &mut self.worlds[heap].model.deaths.registered;
            let known = registered.get_mut(&watch.number).expect("found above");
            known.notice = Notice::Finalizer { at_exit: exit };
        }
    }

    fn call_finalizer(
        &mut self,
        heap: usize,
        finalizer: &dyn Finalizing,
        watch: WatchRef,
        known: Option<Index>,
    ) {
        let number = known.map(|_| watch.number);
        if let Some(number) = number {
            self.worlds[heap].model.deaths.due.remove(&number);
        }
        let (given, _) = self.framed(heap, Course::ByHand(number), |heap| finalizer.call(heap));
        assert!(given.is_none_or(|given| given == number), "call returns what the code returns: {given:?}");
    }

    /// What can be asked of a finalizer.
    fn check_finalizer(&self, heap: usize, finalizer: &dyn Finalizing, watch: WatchRef) {
        let known = self.target_of(heap, watch);
        let alive = known.and_then(|target| self.alive_bits(heap, target));
        let world = &self.worlds[heap];
        assert_eq!(finalizer.is_alive(&world.heap), known.is_some(), "is_alive of finalizer {watch:?}");
        assert_eq!(finalizer.peek(&world.heap), alive, "peek of finalizer {watch:?}");
    }

    /// The target of a registration, if it is there, and this heap's.
    fn target_of(&self, heap: usize, watch: WatchRef) -> Option<Index> {
        let world = &self.worlds[heap];
        let own = (watch.heap, watch.incarnation) == (heap, world.incarnation);
        world.model.deaths.registered.get(&watch.number).filter(|_| own).map(|known| known.target)
    }

    fn alive_bits(&self, heap: usize, target: Index) -> Option<u64> {
        let link = self.model(heap).objects[target].link();
        self.model(heap).resolve(link).map(|_| link.bits)
    }

    // ---- What the dead left

    pub(super) fn poll(&mut self, heap: usize, all: bool) {
        let len = if all { self.worlds[heap].queue.len() + 1 } else { 1 };
        for _ in 0..len {
            let world = &mut self.worlds[heap];
            let tag = world.queue.poll().map(|tag| tag.number);
            assert_eq!(tag, world.model.deaths.queue.pop_front(), "tags come in order");
            self.report.told += u64::from(tag.is_some());
            self.fold(tag.unwrap_or(u64::MAX));
        }
        assert!(!all || self.worlds[heap].queue.is_empty());
    }

    pub(super) fn exhume(&mut self, heap: usize, all: bool) {
        let graves = self.worlds[heap].graves.iter().enumerate();
        let Some((place, _)) = graves.max_by_key(|(_, grave)| grave.1.len()) else { return };
        let len = if all { usize::MAX } else { 1 };
        for _ in 0..len {
            if !self.exhume_one(heap, place) {
                return;
            }
        }
    }

    pub(super) fn exhume_all(&mut self, heap: usize) {
        for place in 0..self.worlds[heap].graves.len() {
            while self.exhume_one(heap, place) {}
        }
    }

    fn exhume_one(&mut self, heap: usize, place: usize) -> bool {
        let world = &mut self.worlds[heap];
        let (which, graves) = &world.graves[place];
        let exhumed = graves.exhume();
        let expected = world.model.deaths.graves.get_mut(which).and_then(|values| values.pop_front());
        let (Some((bits, value)), Some(expected)) = (&exhumed, &expected) else {
            assert_eq!(exhumed.is_some(), expected.is_some(), "a value is buried");
            return false;
        };
        let object = &world.model.objects[expected.object];
        assert_eq!(*bits, object.bits, "values are exhumed in order");
        assert!(value.holds(object.id, &expected.contents), "the value is as its object was");
        let (id, index) = (object.id, expected.object);
        let dropped = log::catch(AssertUnwindSafe(|| drop(exhumed))).err();
        assert_eq!(dropped, self.thrown_by_drop(id), "what the destructor threw");
        self.expect_dead(heap, index);
        true
    }

    /// What is to be seen of deaths without taking anything.
    pub(super) fn compare_deaths(&self, heap: usize) {
        let world = &self.worlds[heap];
        let deaths = &world.model.deaths;
        assert_eq!(world.queue.len(), deaths.queue.len(), "tags in the queue");
        for (which, graves) in &world.graves {
            let expected = deaths.graves.get(which).map_or(0, |values| values.len());
            assert_eq!(graves.len(), expected, "values in the graveyard {which:?}");
        }
        for HeldFinalizer { finalizer, watch } in &self.finalizers {
            self.check_finalizer(heap, &**finalizer, *watch);
        }
    }
}
