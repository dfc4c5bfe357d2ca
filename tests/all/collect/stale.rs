//! Edges that lead to no object of their own: to destroyed objects, to slots that have a new tenant, to
//! another heap, to another type. Such an edge keeps nothing alive.
//!
//! Usually a slot waits until no live object names it. To meet a new tenant, a test makes up an edge (another
//! generation of a living object's slot), or destroys so many objects that slots are reused early.

use std::sync::atomic::{AtomicUsize, Ordering};

use slotgc::{AnyGc, Gc, Heap, HeapConfig, Root, Trace, Tracer};

use crate::objects::{Dice, Link, Node};

/// A handle of this object's slot with another generation, as if of another tenant.
fn stale<T>(gc: Gc<T>) -> Gc<T> {
    Gc::from_bits(gc.to_bits() + 2)
}

/// Edges of both kinds, and how often they were traced.
#[derive(Default)]
struct Asked {
    edges: Vec<Gc<Link>>,
    any: Vec<AnyGc>,
    times: AtomicUsize,
}

impl Trace for Asked {
    fn trace(&self, tracer: &mut Tracer<'_>) {
        self.times.fetch_add(1, Ordering::Relaxed);
        tracer.edges(self.edges.iter().copied());
        self.any.iter().for_each(|any| tracer.edge_any(*any));
    }
}

#[test]
fn an_edge_to_a_destroyed_object_keeps_nothing_alive() {
    let mut heap = Heap::new();
    let kid = heap.alloc(Node::leaf(1));
    let middle = heap.alloc(Node::with([kid]));
    let root = heap.alloc_root(Node::with([middle]));
    drop(heap.destroy(middle));
    assert_eq!(heap.collect().freed, 1);
    assert!(!heap.is_alive(kid) && heap.is_alive(&root));
}

#[test]
fn a_slot_is_not_reused_while_a_live_object_names_it() {
    let mut heap = Heap::new();
    let victim = heap.alloc(Link::default());
    let root = heap.alloc_root(Asked { edges: vec![victim], ..Asked::default() });
    heap.destroy(victim);
    for _ in 0..3 {
        for value in 0..5000 {
            let made = heap.alloc(Link { value, next: None });
            assert_ne!(made.to_bits() >> 32, victim.to_bits() >> 32);
        }
        assert_eq!(heap.collect().freed, 5000);
        assert_eq!(heap[&root].times.swap(0, Ordering::Relaxed), 1);
    }
    heap[&root].edges.clear();
    heap.collect();
    let again = heap.alloc(Link::default());
    assert_eq!(again.to_bits() >> 32, victim.to_bits() >> 32, "no object named it any more");
}

#[test]
fn the_next_tenant_of_a_slot_is_not_kept_by_an_old_edge() {
    // weak-cases 13
    let mut heap = Heap::new();
    let victims: Vec<_> = (0..4000).map(|value| heap.alloc(Link { value, next: None })).collect();
    let holder = heap.alloc_root(victims.clone());
    for gc in &victims {
        heap.destroy(gc);
    }
    let tenants: Vec<_> = (0..8000).map(|value| heap.alloc(Link { value, next: None })).collect();
    let slots: std::collections::HashSet<_> = victims.iter().map(|gc| gc.to_bits() >> 32).collect();
    let reused = tenants.iter().filter(|gc| slots.contains(&(gc.to_bits() >> 32))).count();
    assert!(reused > 1000, "only {reused} slots were reused");
    // A third of the tenants is rooted, the others are not.
    let kept: Vec<_> = tenants.iter().step_by(3).map(|gc| heap.root(gc).unwrap()).collect();
    for _ in 0..3 {
        let stats = heap.collect();
        assert_eq!((stats.marked, stats.kept), (kept.len() + 1, kept.len() + 1));
    }
    for (value, gc) in tenants.iter().enumerate() {
        assert_eq!(heap.get(gc).map(|link| link.value), (value % 3 == 0).then_some(value as u64));
    }
    assert!(heap[&holder].iter().all(|gc| !heap.is_alive(gc)));
}

