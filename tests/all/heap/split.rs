//! `split_mut`: mutable access to one object, beside access to all the others.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use slotgc::{Budget, Gc, Heap, Trace, Tracer, Weak};

use crate::objects::{Node, panic_text};

#[test]
fn the_others_can_be_read_and_changed_beside_the_one_in_hand() {
    let mut heap = Heap::new();
    let (a, b) = (heap.alloc(Node::leaf(1)), heap.alloc(Node::leaf(2)));
    let text = heap.alloc("three".to_string());
    let root = heap.root(b).unwrap();
    let (node, mut rest) = heap.split_mut(a).unwrap();
    node.value += rest[b].value;
    rest[b].value += 10;
    rest[&root].value += 10;
    rest[b.downgrade()].value += 10;
    rest[&b].value += 10;
    rest[&b.downgrade()].value += 10;
    rest.get_mut(text).unwrap().push('!');
    node.value += rest.get(&root).unwrap().value + rest[&root].value + rest[b.downgrade()].value;
    assert_eq!(rest[text], "three!");
    assert_eq!(heap[a].value, 1 + 2 + 3 * 52);
    assert_eq!(heap[b].value, 52);
}

#[test]
fn the_one_in_hand_is_alive_and_out_of_reach() {
    let mut heap = Heap::new();
    let gc = heap.alloc(Node::leaf(1));
    let root = heap.root(gc).unwrap();
    let weak = gc.downgrade();
    let (node, mut rest) = heap.split_mut(gc).unwrap();
    assert!(rest.is_alive(gc) && rest.is_alive(weak) && rest.is_alive(&root));
    assert_eq!(rest.upgrade(weak), Some(gc));
    assert!(rest.get(gc).is_none() && rest.get(&root).is_none() && rest.get(weak).is_none());
    assert!(rest.get_mut(gc).is_none() && rest.get_mut(&root).is_none() && rest.get_mut(weak).is_none());
    let texts = [
        panic_text(|| rest[gc].value),
        panic_text(|| rest[&gc].value),
        panic_text(|| rest[weak].value),
        panic_text(|| rest[&weak].value),
        panic_text(|| rest[&root].value),
        panic_text(|| rest[gc].value = 2),
        panic_text(|| rest[&gc].value = 2),
        panic_text(|| rest[weak].value = 2),
        panic_text(|| rest[&weak].value = 2),
        panic_text(|| rest[&root].value = 2),
    ];
    for text in texts {
        assert!(text.contains("split off") && text.contains(&format!("{gc:?}")), "{text}");
    }
    node.value += 1;
    assert_eq!(heap[gc].value, 2);
}

#[test]
fn a_dead_other_panics_with_the_usual_text() {
    let mut heap = Heap::new();
    let (gc, dead) = (heap.alloc(1_u8), heap.alloc("gone".to_string()));
    heap.destroy(dead);
    let (_, mut rest) = heap.split_mut(gc).unwrap();
    assert!(!rest.is_alive(dead));
    assert_eq!(rest.upgrade(dead.downgrade()), None);
    assert!(rest.get(dead).is_none() && rest.get_mut(dead).is_none());
    let expected = format!("weakly-referenced object no longer exists: String({dead})");
    let when = if cfg!(gc_zeal) { "; it was destroyed after 0 collections" } else { "" };
    assert_eq!(panic_text(|| rest[dead.downgrade()].len()), format!("{expected}{when}"));
    assert_eq!(panic_text(|| rest[dead.downgrade()].push('x')), format!("{expected}{when}"));
    let strong = panic_text(|| rest[dead].len());
    assert!(
        strong.starts_with(&format!("{expected} (it was destroyed, or nothing kept it alive")),
        "{strong}"
    );
}

#[test]
fn a_dead_handle_splits_nothing() {
    let mut heap = Heap::new();
    let gc = heap.alloc(1);
    heap.destroy(gc);
    assert!(heap.split_mut(gc).is_none());
    assert!(heap.split_mut(Weak::<i32>::dangling()).is_none());
}

#[test]
fn objects_can_be_allocated_while_one_is_in_hand() {
    let mut heap = Heap::new();
    let parent = heap.alloc_root(Node::leaf(0));
    {
        let (node, mut rest) = heap.split_mut(&parent).unwrap();
        for value in 0..10_000 {
            // Meanwhile pages are opened, of this type and of another.
            let made = rest.alloc(Node::leaf(value));
            rest.alloc([value; 64]);
            node.edges.push(made);
        }
        node.value = 7;
        assert_eq!(rest[node.edges[9999]].value, 9999);
    }
    assert_eq!(heap.collect().freed, 10_000);
    assert_eq!(heap[&parent].value, 7);
    let values = heap[&parent].edges.iter().map(|gc| heap[gc].value);
    assert!(values.eq(0..10_000));
}

#[test]
fn a_list_can_drop_its_dead_without_a_copy() {
    let mut heap = Heap::new();
    let listeners: Vec<Gc<Node>> = (0..10).map(|value| heap.alloc(Node::leaf(value))).collect();
    let owner = heap.alloc(Node::with(listeners.clone()));
    for gc in listeners.iter().step_by(2) {
        heap.destroy(gc);
    }
    let (node, rest) = heap.split_mut(owner).unwrap();
    node.edges.retain(|listener| rest.is_alive(listener));
    assert_eq!(heap[owner].edges, [1, 3, 5, 7, 9].map(|index| listeners[index]));
}

#[test]
fn a_value_in_hand_can_be_exchanged_with_another() {
    let mut heap = Heap::new();
    let (a, b) = (heap.alloc("a".to_string()), heap.alloc("b".to_string()));
    let (value, mut rest) = heap.split_mut(a).unwrap();
    std::mem::swap(value, &mut rest[b]);
    assert_eq!((heap[a].as_str(), heap[b].as_str()), ("b", "a"));
}

/// Counts how often it is traced.
struct Counted {
    traced: Arc<AtomicUsize>,
    edges: Vec<Gc<Node>>,
}

impl Trace for Counted {
    fn trace(&self, tracer: &mut Tracer<'_>) {
        self.traced.fetch_add(1, Ordering::Relaxed);
        tracer.edges(self.edges.iter().copied());
    }
}

#[test]
fn allocating_beside_the_object_in_hand_does_not_trace_it() {
    // Zeal mode marks a bit in each `alloc` of a heap whose cycle is marking.
    let traced = Arc::new(AtomicUsize::new(0));
    let mut heap = Heap::new();
    let objects: Vec<_> =
        (0..100).map(|_| heap.alloc_root(Counted { traced: Arc::clone(&traced), edges: vec![] })).collect();
    heap.step(Budget::Objects(1));
    for object in &objects {
        let before = traced.load(Ordering::Relaxed);
        let (counted, mut rest) = heap.split_mut(object).unwrap();
        for value in 0..20 {
            counted.edges.push(rest.alloc(Node::leaf(value)));
        }
        assert_eq!(traced.load(Ordering::Relaxed), before, "an object that is split off is not traced");
    }
    heap.collect();
    assert_eq!(heap.len(), 100 * 21);
}
