//! What is run: a program has parts that are timed, and the same cases for all of its substrates.

use std::time::Duration;

/// The result of a run.
#[derive(Debug)]
pub(crate) struct Run {
    /// For each part of the program, in order.
    pub(crate) times: Vec<Duration>,
    /// The same on every substrate.
    pub(crate) answer: String,
}

/// What the objects of a program live in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Substrate {
    Slotgc,
    GcArena,
    Rc,
    Indices,
}

impl Substrate {
    pub(crate) const ALL: [Self; 4] = [Self::Slotgc, Self::GcArena, Self::Rc, Self::Indices];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Slotgc => "slotgc",
            Self::GcArena => "gc-arena",
            Self::Rc => "Rc",
            Self::Indices => "indices",
        }
    }

    /// What slotgc's time divided by this one's is to be at most.
    pub(crate) fn limit(self) -> Option<f64> {
        match self {
            Self::Slotgc => None,
            Self::GcArena | Self::Rc => Some(1.0),
            Self::Indices => Some(1.25),
        }
    }
}

/// How large a run is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Size {
    /// To see that it runs.
    Quick,
    /// To be timed.
    Full,
}

/// A program.
pub(crate) struct Program {
    pub(crate) name: &'static str,
    /// The names of what is timed.
    pub(crate) parts: &'static [&'static str],
    pub(crate) run: fn(&Program, Substrate, Size) -> Run,
}
