//! How long does it take to reach an object whose handle is at hand?
//!
//! One word of each object is read and added up. `vec_index` is the floor: no generation, no type, a bounds
//! check. `slotmap_get` is the closest comparison. `random` goes through all objects in random order,
//! `in_order` in the order in which they were allocated.
//!
//! Do not conclude: that one access takes this long (the processor overlaps a dozen of them, because no
//! handle here is read from the object before it; following a chain costs a full cache miss per link); that a
//! vector of objects without huge pages is a floor for a heap that has them: where the objects do not fit in
//! the cache, `get_random` may well be faster. `get_mut` and `get_disjoint_mut` write to the objects they
//! reach, so they also pay for writing back to memory.

use std::hint::black_box;
use std::time::Duration;

use slotgc::{Gc, Handle, Heap, Root, Weak};
use slotgc_graphs::Random;
use slotmap::{DefaultKey, SlotMap};

use crate::heaps::{Node, sum_below};
use crate::{Question, timed};

pub(crate) fn ask(question: &mut Question<'_>) {
    let n = question.objects;
    let order = Random::new(4).order(n);
    let in_order: Vec<u32> = (0..n as u32).collect();
    for (name, order) in [("random", &order), ("in_order", &in_order)] {
        question.case(
            &format!("vec_index_{name}"),
            n,
            || vec(order),
            |(nodes, indices)| sum(indices, |index| nodes[*index].id),
        );
        question.case(
            &format!("slotmap_get_{name}"),
            n,
            || slot_map(order),
            |(map, keys)| sum(keys, |key| map.get(*key).map_or(0, |node| node.id)),
        );
        question.case(&format!("get_{name}"), n, || heap(order), |(heap, handles)| get_all(heap, handles));
    }
    let weak = || {
        let (heap, handles) = heap(&order);
        (heap, handles.iter().map(|gc| gc.downgrade()).collect::<Vec<Weak<Node>>>())
    };
    question.case("get_weak_random", n, weak, |(heap, handles)| get_all(heap, handles));
    let roots = || {
        let (heap, handles) = heap(&order);
        let roots = handles.iter().map(|gc| heap.root(gc).expect("a living object"));
        (roots.collect::<Vec<Root<Node>>>(), heap)
    };
    question.case("get_root_random", n, roots, |(roots, heap)| {
        sum(roots, |root| heap.get(root).map_or(0, |node| node.id))
    });
    question.case(
        "get_mut_random",
        n,
        || (heap(&order), 0),
        |((heap, handles), round)| {
            *round += 1;
            get_mut_all(heap, handles, *round)
        },
    );
    question.case(
        "get_disjoint_mut_random",
        n,
        || (heap(&order), 0),
        |((heap, handles), round)| {
            *round += 1;
            get_pairs(heap, handles, *round)
        },
    );
    question.case("vec_iter", n, || vec(&in_order), |(nodes, _)| sum(nodes, |node| node.id));
    question.case(
        "iter",
        n,
        || heap(&in_order),
        |(heap, _)| {
            let (time, ids) =
                timed(|| black_box(&*heap).iter::<Node>().map(|(_, node)| node.id).sum::<u64>());
            assert_eq!(ids, sum_below(heap.len()));
            time
        },
    );
}

fn vec(order: &[u32]) -> (Vec<Node>, Vec<usize>) {
    let nodes = (0..order.len() as u64).map(Node::new).collect();
    (nodes, order.iter().map(|index| *index as usize).collect())
}

fn slot_map(order: &[u32]) -> (SlotMap<DefaultKey, Node>, Vec<DefaultKey>) {
    let mut map = SlotMap::new();
    let keys: Vec<_> = (0..order.len() as u64).map(|id| map.insert(Node::new(id))).collect();
    (map, order.iter().map(|index| keys[*index as usize]).collect())
}

fn heap(order: &[u32]) -> (Heap, Vec<Gc<Node>>) {
    let mut heap = Heap::new();
    let handles: Vec<_> = (0..order.len() as u64).map(|id| heap.alloc(Node::new(id))).collect();
    (heap, order.iter().map(|index| handles[*index as usize]).collect())
}

/// Adds up the ids of all objects, and returns the time that takes.
fn sum<H>(handles: &[H], id: impl Fn(&H) -> u64) -> Duration {
    let (time, ids) = timed(|| black_box(handles).iter().map(id).sum::<u64>());
    assert_eq!(ids, sum_below(handles.len()));
    time
}

fn get_all(heap: &Heap, handles: &[impl Handle<Target = Node>]) -> Duration {
    sum(handles, |handle| heap.get(*handle).map_or(0, |node| node.id))
}

/// Counts in each object how often it was visited; this is visit number `round`.
fn get_mut_all(heap: &mut Heap, handles: &[Gc<Node>], round: u64) -> Duration {
    let (time, visits) = timed(|| {
        let visit = |handle: &Gc<Node>| heap.get_mut(handle).map_or(0, visit);
        black_box(handles).iter().map(visit).sum::<u64>()
    });
    assert_eq!(visits, round * handles.len() as u64);
    time
}

/// The same, two objects at a time.
fn get_pairs(heap: &mut Heap, handles: &[Gc<Node>], round: u64) -> Duration {
    let (time, visits) = timed(|| {
        let visit_both = |pair: &[Gc<Node>]| {
            let both = heap.get_disjoint_mut([pair[0], pair[1]]);
            both.map_or(0, |[left, right]| visit(left) + visit(right))
        };
        black_box(handles).chunks_exact(2).map(visit_both).sum::<u64>()
    });
    assert_eq!(visits, round * handles.len() as u64);
    time
}

fn visit(node: &mut Node) -> u64 {
    node.fill[0] += 1;
    node.fill[0]
}