/// A graph in which a stale edge meets a tenant, so marking starts again, exactly.
fn check_with(edges: impl Fn(Gc<Link>, Gc<Link>) -> (Vec<Gc<Link>>, Vec<AnyGc>), is_kept: bool) {
    let mut heap = Heap::new();
    // The tenant holds a long list: all of it lives or dies.
    let mut list = None;
    for value in 0..1000 {
        list = Some(heap.alloc(Link { value, next: list }));
    }
    let tenant = heap.alloc(Link { value: 1000, next: list });
    // Deep below another root: all of this lives in either case.
    let mut deep = None;
    for value in 0..1000 {
        deep = Some(heap.alloc(Link { value, next: deep }));
    }
    let other = heap.alloc_root(Asked { edges: vec![deep.unwrap()], ..Asked::default() });
    let (edges, any) = edges(tenant, stale(tenant));
    let holder = heap.alloc_root(Asked { edges, any, ..Asked::default() });
    for _ in 0..3 {
        heap.collect();
        assert_eq!(heap.is_alive(tenant), is_kept);
        let expected = 2 + 1000 + if is_kept { 1001 } else { 0 };
        assert_eq!(heap.len(), expected);
        assert!(heap.is_alive(deep.unwrap()) && heap.is_alive(&holder) && heap.is_alive(&other));
    }
}

#[test]
fn what_is_reachable_lives_beside_stale_edges() {
    check_with(|_, stale| (vec![stale], vec![]), false);
    check_with(|_, stale| (vec![], vec![stale.erase()]), false);
    check_with(|_, stale| (vec![stale, stale], vec![stale.erase()]), false);
}

#[test]
fn a_stale_and_a_real_edge_to_one_slot_in_one_object_keep_the_real_one() {
    check_with(|tenant, stale| (vec![stale, tenant], vec![]), true);
    check_with(|tenant, stale| (vec![tenant, stale], vec![]), true);
    check_with(|tenant, stale| (vec![stale], vec![tenant.erase()]), true);
    check_with(|tenant, stale| (vec![tenant], vec![stale.erase()]), true);
    check_with(|tenant, stale| (vec![stale, tenant, stale, tenant], vec![stale.erase(); 3]), true);
}

#[test]
fn a_root_of_a_destroyed_object_does_not_keep_the_next_tenant() {
    let mut heap = Heap::new();
    let roots: Vec<Root<Link>> = (0..4000).map(|value| heap.alloc_root(Link { value, next: None })).collect();
    for root in &roots {
        heap.destroy(root);
    }
    let tenants: Vec<_> = (0..8000).map(|value| heap.alloc(Link { value, next: None })).collect();
    let kid = heap.alloc(Link { value: 7, next: None });
    let kept = heap.alloc_root(Node::leaf(0));
    let list = heap.alloc_root(Link { value: 8, next: Some(kid) });
    let stats = heap.collect();
    assert_eq!((stats.marked, stats.kept, stats.freed), (3, 3, 8000));
    assert!(heap.is_alive(&kept) && heap.is_alive(&list) && heap.is_alive(kid));
    assert!(!tenants.iter().any(|gc| heap.is_alive(gc)));
    assert!(roots.iter().all(|root| heap.get(root).is_none()));
    assert_eq!(heap.stats().roots, 4002);
}

#[test]
fn a_source_may_report_stale_handles() {
    let mut heap = Heap::new();
    let kid = heap.alloc(Link::default());
    let tenant = heap.alloc(Link { value: 1, next: Some(kid) });
    let other = heap.alloc(Link { value: 2, next: Some(kid) });
    let stack = vec![stale(tenant), other, stale(other)];
    for _ in 0..3 {
        heap.collect_with(&stack);
        assert_eq!([tenant, other, kid].map(|gc| heap.is_alive(gc)), [false, true, true]);
    }
}

/// An object is traced once if marking meets no stale edge to a tenant, or expects one; twice if it meets one
/// unexpectedly. So the number of calls shows whether marking returned to its fast pass.
#[test]
fn marking_is_fast_again_when_the_stale_edges_are_gone() {
    let mut heap = Heap::new();
    let tenant = heap.alloc(Link::default());
    let holder = heap.alloc_root(Asked::default());
    let mut times = |edges: &[Gc<Link>]| {
        heap[&holder].edges = edges.to_vec();
        assert_eq!(heap.collect().kept, 2);
        heap[&holder].times.swap(0, Ordering::Relaxed)
    };
    let (clean, dirty) = ([tenant], [stale(tenant), tenant]);
    assert_eq!([times(&clean), times(&clean)], [1, 1]);
    assert_eq!([times(&dirty), times(&dirty), times(&dirty)], [2, 1, 1], "marked again, then expected");
    assert_eq!([times(&clean), times(&clean)], [1, 1]);
    assert_eq!([times(&dirty), times(&dirty)], [2, 1], "unexpected again");
}

