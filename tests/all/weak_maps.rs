//! `WeakValueMap`: an entry lives as long as its value's object. Tests of what works as in std's maps are in
//! `weak_maps/std_parity.rs`, caches are in `caches.rs`.

mod std_parity;

use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use slotgc::{Gc, Heap, Root, Trace, Tracer, Weak, WeakValueMap};

use crate::objects::{Log, Node, Noisy, on_small_stack, traced};

type Names = WeakValueMap<u32, Node>;

/// A rooted map of the numbers from 0 to `len` to rooted objects of these values.
fn ten(heap: &mut Heap, len: u32) -> (Root<Names>, Vec<Root<Node>>) {
    let values: Vec<_> = (0..len).map(|n| heap.alloc_root(Node::leaf(n.into()))).collect();
    let map = (0..len).zip(&values).collect::<Names>();
    (heap.alloc_root(map), values)
}

fn sorted<T: Ord>(items: impl IntoIterator<Item = T>) -> Vec<T> {
    let mut items: Vec<T> = items.into_iter().collect();
    items.sort();
    items
}

#[test]
fn an_entry_goes_with_its_value() {
    // weak-cases 41
    let mut heap = Heap::new();
    let (map, mut values) = ten(&mut heap, 10);
    assert_eq!((heap.collect().pruned, heap[&map].len()), (0, 10));
    values.remove(3);
    let stats = heap.collect();
    assert_eq!((stats.freed, stats.pruned, heap[&map].len()), (1, 1, 9));
    assert_eq!(heap[&map].get(&3), None);
    assert!(!heap[&map].contains_key(&3));
    for root in &values {
        let key = heap[root].value as u32;
        assert_eq!(heap[&map].get(&key), Some(root.downgrade()));
    }
    values.clear();
    assert_eq!((heap.collect().pruned, heap[&map].len(), heap[&map].is_empty()), (9, 0, true));
}

#[test]
fn an_overwritten_value_takes_nothing_with_it() {
    // weak-cases 42
    let mut heap = Heap::new();
    let map = heap.alloc_root(WeakValueMap::new());
    let (a, b) = (heap.alloc_root(1), heap.alloc_root(2));
    assert_eq!(heap[&map].insert("key", &a), None);
    assert_eq!(heap[&map].insert("key", &b), Some(a.downgrade()));
    drop(a);
    let stats = heap.collect();
    assert_eq!((stats.freed, stats.pruned), (1, 0));
    assert_eq!((heap[&map].get("key"), heap[&map].len()), (Some(b.downgrade()), 1));
}

#[test]
fn a_late_callback_for_an_old_value_leaves_the_new_ones_entry() {
    // weak-cases: mistakes
    let mut heap = Heap::new();
    let map = heap.alloc_root(WeakValueMap::new());
    let (old, new) = (heap.alloc("old"), heap.alloc_root("new"));
    heap[&map].insert(1, old);
    let (weak, new_weak) = (map.downgrade(), new.downgrade());
    heap.on_death(old, move |heap, old| {
        assert_eq!(heap[weak].get(&1), None);
        heap[weak].insert(1, new_weak);
        heap.collect();
        assert_ne!(heap[weak].get(&1), Some(old));
    })
    .unwrap();
    heap.collect();
    assert_eq!(heap[&map].iter().collect::<Vec<_>>(), [(&1, new.downgrade())]);
}

