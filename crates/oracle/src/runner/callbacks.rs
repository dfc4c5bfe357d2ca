//! Calls of the heap that may run callbacks, and the callbacks.
//!
//! A call of the heap lends the runner to the thread; a callback takes it from there, and runs its ops, each
//! compared like any other.
//!
//! The model follows the heap: what a call does is carried out in the model when the first callback runs, or
//! else when the call has returned. [`Course`] says what that is.

use std::mem;

use slotgc::Heap;

use crate::contents::Contents;
use crate::lent::{self, CalledBack};
use crate::link::ObjectId;
use crate::log::Thrown;
use crate::model::{Collected, ValueGoes, WatchRef};
use crate::ops::Ending;
use crate::runner::frame::{Course, Frame};
use crate::runner::state::Runner;

impl Runner {
    /// Calls the heap, which does what the course says. Returns the result unless user code panicked, as it
    /// then had to.
    pub(super) fn framed<R>(
        &mut self,
        heap: usize,
        course: Course,
        call: impl FnOnce(&mut Heap) -> R,
    ) -> (Option<R>, Frame) {
        // What was dropped before does not belong to the call.
        self.read_log();
        self.frames.push(Frame { heap, course, first: None, total: Collected::default() });
        let result = self.calling(heap, call);
        self.absorb();
        if let Some(number) = self.advance() {
            panic!("registration {number} was not notified; the call returned {:?}", result.err());
        }
        let frame = self.frames.pop().expect("pushed above");
        let result = match (result, frame.first) {
            (Ok(result), None) => Some(result),
            (Err(Thrown::Injected(id)), Some(first)) if id == first => None,
            (Err(thrown), first) => panic!("the call raised {thrown:?}, and the first panic was {first:?}"),
            (Ok(_), Some(first)) => panic!("{first:?} panicked, and the call returned"),
        };
        (result, frame)
    }

    /// Lends the runner to the thread while the heap is called.
    fn calling<R>(&mut self, heap: usize, call: impl FnOnce(&mut Heap) -> R) -> Result<R, Thrown> {
        let mut apart = mem::take(&mut self.worlds[heap].heap);
        self.worlds[heap].busy += 1;
        let result = lent::lend(self, || call(&mut apart));
        self.worlds[heap].heap = apart;
        self.worlds[heap].busy -= 1;
        if let Some(difference) = self.failed.take() {
            panic!("{difference}");
        }
        result
    }

    /// Reads the log for what the call under way did; panics of destructors are its panics.
    fn absorb(&mut self) {
        let dropped = self.read_log();
        let thrown = dropped.into_iter().find(|id| self.armed.contains(id));
        self.throw(thrown);
    }

    fn throw(&mut self, thrown: Option<ObjectId>) {
        let frame = self.frames.last_mut().expect("a call is under way");
        frame.first = frame.first.or(thrown);
    }

    /// Carries out in the model what the call under way has done up to its next callback. Returns that
    /// callback.
    fn advance(&mut self) -> Option<u64> {
        loop {
            let Frame { heap, course, .. } = self.frames.last_mut().expect("a call is under way");
            let heap = *heap;
            let model = &mut self.worlds[heap].model;
            match course {
                Course::Quiet => return None,
                Course::ByHand(number) => return number.take(),
                Course::Collect { extra, source, pending: pending @ true, left } => {
                    *pending = false;
                    *left -= 1;
                    let (extra, source) = (extra.clone(), *source);
                    self.collect_in_model(heap, &extra, source);
                }
                Course::Collect { pending, left, .. } => {
                    if let Some(number) = model.deaths.due.pop_last() {
                        return Some(number);
                    }
                    // Further requests are left to the next collection, which is a full one anyway.
                    let is_asked = mem::take(&mut model.deaths.wants_collection);
                    if !is_asked || *left == 0 {
                        return None;
                    }
                    *pending = true;
                }
                Course::Exit => {
                    let next = model.deaths.due.pop_last().or_else(|| model.deaths.last_at_exit());
                    if next.is_some() {
                        return next;
                    }
                    *course = Course::Ended;
                    model.deaths.wants_collection = false;
                    model.collections += 1;
                    let living: Vec<_> = model.alive.iter().copied().collect();
                    self.die(heap, &living, ValueGoes::Away, true);
                }
                Course::Ended => {
                    if let Some(number) = model.deaths.due.pop_last() {
                        return Some(number);
                    }
                    if model.alive.is_empty() {
                        return None;
                    }
                    *course = Course::Exit;
                    model.deaths.wants_collection = false;
                }
            }
        }
    }

