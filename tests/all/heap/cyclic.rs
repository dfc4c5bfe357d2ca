//! `alloc_cyclic`: an object that knows its own handle while it is constructed.

use std::sync::Arc;

use slotgc::{AnyGc, Gc, Heap, HeapConfig, Trace, Tracer, Weak};

use crate::objects::{Log, Node, Noisy, panic_text, traced};

struct Own {
    me: Gc<Own>,
    weak: Weak<Own>,
    kid: Option<Gc<Kid>>,
}

struct Kid {
    parent: Gc<Own>,
}

traced!(Own { me, kid });
traced!(Kid { parent });

#[test]
fn the_handle_resolves_to_nothing_until_make_has_returned() {
    // weak-cases 5
    let mut heap = Heap::new();
    let own = heap.alloc_cyclic(|heap, me: Gc<Own>| {
        let weak = me.downgrade();
        assert!(heap.get(me).is_none() && heap.get_mut(weak).is_none() && heap.try_get(me).is_err());
        assert!(!heap.is_alive(me) && !heap.is_alive_any(me.erase()));
        assert!(heap.upgrade(weak).is_none() && heap.root(me).is_none());
        assert!(heap.downcast::<Own>(me.erase()).is_none());
        assert!(heap.destroy(me).is_none() && !heap.destroy_any(me.erase()));
        assert!(heap.split_mut(me).is_none() && heap.get_disjoint_mut([me]).is_none());
        assert!(heap.iter::<Own>().next().is_none() && heap.iter_mut::<Own>().next().is_none());
        assert_eq!((heap.len(), heap.len_of::<Own>(), heap.allocated()), (0, 0, 0));
        Own { me, weak, kid: None }
    });
    assert_eq!(heap[own].me, own);
    assert_eq!(heap.upgrade(heap[own].weak), Some(own));
    assert_eq!(heap.iter::<Own>().map(|(gc, _)| gc).collect::<Vec<_>>(), [own]);
    assert_eq!((heap.len(), heap.len_of::<Own>(), heap.allocated()), (1, 1, 1));
}

#[test]
fn objects_made_inside_make_share_the_handle() {
    let mut heap = Heap::new();
    let own = heap.alloc_cyclic(|heap, me: Gc<Own>| {
        let kid = heap.alloc(Kid { parent: me });
        assert_eq!(heap[kid].parent, me);
        Own { me, weak: me.downgrade(), kid: Some(kid) }
    });
    let root = heap.root(own).unwrap();
    assert_eq!(heap.collect().freed, 0);
    assert_eq!(heap[heap[own].kid.unwrap()].parent, own);
    drop(root);
    assert_eq!(heap.collect().freed, 2);
}

#[test]
fn a_collection_inside_make_counts_the_object_as_live() {
    let mut heap = Heap::new();
    let root = heap.alloc_root(Node::leaf(1));
    let node = heap.alloc_cyclic(|heap, me: Gc<Node>| {
        let garbage = heap.alloc(Node::with([me]));
        // A living object refers to the one that does not exist yet.
        heap[&root].edges.push(me);
        for _ in 0..3 {
            heap.collect();
            heap.shrink_to_fit();
            let others: Vec<_> = (0..3000).map(|_| heap.alloc(Node::leaf(2))).collect();
            assert!(!others.contains(&me), "the slot is taken");
        }
        assert!(!heap.is_alive(garbage));
        Node { value: 7, edges: vec![me] }
    });
    assert_eq!(heap[node].value, 7);
    heap.collect();
    assert_eq!((heap.len(), heap[heap[&root].edges[0]].value), (2, 7));
}

#[test]
fn what_make_holds_unrooted_is_garbage_to_a_collection_inside() {
    let mut heap = Heap::new();
    let node = heap.alloc_cyclic(|heap, _: Gc<Node>| {
        let lost = heap.alloc(Node::leaf(1));
        let kept = heap.alloc(Node::leaf(2));
        let root = heap.root(kept).unwrap();
        heap.collect();
        assert!(!heap.is_alive(lost) && heap.is_alive(&root));
        Node::with([lost, kept])
    });
    assert_eq!(heap[node].edges.iter().filter(|gc| heap.is_alive(**gc)).count(), 1);
}

