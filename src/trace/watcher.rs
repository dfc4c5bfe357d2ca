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
        Self { store: Store::new(0), side: Side::recording() }
    }

    pub(crate) fn watch(&mut self, trace: impl FnOnce(&mut Tracer<'_>)) {
        trace(&mut Tracer::new(EdgeStack::default(), &self.store, &mut self.side));
    }

    /// Takes what was reported since the last call.
    pub(crate) fn drain(&mut self) -> impl Iterator<Item = Recorded> {
        // What a trace did besides is of no interest.
        self.side.unguarded.clear();
        self.side.recorded_mut().into_iter().flat_map(|recorded| recorded.drain(..))
    }
}
