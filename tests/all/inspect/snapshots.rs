//! Snapshots: the graph as data, and queries on it.

use std::collections::BTreeSet;

use slotgc::inspect::Snapshot;
use slotgc::{
    AnyGc, Budget, Gc, Heap, HeapConfig, Phase, Trace, TraceWith, Tracer, Weak, WeakKeyMap, WeakSet,
};

use super::{Loot, Mob, VEC_SLOT, mob};
use crate::objects::slot_bytes;

fn heap() -> Heap {
    Heap::with_config(HeapConfig::default().root_origins(false))
}

fn edges(snapshot: &Snapshot, of: impl Into<AnyGc>) -> Vec<String> {
    snapshot.get(of).unwrap().edges().map(|edge| format!("{edge:?}")).collect()
}

#[test]
fn a_snapshot_outlives_the_heap_and_does_not_change() {
    let mut heap = heap();
    let loot = heap.alloc(Loot(1));
    let wolf = heap.alloc_root(Mob { loot: Some(loot), ..mob("wolf") });
    let gc = wolf.gc();
    let snapshot = heap.snapshot();
    heap[&wolf].loot = None;
    heap.collect();
    drop(wolf);
    drop(heap);
    let node = snapshot.get(gc).unwrap();
    assert_eq!((node.type_name(), node.label(), node.distance()), ("Mob", Some("wolf"), Some(0)));
    assert_eq!(edges(&snapshot, gc), [format!("Mob {gc} \"wolf\" .loot -> Loot {loot}")]);
    assert_eq!((snapshot.len(), snapshot.nodes().count()), (2, 2));
    std::thread::spawn(move || assert!(snapshot.path_to(loot).is_some())).join().unwrap();
}

#[test]
fn bytes_are_those_of_slots_and_what_is_owned() {
    let mut heap = heap();
    let list = heap.alloc_root(vec![0_u64; 100]);
    let number = heap.alloc_root(1_u64);
    let snapshot = heap.snapshot();
    let node = snapshot.get(list.gc()).unwrap();
    assert_eq!((node.bytes(), node.owned_bytes()), (VEC_SLOT, 800));
    assert_eq!((node.retained_bytes(), node.retained_len()), (VEC_SLOT + 800, 1));
    assert_eq!((snapshot.bytes(), snapshot.owned_bytes()), (heap.stats().bytes, 800));
    assert_eq!(snapshot.get(number.gc()).unwrap().owned_bytes(), 0);
}

#[test]
fn what_the_program_says_that_objects_own_is_in_every_number_of_a_snapshot() {
    let mut heap = heap();
    let list = heap.alloc_root(vec![0_u64; 100]);
    let number = heap.alloc(1_u64);
    let map = heap.alloc_root(vec![number]);
    let dead = heap.alloc_root(2_u64);
    let early = heap.snapshot();
    const LARGE: usize = usize::MAX / 4;
    assert!(heap.set_owned_bytes(&list, 1000) && heap.set_owned_bytes(number, LARGE));
    assert!(heap.set_owned_bytes(&dead, 5) && heap.set_owned_bytes(&map, 7) && heap.set_owned_bytes(&map, 0));
    heap.destroy(&dead);
    let snapshot = heap.snapshot();
    let owned = [list.gc().erase(), number.erase(), map.gc().erase()]
        .map(|any: AnyGc| snapshot.get(any).unwrap().owned_bytes());
    assert_eq!(owned, [1800, LARGE, 8]);
    assert_eq!(snapshot.owned_bytes(), LARGE + 1808);
    assert_eq!(snapshot.owned_bytes(), heap.stats().owned_bytes);
    let held = snapshot.get(map.gc()).unwrap().retained_bytes();
    assert_eq!(held, VEC_SLOT + 8 + slot_bytes::<u64>() + LARGE);
    let census = snapshot.census();
    assert_eq!(census.get("u64").map(|row| row.owned_bytes), Some(LARGE));
    assert_eq!(snapshot.since(&early).get("Vec<u64>").map(|row| row.bytes), Some(1000));
    #[cfg(feature = "std")]
    {
        let mut file = Vec::new();
        snapshot.write_heapsnapshot(&mut file).unwrap();
        let size = VEC_SLOT + 1800;
        assert!(String::from_utf8(file).unwrap().contains(&format!(",{size},0,0,0")), "no size of {size}");
    }
}

