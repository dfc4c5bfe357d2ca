//! Spans of the `tracing` crate, one for each phase of a collection, with the feature of that name.

use crate::stats::Phase;

/// Ends its span when dropped.
#[cfg(feature = "tracing")]
pub(crate) struct Span {
    _entered: tracing::span::EnteredSpan,
}

#[cfg(feature = "tracing")]
pub(crate) fn enter(phase: Phase) -> Span {
    let span = match phase {
        Phase::Idle => tracing::Span::none(),
        Phase::Mark => tracing::trace_span!("slotgc::mark"),
        Phase::Prune => tracing::trace_span!("slotgc::prune"),
        Phase::Sweep => tracing::trace_span!("slotgc::sweep"),
        Phase::Drop => tracing::trace_span!("slotgc::drop"),
        Phase::Notify => tracing::trace_span!("slotgc::notify"),
    };
    Span { _entered: span.entered() }
}

/// A span without the feature: nothing.
#[cfg(not(feature = "tracing"))]
pub(crate) struct Span;

#[cfg(not(feature = "tracing"))]
#[inline(always)]
pub(crate) fn enter(_: Phase) -> Span {
    Span
}
