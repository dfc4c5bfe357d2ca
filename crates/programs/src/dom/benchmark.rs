//! The program that is timed: build a document, edit it, query it, drop it.

use std::time::Duration;

use crate::clock::Stopwatch;
use crate::dom::edit::Edits;
use crate::dom::query::Found;
use crate::dom::{on_gc_arena, on_indices, on_rc, on_slotgc};
use crate::program::{Program, Run, Size, Substrate};

/// How much there is to do.
pub(crate) struct Sizes {
    pub(crate) nodes: usize,
    /// Between two of them the collector gets its turn.
    pub(crate) batches: usize,
    pub(crate) edits_a_batch: usize,
    pub(crate) queries: usize,
}

/// Times of the parts, and their answers.
#[derive(Default)]
pub(crate) struct Log {
    times: Vec<Duration>,
    pub(crate) edits: Edits,
    pub(crate) found: Vec<[Found; 5]>,
}

impl Log {
    /// Runs the next part. A function of its own, so that profilers tell parts apart.
    #[inline(never)]
    pub(crate) fn time<R>(&mut self, part: impl FnOnce(&mut Self) -> R) -> R {
        let stopwatch = Stopwatch::start();
        let result = part(self);
        self.times.push(stopwatch.elapsed());
        result
    }
}

impl Sizes {
    pub(crate) fn of(size: Size) -> Self {
        match size {
            Size::Quick => Self { nodes: 10_000, batches: 100, edits_a_batch: 200, queries: 3 },
            Size::Full => Self { nodes: 100_000, batches: 1_000, edits_a_batch: 200, queries: 12 },
        }
    }
}

/// The program.
pub(crate) fn program() -> Program {
    Program { name: "dom", parts: &["build", "edit", "query", "drop"], run: run_program }
}

fn run_program(_: &Program, substrate: Substrate, size: Size) -> Run {
    let sizes = Sizes::of(size);
    let mut log = Log::default();
    match substrate {
        Substrate::Slotgc => on_slotgc::run(&sizes, &mut log, slotgc::Heap::new()),
        Substrate::GcArena => on_gc_arena::run(&sizes, &mut log),
        Substrate::Rc => on_rc::run(&sizes, &mut log),
        Substrate::Indices => on_indices::run(&sizes, &mut log),
    }
    let answer = format!("{:?}\n{:?}\n", log.edits, log.found);
    Run { times: log.times, answer }
}