/// Claims to own so many bytes, and refers to another one.
#[derive(Trace)]
struct Claim(#[trace(with = Claims)] usize, Option<Gc<Claim>>);

struct Claims;

impl TraceWith<usize> for Claims {
    const NEEDS_TRACE: bool = false;
    const OWNS: bool = true;

    fn trace(_: &usize, _: &mut Tracer<'_>) {}

    fn owned_bytes(claim: &usize) -> usize {
        *claim
    }
}

#[test]
fn sums_of_what_objects_claim_to_own_end_at_the_largest_number() {
    let mut heap = heap();
    let last = heap.alloc(Claim(usize::MAX, None));
    let first = heap.alloc_root(Claim(usize::MAX, Some(last)));
    heap.alloc(Claim(1, None));
    heap.alloc(Claim(usize::MAX, None));
    let snapshot = heap.snapshot();
    let node = snapshot.get(first.gc()).unwrap();
    assert_eq!([node.owned_bytes(), node.retained_bytes(), snapshot.owned_bytes()], [usize::MAX; 3]);
    let census = snapshot.census();
    let row = census.get("Claim").unwrap();
    assert_eq!([row.owned_bytes, row.retained_bytes], [usize::MAX; 2]);
    assert!(census.to_string().contains(&usize::MAX.to_string()));
}

#[cfg(target_pointer_width = "64")]
#[test]
fn growth_ends_at_the_largest_number_and_is_exact_in_between() {
    let mut heap = heap();
    let before = heap.snapshot();
    let last = heap.alloc(Claim(usize::MAX, None));
    let _first = heap.alloc_root(Claim(usize::MAX, Some(last)));
    heap.alloc(Claim(1, None));
    heap.alloc(Claim(usize::MAX, None));
    let snapshot = heap.snapshot();
    let bytes = |later: &Snapshot, earlier| later.since(earlier).rows()[0].bytes;
    assert_eq!((bytes(&snapshot, &before), bytes(&before, &snapshot)), (i64::MAX, i64::MIN));
    heap.collect();
    let later = heap.snapshot();
    assert_eq!(bytes(&later, &snapshot), i64::MIN);
    heap.alloc(Claim(usize::MAX, None));
    let row = heap.snapshot().since(&snapshot).rows()[0].clone();
    // One gone and one new claim everything; the other one is gone with its slot.
    assert_eq!((row.new, row.gone, row.bytes), (1, 2, -1 - slot_bytes::<Claim>() as i64));
}

#[test]
fn edges_are_named_weak_or_of_an_ephemeron() {
    let mut heap = heap();
    let (a, b) = (heap.alloc(mob("a")), heap.alloc_root(mob("b")));
    let loot = heap.alloc(Loot(1));
    heap[&b].friends = vec![a];
    heap[&b].target = a.downgrade();
    let table = heap.alloc_root(WeakKeyMap::from_iter([(a.downgrade(), loot)]));
    let set = heap.alloc_root(WeakSet::from_iter([a.downgrade()]));
    let snapshot = heap.snapshot();
    let b_name = format!("Mob {b} \"b\"");
    let a_name = format!("Mob {a} \"a\"");
    assert_eq!(
        edges(&snapshot, b.gc()),
        [format!("{b_name} .friends[0] -> {a_name}"), format!("{b_name} .target -weak-> {a_name}")]
    );
    let of_table: Vec<_> = snapshot.get(table.gc()).unwrap().edges().collect();
    let value = of_table.iter().find(|edge| edge.target().handle() == loot.erase()).unwrap();
    assert!(value.is_ephemeron() && !value.is_weak());
    assert_eq!(value.key().map(|key| key.handle()), Some(a.erase()));
    let of_key = snapshot.get(a).unwrap().edges().last().unwrap();
    assert!(of_key.is_ephemeron() && of_key.target().handle() == loot.erase());
    let of_set: Vec<_> = snapshot.get(set.gc()).unwrap().edges().collect();
    assert!(of_set.len() == 1 && of_set[0].is_weak());
    // Both the map and the key are held by roots, so nothing dominates the value.
    let node = snapshot.get(loot).unwrap();
    assert!(node.dominator().is_none());
    assert_eq!(node.distance(), Some(1));
    assert_eq!(node.referrers().filter(|edge| edge.is_ephemeron()).count(), 2);
    // Without the key it is a weak edge, and the value is garbage.
    heap[&b].friends.clear();
    let snapshot = heap.snapshot();
    let node = snapshot.get(loot).unwrap();
    assert!(node.referrers().all(|edge| edge.is_ephemeron() && edge.is_weak()));
    let garbage: BTreeSet<_> = snapshot.unreachable().map(|node| node.handle()).collect();
    assert_eq!(garbage, BTreeSet::from([a.erase(), loot.erase()]));
}

#[test]
fn an_ephemerons_value_is_dominated_by_what_holds_map_and_key() {
    #[derive(Trace)]
    struct Level {
        mob: Gc<Mob>,
        table: Gc<WeakKeyMap<Mob, Gc<Loot>>>,
    }
    let mut heap = heap();
    let (mob, loot) = (heap.alloc(mob("a")), heap.alloc(Loot(1)));
    let table = heap.alloc(WeakKeyMap::from_iter([(mob.downgrade(), loot)]));
    let level = heap.alloc_root(Level { mob, table });
    let snapshot = heap.snapshot();
    let node = snapshot.get(loot).unwrap();
    assert_eq!(node.dominator().unwrap().handle(), level.gc().erase());
    assert_eq!(snapshot.get(level.gc()).unwrap().retained_len(), 4);
    assert_eq!(snapshot.get(mob).unwrap().retained_len(), 1);
}

#[test]
fn several_paths_are_several_reasons() {
    let mut heap = heap();
    let target = heap.alloc(mob("target"));
    let far = heap.alloc(Mob { friends: vec![target], ..mob("far") });
    let near = heap.alloc_root(Mob { friends: vec![target, far, target], ..mob("near") }).named("near");
    let direct = heap.root(target).unwrap().named("direct");
    // A path through the target itself is no reason.
    heap[target].friends.push(far);
    let snapshot = heap.snapshot();
    let paths: Vec<_> = snapshot.paths_to(target, 10).iter().map(ToString::to_string).collect();
    let name = |gc: AnyGc, label: &str| format!("Mob {gc} {label:?}");
    let (t, n, f) =
        (name(target.erase(), "target"), name(near.gc().erase(), "near"), name(far.erase(), "far"));
    assert_eq!(
        paths,
        [
            format!("root \"direct\" -> {t}"),
            format!("root \"near\" -> {n} .friends[0] -> {t}"),
            format!("root \"near\" -> {n} .friends[2] -> {t}"),
            format!("root \"near\" -> {n} .friends[1] -> {f} .friends[0] -> {t}"),
        ]
    );
    assert_eq!(snapshot.paths_to(target, 2).len(), 2);
    assert!(snapshot.paths_to(target, 0).is_empty());
    drop(direct);
    assert_eq!(heap.snapshot().paths_to(target, 10).len(), 3);
}

#[test]
fn types_of_one_short_name_are_told_apart() {
    mod a {
        #[derive(slotgc::Trace)]
        pub(super) struct Node(pub(super) u8);
    }
    mod b {
        #[derive(slotgc::Trace)]
        pub(super) struct Node(pub(super) u8);
    }
    let mut heap = heap();
    let (x, y) = (heap.alloc_root(a::Node(1)), heap.alloc_root(b::Node(2)));
    let other = heap.alloc_root(mob("m"));
    assert_eq!((heap[&x].0, heap[&y].0), (1, 2));
    let snapshot = heap.snapshot();
    let name = |gc: AnyGc| snapshot.get(gc).unwrap().type_name().to_string();
    assert_eq!(name(x.gc().erase()), "a::Node");
    assert_eq!(name(y.gc().erase()), "b::Node");
    assert_eq!(name(other.gc().erase()), "Mob");
    assert!(heap.why_alive(&x).unwrap().to_string().contains("a::Node"));
    let names: BTreeSet<_> = snapshot.census().rows().iter().map(|row| row.type_name.clone()).collect();
    assert_eq!(names, BTreeSet::from(["a::Node".to_string(), "b::Node".into(), "Mob".into()]));
}

#[test]
fn a_census_counts_by_type_and_sorts_by_each_column() {
    let mut heap = heap();
    let loot: Vec<Gc<Loot>> = (0..10).map(|n| heap.alloc(Loot(n))).collect();
    let wolf = heap.alloc(Mob { loot: Some(loot[0]), ..mob("wolf") });
    let pack = heap.alloc_root(Mob { friends: vec![wolf], ..mob("pack") });
    let chest = heap.alloc_root(loot.clone());
    let census = heap.snapshot().census();
    let of_mob = census.get("Mob").unwrap();
    let slot = heap.snapshot().get(pack.gc()).unwrap().bytes();
    assert_eq!((of_mob.count, of_mob.bytes), (2, 2 * slot));
    // The pack dominates the wolf, whose loot is in the chest too.
    let owned = heap.snapshot().owned_bytes() - 80;
    assert_eq!((of_mob.owned_bytes, of_mob.retained_bytes), (owned, 2 * slot + owned));
    let of_chest = census.get("Vec<Gc<Loot>>").unwrap();
    assert_eq!((of_chest.owned_bytes, of_chest.retained_bytes), (80, VEC_SLOT + 80 + 9 * 16));
    let first = |census: slotgc::inspect::Census| census.rows()[0].type_name.clone();
    assert_eq!(first(census.clone().by_count()), "Loot");
    assert_eq!(first(census.clone().by_owned_bytes()), "Vec<Gc<Loot>>");
    assert_eq!(first(census.clone().by_name()), "Loot");
    let text = census.to_string();
    assert!(text.lines().count() == 5 && text.contains("retained"), "{text}");
    drop((pack, chest));
}

#[test]
fn growth_counts_new_gone_and_surviving_objects() {
    let mut heap = heap();
    let kept = heap.alloc_root(mob("kept"));
    let going = heap.alloc_root(mob("going"));
    let before = heap.snapshot();
    drop(going);
    heap.collect();
    // Perhaps in the slot of the dead object, but a different object.
    let new = [heap.alloc_root(mob("new")), heap.alloc_root(mob("new"))];
    let loot = heap.alloc_root(Loot(1));
    let growth = heap.snapshot().since(&before);
    let row = growth.get("Mob").unwrap();
    assert_eq!((row.new, row.gone, row.survived), (2, 1, 1));
    assert_eq!(growth.get("Loot").map(|row| (row.new, row.bytes)), Some((1, 16)));
    let found: BTreeSet<AnyGc> = growth.new_of("Mob").collect();
    assert_eq!(found, new.iter().map(|root| root.gc().erase()).collect());
    assert_eq!(growth.new_objects().count(), 3);
    assert_eq!(growth.new_of("Loot").next(), Some(loot.gc().erase()));
    assert!(growth.to_string().contains("Mob"), "{growth}");
    let back = before.since(&heap.snapshot());
    assert_eq!(back.get("Mob").map(|row| (row.new, row.gone, row.survived)), Some((1, 2, 1)));
    drop(kept);
}

#[test]
fn a_swept_heap_and_one_being_swept_look_the_same() {
    let mut heap = heap();
    let kept = heap.alloc_root(mob("kept"));
    let garbage: Vec<_> = (0..5000).map(|_| heap.alloc(mob("garbage"))).collect();
    let mut saw_sweep = false;
    loop {
        let report = heap.step(Budget::Objects(50));
        let snapshot = heap.snapshot();
        assert_eq!(snapshot.len(), heap.len());
        if report.phase > Phase::Mark || report.finished.is_some() {
            saw_sweep |= report.finished.is_none();
            assert!(garbage.iter().all(|gc| snapshot.get(*gc).is_none()));
            assert_eq!(snapshot.len(), 1);
        }
        assert!(snapshot.get(kept.gc()).is_some());
        if report.finished.is_some() {
            break;
        }
    }
    assert!(saw_sweep);
}

#[test]
fn many_threads_may_look_at_once() {
    let mut heap = heap();
    let mut head = heap.alloc(mob("first"));
    let first = head;
    for _ in 0..500 {
        head = heap.alloc(Mob { friends: vec![head], ..mob("m") });
    }
    let root = heap.root(head).unwrap();
    heap.step(Budget::Objects(10));
    let snapshot = heap.snapshot();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                assert_eq!(heap.why_alive(first).unwrap().len(), 501);
                assert_eq!(heap.snapshot().get(first).unwrap().distance(), Some(500));
                assert_eq!(snapshot.get(root.gc()).unwrap().retained_len(), 501);
                assert_eq!(snapshot.paths_to(first, 3).len(), 1);
            });
        }
    });
    heap.verify();
}

