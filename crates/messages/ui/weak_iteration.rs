//! During iteration over a weak collection, nothing is inserted and nothing is collected.

use slotgc::{Heap, WeakKeyMap};

fn main() {
    let mut heap = Heap::new();
    let key = heap.alloc(1);
    let map = heap.alloc_root(WeakKeyMap::<i32, u32>::new());
    for _ in heap[&map].iter() {
        heap[&map].insert(key, 2);
    }
    for _ in heap[&map].iter() {
        heap.collect();
    }
}
