//! Full collections: of a graph in which everything lives, and of one in which a random half is dropped.
//!
//! A peer whose every collection looks at every object is measured in its second and third: the first lets it
//! grow its mark stack. The collectors of cycles among reference counts (dumpster, rust-cc) look only at
//! objects that lost a reference since the last collection. Where nothing dies they are measured in the
//! first, for which building the graph has made every object a candidate; where half dies, in the one after
//! the root was dropped.

use std::rc::Rc;

use slotgc_graphs::Graph;

use crate::clock::Stopwatch;
use crate::limits::{StackMark, TwoStageMark, TwoStageSmallPages};
use crate::malloc;
use crate::needs::collect::{Census, Collector, Examines, Reached, Rooted};
use crate::peers::{
    boa_gc::BoaGc, dumpster::Dumpster, gc::RustGc, gc_arena::GcArena, rust_cc::RustCc, safe_gc::SafeGc,
    slotgc::SlotGc,
};
use crate::probe;
use crate::shape::{Inputs, Shape};
use crate::work::{OnOverflow, Work, per_object};

/// The objects that are to live.
struct Expected<'a> {
    lives: &'a dyn Fn(usize) -> bool,
    n: usize,
}

impl Expected<'_> {
    fn reached(&self) -> Reached {
        let living = (0..self.n).filter(|id| (self.lives)(*id));
        living.fold(Reached::default(), |sum, id| Reached { count: sum.count + 1, sum: sum.sum + id as u64 })
    }

    /// Compares with what the peer reports; `freed_bytes` is what the allocator got back.
    fn check(&self, heap: &impl Collector, freed_bytes: Option<isize>) {
        let expected = self.reached();
        match heap.census() {
            Census::Count(count) => assert_eq!(count, expected.count, "objects alive after the collection"),
            Census::Sample(sample) => {
                sample.iter().for_each(|(id, lives)| assert_eq!(*lives, (self.lives)(*id), "object {id}"));
            }
            Census::AskMalloc => {
                let dead = self.n - expected.count;
                // At least the values; at most twice that for headers, and some for the collector's tables.
                let range = dead as isize * 64..=dead as isize * 128 + self.n as isize * 64 + (1 << 20);
                let freed = freed_bytes.unwrap_or(*range.start());
                assert!(range.contains(&freed), "{dead} objects should have died; {freed} bytes were freed");
            }
        }
        assert_eq!(heap.walk(), expected, "what the roots reach after the collection");
    }
}

/// Collects, and returns the nanoseconds and the bytes that the allocator got back.
fn collect(heap: &mut impl Collector) -> (f64, Option<isize>) {
    let before = malloc::in_use();
    let start = Stopwatch::start();
    heap.collect();
    let time = start.elapsed();
    let freed = before.zip(malloc::in_use()).map(|(before, after)| before as isize - after as isize);
    (per_object(time, 1), freed)
}

pub(super) fn nothing_dies<C: Collector>(graph: &Graph) -> f64 {
    let mut heap = C::build(graph);
    let (untimed, timed) = match C::EXAMINES {
        Examines::All => (1, 2),
        Examines::Candidates => (0, 1),
    };
    (0..untimed).for_each(|_| heap.collect());
    let mut total = 0.0;
    let mut freed = None;
    for _ in 0..timed {
        let (time, bytes) = collect(&mut heap);
        total += time;
        freed = bytes.filter(|_| C::EXAMINES == Examines::All);
    }
    Expected { lives: &|_| true, n: graph.len() }.check(&heap, freed.map(isize::abs));
    probe::work_is_done();
    total / (timed * graph.len()) as f64
}

pub(super) fn half_dies<C: Collector>(graph: &Graph) -> f64 {
    let mut heap = C::build(graph);
    heap.collect();
    heap.drop_other_roots();
    let (time, freed) = collect(&mut heap);
    Expected { lives: &|id| graph.first[id], n: graph.len() }.check(&heap, freed);
    probe::work_is_done();
    time / graph.len() as f64
}

const SHAPES: [(Shape, &str, &str); 5] = [
    (Shape::Random, "collect/graph", "nothing dies: random graph, 4 edges each"),
    (
        Shape::TreeByLevel,
        "collect/tree4",
        "nothing dies: tree of 4 children a node, allocated level by level",
    ),
    (Shape::TreeByBranch, "collect/tree2", "nothing dies: binary tree, allocated by a recursive function"),
    (Shape::List, "collect/list", "nothing dies: singly linked list in allocation order"),
    (
        Shape::Halves,
        "collect/half",
        "a random half dies: two random graphs mixed in memory, one root dropped",
    ),
];

const COLLECTING_PEERS: [&str; 6] = ["gc-arena", "safe-gc", "boa_gc", "gc", "dumpster", "rust-cc"];

pub(super) fn works(inputs: &Rc<Inputs>) -> Vec<Work> {
    SHAPES
        .iter()
        .map(|(shape, name, about)| with_targets(work(inputs, *shape, name, about), *shape))
        .collect()
}

fn work(inputs: &Rc<Inputs>, shape: Shape, name: &str, about: &str) -> Work {
    macro_rules! collect {
        ($peer:ty) => {{
            let inputs = Rc::clone(inputs);
            move || match shape {
                Shape::Halves => half_dies::<$peer>(inputs.graph(shape)),
                _ => nothing_dies::<$peer>(inputs.graph(shape)),
            }
        }};
    }
    let mut work = Work::new(name, format!("full collection, {about}; {} objects", inputs.objects))
        .case("slotgc", collect!(Rooted<SlotGc>))
        .case("gc-arena", collect!(GcArena))
        .case("safe-gc", collect!(Rooted<SafeGc>))
        .case("boa_gc", collect!(Rooted<BoaGc>))
        .case("gc", collect!(Rooted<RustGc>))
        .case("dumpster", collect!(Rooted<Dumpster>))
        .case("rust-cc", collect!(Rooted<RustCc>))
        .case("limit:stack", collect!(StackMark))
        .case("limit:two-stage", collect!(TwoStageMark))
        .case("limit:two-stage-4k", collect!(TwoStageSmallPages))
        .absent(&["slotmap", "thunderdome"], "do not collect")
        .absent(&["rc"], "does not find cycles, so that there is no collection to time")
        .note(
            &["dumpster", "rust-cc"],
            "count references and look only at objects that lost one: here all, or those of the half that dies",
        );
    work.on_overflow = if shape == Shape::List { OnOverflow::LeaveOut } else { OnOverflow::Note };
    work
}

fn with_targets(work: Work, shape: Shape) -> Work {
    match shape {
        Shape::Random => work.target("gc-arena", 0.1).target("limit:two-stage", 1.25),
        Shape::Halves => work.target("gc-arena", 1.0 / 3.0),
        _ => COLLECTING_PEERS.iter().fold(work, |work, peer| work.target(peer, 1.0)),
    }
}
