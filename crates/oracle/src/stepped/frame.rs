//! Calls of the heap that may collect or run callbacks, and what each may do.

use std::collections::BTreeSet;

use slotgc::Rule;

use crate::contents::Contents;
use crate::link::ObjectId;
use crate::stepped::program::Source;

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
    /// A full collection or a minor one, or none: an allocation at a limit.
    OrCollect,
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
    pub(super) wants: bool,
    /// Tags and callbacks that the cycle under way has yet to deliver, while a call reports one that was
    /// destroyed.
    pub(super) apart: Option<[BTreeSet<u64>; 2]>,
    /// Whether a callback put another heap in the place of the one that was called.
    pub(super) has_swapped: bool,
    /// Whether the clock panicked, which it must raise if nothing else did.
    pub(super) clock_panicked: bool,
    /// The first panic of user code in it, which it must raise.
    pub(super) first: Option<ObjectId>,
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
            has_swapped: false,
            clock_panicked: false,
            first: None,
        }
    }

    /// A registration was cancelled.
    pub(super) fn forget(&mut self, number: u64) {
        for numbers in self.apart.iter_mut().flatten() {
            numbers.remove(&number);
        }
    }

    /// Whether it reports one that was destroyed, and nothing else yet.
    pub(super) fn is_apart(&self) -> bool {
        self.apart.is_some()
    }
}
