//! Two ways to the same copy: of derived types, which report their edges while they are relinked, and of
//! other types.

use std::collections::HashSet;

use slotgc::{AnyGc, Gc, Heap, Links, Trace, Tracer, WeakKeyMap};

use super::{Node, node, schema};

/// Traced and relinked by handwritten code: the copy assumes nothing of it.
#[derive(Clone, Default)]
struct ByHand {
    next: Vec<Gc<Node>>,
    more: Vec<Gc<ByHand>>,
    untraced: Gc<Node>,
}

impl Trace for ByHand {
    fn trace(&self, tracer: &mut Tracer<'_>) {
        self.next.trace(tracer);
        self.more.trace(tracer);
    }

    fn relink(&mut self, links: &mut Links<'_>) {
        links.field(&mut self.next);
        links.field(&mut self.more);
        links.gc(&mut self.untraced);
    }
}

/// Derived; holds values under keys, which become edges once the key is reached.
#[derive(Trace, Clone, Default)]
struct Notes {
    of: WeakKeyMap<Node, Gc<Node>>,
    next: Option<Gc<Notes>>,
    by_hand: Vec<Gc<ByHand>>,
}

#[test]
fn derived_and_handwritten_types_are_copied_alike_and_match_a_naive_walk() {
    for seed in 0..24 {
        let mut random = slotgc_graphs::Random::new(seed);
        let mut heap = Heap::new();
        let nodes = heap.alloc_many((0..600).map(|n| node(&n.to_string())));
        let hands = heap.alloc_many((0..100).map(|_| ByHand::default()));
        let notes = heap.alloc_many((0..100).map(|_| Notes::default()));
        for gc in &nodes {
            let next = (0..random.below(3)).map(|_| nodes[random.below(nodes.len())]).collect();
            let any = match random.below(8) {
                0 => hands[random.below(100)].erase(),
                1 => notes[random.below(100)].erase(),
                _ => AnyGc::default(),
            };
            let node = &mut heap[*gc];
            (node.next, node.any, node.parent) = (next, any, nodes[random.below(nodes.len())].into());
        }
        for gc in &hands {
            // More new edges at once than slots are set aside.
            let len = if random.below(20) == 0 { 200 } else { random.below(2) };
            heap[*gc].next = (0..len).map(|_| nodes[random.below(nodes.len())]).collect();
            heap[*gc].more = (0..random.below(2)).map(|_| hands[random.below(100)]).collect();
            heap[*gc].untraced = nodes[random.below(nodes.len())];
        }
        for gc in &notes {
            for _ in 0..random.below(6) {
                let (key, value) = (nodes[random.below(nodes.len())], nodes[random.below(nodes.len())]);
                heap.get_mut(*gc).unwrap().of.insert(key, value);
            }
            let next = notes[random.below(100)];
            heap[*gc].next = (random.below(3) > 0).then_some(next);
            heap[*gc].by_hand = (0..random.below(2)).map(|_| hands[random.below(100)]).collect();
        }

        let mut reached = HashSet::from([notes[0].erase()]);
        let mut before = 0;
        while reached.len() > before {
            before = reached.len();
            for any in reached.clone() {
                if let Some(node) = heap.downcast::<Node>(any).map(|gc| &heap[gc]) {
                    reached.extend(node.next.iter().map(|gc| gc.erase()));
                    reached.extend(Some(node.any).filter(|any| *any != AnyGc::default()));
                } else if let Some(hand) = heap.downcast::<ByHand>(any).map(|gc| &heap[gc]) {
                    reached.extend(hand.next.iter().map(|gc| gc.erase()));
                    reached.extend(hand.more.iter().map(|gc| gc.erase()));
                } else if let Some(notes) = heap.downcast::<Notes>(any).map(|gc| &heap[gc]) {
                    reached.extend(notes.next.map(Gc::erase));
                    reached.extend(notes.by_hand.iter().map(|gc| gc.erase()));
                    let values = notes.of.iter().filter(|(key, _)| {
                        heap.upgrade(*key).is_some_and(|key| reached.contains(&key.erase()))
                    });
                    let values: Vec<_> = values.map(|(_, value)| value.erase()).collect();
                    reached.extend(values);
                }
            }
        }

        let schema = schema().with::<ByHand>("by hand").with::<Notes>("notes");
        let len = heap.len();
        let relinked = match seed % 2 {
            0 => heap.clone_graph(notes[0], &schema).unwrap().1,
            _ => heap.clone_graph_until(notes[0], &schema, &mut |_| false).unwrap().1,
        };
        assert_eq!(heap.len(), len + reached.len(), "seed {seed}");
        let of = |gc: Gc<Node>| relinked.get(gc).unwrap_or(gc);
        for gc in nodes.iter().filter(|gc| reached.contains(&gc.erase())) {
            let (old, new) = (&heap[*gc], &heap[relinked.get(*gc).unwrap()]);
            assert_eq!(new.next, old.next.iter().map(|gc| of(*gc)).collect::<Vec<_>>());
            assert_eq!(new.any, relinked.get_any(old.any).unwrap_or_default());
            assert_eq!(new.parent, of(heap.upgrade(old.parent).unwrap()));
        }
        for gc in hands.iter().filter(|gc| reached.contains(&gc.erase())) {
            let (old, new) = (&heap[*gc], &heap[relinked.get(*gc).unwrap()]);
            assert_eq!(new.next, old.next.iter().map(|gc| of(*gc)).collect::<Vec<_>>());
            assert_eq!(
                new.untraced,
                of(old.untraced),
                "a handle that is not an edge refers to a copy if there is one"
            );
        }
        for gc in notes.iter().filter(|gc| reached.contains(&gc.erase())) {
            let (old, new) = (&heap[*gc], &heap[relinked.get(*gc).unwrap()]);
            assert_eq!(new.of.len(), old.of.len());
            for (key, value) in old.of.iter() {
                let key = heap.upgrade(key).unwrap();
                assert_eq!(new.of.get(of(key)), Some(&of(*value)));
            }
        }
        heap.verify();
    }
}
