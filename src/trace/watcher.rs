//! A tracer that only looks, kept for many objects.

use crate::store::Store;
use crate::trace::findings::{Findings, Recorded, Report};
use crate::trace::tracer::Side;
use crate::trace::{EdgeStack, Tracer};

/// Traces values and keeps what they report; nothing else is written. Memory for this is allocated once, not
/// for each value.
pub(crate) struct Watcher {
    /// Of no heap, and empty: no slot in it is white, so a trace writes nothing.
    store: Store,
    side: Side,
}

impl Watcher {
    pub(crate) fn new() -> Self {
        Self { store: Store::new(0, 0), side: Side::recording() }
    }

    /// One whose findings are read as a slice.
    #[cfg(feature = "inspect")]
    pub(crate) fn listing() -> Self {
        Self { store: Store::new(0, 0), side: Side::listing() }
    }

    /// One that keeps nothing, see [`declares`](Self::declares).
    pub(crate) fn counting() -> Self {
        Self { store: Store::new(0, 0), side: Side::counting() }
    }

    #[inline(always)]
    pub(crate) fn watch(&mut self, trace: impl FnOnce(&mut Tracer<'_>)) {
        // Without room for edges each one takes the slow path of a push, which records it.
        trace(&mut Tracer::new(EdgeStack::default(), &self.store, &mut self.side));
        // The other effects of the trace do not matter.
        self.side.unguarded.clear();
    }

    /// What was reported so far besides edges: values that may change behind `&`, and weak collections.
    fn declared(&mut self) -> (usize, usize) {
        let tracer = Tracer::new(EdgeStack::default(), &self.store, &mut self.side);
        (tracer.unguarded_values(), tracer.weak_collections())
    }

    /// How many values that may change behind `&` have been reported so far.
    #[cfg(feature = "inspect")]
    pub(crate) fn unguarded_values(&mut self) -> usize {
        self.declared().0
    }

    /// Whether this trace reports more than edges: a value that may change behind `&`, or a weak collection.
    pub(crate) fn declares(&mut self, trace: impl FnOnce(&mut Tracer<'_>)) -> bool {
        let before = self.declared();
        self.watch(trace);
        self.declared() != before
    }

    #[inline(always)]
    fn words(&mut self) -> &mut Findings {
        match self.side.report_mut() {
            Report::Words(words) => words,
            _ => unreachable!("a watcher whose findings are read as a slice"),
        }
    }

    /// Takes what was reported since the last call, to be kept.
    pub(crate) fn take(&mut self) -> Findings {
        core::mem::take(self.words())
    }

    /// Takes what was reported since the last call.
    #[inline(always)]
    pub(crate) fn drain(&mut self) -> impl Iterator<Item = Recorded> {
        Drain(self.words())
    }

    /// What was reported since `clear`.
    #[cfg(feature = "inspect")]
    pub(crate) fn reported(&mut self) -> &mut alloc::vec::Vec<Recorded> {
        match self.side.report_mut() {
            Report::List(list) => list,
            _ => unreachable!("a watcher whose findings are drained"),
        }
    }
}

/// Removes the rest when dropped.
struct Drain<'a>(&'a mut Findings);

impl Iterator for Drain<'_> {
    type Item = Recorded;

    #[inline]
    fn next(&mut self) -> Option<Recorded> {
        self.0.next()
    }
}

impl Drop for Drain<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        self.0.clear();
    }
}
