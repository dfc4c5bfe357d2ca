//! Which cycle a fact is from: how weak collections know what a minor collection may take for granted.

use crate::handle::RawHandle;

/// A cycle of some heap.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Moment {
    /// The heap's number, from one on.
    pub(crate) heap: u32,
    /// The cycle's.
    pub(crate) cycle: u32,
}

/// A heap and its latest full cycle, from [`Tracer::epoch`](crate::Tracer::epoch): what a root source
/// reported in it need not be reported again before the next.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Epoch {
    pub(crate) heap: u64,
    pub(crate) cycle: u64,
}

/// Which cycle is under way, and what it takes for granted.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Era {
    pub(crate) now: Moment,
    /// How many full cycles the heap has begun, the one under way included.
    pub(crate) full: u64,
    /// The first cycle of this heap after which nothing died but what was young, or in `destroyed` of the
    /// collector.
    pub(crate) since: u32,
    pub(crate) is_minor: bool,
}

impl Era {
    /// The same cycle, by another number.
    pub(crate) fn again(self) -> Self {
        let now = Moment { cycle: self.now.cycle + 1, ..self.now };
        Self { now, since: now.cycle, full: self.full + 1, ..self }
    }

    /// Whether what an earlier cycle found alive is old and alive now.
    pub(crate) fn knows(&self, then: Moment) -> bool {
        self.is_minor && then.heap == self.now.heap && then.cycle >= self.since
    }
}

/// An object that the program destroyed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Destroyed {
    /// The cycle under way then, or the last one before.
    pub(crate) cycle: u32,
    pub(crate) raw: RawHandle,
}
