//! What measuring memory needs of a peer: that it fills a heap through a [`Meter`].

use crate::machine;
use crate::needs::NODE_BYTES;

/// The largest unit in which memory may be handed out, with huge pages. This much more is filled to find out
/// where a page ends.
const LARGEST_PAGE_BYTES: usize = 2 << 20;

/// Objects in a heap of few.
const FEW: usize = 20_000;

/// What is in the heap.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Contents {
    /// Values of 16 bytes.
    Small,
    /// Values of 64 bytes.
    Large,
    /// Few of those.
    Few,
    /// Nodes of 64 bytes.
    Graph,
}

impl Contents {
    /// All of them.
    pub(crate) const ALL: [Self; 4] = [Self::Small, Self::Large, Self::Few, Self::Graph];

    /// The name on the command line, behind `memory/`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Small => "16",
            Self::Large => "64",
            Self::Few => "64/20k",
            Self::Graph => "graph",
        }
    }

    /// What is measured.
    pub(crate) fn about(self) -> &'static str {
        match self {
            Self::Small => "bytes in memory per object, above its own 16",
            Self::Large | Self::Few => "bytes in memory per object, above its own 64",
            Self::Graph => {
                "bytes in memory per object, above its own 64, in a random graph before and after collections"
            }
        }
    }

    /// The heads of the two columns.
    pub(crate) fn columns(self) -> [&'static str; 2] {
        match self {
            Self::Small | Self::Large | Self::Few => ["filled", "last page aside"],
            Self::Graph => ["built", "after collections"],
        }
    }

    /// How many objects this heap has in a run with this many.
    pub(crate) fn objects(self, of_run: usize) -> usize {
        match self {
            Self::Few => of_run.min(FEW),
            Self::Small | Self::Large | Self::Graph => of_run,
        }
    }

    /// What slotgc may take, and in which column that is measured. The column counts what a partly filled
    /// page adds to each object where there are few.
    pub(crate) fn target(self) -> Option<(usize, f64)> {
        match self {
            Self::Small => Some((1, 9.0)),
            Self::Large => Some((1, 8.6)),
            Self::Few => Some((0, 14.0)),
            Self::Graph => None,
        }
    }

    fn object_bytes(self) -> usize {
        match self {
            Self::Small => 16,
            Self::Large | Self::Few | Self::Graph => NODE_BYTES,
        }
    }
}

/// Fills a heap while it reads the process's memory.
#[derive(Debug)]
pub(crate) struct Meter {
    pub(crate) objects: usize,
    pub(crate) contents: Contents,
    pub(crate) overheads: Vec<f64>,
}

impl Meter {
    /// The most objects that it makes.
    pub(crate) fn most_objects(&self) -> usize {
        self.objects + LARGEST_PAGE_BYTES / self.contents.object_bytes()
    }

    pub(crate) fn above(&self, bytes: usize, objects: usize) -> f64 {
        bytes as f64 / objects as f64 - self.contents.object_bytes() as f64
    }

    /// Makes objects, and then some more until a page may have been filled to its end.
    pub(crate) fn fill(&mut self, mut alloc: impl FnMut(u64)) {
        const STEP: usize = 256;
        let empty = machine::resident_bytes();
        (0..self.objects).for_each(|id| alloc(id as u64));
        let filled = self.above(machine::resident_bytes() - empty, self.objects);
        let mut least = filled;
        for start in (self.objects..self.most_objects() - STEP).step_by(STEP) {
            (start..start + STEP).for_each(|id| alloc(id as u64));
            least = least.min(self.above(machine::resident_bytes() - empty, start + STEP));
        }
        self.overheads = vec![filled, least];
    }
}
