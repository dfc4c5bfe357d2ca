//! A static library without std: its own allocator and panic handler would clash with std's. It uses a little
//! of everything, so that all of it must link.
#![no_std]

extern crate alloc;

use alloc::string::String;
use alloc::vec::Vec;
use core::alloc::{GlobalAlloc, Layout};

use slotgc::{DeathQueue, Gc, Heap, Trace, WeakKeyMap, WeakValueMap};

/// Hands out nothing: the library is linked, not run.
struct NoMemory;

// SAFETY: no memory is ever handed out, which an allocator may always do.
unsafe impl GlobalAlloc for NoMemory {
    unsafe fn alloc(&self, _: Layout) -> *mut u8 {
        core::ptr::null_mut()
    }

    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}
}

#[global_allocator]
static MEMORY: NoMemory = NoMemory;

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

#[derive(Trace)]
struct Node {
    name: String,
    next: Vec<Gc<Node>>,
}

/// A cycle, a cache, an ephemeron table and a queue.
#[unsafe(no_mangle)]
pub extern "C" fn slotgc_nostd() -> usize {
    let mut heap = Heap::new();
    let root = heap.alloc_root(Node { name: String::new(), next: Vec::new() });
    let gc = root.gc();
    heap[&root].next.push(gc);
    let cache = heap.alloc_root(WeakValueMap::<u32, Node>::new());
    heap[&cache].insert(1, &root);
    let notes = heap.alloc_root(WeakKeyMap::<Node, Gc<Node>>::new());
    heap[&notes].insert(&root, gc);
    let dead = DeathQueue::new();
    let _ = dead.watch(&mut heap, &root, ());
    drop(root);
    heap.collect();
    heap[&cache].len() + heap[&notes].len() + dead.len() + heap.get(gc).map_or(0, |node| node.name.len())
}
