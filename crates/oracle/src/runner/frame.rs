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
    /// What it did so far.
    pub(super) total: Collected,
}

/// A call collects once, and again if the callbacks of the first collection request it.
pub(super) const MOST: u8 = 2;

/// What a call is to do from here on.
#[derive(Debug)]
pub(super) enum Course {
    /// It runs no callbacks: it has none, or they wait for a batch that is already running.
    Quiet,
    /// It runs this one finalizer.
    ByHand(Option<u64>),
    /// It runs what is due, and collects if callbacks request it; first of all if that is `pending`.
    Collect {
        extra: Contents,
        /// A panic of the root source.
        source: Option<ObjectId>,
        pending: bool,
        /// This many collections at most.
        left: u8,
    },
    /// The end of a heap: runs what is due and at-exit finalizers, then all objects die.
    Exit,
    /// All objects have died: runs what is due.
    Ended,
}

impl Course {
    /// After a death by hand: one collection, and only if a callback requests it.
    pub(super) fn after_death() -> Self {
        Course::Collect { extra: Contents::default(), source: None, pending: false, left: 1 }
    }
}
