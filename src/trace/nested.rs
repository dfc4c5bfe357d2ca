//! A trace inside of another one, above all of an ephemeron's value. What was set aside for it comes back
//! when a guard is dropped: a `trace` may panic, and whoever called it may catch that.

use crate::handle::{AnyGc, RawHandle, Weak};
use crate::store::Color;
use crate::trace::findings::Recorded;
use crate::trace::{Mode, RecordIndex, Trace, Tracer};

/// The edges of an ephemeron's value are being gathered; what was the case before is restored when this is
/// dropped. By then the value's `trace` may have panicked, and whoever called it may catch that: the tracer
/// goes on as it was, and the value has the edges that it reported.
pub(super) struct Gathering<'t, 'a, K: 'static> {
    pub(super) tracer: &'t mut Tracer<'a>,
    mode: Mode,
    key: Weak<K>,
    record: RecordIndex,
    /// Where the value's edges begin.
    start: usize,
}

impl<'t, 'a, K: 'static> Gathering<'t, 'a, K> {
    pub(super) fn begin(tracer: &'t mut Tracer<'a>, key: Weak<K>) -> Self {
        let start = tracer.side.gathered.len();
        let record = tracer.side.ephemerons.begin(key.raw());
        let mode = core::mem::replace(&mut tracer.mode, Mode::Gather);
        tracer.side.nested += 1;
        Self { tracer, mode, key, record, start }
    }
}

impl<K: 'static> Drop for Gathering<'_, '_, K> {
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

/// Ephemerons that wait for their keys.
impl Tracer<'_> {
    pub(crate) fn color_of_key(&self, key: RawHandle) -> Color {
        match self.store.color_any(key) {
            Color::Dead if self.side.building.contains(&key) => Color::Reached,
            color => color,
        }
    }

    /// Sets the value's edges aside until the key is marked.
    pub(super) fn wait_for<K: 'static, V: Trace>(&mut self, key: Weak<K>, value: &V) {
        let gathering = Gathering::begin(self, key);
        value.trace(gathering.tracer);
    }

    /// Releases what waits for this object.
    pub(crate) fn release(&mut self, key: RawHandle) {
        let mut next = self.side.ephemerons.take(self.store, key);
        while let Some(record) = next {
            let (first_edge, more_edges, mut nested) = self.side.ephemerons.release(record);
            if let Some(edge) = first_edge {
                self.edge_any(AnyGc::from_raw(edge));
            }
            for index in more_edges {
                let edge = self.side.ephemerons.edge(index);
                self.edge_any(AnyGc::from_raw(edge));
            }
            while let Some(inner) = nested {
                nested = self.side.ephemerons.next(inner);
                match self.color_of_key(self.side.ephemerons.key(inner)) {
                    // Its turn comes right after this record's.
                    Color::Reached => self.side.ephemerons.link_after(record, inner),
                    Color::White => self.side.ephemerons.file(self.store, inner),
                    Color::Dead => {}
                }
            }
            next = self.side.ephemerons.next(record);
        }
    }
}
