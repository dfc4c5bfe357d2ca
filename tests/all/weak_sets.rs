//! `WeakSet`.

use std::collections::{BTreeSet, HashSet};

use slotgc::{Gc, Heap, Root, Weak, WeakKeyMap, WeakSet, WeakValueMap};

use crate::objects::{Dice, Node, traced};

type Set = WeakSet<Node>;

fn nodes(heap: &mut Heap, len: u64) -> Vec<Root<Node>> {
    (0..len).map(|n| heap.alloc_root(Node::leaf(n))).collect()
}

fn sorted(handles: impl IntoIterator<Item = Weak<Node>>) -> Vec<Weak<Node>> {
    let mut handles: Vec<_> = handles.into_iter().collect();
    handles.sort();
    handles
}

#[test]
fn a_std_set_of_weak_handles_finds_the_dead_too() {
    // weak-cases 12
    let mut heap = Heap::new();
    let mut roots = nodes(&mut heap, 100);
    let weak: Vec<Weak<Node>> = roots.iter().map(Root::downgrade).collect();
    let mut set: HashSet<Weak<Node>> = weak.iter().copied().collect();
    roots.truncate(50);
    heap.collect();
    assert!(weak.iter().all(|weak| set.contains(weak)));
    assert!(weak.iter().all(|weak| set.remove(weak)) && set.is_empty());
}

#[test]
fn an_element_goes_with_its_object() {
    // weak-cases 60
    let mut heap = Heap::new();
    let mut roots = nodes(&mut heap, 3);
    let set = heap.alloc_root(Set::new());
    assert!(roots.iter().all(|root| heap[&set].insert(root)));
    assert!(!heap[&set].insert(&roots[0]) && heap[&set].len() == 3);
    let lost = roots.remove(1).downgrade();
    assert!(heap[&set].contains(lost));
    let stats = heap.collect();
    assert_eq!((stats.pruned, heap[&set].len(), heap[&set].contains(lost)), (1, 2, false));
    assert!(heap[&set].remove(&roots[0]) && !heap[&set].remove(&roots[0]));
    assert!(!heap[&set].remove(lost) && heap[&set].len() == 1);
}

#[test]
fn the_algebra_of_sets_agrees_with_plain_sets_while_elements_die() {
    // weak-cases 61
    let mut dice = Dice::new(5);
    let mut heap = Heap::new();
    let mut roots = nodes(&mut heap, 120);
    let a = heap.alloc_root(Set::new());
    let b = heap.alloc_root(Set::new());
    let mut model = [BTreeSet::new(), BTreeSet::new()];
    for round in 0..400 {
        for (set, model) in [&a, &b].into_iter().zip(&mut model) {
            for _ in 0..dice.below(6) {
                let root = &roots[dice.below(roots.len())];
                match dice.below(3) {
                    0 => assert_eq!(heap[set].remove(root), model.remove(&root.downgrade())),
                    _ => assert_eq!(heap[set].insert(root), model.insert(root.downgrade())),
                }
            }
        }
        if dice.one_in(4) {
            roots.swap_remove(dice.below(roots.len()));
            roots.push(heap.alloc_root(Node::leaf(round)));
            heap.collect();
            model.iter_mut().for_each(|set| set.retain(|weak| heap.is_alive(weak)));
        }
        let (x, y, [p, q]) = (&heap[&a], &heap[&b], &model);
        let plain = |weak: Vec<&Weak<Node>>| -> Vec<Weak<Node>> { weak.into_iter().copied().collect() };
        assert_eq!(sorted(x.union(y)), plain(p.union(q).collect()));
        assert_eq!(sorted(x.intersection(y)), plain(p.intersection(q).collect()));
        assert_eq!(sorted(x.difference(y)), plain(p.difference(q).collect()));
        assert_eq!(sorted(x.symmetric_difference(y)), plain(p.symmetric_difference(q).collect()));
        assert_eq!(x.is_subset(y), p.is_subset(q));
        assert_eq!(x.is_superset(y), p.is_superset(q));
        assert_eq!(x.is_disjoint(y), p.is_disjoint(q));
        assert_eq!((x == y, x.len()), (p == q, p.len()));
        assert_eq!(x | y, x.union(y).collect());
        assert_eq!(x & y, x.intersection(y).collect());
        assert_eq!(x - y, x.difference(y).collect());
        assert_eq!(x ^ y, x.symmetric_difference(y).collect());
        if dice.one_in(3) {
            let (other, which) = (heap[&b].clone(), dice.below(4));
            let set = &mut heap[&a];
            match which {
                0 => *set |= &other,
                1 => *set &= &other,
                2 => *set -= &other,
                _ => *set ^= &other,
            }
            let (p, q) = (&model[0], &model[1]);
            model[0] = match which {
                0 => p | q,
                1 => p & q,
                2 => p - q,
                _ => p ^ q,
            };
        }
    }
}