/// A key that owns a root, which a handwritten `Trace` can hide.
struct Holding(u32, #[expect(dead_code, reason = "held, not used")] Root<Node>);

impl Trace for Holding {
    const NEEDS_TRACE: bool = false;

    fn trace(&self, _: &mut Tracer<'_>) {}
}

impl PartialEq for Holding {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl Eq for Holding {}

impl Hash for Holding {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

#[test]
fn a_key_that_owns_a_root_is_dropped_with_its_entry_and_its_object_freed_by_the_next_collection() {
    // weak-cases 43
    let mut heap = Heap::new();
    let map = heap.alloc_root(WeakValueMap::new());
    let held = heap.alloc_root(Node::leaf(1));
    let (weak, value) = (held.downgrade(), heap.alloc(2));
    heap[&map].insert(Holding(7, held), value);
    let stats = heap.collect();
    assert_eq!((stats.pruned, stats.freed, heap[&map].len()), (1, 1, 0));
    assert!(heap.is_alive(weak), "it was reachable when the collection began");
    assert_eq!(heap.stats().roots, 1);
    assert_eq!(heap.collect().freed, 1);
    assert!(!heap.is_alive(weak));
}

#[test]
fn a_clone_is_a_map_of_its_own() {
    // weak-cases 45
    let mut heap = Heap::new();
    let (map, mut values) = ten(&mut heap, 3);
    let copy = heap[&map].clone();
    let copy = heap.alloc_root(copy);
    heap[&copy].insert(99, &values[1]);
    assert_eq!((heap[&map].get(&99), heap[&copy].len()), (None, 4));
    values.remove(0);
    assert_eq!(heap.collect().pruned, 2);
    assert_eq!(sorted(heap[&map].keys().copied()), [1, 2]);
    assert_eq!(sorted(heap[&copy].keys().copied()), [1, 2, 99]);
    let other = heap.alloc_root(Node::leaf(50));
    heap[&copy].extend([(1, &other), (5, &other)]);
    assert_eq!(
        (heap[&copy].get(&1), heap[&copy].get(&5)),
        (Some(other.downgrade()), Some(other.downgrade()))
    );
    assert_eq!(heap[&map].get(&1), Some(values[0].downgrade()));
}

#[test]
fn a_map_that_lost_nearly_all_entries_releases_memory_at_the_next_insertion() {
    // weak-cases 46
    let mut heap = Heap::new();
    let map = heap.alloc_root(WeakValueMap::new());
    for key in 0..100_000 {
        let value = heap.alloc(key);
        heap[&map].insert(key, value);
    }
    let kept = heap.alloc_root(1);
    assert_eq!(heap.collect().pruned, 100_000);
    for way in 0..2 {
        match way {
            0 => drop(heap[&map].insert(0, &kept)),
            _ => drop(heap[&map].entry(1).or_insert(kept.downgrade())),
        }
        let needed = WeakValueMap::<u32, u32>::with_capacity(way + 1).capacity();
        assert!(heap[&map].capacity() <= 4 * needed, "{} places", heap[&map].capacity());
    }
}

#[test]
fn handles_in_keys_are_strong_edges_for_as_long_as_the_entry_exists() {
    let mut heap = Heap::new();
    let map = heap.alloc_root(WeakValueMap::new());
    let (in_key, value) = (heap.alloc(Node::leaf(1)), heap.alloc_root(2));
    heap[&map].insert(in_key, &value);
    assert_eq!(heap.collect().freed, 0);
    drop(value);
    // This collection removes the entry; its key was reached when the collection began.
    assert_eq!((heap.collect().freed, heap[&map].len()), (1, 0));
    assert_eq!((heap.collect().freed, heap.is_alive(in_key)), (1, false));
}

#[test]
fn a_key_that_is_its_own_value_stays() {
    let mut heap = Heap::new();
    let map = heap.alloc_root(WeakValueMap::new());
    let object = heap.alloc(Node::leaf(1));
    heap[&map].insert(object, object);
    assert_eq!((heap.collect().freed, heap[&map].len()), (0, 1));
}

static MAY_RUN: AtomicBool = AtomicBool::new(true);

/// A key that panics where no user code should run.
struct Touchy(u32, #[expect(dead_code, reason = "dropped with it")] Noisy);

impl Touchy {
    fn touch(&self) {
        assert!(MAY_RUN.load(Ordering::Relaxed), "a collection calls Eq or Hash of key {}", self.0);
    }
}

impl Trace for Touchy {
    const NEEDS_TRACE: bool = false;

    fn trace(&self, _: &mut Tracer<'_>) {}
}

impl PartialEq for Touchy {
    fn eq(&self, other: &Self) -> bool {
        self.touch();
        self.0 == other.0
    }
}

impl Eq for Touchy {}

impl Hash for Touchy {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.touch();
        self.0.hash(state);
    }
}

#[test]
fn pruning_calls_no_eq_and_no_hash_and_destructors_of_keys_come_last() {
    let log = Log::default();
    let mut heap = Heap::new();
    let map = heap.alloc_root(WeakValueMap::new());
    for number in 0..1000 {
        let value = heap.alloc(Noisy::new(number + 1000, &log));
        heap[&map].insert(Touchy(number, Noisy::new(number, &log)), value);
    }
    MAY_RUN.store(false, Ordering::Relaxed);
    assert_eq!(heap.collect().pruned, 1000);
    MAY_RUN.store(true, Ordering::Relaxed);
    let dropped = log.take();
    assert_eq!(dropped.len(), 2000);
    assert!(dropped[..1000].iter().all(|number| *number >= 1000), "objects first, then what was set aside");
    assert_eq!(sorted(dropped), (0..2000).collect::<Vec<_>>());
}

#[cfg(feature = "std")]
#[test]
fn a_hash_that_panics_at_any_call_costs_no_entry() {
    use std::cell::Cell;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    thread_local! {
        /// How many calls there are until one panics.
        static CALLS: Cell<usize> = const { Cell::new(usize::MAX) };
    }

    #[derive(PartialEq, Eq)]
    struct Fragile(u32);

    impl Hash for Fragile {
        fn hash<H: Hasher>(&self, state: &mut H) {
            let left = CALLS.replace(CALLS.get().wrapping_sub(1));
            assert!(left > 0, "it broke");
            self.0.hash(state);
        }
    }

    traced!(Fragile {});

    let mut heap = Heap::new();
    let value = heap.alloc_root(Node::leaf(1));
    for (kept, calls) in [3, 20, 40].into_iter().flat_map(|kept| (0..60).map(move |calls| (kept, calls))) {
        let mut map = WeakValueMap::new();
        // So many come and go that the next one finds no empty bucket, perhaps.
        for number in 0..200 {
            for key in 0..kept {
                map.insert(Fragile(key), &value);
            }
            map.insert(Fragile(1000 + number), &value);
            CALLS.set(calls);
            let inserted = catch_unwind(AssertUnwindSafe(|| map.insert(Fragile(2000), &value))).is_ok();
            CALLS.set(usize::MAX);
            assert_eq!(map.len(), kept as usize + 1 + usize::from(inserted), "{calls} calls, {number} came");
            assert!((0..kept).all(|key| map.contains_key(&Fragile(key))));
            map.remove(&Fragile(2000));
            map.remove(&Fragile(1000 + number));
        }
    }
}

/// Maps beside other fields and in a container, several in one object.
struct Owner {
    strong: Option<Gc<Node>>,
    first: Names,
    more: Vec<Option<Names>>,
}

traced!(Owner { strong, first, more });

#[test]
fn maps_in_fields_and_in_containers_are_pruned_like_those_with_a_slot_of_their_own() {
    let mut heap = Heap::new();
    let (kept, lost) = (heap.alloc_root(Node::leaf(1)), heap.alloc(Node::leaf(2)));
    let made = || Names::from_iter([(1, kept.downgrade()), (2, lost.downgrade())]);
    let strong = Some(heap.alloc(Node::leaf(3)));
    let owner = Owner { strong, first: made(), more: vec![Some(made()), None, Some(made())] };
    let owner = heap.alloc_root(owner);
    let stats = heap.collect();
    assert_eq!((stats.pruned, stats.freed, stats.kept), (3, 1, 3));
    let Owner { strong, first, more } = &heap[&owner];
    assert!(heap.is_alive(strong.unwrap()) && heap.is_alive(&kept));
    assert_eq!((first.len(), more.iter().flatten().map(WeakValueMap::len).sum::<usize>()), (1, 2));
}

#[test]
fn a_map_that_dies_is_freed_with_all_its_entries() {
    let log = Log::default();
    let mut heap = Heap::new();
    let value = heap.alloc_root(1);
    let map: WeakValueMap<_, _> = WeakValueMap::from_iter([(Touchy(1, Noisy::new(1, &log)), &value)]);
    heap.alloc(map);
    let stats = heap.collect();
    assert_eq!((stats.freed, stats.pruned, log.take()), (1, 0, vec![1]));
}

#[test]
fn a_value_that_refers_to_the_maps_owner_keeps_nothing() {
    let mut heap = Heap::new();
    struct Ring {
        map: WeakValueMap<u32, Ring>,
        other: Option<Gc<Ring>>,
    }
    traced!(Ring { map, other });
    let owner = heap.alloc(Ring { map: WeakValueMap::new(), other: None });
    let value = heap.alloc(Ring { map: WeakValueMap::new(), other: Some(owner) });
    heap[owner].map.insert(1, value);
    heap[owner].map.insert(2, owner);
    let root = heap.root(value).unwrap();
    assert_eq!((heap.collect().freed, heap[owner].map.len()), (0, 2));
    drop(root);
    assert_eq!(heap.collect().freed, 2);
}

#[test]
fn a_dead_handle_stays_until_the_next_collection_and_resolves_to_nothing() {
    let mut heap = Heap::new();
    let map = heap.alloc_root(WeakValueMap::new());
    let (value, stranger) = (heap.alloc_root(1), Heap::new().alloc(2));
    heap[&map].insert("destroyed", &value);
    heap[&map].insert("never", Weak::dangling());
    let destroyed = heap[&map].get("destroyed").unwrap();
    heap[&map].insert("kept", destroyed);
    assert_eq!((heap.destroy(&value), heap[&map].len()), (Some(1), 3));
    assert!(heap[&map].values().all(|value| heap.get(value).is_none()));
    let reborn = heap.alloc_root(7);
    assert_ne!(reborn.gc(), value.gc());
    assert_eq!((heap.collect().pruned, heap[&map].len()), (3, 0));
    // A handle of another heap resolves to nothing, or to whatever lives in its slot.
    heap[&map].insert("stranger", stranger);
    heap.collect();
    assert_eq!(heap[&map].contains_key("stranger"), heap.is_alive(stranger));
}

#[test]
fn a_map_outside_of_the_heap_is_pruned_by_hand() {
    let log = Log::default();
    let mut heap = Heap::new();
    let mut map = WeakValueMap::new();
    let roots: Vec<_> = (0..10_u64).map(|n| heap.alloc_root(n)).collect();
    map.extend((0..).zip(&roots).map(|(n, root)| (Touchy(n, Noisy::new(n, &log)), root)));
    map.prune_dead(&heap);
    assert_eq!(map.len(), 10);
    heap.destroy(&roots[4]);
    heap.destroy(&roots[7]);
    let unreachable = heap.alloc(99);
    map.insert(Touchy(99, Noisy::new(99, &log)), unreachable);
    map.prune_dead(&heap);
    // What no collection has freed yet counts as alive.
    assert_eq!((map.len(), sorted(log.take())), (9, vec![4, 7]));
    assert_eq!(heap.collect().pruned, 0);
    map.prune_dead(&heap);
    assert_eq!((map.len(), log.take()), (8, vec![99]));
    drop(roots);
    heap.collect();
    map.prune_dead(&heap);
    assert!(map.is_empty());
    map.insert(Touchy(1, Noisy::new(1, &log)), unreachable);
    map.prune_dead(&Heap::new());
    assert!(map.is_empty());
}

#[test]
fn a_value_dies_in_one_collection_however_deep_it_lies_behind_maps() {
    // weak-cases: mistakes
    on_small_stack(|| {
        let mut heap = Heap::new();
        // Each map is a value of the one before: weakly, so all die at once.
        struct Level(WeakValueMap<u32, Level>);
        traced!(Level { 0 });
        let mut inner = heap.alloc(Level(WeakValueMap::new()));
        for _ in 0..10_000 {
            inner = heap.alloc(Level(WeakValueMap::from_iter([(1, inner)])));
        }
        let root = heap.root(inner).unwrap();
        let stats = heap.collect();
        assert_eq!((stats.freed, stats.pruned, heap[&root].0.len()), (10_000, 1, 0));
    });
}

#[test]
fn a_map_moves_between_threads_with_its_heap() {
    let mut heap = Heap::new();
    let (map, values) = ten(&mut heap, 10);
    let dropped = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&dropped);
    let (heap, map) = std::thread::spawn(move || {
        seen.fetch_add(values.len(), Ordering::Relaxed);
        drop(values);
        heap.collect();
        (heap, map)
    })
    .join()
    .unwrap();
    assert_eq!((heap[&map].len(), dropped.load(Ordering::Relaxed)), (0, 10));
}
