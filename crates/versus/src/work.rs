//! What is measured: a work is a question, and its cases are the answers of the peers.
//!
//! A case builds what it needs, times only the work, checks the answer, and drops everything. It returns
//! nanoseconds per object. A wrong answer ends the run with a panic.
//!
//! What a work needs of a peer is in `needs`, the works are in `works`.

use std::mem::MaybeUninit;
use std::time::Duration;

/// The peer whose times are divided by the others'.
pub(crate) const OURS: &str = "slotgc";

/// A question.
pub(crate) struct Work {
    /// Its name on the command line.
    pub(crate) name: String,
    /// What is timed.
    pub(crate) about: String,
    /// The peers that answer it.
    pub(crate) cases: Vec<Case>,
    /// The peers that do not.
    pub(crate) absent: Vec<Absent>,
    /// What slotgc is to reach.
    pub(crate) targets: Vec<Target>,
    /// Footnotes.
    pub(crate) notes: Vec<Note>,
    /// What to do about a peer that overflows a stack of the usual size here.
    pub(crate) on_overflow: OnOverflow,
}

/// A peer at a work.
pub(crate) struct Case {
    /// Its name.
    pub(crate) peer: &'static str,
    /// Runs it once and returns nanoseconds per object.
    pub(crate) run: Box<dyn Fn() -> f64>,
    /// In which rounds it is run.
    pub(crate) rounds: Rounds,
}

/// In which rounds a case is run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Rounds {
    /// In all of them.
    All,
    /// In the first that counts: it takes too long for more.
    First,
}

/// A peer that takes no part, and why.
#[derive(Clone, Debug)]
pub(crate) struct Absent {
    /// Its name.
    pub(crate) peer: &'static str,
    /// Why.
    pub(crate) reason: String,
}

/// A remark on some peers.
#[derive(Clone, Debug)]
pub(crate) struct Note {
    /// Their names.
    pub(crate) peers: Vec<&'static str>,
    /// What there is to say.
    pub(crate) text: String,
}

/// How one of slotgc's times is to compare with another.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target {
    /// The dividend: slotgc's time, or that of one of its further cases.
    pub(crate) ours: &'static str,
    /// The divisor: a peer's time, or that of another case of slotgc's.
    pub(crate) peer: &'static str,
    /// The bound on the quotient.
    pub(crate) bound: Bound,
}

/// What a ratio may be.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Bound {
    /// At most this.
    AtMost(f64),
    /// The ratio and its reciprocal are at most this: two times that are to be alike.
    Within(f64),
}

impl Bound {
    /// Whether the ratio is within the bound.
    pub(crate) fn holds(self, ratio: f64) -> bool {
        match self {
            Self::AtMost(most) => ratio <= most,
            Self::Within(most) => ratio <= most && ratio >= 1.0 / most,
        }
    }
}

/// Whether a case that overflows an 8 MiB stack is measured all the same, on a larger one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum OnOverflow {
    /// It cannot happen: nothing here depends on the shape of a graph.
    Never,
    /// Measured on the large stack, with a note.
    Note,
    /// Left out, with a note, unless `--deep` is given.
    LeaveOut,
}

impl Work {
    /// A work without cases.
    pub(crate) fn new(name: impl Into<String>, about: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            about: about.into(),
            cases: Vec::new(),
            absent: Vec::new(),
            targets: Vec::new(),
            notes: Vec::new(),
            on_overflow: OnOverflow::Never,
        }
    }

    /// Adds a peer.
    pub(crate) fn case(mut self, peer: &'static str, run: impl Fn() -> f64 + 'static) -> Self {
        self.cases.push(Case { peer, run: Box::new(run), rounds: Rounds::All });
        self
    }

    /// Adds a peer that is too slow for more than one round.
    pub(crate) fn case_once(mut self, peer: &'static str, run: impl Fn() -> f64 + 'static) -> Self {
        self.cases.push(Case { peer, run: Box::new(run), rounds: Rounds::First });
        self
    }

    /// Names peers that take no part.
    pub(crate) fn absent(mut self, peers: &[&'static str], reason: &str) -> Self {
        self.absent.extend(peers.iter().map(|peer| Absent { peer, reason: reason.to_owned() }));
        self
    }

    /// Sets a target against a peer.
    pub(crate) fn target(self, peer: &'static str, at_most: f64) -> Self {
        self.target_of(OURS, peer, Bound::AtMost(at_most))
    }

    /// Sets a target for any two cases.
    pub(crate) fn target_of(mut self, ours: &'static str, peer: &'static str, bound: Bound) -> Self {
        self.targets.push(Target { ours, peer, bound });
        self
    }

    /// Adds a footnote on some peers.
    pub(crate) fn note(mut self, peers: &[&'static str], text: &str) -> Self {
        self.notes.push(Note { peers: peers.to_vec(), text: text.to_owned() });
        self
    }
}

/// 1000000 as `1M`.
pub(crate) fn size_name(n: usize) -> String {
    match n {
        n if n >= 1_000_000 && n.is_multiple_of(1_000_000) => format!("{}M", n / 1_000_000),
        n if n >= 1_000 && n.is_multiple_of(1_000) => format!("{}k", n / 1_000),
        n => n.to_string(),
    }
}

/// Nanoseconds per object.
pub(crate) fn per_object(time: Duration, objects: usize) -> f64 {
    time.as_secs_f64() * 1e9 / objects as f64
}

/// An empty vector with room, its memory already touched, so that filling it costs every peer the same.
pub(crate) fn touched<T>(room: usize) -> Vec<T> {
    let mut vec = Vec::with_capacity(room);
    vec.spare_capacity_mut().iter_mut().for_each(|place| *place = MaybeUninit::zeroed());
    vec
}

/// The sum of the numbers less than `n`: of all ids.
pub(crate) fn sum_of_ids(n: usize) -> u64 {
    let n = n as u64;
    n * (n - 1) / 2
}
