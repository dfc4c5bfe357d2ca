//! A chain of ephemerons in a user-defined table: each value is the next one's key, the first key is rooted.
//!
//! `forward` meets each key after it was reached; `reverse` meets them all before, so that all entries wait
//! for their keys and are released one by one. A collector that scans the table until nothing changes takes
//! as many rounds as there are entries.

use slotgc::{Gc, Heap, Root, Trace, Tracer, Weak};

use crate::Question;
use crate::heaps::Node;
use crate::mark::mark;

pub(crate) fn ask(question: &mut Question<'_>) {
    let n = question.objects;
    question.case("ephemerons_forward", n, || Chain::build(n, false), |chain| mark(&mut chain.heap, n + 1));
    question.case("ephemerons_reverse", n, || Chain::build(n, true), |chain| mark(&mut chain.heap, n + 1));
}

struct Chain {
    heap: Heap,
    _first: Root<Node>,
    _table: Root<Table>,
}

struct Table(Vec<(Weak<Node>, Gc<Node>)>);

impl Trace for Table {
    fn trace(&self, tracer: &mut Tracer<'_>) {
        for (key, value) in &self.0 {
            tracer.ephemeron(*key, value);
        }
    }
}

impl Chain {
    fn build(n: usize, in_reverse: bool) -> Self {
        let mut heap = Heap::new();
        let nodes: Vec<Gc<Node>> = (0..n as u64).map(|id| heap.alloc(Node::new(id))).collect();
        let first = heap.root(nodes[0]).expect("a living object");
        let mut entries: Vec<_> = nodes.windows(2).map(|pair| (pair[0].downgrade(), pair[1])).collect();
        if in_reverse {
            entries.reverse();
        }
        let table = heap.alloc_root(Table(entries));
        Self { heap, _first: first, _table: table }
    }
}
