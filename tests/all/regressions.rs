//! Bugs that were found; each test keeps one from coming back.

use slotgc::{Gc, Heap};

use crate::objects::Node;

/// Exact marking kept the stack of the fast pass, so roots were pushed onto a stack that was not used, and
/// what they reach was freed.
#[test]
fn exact_marking_follows_what_the_roots_reach() {
    let mut heap = Heap::new();
    let kid = heap.alloc(Node::leaf(1));
    let other = heap.alloc(Node::leaf(2));
    // Another generation of a slot that has a tenant, as in a stale edge. It comes before the real edge, and
    // nothing else reaches the tenant, so marking meets the tenant through the stale edge first.
    let stale: Gc<Node> = Gc::from_bits(other.to_bits() + 2);
    let root = heap.alloc_root(Node::with([kid, stale, other]));
    for _ in 0..3 {
        assert_eq!((heap.collect().marked, heap.is_alive(kid), heap.is_alive(&root)), (3, true, true));
    }
}
