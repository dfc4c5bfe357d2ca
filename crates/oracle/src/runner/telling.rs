//! Calls of the heap that may run callbacks, and the callbacks.
//!
//! A closure inside a heap cannot borrow the runner. So a call of the heap lends it to the thread ([`LENT`]), and
//! a callback takes it from there, puts the heap it is given in its place, runs its ops, each compared like any
//! other, and puts everything back.
//!
//! The model follows the heap: what a call does is carried out in the model when the first callback comes, or
//! else when the call has returned. [`Course`] says what that is; it is where a cycle that takes several
//! calls would be told apart from one that takes one.

use std::cell::RefCell;
use std::mem;
use std::panic::{self, AssertUnwindSafe};

use slotgc::Heap;

use crate::calls::deaths::Code;
use crate::link::Contents;
use crate::log::{self, Injected, NoticeToken, ObjectId, Thrown};
use crate::model::{Collected, ValueGoes, WatchRef};
use crate::ops::Ending;
use crate::runner::Runner;

thread_local! {
    /// The runner while it calls a heap.
    static LENT: RefCell<Option<Runner>> = const { RefCell::new(None) };
}

/// A call of the heap that is under way.
#[derive(Debug)]
pub(super) struct Frame {
    heap: usize,
    course: Course,
    /// The first panic of user code in it, which it must raise.
    first: Option<ObjectId>,
    /// A known bug: `destroy` raises the panic of a `trace`, in the collection that its callbacks asked for, though
    /// one of them panicked first. To go when that is mended.
    hidden: Option<ObjectId>,
    /// What it did so far.
    pub(super) total: Collected,
}

/// What a call is to do from here on.
#[derive(Debug)]
pub(super) enum Course {
    /// It runs no callbacks: it has none, or they wait for a batch that runs already.
    Quiet,
    /// It runs this one finalizer.
    ByHand(Option<u64>),
    /// It runs what is due, and collects again as long as callbacks ask for it; first of all if that is `pending`.
    Collect {
        /// Whether it is a death by hand that began it.
        by_hand: bool,
        extra: Contents,
        /// A panic of the root source.
        source: Option<ObjectId>,
        pending: bool,
    },
    /// The end of a heap: runs what is due and at-exit finalizers, then all objects die.
    Exit,
    /// They did: runs what is due.
    Ended,
}

impl Course {
    /// After a death by hand: a collection only if a callback asks for one.
    pub(super) fn after_death() -> Self {
        Course::Collect { by_hand: true, extra: Contents::default(), source: None, pending: false }
    }
}

impl Runner {
    /// Calls the heap, which does what the course says. Gives the result unless user code panicked, as it then had to.
    pub(super) fn framed<R>(
        &mut self,
        heap: usize,
        course: Course,
        call: impl FnOnce(&mut Heap) -> R,
    ) -> (Option<R>, Frame) {
        // What was dropped before is not the call's.
        self.read_log();
        self.frames.push(Frame { heap, course, first: None, hidden: None, total: Collected::default() });
        let result = self.calling(heap, call);
        self.absorb();
        if let Some(number) = self.advance() {
            panic!("registration {number} was not told; the call gave {:?}", result.err());
        }
        let frame = self.frames.pop().expect("pushed above");
        let result = match (result, frame.first) {
            (Ok(result), None) => Some(result),
            (Err(Thrown::Injected(id)), Some(first)) if id == first => None,
            // The one difference that is let pass, see `Frame::hidden`.
            (Err(Thrown::Injected(id)), Some(_)) if frame.hidden == Some(id) => None,
            (Err(thrown), first) => panic!("the call raised {thrown:?}, and the first panic was {first:?}"),
            (Ok(_), Some(first)) => panic!("{first:?} panicked, and nobody heard"),
        };
        (result, frame)
    }

    /// Lends the runner to the thread while the heap is called.
    fn calling<R>(&mut self, heap: usize, call: impl FnOnce(&mut Heap) -> R) -> Result<R, Thrown> {
        let mut apart = mem::take(&mut self.worlds[heap].heap);
        self.worlds[heap].busy += 1;
        LENT.set(Some(mem::take(self)));
        let result = log::catch(|| call(&mut apart));
        *self = LENT.take().expect("a callback gives the runner back");
        self.worlds[heap].heap = apart;
        self.worlds[heap].busy -= 1;
        if let Some(difference) = self.failed.take() {
            panic!("{difference}");
        }
        result
    }

    /// What the heap runs for a registration.
    pub(super) fn code(watch: WatchRef, token: NoticeToken) -> Code {
        Box::new(move |heap, bits| {
            let _token = token;
            told(heap, watch, bits);
        })
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

    /// Carries out in the model what the call under way has done up to its next callback. Gives that callback.
    fn advance(&mut self) -> Option<u64> {
        loop {
            let Frame { heap, course, .. } = self.frames.last_mut().expect("a call is under way");
            let heap = *heap;
            let model = &mut self.worlds[heap].model;
            match course {
                Course::Quiet => return None,
                Course::ByHand(number) => return number.take(),
                Course::Collect { by_hand, extra, source, pending: pending @ true } => {
                    *pending = false;
                    let first_by_hand = mem::take(by_hand);
                    let (extra, source) = (extra.clone(), *source);
                    self.collect_in_model(heap, &extra, source, first_by_hand);
                }
                Course::Collect { pending, .. } => {
                    if let Some(number) = model.deaths.due.pop_last() {
                        return Some(number);
                    }
                    if !mem::take(&mut model.deaths.wants_collection) {
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
    fn collect_in_model(
        &mut self,
        heap: usize,
        extra: &Contents,
        source: Option<ObjectId>,
        after_destroy: bool,
    ) {
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
            let frame = self.frames.last_mut().expect("a call is under way");
            frame.hidden = after_destroy.then_some(id);
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

    /// The heap runs a registration. Gives what it is to panic with.
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
}

/// A callback or finalizer runs, of the heap it is lent.
fn told(lent: &mut Heap, watch: WatchRef, bits: Option<u64>) {
    // Nobody lends the runner: a run that failed is dropping its heaps.
    let Some(mut runner) = LENT.take() else { return };
    let mut thrown = None;
    if runner.failed.is_none() {
        mem::swap(lent, &mut runner.worlds[watch.heap].heap);
        let ran = panic::catch_unwind(AssertUnwindSafe(|| runner.notified(watch, bits)));
        mem::swap(lent, &mut runner.worlds[watch.heap].heap);
        match ran {
            Ok(injected) => thrown = injected,
            Err(payload) => runner.failed = Some(log::text_of(&*payload)),
        }
    }
    LENT.set(Some(runner));
    if let Some(id) = thrown {
        Injected(id).raise();
    }
}
