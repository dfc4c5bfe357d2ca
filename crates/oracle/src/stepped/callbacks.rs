//! Calls of the heap that may collect or run callbacks, and the callbacks.
//!
//! As for [`run`](crate::run), a call of the heap lends the runner to the thread, and a callback takes it
//! from there.

use std::collections::BTreeSet;
use std::mem;

use slotgc::{Heap, Phase, StepReport};

use crate::lent::{self, CalledBack};
use crate::link::ObjectId;
use crate::log::{CLOCK_ID, Thrown};
use crate::model::Index;
use crate::stepped::frame::{Call, Frame};
use crate::stepped::program::Source;
use crate::stepped::runner::Runner;

impl Runner {
    /// An object is about to be destroyed: the notifications of its death.
    pub(super) fn by_hand(&mut self, index: Index) -> Frame {
        let its = self.registered.iter().filter(|(_, known)| known.target == index);
        let (tags, due): (Vec<_>, Vec<_>) =
            its.map(|(n, known)| (*n, known.then.is_some())).partition(|(_, is_code)| !is_code);
        let [tags, due] =
            [tags, due].map(|numbers| numbers.into_iter().map(|(n, _)| n).collect::<BTreeSet<u64>>());
        let mut frame = Frame::new(if self.telling { Call::Quiet } else { Call::ByHand }, Source::Nothing);
        if self.telling {
            self.tags.extend(tags);
            self.due.extend(due);
        } else {
            frame.apart = Some([mem::replace(&mut self.tags, tags), mem::replace(&mut self.due, due)]);
        }
        frame
    }

    /// A callback asks for a collection, which the call that runs it is to do.
    pub(super) fn asked_for_collection(&mut self, call: Call) {
        let running = self.frames.iter_mut().rev().find(|frame| frame.call != Call::Quiet);
        if let Some(frame) = running.filter(|_| call != Call::Pace) {
            frame.wants = true;
        }
    }

    /// Calls the heap. Returns its report unless user code panicked, as it then had to.
    pub(super) fn framed(
        &mut self,
        frame: Frame,
        call: impl FnOnce(&mut Heap) -> Option<StepReport>,
    ) -> Option<StepReport> {
        self.framed_then(frame, call, |_| {})
    }

    /// As `framed`; `then` notes what the call made.
    pub(super) fn framed_then(
        &mut self,
        frame: Frame,
        call: impl FnOnce(&mut Heap) -> Option<StepReport>,
        then: impl FnOnce(&mut Self),
    ) -> Option<StepReport> {
        self.frames.push(frame);
        let result = self.calling(call);
        then(self);
        let report = result.as_ref().ok().copied().flatten();
        let frame = self.frames.last_mut().expect("pushed above");
        frame.rule = report.map(|report| report.rule);
        frame.has_ended = true;
        self.look(true);
        self.unite(true);
        let frame = self.frames.pop().expect("pushed above");
        self.unordered &= !(self.tags.is_empty() && self.due.is_empty());
        self.was_swapped = frame.has_swapped;
        let first = frame.first.or(frame.clock_panicked.then_some(CLOCK_ID));
        match (result, first) {
            (Ok(_), None) => {}
            // Of two panics the clock's is the one that is dropped.
            (Err(Thrown::Injected(CLOCK_ID)), _) if frame.clock_panicked => self.report.panics += 1,
            (Err(Thrown::Injected(id)), Some(first)) if id == first => self.report.panics += 1,
            (Ok(_), Some(first)) => panic!("{first:?} panicked, and nobody heard"),
            (Err(thrown), first) => panic!("the call raised {thrown:?}, and the first panic was {first:?}"),
        }
        if frame.has_swapped {
            // The call told of another heap, and what it has not done is for the next.
            return None;
        }
        if frame.call == Call::Quiet {
            return report;
        }
        if self.phase == Phase::Idle && !self.unordered {
            let untold = (self.tags.is_empty(), self.due.is_empty());
            assert_eq!(untold, (true, true), "not told: {:?}, {:?}", self.tags, self.due);
        }
        self.reported(report);
        report
    }

    /// Compares what cycles did with what the heap says.
    fn reported(&mut self, report: Option<StepReport>) {
        if let Some(report) = report.filter(|report| report.work > 0 || report.finished.is_some()) {
            let phase = if report.finished.is_some() { Phase::Notify } else { self.phase };
            assert_eq!(report.phase, phase, "the phase in {report:?}");
            if let Some(stats) = report.finished.filter(|_| !self.uncounted) {
                let [freed, pruned, notified] = self.unreported;
                assert_eq!((stats.freed, stats.notified), (freed, notified), "reported, and seen");
                let may_be = pruned..=pruned + self.slack;
                assert!(may_be.contains(&stats.pruned), "pruned {}, and {may_be:?} seen", stats.pruned);
                assert!(self.phase == Phase::Idle, "a cycle that is finished is over: {report:?}");
            }
        }
        if self.phase == Phase::Idle {
            self.unreported = [0; 3];
            self.slack = 0;
            self.uncounted = self.unordered;
        }
    }