#[test]
fn an_empty_heap_has_an_empty_snapshot() {
    let snapshot = Heap::new().snapshot();
    assert!(snapshot.is_empty() && snapshot.bytes() == 0 && snapshot.roots().next().is_none());
    assert!(snapshot.census().rows().is_empty() && snapshot.unreachable().next().is_none());
    assert!(snapshot.get(AnyGc::default()).is_none());
    assert!(snapshot.since(&snapshot).rows().is_empty());
    assert_eq!(snapshot.to_dot(AnyGc::default(), 3), "digraph heap {\n  node [shape=ellipse];\n}\n");
}

#[test]
fn dot_draws_the_neighbourhood() {
    let mut heap = heap();
    let far = heap.alloc(mob("far"));
    let near = heap.alloc(Mob { friends: vec![far], ..mob("near \"x\"") });
    let root = heap.alloc_root(Mob { friends: vec![near], ..mob("root") }).named("r");
    heap[near].target = root.downgrade();
    let dot = heap.snapshot().to_dot(near, 1);
    assert!(
        dot.contains(&format!("\"{near}\" [label=\"Mob {near} \\\"near \\\\\\\"x\\\\\\\"\\\"\"];")),
        "{dot}"
    );
    assert!(dot.contains(&format!("\"{root}\" -> \"{near}\" [label=\"friends[0]\"];")), "{dot}");
    assert!(dot.contains(&format!("\"{near}\" -> \"{root}\" [label=\"target\", style=dashed];")), "{dot}");
    assert!(dot.contains("[shape=box, label=\"root \\\"r\\\"\"];"), "{dot}");
    let none = heap.snapshot().to_dot(near, 0);
    assert!(!none.contains(&format!("\"{far}\"")), "{none}");
}