#[test]
fn makes_may_be_nested() {
    let mut heap = Heap::new();
    let outer = heap.alloc_cyclic(|heap, outer: Gc<Node>| {
        let inner = heap.alloc_cyclic(|heap, inner: Gc<Node>| {
            assert_ne!(inner, outer);
            heap.collect();
            assert!(!heap.is_alive(outer) && !heap.is_alive(inner));
            Node { value: 1, edges: vec![inner, outer] }
        });
        assert!(heap.is_alive(inner) && !heap.is_alive(outer));
        Node { value: 2, edges: vec![inner] }
    });
    let inner = heap[outer].edges[0];
    assert_eq!((heap[outer].value, heap[inner].value), (2, 1));
    assert_eq!(heap[inner].edges, [inner, outer]);
}

#[test]
fn a_panic_in_make_loses_the_handle_for_ever() {
    let log = Log::default();
    let mut heap = Heap::new();
    let mut lost: Vec<Gc<Noisy>> = Vec::new();
    for number in 0..2000 {
        let text = panic_text(|| {
            heap.alloc_cyclic(|heap, me: Gc<Noisy>| {
                lost.push(me);
                heap.alloc(Noisy::new(number, &log));
                panic!("make")
            })
        });
        assert_eq!(text, "make");
        assert_eq!((heap.len(), heap.allocated()), (number as usize + 1, u64::from(number) + 1));
    }
    for _ in 0..3 {
        assert!(lost.iter().all(|gc| !heap.is_alive(gc) && !heap.is_alive_any(gc.erase())));
        heap.collect();
        for number in 0..2500 {
            heap.alloc(Noisy::new(number, &log));
        }
    }
    assert!(lost.iter().all(|gc| heap.get(gc).is_none()));
    assert_eq!(lost.iter().collect::<std::collections::HashSet<_>>().len(), lost.len());
    drop(heap);
    assert_eq!(log.take().len(), 2000 + 3 * 2500);
}

#[test]
fn a_panic_in_an_inner_make_leaves_the_outer_one_alone() {
    let mut heap = Heap::new();
    let outer = heap.alloc_cyclic(|heap, outer: Gc<Node>| {
        let mut inner = Gc::default();
        panic_text(|| {
            heap.alloc_cyclic(|heap, me: Gc<Node>| {
                inner = me;
                heap.collect();
                panic!()
            })
        });
        heap.collect();
        let other = heap.alloc(Node::leaf(3));
        assert_ne!(other, outer);
        Node::with([inner, outer, other])
    });
    let alive: Vec<_> = heap[outer].edges.iter().map(|gc| heap.is_alive(gc)).collect();
    assert_eq!(alive, [false, true, true]);
}

#[test]
fn a_panic_in_a_collection_inside_make_is_like_any_other() {
    struct Panics;
    impl Trace for Panics {
        fn trace(&self, _: &mut Tracer<'_>) {
            panic!("trace");
        }
    }
    let mut heap = Heap::new();
    let root = heap.alloc_root(Panics);
    let mut handle = AnyGc::default();
    let text = panic_text(|| {
        heap.alloc_cyclic(|heap, me: Gc<Node>| {
            handle = me.erase();
            heap.collect();
            Node::leaf(1)
        })
    });
    assert_eq!(text, "trace");
    drop(root);
    let next = heap.alloc(Node::leaf(2));
    assert_ne!(next.erase(), handle);
    assert_eq!((heap.collect().freed, heap.len()), (2, 0));
}

#[test]
fn a_limit_holds_while_an_object_is_being_made() {
    let mut heap = Heap::with_config(HeapConfig::default().max_objects(2));
    heap.alloc_cyclic(|heap, me: Gc<Node>| {
        heap.alloc(1_u8);
        assert!(heap.try_alloc(2_u8).is_err(), "the last place is reserved for the object being made");
        Node::with([me])
    });
    assert_eq!(heap.len(), 2);
    assert!(panic_text(|| heap.alloc_cyclic(|_, _: Gc<Node>| Node::leaf(1))).contains("max_objects of 2"));

    let mut heap = Heap::with_config(HeapConfig::default().max_bytes(2048));
    heap.alloc_cyclic(|heap, _: Gc<[u8; 1500]>| {
        assert!(heap.try_alloc([0_u8; 1500]).is_err());
        [1; 1500]
    });
    assert_eq!(heap.len(), 1);
}

#[test]
fn a_limit_met_before_make_does_not_call_it() {
    let mut heap = Heap::with_config(HeapConfig::default().max_objects(0));
    let called = Arc::new(());
    let witness = Arc::clone(&called);
    panic_text(|| {
        heap.alloc_cyclic(move |_, _: Gc<u8>| {
            std::mem::forget(witness);
            0
        })
    });
    assert_eq!(Arc::strong_count(&called), 1);
}
