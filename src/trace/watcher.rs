//! A tracer that only looks, kept for many objects.

use crate::store::Store;
use crate::trace::tracer::{Recorded, Side};
use crate::trace::{EdgeStack, Tracer};

/// Has values traced and keeps what they report: nothing is written anywhere. Room for it is made once, not for each
/// value.
pub(crate) struct Watcher {
    /// Empty: of its slots none is white, so a trace writes nothing.
    store: Store,
    side: Side,
}

impl Watcher {
    pub(crate) fn new() -> Self {
        Self { store: Store::new(0, 0), side: Side::recording() }
    }

    pub(crate) fn watch(&mut self, trace: impl FnOnce(&mut Tracer<'_>)) {
        trace(&mut Tracer::new(EdgeStack::default(), &self.store, &mut self.side));
    }

    /// What was reported since `clear`, as a slice: a loop over millions of edges.
    pub(crate) fn reported(&self) -> &[Recorded] {
        self.side.recorded()
    }

    pub(crate) fn clear(&mut self) {
        self.side.clear_recorded();
        // What a trace did besides is of no interest.
        self.side.unguarded.clear();
    }
}
