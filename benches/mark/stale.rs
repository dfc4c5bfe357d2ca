//! One stale edge in a random graph, whose slot has a new tenant: the collection notices and marks again,
//! comparing the generation at each edge.
//!
//! The edge is in the middle object, so the time includes the wasted part of the first attempt. In
//! `stale_edge_known` the last collection met the edge too, and there is no first attempt.

use std::time::Duration;

use slotgc::{Gc, Heap, Root};
use slotgc_graphs::Graph;

use crate::Question;
use crate::heaps::{Node, build};

pub(crate) fn ask(question: &mut Question<'_>) {
    let n = question.objects;
    question.case(
        "stale_edge",
        n,
        || Haunted::build(n),
        |haunted| {
            let time = haunted.mark(n);
            haunted.forget(n);
            time
        },
    );
    question.case("stale_edge_known", n, || Haunted::build(n), |haunted| haunted.mark(n));
}

/// Objects that die before the first round.
const DEAD: usize = 10_000;

/// A random graph, and a handle of an object that is gone.
struct Haunted {
    heap: Heap,
    _root: Root<Node>,
    middle: Gc<Node>,
    stale: Gc<Node>,
}

impl Haunted {
    fn build(n: usize) -> Self {
        let mut heap = Heap::new();
        let nodes = build(&Graph::random(n), &mut heap);
        let root = heap.root(nodes[0]).expect("a living object");
        // One of many, so that their pages become empty and are reused first.
        let dead: Vec<_> = (0..DEAD).map(|_| heap.alloc(Node::new(0))).collect();
        let stale = dead[DEAD / 2];
        assert_eq!(heap.collect().freed, DEAD);
        Self { heap, _root: root, middle: nodes[n / 2], stale }
    }

    /// Stores the handle where no other edge is, and collects.
    fn mark(&mut self, n: usize) -> Duration {
        // Which free slot comes next is the heap's business.
        let mut tenants = 1;
        while slot(self.heap.alloc(Node::new(0))) != slot(self.stale) {
            tenants += 1;
            assert!(tenants <= 2 * DEAD, "the slot gets a new tenant");
        }
        self.heap[self.middle].edges[3] = Some(self.stale);
        let stats = self.heap.collect();
        assert_eq!((stats.marked, stats.freed), (n, tenants), "the edge does not keep the tenant alive");
        stats.mark_time
    }

    /// Removes the handle; the next collection does not expect a stale edge.
    fn forget(&mut self, n: usize) {
        self.heap[self.middle].edges[3] = None;
        assert_eq!(self.heap.collect().marked, n);
    }
}

fn slot(gc: Gc<Node>) -> String {
    gc.to_string().split('v').next().map(str::to_owned).expect("a slot and a generation")
}