#[test]
fn retain_sees_exactly_the_living_after_a_collection() {
    // weak-cases 62
    for place in [0, 25, 50] {
        let mut heap = Heap::new();
        let roots = nodes(&mut heap, 51);
        let set = heap.alloc_root(roots.iter().collect::<Set>());
        let kept = roots.into_iter().nth(place).unwrap();
        assert_eq!(heap.collect().pruned, 50);
        let mut seen = Vec::new();
        heap[&set].retain(|weak| {
            seen.push(weak);
            true
        });
        assert_eq!(seen, [kept.downgrade()]);
        heap[&set].retain(|_| false);
        assert!(heap[&set].is_empty());
    }
}

#[test]
fn retain_skips_no_element_next_to_a_dead_one() {
    // weak-cases: mistakes
    let mut heap = Heap::new();
    let roots = nodes(&mut heap, 100);
    let weak: Vec<Weak<Node>> = roots.iter().map(Root::downgrade).collect();
    let mut set = weak.iter().collect::<Set>();
    let mut names = (0_u32..).zip(&weak).collect::<WeakValueMap<_, _>>();
    let mut notes = weak.iter().zip(0_u32..).collect::<WeakKeyMap<_, _>>();
    // Every second element, and a run of consecutive ones.
    for (number, root) in roots.iter().enumerate() {
        if number % 2 == 1 || (40..60).contains(&number) {
            heap.destroy(root);
        }
    }
    let mut seen = [const { Vec::new() }; 3];
    let mut look = |place: usize, weak: Weak<Node>| {
        seen[place].push(weak);
        heap.is_alive(weak)
    };
    set.retain(|weak| look(0, weak));
    names.retain(|_, weak| look(1, weak));
    notes.retain(|weak, _| look(2, weak));
    assert!(seen.into_iter().all(|seen| sorted(seen) == weak));
    let living: Vec<_> = weak.into_iter().filter(|weak| heap.is_alive(weak)).collect();
    assert_eq!([set.len(), names.len(), notes.len()], [40; 3]);
    assert!(
        sorted(set.iter()) == living && sorted(names.values()) == living && sorted(notes.keys()) == living
    );
}

#[test]
fn retain_keeps_what_it_is_told_to() {
    let mut heap = Heap::new();
    let roots = nodes(&mut heap, 100);
    let mut set = roots.iter().collect::<Set>();
    set.retain(|weak| heap[weak].value % 2 == 0);
    assert_eq!(sorted(set), sorted(roots.iter().step_by(2).map(Root::downgrade)));
}

#[test]
fn a_half_consumed_drain_empties_the_set() {
    // weak-cases 67
    let mut heap = Heap::new();
    let roots = nodes(&mut heap, 100);
    let set = heap.alloc_root(roots.iter().collect::<Set>());
    let half: BTreeSet<Weak<Node>> = heap[&set].drain().take(50).collect();
    assert_eq!(half.len(), 50);
    assert!(half.iter().all(|weak| heap.is_alive(weak)));
    assert!(
        heap[&set].is_empty() && heap[&set].iter().next().is_none() && heap[&set].drain().next().is_none()
    );
    assert_eq!(heap.collect().pruned, 0);
}

#[test]
fn elements_are_passed_as_any_kind_of_handle() {
    let mut heap = Heap::new();
    let root = heap.alloc_root(Node::leaf(1));
    let (gc, weak): (Gc<Node>, Weak<Node>) = (root.gc(), root.downgrade());
    let sets: [Set; 5] = [
        [gc].into_iter().collect(),
        [weak].into_iter().collect(),
        [&root].into_iter().collect(),
        [&gc].into_iter().collect(),
        [&weak].into_iter().collect(),
    ];
    assert!(sets.iter().all(|set| *set == sets[0] && set.len() == 1));
    let mut set = Set::default();
    set.extend([gc]);
    set.extend([&root]);
    set.extend(&sets[1]);
    assert!(set.contains(gc) && set.contains(weak) && set.contains(&root) && set.contains(gc));
    assert!(!set.insert(weak) && set.remove(&root) && set.is_empty());
}

#[test]
fn the_order_of_iteration_is_the_programs() {
    let run = || {
        let mut heap = Heap::new();
        let roots = nodes(&mut heap, 300);
        let set = heap.alloc_root(roots.iter().rev().collect::<Set>());
        drop(roots.into_iter().step_by(2).collect::<Vec<_>>());
        let kept = nodes(&mut heap, 10);
        heap[&set].extend(&kept);
        heap.collect();
        heap[&set].iter().map(|weak| weak.to_bits()).collect::<Vec<_>>()
    };
    assert_eq!(run(), run());
}

