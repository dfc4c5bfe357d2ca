//! Calls of the heap that may collect or run callbacks, and the callbacks.
//!
//! As for [`run`](crate::run): a call of the heap lends the runner to the thread, a callback takes it from there, with
//! the heap that it is given in its place.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::mem;
use std::panic::{self, AssertUnwindSafe};

use slotgc::{Heap, Phase, Rule, StepReport};

use crate::calls::deaths::Code;
use crate::link::Contents;
use crate::log::{self, Injected, NoticeToken, ObjectId, Thrown};
use crate::model::Index;
use crate::stepped::Source;
use crate::stepped::runner::Runner;

thread_local! {
    /// The runner while it calls a heap.
    static LENT: RefCell<Option<Runner>> = const { RefCell::new(None) };
}

/// What a call may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Call {
    /// No collection, no callbacks.
    Quiet,
    /// A slice of the cycle under way, or of a new one.
    Slice,
    /// What is due.
    Pace,
    /// A minor collection, with no cycle under way.
    Minor,
    /// A full collection.
    Whole,
    /// Callbacks of one that was destroyed, and the full collection that they ask for.
    ByHand,
}

/// A call of the heap that is under way.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) call: Call,
    pub(super) source: Source,
    /// What the source has, from the beginning of the call to its end.
    pub(super) extra: Contents,
    /// Cycles that left `Mark` in it so far.
    pub(super) cycles: u64,
    /// Which rule of pacing decided, when that is known.
    pub(super) rule: Option<Rule>,
    /// Whether it has returned.
    pub(super) has_ended: bool,
    /// Whether a callback asked for a collection.
    wants: bool,
    /// Tags and callbacks that the cycle under way has yet to tell, while a call tells of one that was destroyed.
    apart: Option<[BTreeSet<u64>; 2]>,
    /// The first panic of user code in it, which it must raise.
    first: Option<ObjectId>,
}

impl Frame {
    pub(super) fn new(call: Call, source: Source) -> Self {
        Self {
            call,
            source,
            extra: Contents::default(),
            cycles: 0,
            rule: None,
            has_ended: false,
            wants: false,
            apart: None,
            first: None,
        }
    }

    /// A registration was cancelled.
    pub(super) fn forget(&mut self, number: u64) {
        for numbers in self.apart.iter_mut().flatten() {
            numbers.remove(&number);
        }
    }

    /// Whether it tells of one that was destroyed, and of nothing else yet.
    pub(super) fn is_apart(&self) -> bool {
        self.apart.is_some()
    }
}

impl Runner {
    /// An object is about to be destroyed: what is to be told of it.
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

    /// Calls the heap. Gives its report unless user code panicked, as it then had to.
    pub(super) fn framed(
        &mut self,
        frame: Frame,
        call: impl FnOnce(&mut Heap) -> Option<StepReport>,
    ) -> Option<StepReport> {
        self.frames.push(frame);
        let result = self.calling(call);
        let report = result.as_ref().ok().copied().flatten();
        let frame = self.frames.last_mut().expect("pushed above");
        frame.rule = report.map(|report| report.rule);
        frame.has_ended = true;
        self.look(true);
        self.unite(true);
        let frame = self.frames.pop().expect("pushed above");
        match (result, frame.first) {
            (Ok(_), None) => {}
            (Err(Thrown::Injected(id)), Some(first)) if id == first => self.report.panics += 1,
            (Ok(_), Some(first)) => panic!("{first:?} panicked, and nobody heard"),
            (Err(thrown), first) => panic!("the call raised {thrown:?}, and the first panic was {first:?}"),
        }
        if frame.call == Call::Quiet {
            return report;
        }
        if self.phase == Phase::Idle {
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
            if let Some(stats) = report.finished {
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
        }
    }

    fn calling(
        &mut self,
        call: impl FnOnce(&mut Heap) -> Option<StepReport>,
    ) -> Result<Option<StepReport>, Thrown> {
        let mut apart = mem::take(&mut self.heap);
        LENT.set(Some(mem::take(self)));
        let result = log::catch(|| call(&mut apart));
        *self = LENT.take().expect("a callback gives the runner back");
        self.heap = apart;
        if let Some(difference) = self.failed.take() {
            panic!("{difference}");
        }
        result
    }

    /// What a call tells of one that was destroyed is told: the cycle's comes next, if a collection does or the call
    /// is over.
    pub(super) fn unite(&mut self, is_over: bool) {
        // A callback that is running may add to what is to be told.
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

    /// What the heap runs for a registration.
    pub(super) fn code(number: u64, token: NoticeToken) -> Code {
        Box::new(move |heap, bits| {
            let _token = token;
            told(heap, number, bits);
        })
    }

    /// The heap runs a callback. Gives what it is to panic with.
    fn notified(&mut self, number: u64, bits: Option<u64>) -> Option<ObjectId> {
        self.look(true);
        self.unite(false);
        assert!(self.tags.is_empty(), "tags are sent before callbacks run: {:?}", self.tags);
        assert_eq!(
            self.due.pop_last(),
            Some(number),
            "whose turn it is (left), and whom the heap ran (right)"
        );
        self.count_told();
        let known = self.registered.remove(&number).expect("what is run is registered");
        assert_eq!(bits, Some(self.link(known.target).bits), "a callback gets the handle of its object");
        self.fold(number);
        let was_telling = mem::replace(&mut self.telling, true);
        self.block(known.then.as_ref().expect("tags do not run"));
        self.telling = was_telling;
        if known.panics {
            self.throw(known.id);
        }
        known.panics.then_some(known.id)
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

/// A callback runs, of the heap it is lent.
fn told(lent: &mut Heap, number: u64, bits: Option<u64>) {
    // Nobody lends the runner: the run is over.
    let Some(mut runner) = LENT.take() else { return };
    let mut thrown = None;
    if runner.failed.is_none() && !runner.is_over {
        mem::swap(lent, &mut runner.heap);
        let ran = panic::catch_unwind(AssertUnwindSafe(|| runner.notified(number, bits)));
        mem::swap(lent, &mut runner.heap);
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
