//! A full cycle in steps of 1 ms against one full collection: the cost of being interrupted.
//!
//! The time is the thread's, the budget is wall-clock time: where another process takes the core, a step does
//! less and there are more of them. Nothing happens between two steps, so both find the caches in the same
//! state.

use std::rc::Rc;
use std::time::Duration;

use slotgc::{Budget, CollectStats, Gc};
use slotgc_graphs::{Graph, NONE};

use crate::clock::Stopwatch;
use crate::needs::Handles;
use crate::needs::collect::Linked;
use crate::peers::slotgc::{Node, SlotGc};
use crate::shape::{Inputs, Shape};
use crate::work::{Bound, Work, per_object};

const BUDGET: Budget = Budget::Time(Duration::from_millis(1));

/// How a cycle is run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Going {
    InSteps,
    AtOnce,
}

fn cycle(graph: &Graph, going: Going) -> f64 {
    let n = graph.len();
    let mut heap = SlotGc::new(n);
    let nodes: Vec<Gc<Node>> = (0..n as u64).map(|id| heap.alloc(id)).collect();
    for (from, edges) in nodes.iter().zip(&graph.edges) {
        heap.link(from, edges.map(|edge| (edge != NONE).then(|| &nodes[edge as usize])));
    }
    let mut roots: Vec<_> = graph.roots.iter().map(|root| nodes[*root as usize]).collect();
    heap.heap_mut().collect_with(&roots);
    roots.truncate(1);

    let expected = graph.first.iter().filter(|first| **first).count();
    let (mut time, mut stats) = (Duration::ZERO, None);
    while stats.is_none() {
        let start = Stopwatch::start();
        stats = match going {
            Going::InSteps => heap.heap_mut().step_with(BUDGET, &roots).finished,
            Going::AtOnce => Some(heap.heap_mut().collect_with(&roots)),
        };
        time += start.elapsed();
    }
    let CollectStats { marked, kept, freed, .. } = stats.expect("the loop ends with it");
    assert_eq!((marked, kept, freed), (expected, expected, n - expected), "what lives");
    per_object(time, n)
}

pub(super) fn works(inputs: &Rc<Inputs>) -> Vec<Work> {
    let work = |name, shape, what| {
        let run = |going| {
            let inputs = Rc::clone(inputs);
            move || cycle(inputs.graph(shape), going)
        };
        Work::new(name, format!("full cycle in steps of 1 ms, {what}; {} objects", inputs.objects))
            .case("slotgc", run(Going::InSteps))
            .case("slotgc:collect", run(Going::AtOnce))
            .target_of("slotgc", "slotgc:collect", Bound::AtMost(2.0))
            .note(&["slotgc:collect"], "the same in one go")
    };
    vec![
        work("cycle/graph", Shape::Random, "nothing dies: random graph"),
        work("cycle/tree4", Shape::TreeByLevel, "nothing dies: tree of 4 children a node"),
        work("cycle/half", Shape::Halves, "a random half dies"),
    ]
}
