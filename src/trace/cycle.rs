//! Which cycle a fact is from: how weak collections know what a minor collection may rely on.

use crate::handle::RawHandle;

/// A cycle of some heap.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Moment {
    /// The heap's number, from one on.
    pub(crate) heap: u32,
    /// The cycle's number.
    pub(crate) cycle: u32,
}

/// A heap and its latest full cycle, from [`Tracer::epoch`](crate::Tracer::epoch): what a root source
/// reported in one epoch need not be reported again before the next.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Epoch {
    pub(crate) heap: u64,
    pub(crate) cycle: u64,
}

/// The current cycle, and what it may rely on.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Era {
    pub(crate) now: Moment,
    /// How many full cycles the heap has begun, the current one included.
    pub(crate) full: u64,
    /// The first cycle of this heap after which only young objects died, and those in the collector's
    /// `destroyed`.
    pub(crate) since: u32,
    pub(crate) is_minor: bool,
}

impl Era {
    /// The same cycle, with another number.
    pub(crate) fn again(self) -> Self {
        let now = Moment { cycle: self.now.cycle + 1, ..self.now };
        Self { now, since: now.cycle, full: self.full + 1, ..self }
    }

    /// Whether what an earlier cycle found alive is now old and alive.
    pub(crate) fn knows(&self, then: Moment) -> bool {
        self.is_minor && then.heap == self.now.heap && then.cycle >= self.since
    }
}

/// An object that the program destroyed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Destroyed {
    /// The current cycle at that time, or the last one before.
    pub(crate) cycle: u32,
    pub(crate) raw: RawHandle,
}