    fn calling(
        &mut self,
        call: impl FnOnce(&mut Heap) -> Option<StepReport>,
    ) -> Result<Option<StepReport>, Thrown> {
        let mut apart = mem::take(&mut self.heap);
        let result = lent::lend(self, || call(&mut apart));
        self.heap = apart;
        self.take_back();
        if let Some(difference) = self.failed.take() {
            panic!("{difference}");
        }
        result
    }

    /// If user code has just left another heap here, puts back the one under test. Whether it had.
    pub(super) fn take_back(&mut self) -> bool {
        let Some(own) = self.away.take() else { return false };
        let left = mem::replace(&mut self.heap, own);
        left.verify();
        let stats = left.stats();
        assert_eq!((stats.collections, stats.phase), (0, Phase::Idle), "the other heap");
        // What was to be made may be there.
        let may_make = self.frames.last().is_some_and(|frame| frame.call == Call::OrCollect);
        assert!(left.len() == 2 || may_make && left.len() == 3, "the other heap has {} objects", left.len());
        if let Some(frame) = self.frames.last_mut() {
            frame.has_swapped = true;
            if let Some([tags, due]) = frame.apart.take() {
                self.tags.extend(tags);
                self.due.extend(due);
                self.unordered = true;
            }
        }
        self.uncounted = true;
        true
    }

    /// Whether user code has left another heap in the call under way.
    pub(super) fn has_swapped(&self) -> bool {
        self.frames.last().is_some_and(|frame| frame.has_swapped)
    }

    /// Leaves another heap in the place of the one under test, as user code may.
    pub(super) fn swap(&mut self, given: &mut Heap) {
        let mut other = Heap::new();
        other.alloc(1_u64);
        other.alloc(2_u64);
        mem::swap(given, &mut other);
        assert!(self.away.replace(other).is_none(), "one heap is away at a time");
    }

    /// The notifications of a destroyed object are delivered: those of the cycle come next, if a collection
    /// follows or the call is over.
    pub(super) fn unite(&mut self, is_over: bool) {
        // A running callback may add notifications.
        let is_told = self.tags.is_empty() && self.due.is_empty() && !self.telling;
        let Some(frame) = self.frames.last_mut() else { return };
        if is_told && (is_over || frame.wants) {
            if let Some([tags, due]) = frame.apart.take() {
                (self.tags, self.due) = (tags, due);
            }
        }
    }

    pub(super) fn throw(&mut self, id: ObjectId) {
        if let Some(frame) = self.frames.last_mut() {
            frame.first = frame.first.or(Some(id));
        }
    }

    /// A tag was sent, or a callback runs.
    pub(super) fn count_told(&mut self) {
        self.report.told += 1;
        let running = self.frames.iter().rev().find(|frame| frame.call != Call::Quiet);
        if running.is_some_and(|frame| !frame.is_apart()) {
            self.unreported[2] += 1;
        }
    }
}

impl CalledBack for Runner {
    type Watch = u64;

    fn is_over(&self) -> bool {
        self.failed.is_some() || self.is_over
    }

    fn place(&mut self, _: u64) -> &mut Heap {
        &mut self.heap
    }

    fn notified(&mut self, number: u64, bits: Option<u64>) -> Option<ObjectId> {
        self.look(true);
        self.unite(false);
        if self.unordered {
            let mut apart = self.frames.iter_mut().filter_map(|frame| frame.apart.as_mut());
            let was_due = self.due.remove(&number) || apart.any(|[_, due]| due.remove(&number));
            assert!(was_due, "{number} was due");
        } else {
            assert!(self.tags.is_empty(), "tags are sent before callbacks run: {:?}", self.tags);
            let turn = self.due.pop_last();
            assert_eq!(turn, Some(number), "whose turn it is (left), and whom the heap ran (right)");
        }
        self.count_told();
        let known = self.registered.remove(&number).expect("what is run is registered");
        assert_eq!(
            bits,
            known.is_callback.then_some(self.link(known.target).bits),
            "a callback gets the handle of its object"
        );
        self.fold(number);
        let was_telling = mem::replace(&mut self.telling, true);
        self.block(known.then.as_ref().expect("tags do not run"));
        self.telling = was_telling;
        if known.ending.panics() {
            self.throw(known.id);
        }
        self.swaps = known.ending.swaps();
        known.ending.panics().then_some(known.id)
    }

    fn leave(&mut self, given: &mut Heap) {
        if mem::take(&mut self.swaps) {
            self.swap(given);
        }
    }

    fn fail(&mut self, difference: String) {
        self.failed = Some(difference);
    }
}
