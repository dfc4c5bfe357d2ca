//! What a stepped program asks the collector for, and what it may expect of each slice.

use std::{mem, thread};

use slotgc::{Budget, CollectStats, Heap, Phase, StepReport, roots};

use crate::contents::Contents;
use crate::kind::Fuse;
use crate::log::{self, Event, Injected};
use crate::stepped::frame::{Call, Frame};
use crate::stepped::program::{Source, Units};
use crate::stepped::runner::{Logged, Runner};

/// More than a cycle of one unit a step has.
const MANY_STEPS: usize = 10_000;

impl Runner {
    /// The handles in the root source.
    pub(super) fn source(&self) -> Contents {
        let edges = self.kept.iter().map(|index| self.link(*index)).collect();
        Contents { edges, ..Contents::default() }
    }

    /// Calls the heap with a root source. `call` says what kind of call it is.
    pub(super) fn sourced(
        &mut self,
        call: Call,
        source: Source,
        f: impl FnOnce(&mut Heap, &dyn slotgc::RootSource) -> Option<StepReport>,
    ) -> Option<StepReport> {
        if self.telling {
            self.asked_for_collection(call);
            let report = self.framed(Frame::new(Call::Quiet, source), |heap| f(heap, &()));
            if let Some(report) = report {
                assert!(report.finished.is_none(), "inside a callback nothing is collected: {report:?}");
            }
            return None;
        }
        let panics = (source == Source::Panicking).then(|| self.next_id());
        let has_kept = matches!(source, Source::Kept | Source::Logged);
        let contents = if has_kept { self.source() } else { Contents::default() };
        let mut frame = Frame::new(call, source);
        frame.extra = contents.clone();
        if source == Source::Logged {
            // Not what it forgot again before it was asked: a minor collection would keep that too.
            let changed = self.changed.iter().filter(|index| self.kept.contains(index));
            let changed = changed.map(|index| self.link(*index)).collect();
            let logged = Logged { all: contents, changed, log: mem::take(&mut self.log) };
            let report = self.framed(frame, |heap| f(heap, &logged));
            self.log = logged.log;
            if self.log.take_reported() {
                self.changed.clear();
            }
            return report;
        }
        self.framed(frame, |heap| {
            f(
                heap,
                &roots(|tracer| {
                    if let Some(id) = panics {
                        log::write(Event::TracePanicked(id));
                        Injected(id).raise();
                    }
                    contents.trace(tracer);
                }),
            )
        })
    }

    pub(super) fn begin(&mut self) {
        if self.phase == Phase::Idle && !self.telling {
            self.epoch += 1;
            self.cycle_epoch = self.epoch;
        }
    }

    pub(super) fn step(&mut self, units: Units, source: Source) -> Option<StepReport> {
        self.begin();
        let report =
            self.sourced(Call::Slice, source, |heap, roots| Some(heap.step_with(units.budget(), roots)));
        if let Some(report) = &report {
            assert!(report.work > 0, "a step does something: {report:?}");
            assert!(units != Units::All || report.finished.is_some(), "an unlimited step finishes the cycle");
        }
        report
    }

    pub(super) fn step_to(&mut self, phase: u8) {
        for _ in 0..MANY_STEPS {
            if self.phase as u8 >= phase || self.telling {
                return;
            }
            let report = self.step(Units::Few(1), Source::Kept);
            if report.is_some_and(|report| report.finished.is_some()) {
                return;
            }
            self.look(false);
        }
        panic!("a cycle ends, whatever its budget");
    }

    /// Follows edges through `&Heap`. Where an object's `trace` panics it is left alone: that is a test's
    /// business.
    pub(super) fn help(&mut self, units: Units, alone: bool) {
        if self.model.alive.iter().any(|index| self.model.objects[*index].fuses[Fuse::Trace as usize]) {
            return;
        }
        let phase = self.phase;
        self.framed(Frame::new(Call::Quiet, Source::Nothing), |heap| {
            let heap = &*heap;
            let report = thread::scope(|scope| {
                if !alone {
                    scope.spawn(|| heap.step_shared(Budget::Objects(3)));
                }
                heap.step_shared(units.budget())
            });
            assert_eq!((report.phase, report.finished), (phase, None), "marking beside ends nothing");
            assert!(report.work == 0 || phase == Phase::Mark, "there is nothing to do: {report:?}");
            None
        });
    }

    pub(super) fn pace(&mut self, units: Units, source: Source) {
        self.begin();
        let is_due = self.heap.is_due();
        let report =
            self.sourced(Call::Pace, source, |heap, roots| Some(heap.pace_with(units.budget(), roots)));
        if let Some(report) = report {
            assert_eq!(report.work > 0, is_due, "`is_due` says whether `pace` does something: {report:?}");
        }
    }

    pub(super) fn minor(&mut self, source: Source) {
        let call = match self.phase {
            Phase::Idle if self.needs_major => Call::Whole,
            Phase::Idle => Call::Minor,
            _ => Call::Quiet,
        };
        self.sourced(call, source, |heap, roots| {
            let before = heap.stats().collections;
            let stats = heap.collect_minor_with(roots);
            (heap.stats().collections > before).then(|| finished(stats))
        });
    }

    pub(super) fn collect(&mut self, source: Source) {
        self.begin();
        let was_telling = self.telling;
        self.sourced(Call::Whole, source, |heap, roots| {
            let stats = heap.collect_with(roots);
            (!was_telling).then(|| finished(stats))
        });
        let is_over = was_telling || self.was_swapped || self.phase == Phase::Idle;
        assert!(is_over, "no cycle is under way after a collection");
    }
}

/// The report of a collection in one go.
fn finished(stats: CollectStats) -> StepReport {
    let mut report = StepReport::default();
    report.phase = Phase::Notify;
    report.finished = Some(stats);
    report
}

impl Units {
    fn budget(self) -> Budget {
        match self {
            Units::Few(units) => Budget::Objects(units.into()),
            Units::All => Budget::Unlimited,
        }
    }
}
