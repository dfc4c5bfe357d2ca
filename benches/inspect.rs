//! What does it cost to ask why an object is alive?
//!
//! The graph is random, four edges an object, one root. `collect` is a full collection of the same heap in
//! the same run, as the baseline. `farthest` looks for the object with the longest shortest path.
//! `dominators` is what a snapshot computes when it is first asked what an object retains, retained sizes
//! included. `write` writes a file to memory; its throughput is in bytes. `crates/inspect/examples/costs.rs`
//! prints the same as a table of ratios, with petgraph for comparison.
//!
//! Do not conclude: that the heap of a game takes as long (it has more structure, and what it used just now
//! is in the cache); that a path costs what `farthest` does where objects have labels that take time to
//! print.

use std::time::Duration;

use slotgc::inspect::Snapshot;
use slotgc::{Gc, Heap, Root};
use slotgc_graphs::Graph;

use crate::heaps::{Node, build};
use crate::{Question, timed};

type Object = Node<3>;

struct World {
    heap: Heap,
    root: Root<Object>,
    farthest: Gc<Object>,
    distance: usize,
}

impl World {
    fn new(n: usize) -> Self {
        let mut heap = Heap::new();
        let nodes = build::<3>(&Graph::random(n), &mut heap);
        let root = heap.root(nodes[0]).expect("a living object");
        let snapshot = heap.snapshot();
        let distance = |gc: &Gc<Object>| snapshot.get(*gc).and_then(|node| node.distance());
        let farthest = *nodes.iter().max_by_key(|gc| distance(gc)).expect("at least one object");
        let distance = distance(&farthest).expect("everything is reached");
        Self { heap, root, farthest, distance }
    }
}

pub(crate) fn ask(question: &mut Question<'_>) {
    let n = question.objects;
    question.case(
        "collect",
        n,
        || World::new(n),
        |world| {
            let (time, stats) = timed(|| world.heap.collect());
            assert_eq!(stats.marked, n);
            time
        },
    );
    question.case(
        "farthest",
        n,
        || World::new(n),
        |world| {
            let (time, path) = timed(|| world.heap.why_alive(world.farthest));
            assert_eq!(path.expect("it is reached").len(), world.distance + 1);
            time
        },
    );
    question.case(
        "snapshot",
        n,
        || World::new(n),
        |world| {
            let (time, snapshot) = timed(|| world.heap.snapshot());
            assert_eq!(snapshot.len(), n);
            time
        },
    );
    question.case(
        "dominators",
        n,
        || World::new(n),
        |world| {
            let snapshot = world.heap.snapshot();
            let root = snapshot.get(world.root.gc()).expect("it is alive");
            let (time, retained) = timed(|| root.retained_len());
            assert_eq!(retained, n);
            time
        },
    );
    let file_bytes = write(&World::new(n).heap.snapshot()).1;
    question.case(
        "write",
        file_bytes,
        || World::new(n).heap.snapshot(),
        |snapshot| {
            // Unreachable objects are found once.
            snapshot.unreachable().count();
            let (time, bytes) = write(snapshot);
            assert_eq!(bytes, file_bytes);
            time
        },
    );
}

fn write(snapshot: &Snapshot) -> (Duration, usize) {
    let mut file = Vec::with_capacity(snapshot.len() * 200);
    let (time, result) = timed(|| snapshot.write_heapsnapshot(&mut file));
    result.expect("writing to memory does not fail");
    (time, file.len())
}