#[test]
fn an_edge_to_a_retired_slot_is_harmless() {
    let mut heap = Heap::with_config(HeapConfig::default().first_generation(HeapConfig::MAX_GENERATION));
    let gone: Vec<_> = (0..3000).map(|value| heap.alloc(Link { value, next: None })).collect();
    let kid = heap.alloc(Link::default());
    let holder = heap.alloc_root(Asked { edges: [&gone[..], &[kid]].concat(), ..Asked::default() });
    for gc in &gone[..1500] {
        heap.destroy(gc);
    }
    assert_eq!(heap.collect().kept, 1 + 1 + 1500);
    heap[&holder].edges.retain(|gc| *gc == kid || gone[..1500].contains(gc));
    for _ in 0..3 {
        assert_eq!(heap.collect().kept, 2);
        heap.shrink_to_fit();
    }
}

#[test]
fn an_edge_to_another_heap_keeps_nothing_alive() {
    let mut heap = Heap::new();
    let mut other = Heap::with_config(HeapConfig::default().first_generation(1001));
    let foreign: Vec<_> = (0..100).map(|value| other.alloc(Link { value, next: None })).collect();
    let foreign_nodes: Vec<_> = (0..100).map(|value| other.alloc(Node::leaf(value))).collect();
    let local: Vec<_> = (0..100).map(|value| heap.alloc(Link { value, next: None })).collect();
    let any = foreign_nodes.iter().map(|gc| gc.erase()).collect();
    let holder = heap.alloc_root(Asked { edges: foreign.clone(), any, ..Asked::default() });
    for _ in 0..2 {
        let stats = heap.collect();
        assert_eq!((stats.marked, stats.kept), (1, 1));
    }
    assert!(!local.iter().any(|gc| heap.is_alive(gc)) && heap.is_alive(&holder));
    assert!(foreign.iter().all(|gc| other.is_alive(gc)));
    assert_eq!(other.collect().freed, 200, "nothing was kept in the other heap either");
}

#[test]
fn an_edge_read_as_one_of_another_type_keeps_nothing_alive() {
    let mut heap = Heap::new();
    let nodes: Vec<_> = (0..100).map(|value| heap.alloc(Node::leaf(value))).collect();
    let numbers: Vec<_> = (0..100_u64).map(|value| heap.alloc(value)).collect();
    let casts = nodes.iter().map(|gc| gc.to_bits()).chain(numbers.iter().map(|gc| gc.to_bits()));
    let edges = casts.map(Gc::<Link>::from_bits).collect();
    let holder = heap.alloc_root(Asked { edges, ..Asked::default() });
    assert_eq!(heap.collect().freed, 200);
    assert!(heap.is_alive(&holder));
}

/// Random graphs with every kind of edge, compared with a plain search.
#[test]
fn random_graphs_with_stale_edges_keep_exactly_what_is_reachable() {
    let mut dice = Dice::new(7);
    for round in 0..150 {
        let mut heap = Heap::new();
        let len = 20 + dice.below(300);
        let mut all: Vec<Gc<Node>> = (0..len).map(|value| heap.alloc(Node::leaf(value as u64))).collect();
        for cycle in 0..4 {
            for _ in 0..dice.below(2 * len) {
                let (from, to) = (all[dice.below(all.len())], all[dice.below(all.len())]);
                let to = match dice.below(10) {
                    0 => stale(to),
                    1 => Gc::from_bits(to.to_bits() & !0xffff_ffff | dice.word() & 7),
                    _ => to,
                };
                if let Some(node) = heap.get_mut(from) {
                    node.edges.push(to);
                }
            }
            for _ in 0..dice.below(10) {
                heap.destroy(all[dice.below(all.len())]);
            }
            let roots: Vec<_> = (0..1 + dice.below(5)).map(|_| all[dice.below(all.len())]).collect();
            let held: Vec<_> = roots.iter().filter_map(|gc| heap.root(gc)).collect();
            let mut reachable = std::collections::HashSet::new();
            let mut found = roots;
            while let Some(gc) = found.pop() {
                if let Some(node) = heap.get(gc) {
                    if reachable.insert(gc) {
                        found.extend(&node.edges);
                    }
                }
            }
            let stats = heap.collect();
            assert_eq!(stats.marked, reachable.len(), "round {round}, cycle {cycle}");
            assert!(all.iter().all(|gc| heap.is_alive(gc) == reachable.contains(gc)));
            all.extend((0..len / 2).map(|value| heap.alloc(Node::leaf(value as u64))));
            drop(held);
        }
    }
}
