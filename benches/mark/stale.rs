//! One stale edge in a random graph, whose slot has a new tenant: the collection sees it and marks again, with
//! the generation compared at each edge.
//!
//! The edge is in the object in the middle, so that a part of the first attempt, which is in vain, is in the time.
//! In `stale_edge_known` the last collection met it too, and there is no first attempt.

use std::time::Duration;

use slotgc::{Gc, Heap, Root};

use crate::Question;
use crate::heaps::{Graph, Node};

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
        let nodes = Graph::random(n).build(&mut heap);
        let root = heap.root(nodes[0]).expect("a living object");
        let stale = heap.alloc(Node::new(0));
        assert_eq!(heap.collect().freed, 1);
        Self { heap, _root: root, middle: nodes[n / 2], stale }
    }

    /// Stores the handle where nothing else hangs, and collects.
    fn mark(&mut self, n: usize) -> Duration {
        let tenant = self.heap.alloc(Node::new(0));
        assert_eq!(slot(tenant), slot(self.stale), "the slot has a new tenant");
        self.heap[self.middle].edges[3] = Some(self.stale);
        let stats = self.heap.collect();
        assert_eq!((stats.marked, stats.freed), (n, 1), "the edge does not keep the tenant alive");
        stats.mark_time
    }

    /// Takes the handle away; the next collection does not expect another.
    fn forget(&mut self, n: usize) {
        self.heap[self.middle].edges[3] = None;
        assert_eq!(self.heap.collect().marked, n);
    }
}

fn slot(gc: Gc<Node>) -> String {
    gc.to_string().split('v').next().map(str::to_owned).expect("a slot and a generation")
}
