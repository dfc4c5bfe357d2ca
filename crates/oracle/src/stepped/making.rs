//! Making objects in a stepped program, near a limit or far from any.

use std::cell::Cell;
use std::mem;
use std::panic::{self, AssertUnwindSafe};

use slotgc::{Heap, Phase};

use crate::contents::Contents;
use crate::dyn_heap::{self, Made};
use crate::kind::Kind;
use crate::link::ObjectId;
use crate::log::{Injected, Thrown};
use crate::model::{Index, Life};
use crate::ops::{How, Pick};
use crate::stepped::frame::{Call, Frame};
use crate::stepped::program::{Ending, Inside, Making, Source};
use crate::stepped::runner::{Known, MANY, Runner};

/// A limit's way to make objects names what else to keep, which the links that come with it say here.
const ANY: Pick = Pick::Live(0);

impl Runner {
    pub(super) fn contents(&self, kind: Kind, id: ObjectId, edges: &[u8]) -> Contents {
        let edges =
            edges.iter().filter_map(|number| self.pick(*number)).map(|index| self.link(index)).collect();
        let mut contents = Contents { value: u64::from(id.0) << 8, edges, ..Contents::default() };
        kind.fit(&mut contents);
        contents
    }

    pub(super) fn make(&mut self, kind: Kind, edges: &[u8], how: Making) {
        if self.model.objects.len() > MANY {
            return;
        }
        let id = self.next_id();
        let contents = self.contents(kind, id, edges);
        let how = match how {
            Making::Unrooted => How::Unrooted,
            Making::Rooted => How::AtRoot,
            Making::Later => How::Later,
            Making::Trying => How::Trying,
            Making::OrCollect if self.telling => How::OrCollect(ANY),
            Making::OrCollect => return self.make_or_collect(kind, id, contents),
        };
        let refusal = self.model.refusal(kind);
        let made = dyn_heap::alloc(&mut self.heap, kind, id, &contents, how, &[]);
        self.judge_made(kind, id, contents, made, refusal.as_deref());
    }

    /// Compares what became of an allocation with what had to.
    pub(super) fn judge_made(
        &mut self,
        kind: Kind,
        id: ObjectId,
        contents: Contents,
        made: Made,
        refusal: Option<&str>,
    ) -> Option<Index> {
        let Some((bits, root)) = made.judged(refusal) else {
            self.refused(kind, id);
            return None;
        };
        let index = self.give_out(id, kind, bits, Life::Alive);
        self.born(index, contents);
        if let Some(root) = root {
            self.roots.push(root);
            self.model.roots.push(index);
        }
        Some(index)
    }

    /// An object was refused, and its value dropped.
    pub(super) fn refused(&mut self, kind: Kind, id: ObjectId) {
        self.report.refused += 1;
        if kind.has_destructor() {
            self.expected.insert(id);
        }
    }

    /// Makes an object, which collects if a limit is in the way.
    fn make_or_collect(&mut self, kind: Kind, id: ObjectId, contents: Contents) {
        self.begin();
        let kept = self.source().edges;
        let mut frame = Frame::new(Call::OrCollect, Source::Kept);
        frame.extra.edges = [&kept[..], &contents.edges].concat();
        let extra = frame.extra.clone();
        let (refusal, told) = (self.model.refusal(kind), self.report.told);
        // The heap drops it where it makes no object.
        self.unmade.extend(kind.has_destructor().then_some(id));
        let made = Cell::new(None);
        let alloc = |heap: &mut Heap| {
            match dyn_heap::alloc(heap, kind, id, &contents, How::OrCollect(ANY), &kept) {
                Made::Panicked(Thrown::Injected(id)) => Injected(id).raise(),
                done => made.set(Some(done)),
            }
            None
        };
        let mut refused = false;
        self.framed_then(frame, alloc, |runner| match made.take() {
            // It is in the heap that a callback left.
            Some(Made::Handle(_)) if runner.has_swapped() => {}
            Some(Made::Handle(bits)) => {
                let is_there = !kind.has_destructor() || runner.unmade.remove(&id);
                assert!(is_there, "{id:?} is an object, and its value was dropped");
                let index = runner.give_out(id, kind, bits, Life::Alive);
                runner.born(index, contents.clone());
                let link = runner.link(index);
                runner.frames.last_mut().expect("this call's").extra.edges.push(link);
            }
            Some(made) => refused = made.judged(refusal.as_deref()).is_none(),
            None => {}
        });
        // Whatever user code did, what became no object is dropped.
        assert!(!self.unmade.remove(&id), "the value of {id:?} is lost");
        if refused && !self.was_swapped {
            self.report.refused += 1;
            let reached = self.model.plan(&extra);
            let garbage = self.model.alive.iter().find(|index| !reached.reaches(**index));
            let garbage = garbage.map(|index| &self.model.objects[*index]);
            // What callbacks did came after the last collection.
            assert!(garbage.is_none() || self.report.told > told, "refused beside garbage: {garbage:?}");
        }
    }

