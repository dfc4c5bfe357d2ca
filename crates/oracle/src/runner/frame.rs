//! Calls of the heap that may run user code, and what each is to do.

use crate::contents::Contents;
use crate::link::ObjectId;
use crate::model::Collected;

/// A call of the heap that is under way.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) heap: usize,
    pub(super) course: Course,
    /// The first panic of user code in it, which it must raise.
    pub(super) first: Option<ObjectId>,
    /// A known bug: `destroy` raises the panic of a `trace`, in the collection that its callbacks asked for,
    /// though one of them panicked first. Remove this when the bug is fixed.
    pub(super) hidden: Option<ObjectId>,
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
    /// It runs what is due, and collects again as long as callbacks ask for it; first of all if that is
    /// `pending`.
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
