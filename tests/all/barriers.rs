//! The write barrier: every way to get a `&mut` to an object records the change. What is stored that way is
//! found by a minor collection, which does not look at old objects, and by a cycle that has already traced
//! the object.

use slotgc::{Budget, Gc, Heap, Phase, Root, Trace};

use crate::objects::Node;

/// Another type with edges.
#[derive(Trace, Default)]
struct Holder {
    held: Vec<Gc<Node>>,
}

/// A way to reach an object's fields: puts the handle into the object of this root.
type Store = fn(&mut Heap, &Scene, Gc<Node>);

/// Objects that a collection has traced.
struct Scene {
    holder: Root<Holder>,
    other: Root<Holder>,
    node: Root<Node>,
}

fn scene() -> (Heap, Scene) {
    let mut heap = Heap::new();
    let (holder, other) = (heap.alloc_root(Holder::default()), heap.alloc_root(Holder::default()));
    let node = heap.alloc_root(Node::leaf(0));
    heap.collect();
    (heap, Scene { holder, other, node })
}

const WAYS: [(&str, Store); 15] = [
    ("get_mut", |heap, scene, gc| heap.get_mut(&scene.holder).unwrap().held.push(gc)),
    ("get_mut of a Gc", |heap, scene, gc| heap.get_mut(scene.holder.gc()).unwrap().held.push(gc)),
    ("try_get_mut", |heap, scene, gc| heap.try_get_mut(&scene.holder).unwrap().held.push(gc)),
    ("index", |heap, scene, gc| heap[&scene.holder].held.push(gc)),
    ("index by a Weak", |heap, scene, gc| heap[scene.holder.downgrade()].held.push(gc)),
    ("split_mut", |heap, scene, gc| heap.split_mut(&scene.holder).unwrap().0.held.push(gc)),
    ("split_mut, the others", |heap, scene, gc| {
        let (_, mut rest) = heap.split_mut(&scene.node).unwrap();
        rest.get_mut(&scene.holder).unwrap().held.push(gc);
    }),
    ("split_mut, the others by index", |heap, scene, gc| {
        heap.split_mut(&scene.node).unwrap().1[&scene.holder].held.push(gc);
    }),
    ("get_disjoint_mut, first", |heap, scene, gc| {
        heap.get_disjoint_mut([&scene.holder, &scene.other]).unwrap()[0].held.push(gc);
    }),
    ("get_disjoint_mut, last", |heap, scene, gc| {
        heap.get_disjoint_mut([&scene.holder, &scene.other]).unwrap()[1].held.push(gc);
    }),
    ("get_pair_mut, first", |heap, scene, gc| {
        heap.get_pair_mut(&scene.holder, &scene.node).unwrap().0.held.push(gc);
    }),
    ("get_pair_mut, second", |heap, scene, gc| {
        heap.get_pair_mut(&scene.node, &scene.holder).unwrap().1.held.push(gc);
    }),
    ("get_pair_mut of one type", |heap, scene, gc| {
        heap.get_pair_mut(&scene.other, &scene.holder).unwrap().1.held.push(gc);
    }),
    ("iter_mut, first", |heap, _, gc| heap.iter_mut::<Holder>().next().unwrap().1.held.push(gc)),
    ("iter_mut, last", |heap, _, gc| heap.iter_mut::<Holder>().last().unwrap().1.held.push(gc)),
];

#[test]
fn an_object_stored_in_any_way_in_an_old_one_survives_a_minor_collection() {
    for (way, store) in WAYS {
        let (mut heap, scene) = scene();
        for round in 0..3 {
            let kept = heap.alloc(Node::leaf(round));
            let dead = heap.alloc(Node::leaf(round));
            store(&mut heap, &scene, kept);
            assert!(heap.collect_minor().is_minor);
            assert_eq!(heap.get(kept).map(|node| node.value), Some(round), "{way}");
            assert!(!heap.is_alive(dead), "{way}");
            heap.verify();
        }
    }
}

#[test]
fn an_object_stored_in_any_way_during_a_cycle_survives_it() {
    for (way, store) in WAYS {
        // The later the store, the more of the old objects are traced.
        for when in (0..240).step_by(13) {
            let (mut heap, scene) = scene();
            let more: Vec<_> = (0..200).map(|value| heap.alloc_root(Node::leaf(value))).collect();
            // White: unreachable, and not allocated since marking began.
            let kept = heap.alloc(Node::leaf(7));
            for _ in 0..when {
                heap.step(Budget::Objects(1));
            }
            // The first collection was the one in `scene`: this is still the cycle after it, and it is
            // marking.
            assert!(when > 200 || heap.stats().collections == 1);
            if heap.stats().collections > 1 || heap.stats().phase > Phase::Mark {
                break;
            }
            store(&mut heap, &scene, kept);
            while heap.step(Budget::Objects(1)).finished.is_none() {}
            assert!(heap.is_alive(kept), "{way} after {when} steps");
            heap.verify();
            drop(more);
        }
    }
}

#[test]
fn an_object_filled_after_a_collection_passed_over_its_slot_keeps_what_it_holds() {
    for steps in [0, 1, 2, 5, 1000] {
        let mut heap = Heap::new();
        let mut child = Gc::default();
        let parent = heap.alloc_cyclic(|heap, _| {
            // The slot is old now, although it is empty.
            heap.collect();
            child = heap.alloc(Node::leaf(1));
            Holder { held: vec![child] }
        });
        let parent = heap.root(parent).unwrap();
        assert!(heap.collect_minor().is_minor);
        assert!(heap.is_alive(child), "held by an object that is not young");
        // A cycle that passes over the slot while it is empty.
        let made = heap.alloc_cyclic(|heap, _| {
            for _ in 0..steps {
                heap.step(Budget::Objects(1));
            }
            child = heap.alloc(Node::leaf(2));
            Holder { held: vec![child] }
        });
        let made = heap.root(made).unwrap();
        while heap.step(Budget::Objects(1)).finished.is_none() {}
        heap.collect_minor();
        assert!(heap.is_alive(child) && heap.is_alive(&made), "after {steps} steps inside `make`");
        assert!(heap.is_alive(&parent));
    }
}
