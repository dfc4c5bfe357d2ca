//! Roots by name and origin, and the objects that they keep.

use slotgc::inspect::RootInfo;
use slotgc::{Heap, HeapConfig, Root};

use super::{Mob, mob};

fn infos(heap: &Heap) -> Vec<RootInfo> {
    let mut infos: Vec<_> = heap.roots().collect();
    infos.sort_by_key(|info| info.handle);
    infos
}

#[test]
fn every_living_root_is_listed_once_with_its_clones() {
    let mut heap = Heap::with_config(HeapConfig::default().root_origins(true));
    let line = line!() + 1;
    let a: Root<Mob> = heap.alloc_root(mob("a"));
    let b = heap.alloc_root(7_u64).named("seven");
    let clones = [b.clone(), b.clone()];
    let listed = infos(&heap);
    let info = |handle| listed.iter().find(|info| info.handle == handle).unwrap();
    let of_a = info(a.gc().erase());
    assert_eq!((of_a.type_name.as_str(), of_a.name.as_deref(), of_a.clones), ("Mob", None, 1));
    assert_eq!(of_a.origin.map(|origin| origin.line()), Some(line));
    let of_b = info(b.gc().erase());
    assert_eq!((of_b.type_name.as_str(), of_b.name.as_deref(), of_b.clones), ("u64", Some("seven"), 3));
    assert_eq!(listed.len(), 2);
    drop((b, clones));
    assert_eq!(infos(&heap).len(), 1);
}

#[test]
fn clones_counts_all_roots_of_the_object() {
    let mut heap = Heap::new();
    let first = heap.alloc_root(mob("a"));
    let second = heap.root(&first).unwrap().named("second");
    let third = second.clone();
    let listed = infos(&heap);
    assert_eq!(listed.len(), 2);
    assert!(listed.iter().all(|info| info.clones == 3), "{listed:?}");
    drop(third);
    assert!(infos(&heap).iter().all(|info| info.clones == 2));
}

#[test]
fn a_root_is_listed_whether_its_object_lives_or_not() {
    let mut heap = Heap::new();
    let alive = heap.alloc_root(mob("alive"));
    let destroyed = heap.alloc_root(mob("destroyed")).named("gone");
    heap.destroy(&destroyed);
    let listed = infos(&heap);
    assert_eq!((listed.len(), heap.stats().roots), (2, 2));
    let of = |root: &Root<Mob>| infos(&heap).into_iter().find(|info| info.handle == root.gc().erase());
    assert_eq!(of(&alive).unwrap().type_name, "Mob");
    let info = of(&destroyed).unwrap();
    assert_eq!((info.type_name.as_str(), info.name.as_deref(), info.clones), ("", Some("gone"), 1));
    // Its page may be gone, or of another type.
    drop(alive);
    heap.collect();
    heap.shrink_to_fit();
    let others: Vec<_> = (0..10_000_u64).map(|number| heap.alloc_root(number)).collect();
    assert_eq!((heap.roots().count(), heap.stats().roots), (10_001, 10_001));
    assert!(heap.roots().all(|info| info.type_name == if info.name.is_some() { "" } else { "u64" }));
    assert!(heap.why_alive(&destroyed).is_none() && heap.why_alive(&others[0]).is_some());
    assert_eq!(heap.snapshot().roots().count(), 10_000);
}

#[cfg(feature = "std")]
#[test]
fn a_root_of_what_is_not_made_yet_is_listed_too() {
    let mut heap = Heap::new();
    let later = heap.alloc_root_later(mob("later"));
    let info = heap.roots().next().unwrap();
    assert_eq!((info.handle, info.type_name.as_str()), (later.gc().erase(), ""));
    assert!(heap.why_alive(&later).is_none());
    heap.flush();
    assert_eq!(heap.roots().next().unwrap().type_name, "Mob");
}

#[test]
fn a_name_is_dropped_with_the_last_clone() {
    let mut heap = Heap::with_config(HeapConfig::default().root_origins(false));
    let root = heap.alloc_root(mob("a")).named("old");
    let clone = root.clone();
    drop(root);
    assert_eq!(infos(&heap)[0].name.as_deref(), Some("old"));
    let gc = clone.gc();
    drop(clone);
    // Its entry in the table is reused.
    let again = heap.root(gc).unwrap();
    assert_eq!(infos(&heap)[0].name, None);
    let again = again.named("new").named("newer");
    assert_eq!(infos(&heap)[0].name.as_deref(), Some("newer"));
    std::thread::spawn(move || drop(again)).join().unwrap();
    assert!(infos(&heap).is_empty());
    let other = heap.alloc_root(1_u8);
    assert_eq!(infos(&heap)[0].name, None);
    drop(other);
}

#[test]
fn origins_are_recorded_only_where_that_is_requested() {
    let mut heap = Heap::with_config(HeapConfig::default().root_origins(false));
    let _root = heap.alloc_root(1_u8);
    assert!(infos(&heap)[0].origin.is_none());
    let mut heap = Heap::with_config(HeapConfig::default().root_origins(true));
    let root = heap.alloc_root(1_u8);
    let line = line!() + 1;
    let _again = heap.root(&root).unwrap();
    drop(root);
    assert_eq!(infos(&heap)[0].origin.unwrap().line(), line);
    let by_default = Heap::new().alloc_root(1_u8);
    drop(by_default);
}

#[test]
fn a_snapshot_knows_roots_and_what_they_hold() {
    let mut heap = Heap::with_config(HeapConfig::default().root_origins(false));
    let a = heap.alloc_root(mob("a")).named("a");
    let b = heap.alloc(mob("b"));
    let source = [b, a.gc()];
    let snapshot = heap.snapshot_with(&slotgc::inspect::named_roots("stack", &source));
    let shown: Vec<_> =
        snapshot.roots().map(|root| format!("{root} -> {}", root.target().handle())).collect();
    let expected = [
        format!("root \"a\" -> {a}"),
        format!("source \"stack\" [0] -> {b}"),
        format!("source \"stack\" [1] -> {a}"),
    ];
    assert_eq!(shown, expected);
    assert_eq!(snapshot.get(a.gc()).unwrap().roots().count(), 2);
    assert_eq!(snapshot.get(a.gc()).unwrap().referrers().count(), 0);
}
