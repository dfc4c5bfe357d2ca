//! Roots: those of the heap, in slices, and when the root source is asked.
//!
//! The source's answer is one piece of work, however long it takes: about 2 ns per handle. A source that left
//! a rest is asked for it as soon as nothing is left to follow. At the end of marking the source is asked
//! again; if the step has less time left than the last answer took, the next step begins by asking instead.

use core::mem;
use core::time::Duration;

use super::{MOST_ROOTS, Marker, ROOT_UNIT};
use crate::collector::meter::Meter;
use crate::handle::AnyGc;
use crate::root::RootTable;
use crate::store::Store;
use crate::trace::RootSource;

/// An answer that continues with a rest counts as this many objects traced.
const REST_UNITS: usize = 16;

/// What is known of the root source.
#[derive(Clone, Copy, Default)]
pub(super) struct Asking {
    /// Whether it was asked in this cycle.
    was_asked: bool,
    /// Whether the next step begins by asking it.
    pub(super) is_first: bool,
    /// Whether it has more to report than it did.
    pub(super) has_rest: bool,
    /// What its last answer took, in a step with a budget of time.
    takes: Duration,
}

impl Asking {
    /// Another cycle begins.
    pub(super) fn begin(&mut self) {
        (self.was_asked, self.is_first, self.has_rest) = (false, false, false);
    }

    /// Whether the source was asked in this cycle.
    pub(super) fn was_asked(&self) -> bool {
        self.was_asked
    }

    /// Whether this step begins by asking it.
    pub(super) fn comes_first(&mut self) -> bool {
        mem::take(&mut self.is_first) || !self.was_asked
    }

    /// Whether there is too little time left to ask it in this step.
    pub(super) fn is_put_off(&mut self, meter: &Meter<'_>) -> bool {
        self.is_first = meter.time_left().is_some_and(|left| left < self.takes);
        self.is_first
    }
}

impl Marker {
    /// Traces some of the roots that existed when marking began.
    pub(super) fn trace_roots(&mut self, store: &Store, roots: &RootTable, meter: &mut Meter<'_>) {
        /// Words without a root that count as one object traced.
        const WORDS: usize = 64;
        let most = meter.quota().saturating_mul(ROOT_UNIT).min(MOST_ROOTS);
        let (mut len, start) = (0, self.roots.start);
        let mut words = mem::take(&mut self.roots);
        self.trace_with(store, |tracer| {
            while len < most && words.start - start < most * WORDS {
                let Some(word) = words.next() else { break };
                roots.in_word(word).for_each(|raw| {
                    tracer.edge_any(AnyGc::from_raw(raw));
                    len += 1;
                });
            }
        });
        meter.spend(len.div_ceil(ROOT_UNIT) + (words.start - start).div_ceil(WORDS));
        self.roots = words;
    }

    /// Traces some of what the source reported at the beginning.
    pub(super) fn trace_reported(&mut self, store: &Store, meter: &mut Meter<'_>) {
        let Some(mut list) = self.side.reported.pop() else { return };
        let (most, mut len) = (meter.quota().saturating_mul(ROOT_UNIT).min(MOST_ROOTS), 0);
        self.trace_with(store, |tracer| len = list.record_last(most, tracer));
        self.side.reported.put_back(list);
        meter.spend(len.div_ceil(ROOT_UNIT));
    }

    /// Asks the root source: for everything at first, then for what is new.
    pub(super) fn ask(&mut self, store: &Store, source: &dyn RootSource, meter: &Meter<'_>) {
        let was_asked = mem::replace(&mut self.asking.was_asked, true);
        let start = meter.is_timed().then(|| meter.clock().now());
        // Where others help, edges are theirs to follow at once.
        let in_slices =
            !self.is_minor() && !self.side.gathering && meter.is_limited() && !self.expects_help();
        self.side.reported.defers = in_slices && !was_asked;
        (self.side.may_leave_rest, self.side.has_rest) = (in_slices, false);
        self.trace_with(store, |tracer| {
            if was_asked || tracer.era().is_minor {
                source.trace_changed_roots(tracer);
            } else {
                source.trace_roots(tracer);
            }
        });
        self.side.reported.defers = false;
        self.side.may_leave_rest = false;
        self.asking.has_rest = self.side.has_rest;
        if let Some(start) = start {
            self.asking.takes = meter.clock().now().saturating_sub(start);
        }
    }

    /// Asks for what it left last time, unless the step is over.
    pub(super) fn ask_for_rest(
        &mut self,
        store: &Store,
        source: &dyn RootSource,
        meter: &mut Meter<'_>,
    ) -> bool {
        if meter.is_spent() {
            return false;
        }
        self.ask(store, source, meter);
        meter.spend(REST_UNITS);
        true
    }
}