#[test]
fn room_comes_and_goes() {
    let mut set = Set::with_capacity(1000);
    assert!(set.capacity() >= 1000 && set.is_empty());
    set.shrink_to_fit();
    assert_eq!((set.capacity(), Set::new().capacity()), (0, 0));
    let mut heap = Heap::new();
    let set = heap.alloc_root(Set::new());
    let lost: Vec<_> = (0..50_000).map(|n| heap.alloc(Node::leaf(n))).collect();
    heap[&set].extend(lost);
    heap.collect();
    // Pruning allocates nothing and therefore keeps the table; the next insertion releases memory.
    assert!(heap[&set].is_empty() && heap[&set].capacity() > 10_000);
    let root = heap.alloc_root(Node::leaf(1));
    heap[&set].insert(&root);
    assert!(heap[&set].capacity() <= 16, "{} places", heap[&set].capacity());
    heap[&set].clear();
    assert!(heap[&set].is_empty() && !heap[&set].contains(&root));
}

#[test]
fn debug_needs_nothing_of_the_elements() {
    struct Plain;
    traced!(Plain {});
    let mut heap = Heap::new();
    let gc = heap.alloc(Plain);
    let set = WeakSet::from_iter([gc]);
    assert_eq!(format!("{set:?}"), format!("{{Weak<Plain>({gc})}}"));
    heap.collect();
    assert_eq!(format!("{set:?} {:?}", WeakSet::<Plain>::new()), format!("{{Weak<Plain>({gc})}} {{}}"));
}

#[test]
fn zero_sized_objects_die_one_by_one() {
    struct Nothing;
    traced!(Nothing {});
    let mut heap = Heap::new();
    let mut roots: Vec<_> = (0..100).map(|_| heap.alloc_root(Nothing)).collect();
    let set = heap.alloc_root(roots.iter().collect::<WeakSet<_>>());
    while let Some(root) = roots.pop() {
        let weak = root.downgrade();
        drop(root);
        assert_eq!((heap.collect().pruned, heap[&set].len()), (1, roots.len()));
        assert!(!heap[&set].contains(weak) && roots.iter().all(|root| heap[&set].contains(root)));
    }
}

#[test]
fn a_set_that_holds_itself_and_its_owner_keeps_neither() {
    struct Club {
        members: WeakSet<Club>,
        others: Vec<WeakSet<Club>>,
    }
    traced!(Club { members, others });
    let mut heap = Heap::new();
    let club = heap.alloc_root(Club { members: WeakSet::new(), others: vec![WeakSet::new(); 3] });
    let guest = heap.alloc(Club { members: WeakSet::new(), others: Vec::new() });
    heap[&club].members.extend([club.gc(), guest]);
    heap[&club].others[2].extend([club.gc(), guest]);
    heap[guest].members.insert(&club);
    let stats = heap.collect();
    assert_eq!((stats.freed, stats.pruned), (1, 2));
    assert_eq!((heap[&club].members.len(), heap[&club].others[2].len()), (1, 1));
    drop(club);
    assert_eq!(heap.collect().freed, 1);
}

#[test]
fn a_set_outside_of_the_heap_is_pruned_by_hand() {
    let mut heap = Heap::new();
    let roots = nodes(&mut heap, 10);
    let mut set = roots.iter().collect::<Set>();
    set.insert(Weak::dangling());
    heap.destroy(&roots[2]);
    assert_eq!(set.len(), 11);
    set.prune_dead(&heap);
    assert_eq!(
        sorted(set.iter()),
        sorted(roots.iter().filter(|root| heap.is_alive(*root)).map(Root::downgrade))
    );
    drop(roots);
    heap.collect();
    set.prune_dead(&heap);
    assert!(set.is_empty());
}

#[test]
fn a_destroyed_object_leaves_a_set_whatever_else_is_in_its_page() {
    // In a page that has lost no object so far, only the bitmaps say who lives.
    let ways: [fn(&mut Heap, Gc<u64>); 2] =
        [|heap, gc| assert!(heap.destroy_any(gc.erase())), |heap, gc| assert!(heap.destroy(gc).is_some())];
    for destroy in ways {
        let mut heap = Heap::new();
        let numbers: Vec<_> = (0..100_u64).map(|number| heap.alloc_root(number)).collect();
        let set = heap.alloc_root(numbers.iter().collect::<WeakSet<_>>());
        let mut outside: WeakSet<_> = numbers.iter().collect();
        destroy(&mut heap, numbers[50].gc());
        outside.prune_dead(&heap);
        assert!(outside.len() == 99 && !outside.contains(&numbers[50]));
        heap.collect();
        assert!(heap[&set].len() == 99 && !heap[&set].contains(&numbers[50]));
    }
}