#[test]
fn a_snapshot_takes_at_most_100_bytes_an_object() {
    #[derive(Trace)]
    struct Node {
        children: [Option<Gc<Node>>; 4],
    }
    const LEN: usize = 50_000;
    let mut heap = heap();
    let nodes: Vec<Gc<Node>> = (0..LEN).map(|_| heap.alloc(Node { children: [None; 4] })).collect();
    for (index, node) in nodes.iter().enumerate() {
        let child = |n: usize| Some(nodes[(index * 7919 + n * 31337 + 1) % LEN]);
        heap[*node].children = [child(0), child(1), child(2), child(3)];
    }
    let _root = heap.root(nodes[0]).unwrap();
    let snapshot = heap.snapshot();
    assert_eq!(snapshot.nodes().map(|node| node.edges().count()).sum::<usize>(), 4 * LEN);
    let bare = snapshot.memory_bytes() / LEN;
    let node = snapshot.get(nodes[LEN / 2]).unwrap();
    assert!(node.retained_bytes() > 0 && node.referrers().count() == 4 && node.distance().is_some());
    let all = snapshot.memory_bytes() / LEN;
    assert!(bare <= 60 && all <= 100, "{bare} bytes an object, {all} with all that is computed on demand");
}

#[test]
fn a_handle_of_another_heap_or_an_old_one_is_not_in_it() {
    let mut heap = heap();
    let old = heap.alloc(mob("old"));
    heap.collect();
    let new = heap.alloc_root(mob("new"));
    let snapshot = heap.snapshot();
    assert!(snapshot.get(old).is_none() && snapshot.path_to(old).is_none());
    assert!(snapshot.get(new.gc()).is_some());
    let stale: Weak<Mob> = old.downgrade();
    let holder = heap.alloc_root(Mob { target: stale, ..mob("holder") });
    assert_eq!(heap.snapshot().get(holder.gc()).unwrap().edges().count(), 0, "a stale handle is no edge");
}
