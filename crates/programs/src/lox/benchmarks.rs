//! The scripts that are timed: from a compiled script and no memory to the last object freed.

use crate::clock::Stopwatch;
use crate::lox::{compiler, on_gc_arena, on_indices, on_rc, on_slotgc};
use crate::program::{Program, Run, Size, Substrate};

/// A script with a size in it.
struct Benchmark {
    name: &'static str,
    source: &'static str,
    quick: &'static str,
    full: &'static str,
}

const BENCHMARKS: [Benchmark; 6] = [
    Benchmark { name: "lox/fib", source: include_str!("../../scripts/fib.lox"), quick: "20", full: "30" },
    Benchmark {
        name: "lox/closures",
        source: include_str!("../../scripts/closures.lox"),
        quick: "20000",
        full: "400000",
    },
    Benchmark {
        name: "lox/methods",
        source: include_str!("../../scripts/methods.lox"),
        quick: "20000",
        full: "300000",
    },
    Benchmark {
        name: "lox/instances",
        source: include_str!("../../scripts/instances.lox"),
        quick: "20000",
        full: "300000",
    },
    Benchmark { name: "lox/trees", source: include_str!("../../scripts/trees.lox"), quick: "10", full: "13" },
    Benchmark {
        name: "lox/strings",
        source: include_str!("../../scripts/strings.lox"),
        quick: "1",
        full: "15",
    },
];

/// All of them.
pub(crate) fn programs() -> Vec<Program> {
    let program = |benchmark: &Benchmark| Program { name: benchmark.name, parts: &[""], run: run_benchmark };
    BENCHMARKS.iter().map(program).collect()
}

fn run_benchmark(program: &Program, substrate: Substrate, size: Size) -> Run {
    let benchmark = BENCHMARKS.iter().find(|benchmark| benchmark.name == program.name).expect("one of them");
    let size = match size {
        Size::Quick => benchmark.quick,
        Size::Full => benchmark.full,
    };
    let script = compiler::compile(&benchmark.source.replace("SIZE", size)).expect("a correct script");
    let stopwatch = Stopwatch::start();
    let output = match substrate {
        Substrate::Slotgc => on_slotgc::run(&script, slotgc::Heap::new()),
        Substrate::GcArena => on_gc_arena::run(&script),
        Substrate::Rc => on_rc::run(&script),
        Substrate::Indices => on_indices::run(&script),
    };
    let times = vec![stopwatch.elapsed()];
    Run { times, answer: output.expect("a script without errors") }
}
