//! Types without `Trace` outside of a derive: in a handwritten impl, as an object, in a generic type.

use std::cell::{Cell, RefCell};

use slotgc::{Gc, Heap, Root, Trace, Tracer};

struct Mob {
    target: Root<Mob>,
    seen: RefCell<Vec<Gc<Mob>>>,
}

impl Trace for Mob {
    fn trace(&self, tracer: &mut Tracer<'_>) {
        self.target.trace(tracer);
        Trace::trace(&self.seen, tracer);
    }
}

#[derive(Trace)]
struct Slot<T> {
    value: Cell<T>,
}

type Counter = Cell<u32>;

#[derive(Trace)]
struct Counted {
    count: Counter,
}

fn main() {
    let mut heap = Heap::new();
    let root = heap.alloc_root(String::new());
    heap.alloc(Cell::new(1));
    heap.alloc(root);
}
