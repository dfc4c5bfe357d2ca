//! A trace inside of another one. What was set aside for it comes back when a guard is dropped: a `trace` may
//! panic, and whoever called it may catch that.

use crate::handle::Weak;
use crate::trace::findings::Recorded;
use crate::trace::{Mode, RecordIndex, Trace, Tracer};

/// The edges of an ephemeron's value are being gathered; what was the case before is restored when this is
/// dropped. By then the value's `trace` may have panicked, and whoever called it may catch that: the tracer
/// goes on as it was, and the value has the edges that it reported.
pub(super) struct Gathering<'t, 'a, K: Trace> {
    pub(super) tracer: &'t mut Tracer<'a>,
    mode: Mode,
    key: Weak<K>,
    record: RecordIndex,
    /// Where the value's edges begin.
    start: usize,
}

impl<'t, 'a, K: Trace> Gathering<'t, 'a, K> {
    pub(super) fn begin(tracer: &'t mut Tracer<'a>, key: Weak<K>) -> Self {
        let start = tracer.side.gathered.len();
        let record = tracer.side.ephemerons.begin(key.raw());
        let mode = core::mem::replace(&mut tracer.mode, Mode::Gather);
        tracer.side.nested += 1;
        Self { tracer, mode, key, record, start }
    }
}

impl<K: Trace> Drop for Gathering<'_, '_, K> {
    fn drop(&mut self) {
        let Tracer { side, look, mode, .. } = &mut *self.tracer;
        side.nested -= 1;
        if side.ephemerons.end(self.record, &side.gathered[self.start..]) {
            let first = look.replace_waiter::<K>(self.key.raw(), self.record.number());
            side.ephemerons.file_before(self.record, first);
        }
        side.gathered.truncate(self.start);
        *mode = self.mode;
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
