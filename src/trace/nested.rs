//! A trace inside of another one. What was set aside for it comes back when a guard is dropped: a `trace` may
//! panic, and whoever called it may catch that.

use crate::handle::RawHandle;
use crate::trace::findings::Recorded;
use crate::trace::{EdgeStack, RecordIndex, Tracer};

/// The edges of an ephemeron's value are being gathered; what was at hand before is put back when this is
/// dropped. By then the value's `trace` may have panicked, and whoever called it may catch that: the tracer
/// goes on as it was, and the value has the edges that it reported.
pub(super) struct Gathering<'t, 'a> {
    pub(super) tracer: &'t mut Tracer<'a>,
    edges: EdgeStack,
    gathering: bool,
    record: RecordIndex,
    /// Where the value's edges begin.
    start: usize,
}

impl<'t, 'a> Gathering<'t, 'a> {
    pub(super) fn begin(tracer: &'t mut Tracer<'a>, key: RawHandle) -> Self {
        let start = tracer.side.gathered.len();
        let record = tracer.side.ephemerons.begin(key);
        let edges = core::mem::take(&mut tracer.edges);
        let gathering = core::mem::replace(&mut tracer.side.gathering, true);
        tracer.side.nested += 1;
        Self { tracer, edges, gathering, record, start }
    }
}

impl Drop for Gathering<'_, '_> {
    fn drop(&mut self) {
        let Tracer { side, store, edges, .. } = &mut *self.tracer;
        side.nested -= 1;
        side.ephemerons.end(store, self.record, &side.gathered[self.start..]);
        side.gathered.truncate(self.start);
        side.gathering = self.gathering;
        *edges = core::mem::take(&mut self.edges);
    }
}

/// A look-only trace is in the value of an ephemeron; what ends it is recorded when this is dropped, for the
/// same reason.
pub(super) struct RecordedEphemeron<'t, 'a>(pub(super) &'t mut Tracer<'a>);

impl Drop for RecordedEphemeron<'_, '_> {
    fn drop(&mut self) {
        self.0.record(Recorded::EndOfEphemeron);
    }
}

/// A table is tracing its entries.
pub(crate) struct Nested<'t, 'a>(pub(super) &'t mut Tracer<'a>);

impl<'a> core::ops::Deref for Nested<'_, 'a> {
    type Target = Tracer<'a>;

    fn deref(&self) -> &Tracer<'a> {
        self.0
    }
}

impl core::ops::DerefMut for Nested<'_, '_> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        self.0
    }
}

impl Drop for Nested<'_, '_> {
    fn drop(&mut self) {
        self.0.side.nested -= 1;
    }
}
