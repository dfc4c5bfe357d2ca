//! A generic type used with an argument that does not meet the derive's bounds.

use std::rc::Rc;

use slotgc::{Heap, Trace};

struct Foreign;

#[derive(Trace)]
struct Held<T>(T);

#[derive(Trace)]
struct Skipped<T>(#[trace(skip)] T);

fn main() {
    let mut heap = Heap::new();
    heap.alloc(Held(Foreign));
    heap.alloc(Skipped(Foreign)); // compiles
    heap.alloc(Skipped(Rc::new(1)));
}
