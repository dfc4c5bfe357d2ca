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