    /// One collection, in the model: all of it, or up to a panic of a `trace`.
    fn collect_in_model(&mut self, heap: usize, extra: &Contents, source: Option<ObjectId>) {
        let mut plan = self.model(heap).plan(extra);
        plan.armed.extend(source);
        let traced = mem::take(&mut self.traced);
        if !plan.armed.is_empty() {
            let [id] = traced[..] else {
                panic!("{traced:?} panicked in `trace`, not one of {:?}", plan.armed)
            };
            assert!(plan.armed.contains(&id), "{id:?} panicked in `trace`, not one of {:?}", plan.armed);
            self.worlds[heap].model.disarm_trace(id);
            self.throw(Some(id));
            return;
        }
        assert_eq!(traced, [], "no `trace` was to panic");
        let model = &mut self.worlds[heap].model;
        let (pruned, dead) = model.prune(&plan);
        let bytes = model.bytes;
        model.collections += 1;
        self.entries[0] += pruned.logged;
        self.die(heap, &dead, ValueGoes::Away, false);
        let model = &self.worlds[heap].model;
        let collected = Collected {
            marked: plan.marked(),
            kept: model.alive.len(),
            freed: dead.len(),
            freed_bytes: bytes - model.bytes,
            pruned: pruned.all,
            notified: 0,
        };
        self.report.collections += 1;
        self.report.freed += dead.len() as u64;
        self.report.pruned += pruned.all as u64;
        let frame = self.frames.last_mut().expect("a call is under way");
        frame.total = frame.total.then(collected);
    }
}

impl CalledBack for Runner {
    type Watch = WatchRef;

    fn is_over(&self) -> bool {
        self.failed.is_some()
    }

    fn place(&mut self, watch: WatchRef) -> &mut Heap {
        &mut self.worlds[watch.heap].heap
    }

    fn notified(&mut self, watch: WatchRef, bits: Option<u64>) -> Option<ObjectId> {
        let WatchRef { heap, incarnation, number } = watch;
        assert_eq!(self.worlds[heap].incarnation, incarnation, "a heap that is gone runs nothing");
        self.absorb();
        let turn = self.advance();
        assert_eq!(turn, Some(number), "whose turn it is (left), and whom the heap ran (right)");
        self.settle();
        let frame = self.frames.last().expect("a call is under way");
        assert_eq!(frame.heap, heap, "the heap that was called runs its own callbacks");
        let in_batch = !matches!(frame.course, Course::ByHand(_));
        let deaths = &mut self.worlds[heap].model.deaths;
        let known = deaths.registered.remove(&number).expect("what is run is registered");
        deaths.notified += usize::from(in_batch);
        let was_telling = deaths.is_telling;
        deaths.is_telling |= in_batch;
        let target = self.model(heap).objects[known.target].bits;
        assert!(bits.is_none_or(|bits| bits == target), "a callback gets the handle of its object");
        self.report.told += 1;
        self.fold(number);
        self.compare();
        self.block(&known.then);
        self.worlds[heap].model.deaths.is_telling = was_telling;
        let thrown = (known.ending == Ending::Panics).then_some(known.id);
        self.throw(thrown);
        thrown
    }

    fn fail(&mut self, difference: String) {
        self.failed = Some(difference);
    }
}