    /// Makes two objects that wait for the same flush.
    pub(super) fn two_later(&mut self, kinds: [Kind; 2], edges: [u8; 2]) {
        if self.model.objects.len() > MANY {
            return;
        }
        let wait = |runner: &mut Self, kind: Kind| {
            let id = runner.next_id();
            let contents = runner.contents(kind, id, &edges);
            let made = dyn_heap::alloc_later(&runner.heap, kind, id, &contents);
            (kind, id, made, contents)
        };
        let mut waiting: Vec<Kind> = Vec::new();
        let made = kinds.map(|kind| {
            let refusal = self.model.refusal_beside(kind, &waiting);
            waiting.extend(refusal.is_none().then_some(kind));
            (wait(self, kind), refusal)
        });
        assert_eq!(self.heap.flush(), waiting.len(), "what waited is made");
        for ((kind, id, made, contents), refusal) in made {
            self.judge_made(kind, id, contents, made, refusal.as_deref());
        }
    }

    pub(super) fn give_out(&mut self, id: ObjectId, kind: Kind, bits: u64, life: Life) -> Index {
        let index = self.model.give_out(id, kind, bits, life);
        let (reachable_at, made_at) = (self.epoch, self.condemned);
        self.known.push(Known { reachable_at, young_since: None, made_at, by_hand: false });
        self.report.objects += 1;
        self.fold(bits);
        index
    }

    pub(super) fn born(&mut self, index: Index, contents: Contents) {
        let stats = self.heap.stats();
        let owns = matches!(
            self.model.objects[index].kind,
            Kind::Shelf | Kind::Locked | Kind::ValueMap | Kind::KeyMap | Kind::Set | Kind::Names
        );
        self.some_own |= owns;
        let is_young = matches!(stats.phase, Phase::Idle | Phase::Notify);
        self.known[index].young_since = is_young.then_some(stats.collections);
        self.model.born(index, contents);
        self.touch(index);
    }

    pub(super) fn cyclic(&mut self, kind: Kind, edges: [u8; 2], inside: &Inside, ending: Ending) {
        if self.model.objects.len() > MANY {
            return;
        }
        let before = (self.phase, self.condemned, self.ended);
        let refusal = self.model.refusal(kind);
        let mut making = None;
        let mut apart = mem::take(&mut self.heap);
        let made = dyn_heap::alloc_cyclic(&mut apart, kind, &mut |lent, bits| {
            let id = self.next_id();
            let index = self.give_out(id, kind, bits, Life::Building);
            mem::swap(lent, &mut self.heap);
            let ran = panic::catch_unwind(AssertUnwindSafe(|| self.block(inside)));
            let contents = self.contents(kind, id, &edges);
            mem::swap(lent, &mut self.heap);
            making = Some((id, index, contents.clone()));
            if let Err(payload) = ran {
                panic::resume_unwind(payload);
            }
            if ending.swaps() {
                self.swap(lent);
            }
            if ending.panics() {
                Injected(id).raise();
            }
            (id, contents)
        });
        self.heap = apart;
        let was_swapped = self.away.is_some();
        if let Some(own) = self.away.take() {
            mem::replace(&mut self.heap, own).verify();
        }
        let Some((id, index, contents)) = making else {
            self.report.refused += 1;
            let made = made.map_or_else(Made::Panicked, Made::Handle).judged(refusal.as_deref());
            return assert!(made.is_none(), "`make` is called");
        };
        assert_eq!(refusal, None, "refused before `make` is called");
        match made {
            Ok(bits) => {
                assert!(!was_swapped, "filled in another heap");
                assert_eq!(bits, self.model.objects[index].bits, "the handle is the one that `make` had");
                self.born(index, contents);
                if before != (self.phase, self.condemned, self.ended) {
                    self.known[index].young_since = None;
                }
            }
            Err(Thrown::Text(text)) if was_swapped => {
                assert!(text.contains("the heap was replaced by another one inside `make`"), "{text}");
                if kind.has_destructor() {
                    self.expected.insert(id);
                }
                self.model.abandoned(index);
                self.known[index].by_hand = true;
            }
            Err(Thrown::Injected(thrown)) if ending.panics() && thrown == id => {
                self.model.abandoned(index);
                self.known[index].by_hand = true;
            }
            Err(Thrown::Injected(thrown)) => panic!("{thrown:?} came out of alloc_cyclic"),
            Err(Thrown::Text(text)) => panic!("{text}"),
        }
    }
}
