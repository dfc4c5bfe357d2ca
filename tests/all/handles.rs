//! Handles as values: equality, order, hashes, text, and use as keys. Made-up ones are in
//! `handles/made_up.rs`.

mod made_up;

use std::cmp::Ordering;
use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::hash::{Hash, Hasher};

use slotgc::{AnyGc, Gc, HandleHasher, Heap, Inspector, Links, Root, Trace, Tracer, Weak};
use slotmap::Key;
#[cfg(feature = "std")]
use slotmap::{SecondaryMap, SparseSecondaryMap};

use crate::objects::{GcMap, GcSet, Node};

/// Implements neither `Debug` nor `Hash` nor `Eq`, nor anything else that a handle could require.
struct Mute(#[expect(dead_code, reason = "only its identity matters")] f64);

impl Trace for Mute {
    fn trace(&self, _: &mut Tracer<'_>) {}
}

fn hash_of(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

#[test]
fn handles_are_small_and_leave_room_for_none() {
    assert_eq!(size_of::<Gc<[u8; 100]>>(), 8);
    assert_eq!((size_of::<Option<Gc<u8>>>(), size_of::<Option<Weak<u8>>>()), (8, 8));
    assert_eq!((size_of::<AnyGc>(), size_of::<Option<AnyGc>>()), (8, 8));
}

#[test]
fn handles_have_every_common_trait_whatever_they_name() {
    fn check<H: Copy + Eq + Ord + Hash + std::fmt::Debug + std::fmt::Display + Default + Send + Sync>() {}
    fn check_root<R: Clone + Eq + Ord + Hash + std::fmt::Debug + Send + Sync>() {}
    // A type that has none of these properties itself.
    type Opaque = std::cell::Cell<*const Mute>;
    check::<Gc<Opaque>>();
    check::<Weak<Opaque>>();
    check::<AnyGc>();
    check_root::<Root<Mute>>();
}

#[test]
fn handles_of_one_object_are_equal_and_those_of_two_differ_whatever_is_in_them() {
    // weak-cases 11
    let mut heap = Heap::new();
    let (a, b) = (heap.alloc_root("same".to_string()), heap.alloc_root("same".to_string()));
    let again = heap.root(a.downgrade()).unwrap();
    assert_eq!((a.gc(), a.downgrade(), &a), (again.gc(), again.downgrade(), &again));
    assert_eq!(hash_of(&a.gc()), hash_of(&again.gc()));
    assert_ne!(a.gc(), b.gc());
    assert_ne!(a.downgrade(), b.downgrade());
    assert_ne!(a, b);
    assert_ne!(a.gc().erase(), b.gc().erase());
}

#[test]
fn kinds_of_handles_compare_with_each_other() {
    let mut heap = Heap::new();
    let (a, b) = (heap.alloc_root(1), heap.alloc_root(2));
    let (gc, weak) = (a.gc(), a.downgrade());
    for is_equal in [gc == weak, weak == gc, a == gc, gc == a, a == weak, weak == a] {
        assert!(is_equal);
    }
    for differs in [b != gc, gc != b, b != weak, weak != b, b.gc() != weak, weak != b.gc()] {
        assert!(differs);
    }
    assert_eq!(Weak::from(gc), weak);
    assert_eq!(Weak::from(&gc), weak);
    assert_eq!(Weak::from(&weak), weak);
    assert_eq!(Weak::from(&a), weak);
    assert_eq!(Gc::from(&a), gc);
    assert_eq!(AnyGc::from(gc), gc.erase());
}

#[test]
fn death_changes_no_handle() {
    // weak-cases 12, 14
    // weak-cases: mistakes
    let mut heap = Heap::new();
    let all: Vec<Weak<Node>> = (0..1000).map(|value| heap.alloc(Node::leaf(value)).downgrade()).collect();
    let before: Vec<_> = all.iter().map(|weak| (hash_of(weak), weak.to_string(), weak.to_bits())).collect();
    let mut set: HashSet<Weak<Node>> = all.iter().copied().collect();
    let tree: BTreeSet<Weak<Node>> = all.iter().copied().collect();
    let kept: Vec<_> = all.iter().step_by(3).map(|weak| heap.root(weak).unwrap()).collect();
    heap.collect();
    let after: Vec<_> = all.iter().map(|weak| (hash_of(weak), weak.to_string(), weak.to_bits())).collect();
    assert_eq!(before, after);
    assert!(tree.iter().eq(&all), "the order is that of the slots, as before");
    assert_eq!(all.iter().collect::<HashSet<_>>().len(), 1000, "dead handles stay distinct");
    assert!(all.iter().all(|weak| set.contains(weak)));
    assert!(all.iter().all(|weak| set.remove(weak)));
    assert!(set.is_empty());
    drop(kept);
}

#[test]
fn a_dead_handle_is_unequal_to_every_handle_of_the_next_tenant() {
    // weak-cases 13
    let mut heap = Heap::new();
    let old = heap.alloc(Node::leaf(1));
    heap.collect();
    let new = heap.alloc_root(Node::leaf(1));
    assert_eq!(old.to_bits() >> 32, new.gc().to_bits() >> 32, "the slot was reused");
    assert!(old != new && old != new.gc() && old != new.downgrade() && old.downgrade() != new);
    assert_ne!(old.erase(), new.gc().erase());
    assert!(heap.get(old).is_none() && heap.downcast::<Node>(old.erase()).is_none());
}

#[test]
fn null_is_equal_to_itself_and_to_nothing_that_ever_lived() {
    // weak-cases 4
    let mut heap = Heap::new();
    let null = Gc::<Node>::default();
    assert_eq!(null, Weak::dangling());
    assert_eq!(Weak::<Node>::dangling(), Weak::default());
    assert_eq!(null.erase(), AnyGc::default());
    for value in 0..10_000 {
        assert_ne!(heap.alloc(Node::leaf(value)), null);
    }
    assert!(heap.get(null).is_none() && heap.upgrade(Weak::<Node>::dangling()).is_none());
    assert!(heap.root(null).is_none() && heap.destroy(null).is_none());
    assert!(!heap.is_alive(null) && !heap.is_alive_any(AnyGc::default()));
    assert!(Heap::new().get(Weak::<Node>::dangling()).is_none());
    assert_eq!(format!("{:?}", Weak::<Node>::dangling()), "Weak<Node>(null)");
}

#[test]
fn text_names_the_short_type_and_survives_death_and_types_without_debug() {
    // weak-cases 15
    let mut heap = Heap::new();
    let root = heap.alloc_root(Mute(1.0));
    let (gc, weak, any) = (root.gc(), root.downgrade(), root.gc().erase());
    let texts = || [format!("{gc:?}"), format!("{weak:?}"), format!("{root:?}"), format!("{any:?}")];
    let alive = texts();
    assert_eq!(alive, ["Gc<Mute>(0v1)", "Weak<Mute>(0v1)", "Root<Mute>(0v1)", "AnyGc(0v1)"]);
    assert_eq!([gc.to_string(), weak.to_string(), root.to_string(), any.to_string()], ["0v1"; 4]);
    heap.destroy(&root);
    heap.collect();
    heap.alloc(Mute(2.0));
    assert_eq!(texts(), alive);
    let nested = heap.alloc(vec![Some(("x".to_string(), [1_u8; 3]))]);
    assert!(format!("{nested:?}").starts_with("Gc<Vec<Option<(String, [u8; 3])>>>("));
    assert!(format!("{:?}", Gc::<HashMap<Gc<Node>, u8>>::default()).starts_with("Gc<HashMap<Gc<Node>, u8"));
}

#[test]
fn text_names_the_short_type_wherever_it_was_declared() {
    trait Shown {
        fn shown(&self) -> String;
    }

    impl Shown for Mute {
        fn shown(&self) -> String {
            #[derive(Trace)]
            struct Local;
            format!("{:?} {:?}", Gc::<Local>::default(), Gc::<(Vec<Local>, [Local; 2])>::default())
        }
    }

    impl<T> Shown for [T] {
        fn shown(&self) -> String {
            #[derive(Trace)]
            struct Local<U>(U);
            format!("{:?}", Weak::<Local<u8>>::dangling())
        }
    }

    let in_closure = || {
        #[derive(Trace)]
        struct Local;
        format!("{:?} {:?}", Gc::<Local>::default(), Gc::<Option<Box<Local>>>::default())
    };
    assert_eq!(Mute(1.0).shown(), "Gc<Local>(null) Gc<(Vec<Local>, [Local; 2])>(null)");
    assert_eq!([1_u8].shown(), "Weak<Local<u8>>(null)");
    assert_eq!(in_closure(), "Gc<Local>(null) Gc<Option<Box<Local>>>(null)");
}

#[test]
fn text_respects_a_width() {
    let mut heap = Heap::new();
    heap.alloc(1_u8);
    let root = heap.alloc_root(2_u8);
    let (gc, weak, any) = (root.gc(), root.downgrade(), root.gc().erase());
    assert_eq!(format!("[{gc:>8}]"), "[     2v1]");
    assert_eq!(format!("[{weak:<8}]"), "[2v1     ]");
    assert_eq!(format!("[{any:^9}]"), "[   2v1   ]");
    assert_eq!(format!("[{root:*>6}]"), "[***2v1]");
    assert_eq!(format!("[{:6}]", Gc::<u8>::default()), "[null  ]");
}

#[test]
fn order_is_by_slot_and_then_by_generation() {
    let mut heap = Heap::new();
    let old = heap.alloc(0_u64);
    let second = heap.alloc(1_u64);
    heap.collect();
    let new = heap.alloc(2_u64);
    assert!(old < new && new < second);
    assert_eq!(old.cmp(&old), Ordering::Equal);
    let mut all: Vec<_> = (0..5000_u64).map(|value| heap.alloc(value)).collect();
    all.push(new);
    all.sort();
    assert!(heap.iter::<u64>().map(|(gc, _)| gc).eq(all));
}

#[test]
fn bits_are_the_same_for_every_kind_and_lead_back() {
    let mut heap = Heap::new();
    for value in 0..3000 {
        let root = heap.alloc_root(Node::leaf(value));
        let bits = root.gc().to_bits();
        assert_eq!((root.downgrade().to_bits(), root.gc().erase().to_bits()), (bits, bits));
        assert_eq!(Gc::from_bits(bits), root);
        assert_eq!(Weak::from_bits(bits), root);
        assert_eq!(AnyGc::from_bits(bits), root.gc().erase());
        assert_eq!(Gc::from(root.gc().data()), root, "as a slotmap key");
        assert_eq!(Weak::from(root.gc().data()), root);
    }
    let nulls =
        [Gc::<Node>::default().to_bits(), Weak::<Node>::dangling().to_bits(), AnyGc::default().to_bits()];
    assert!(nulls.iter().all(|bits| Gc::<Node>::from_bits(*bits) == Gc::default()));
    assert!(Gc::<Node>::default().is_null() && Gc::<Node>::from(slotmap::KeyData::default()).is_null());
}

#[test]
#[cfg(feature = "std")]
fn slotmaps_secondary_maps_are_side_tables() {
    let mut heap = Heap::new();
    let all: Vec<_> = (0..5000).map(|value| heap.alloc(Node::leaf(value))).collect();
    let mut dense: SecondaryMap<Gc<Node>, u64> = SecondaryMap::new();
    let mut sparse: SparseSecondaryMap<Weak<Node>, u64> = SparseSecondaryMap::new();
    for gc in &all {
        dense.insert(*gc, heap[*gc].value);
        sparse.insert(gc.downgrade(), heap[*gc].value);
    }
    assert!(all.iter().all(|gc| dense[*gc] == heap[*gc].value && sparse[gc.downgrade()] == heap[*gc].value));
    let last = all.iter().map(|gc| gc.data().as_ffi() as u32).max();
    assert!(last < Some(5500), "slots of one type are numbered densely: {last:?}");
    assert!(dense.keys().eq(all.iter().copied()));

    heap.collect();
    let again: Vec<_> = (0..5000).map(|value| heap.alloc(Node::leaf(10_000 + value))).collect();
    assert!(again.iter().all(|gc| !dense.contains_key(*gc) && !sparse.contains_key(gc.downgrade())));
    for gc in &again {
        dense.insert(*gc, heap[*gc].value);
    }
    assert!(again.iter().all(|gc| dense[*gc] == heap[*gc].value));
    assert!(all.iter().all(|gc| dense.get(*gc).is_none()), "entries of former tenants are gone");
    assert_eq!(dense.len(), 5000);
    assert!(!dense.contains_key(Gc::default()));
}

#[test]
fn handles_of_any_type_are_keys_of_maps() {
    // weak-cases 19
    let mut heap = Heap::new();
    let (a, b) = (heap.alloc(Mute(1.0)), heap.alloc(Mute(1.0)));
    let mut names: GcMap<Gc<Mute>, &str> = GcMap::default();
    names.insert(a, "a");
    names.insert(b, "b");
    assert_eq!((names[&a], names[&b], names.get(&Gc::default())), ("a", "b", None));
    let pairs: GcMap<(Weak<Mute>, String), u8> = GcMap::from_iter([((a.downgrade(), "x".to_string()), 1)]);
    assert_eq!(pairs.get(&(a.downgrade(), "x".to_string())), Some(&1));
    assert_eq!(pairs.get(&(b.downgrade(), "x".to_string())), None);
    let set: GcSet<AnyGc> = [a.erase(), b.erase(), a.erase()].into_iter().collect();
    assert_eq!(set.len(), 2);
    let std: HashMap<Weak<Mute>, u8> = HashMap::from([(a.downgrade(), 1), (b.downgrade(), 2)]);
    assert_eq!(std[&b.downgrade()], 2);
}

#[test]
#[expect(clippy::mutable_key_type, reason = "a root hashes by its handle, which never changes")]
fn a_set_of_roots_can_be_searched_by_handle() {
    let mut heap = Heap::new();
    let (a, b, c) = (heap.alloc_root(1), heap.alloc_root(1), heap.alloc(1));
    assert_eq!(hash_of(&a), hash_of(&a.gc()));
    assert_eq!(a.cmp(&b), a.gc().cmp(&b.gc()));
    let (gc_a, gc_b) = (a.gc(), b.gc());
    let mut set: HashSet<Root<i32>> = HashSet::from([a.clone(), b.clone(), a]);
    assert_eq!(set.len(), 2);
    assert!(set.contains(&gc_a) && set.contains(&gc_b) && !set.contains(&c));
    let tree: BTreeSet<Root<i32>> = set.iter().cloned().collect();
    assert!(tree.contains(&gc_a) && !tree.contains(&c));
    assert!(set.remove(&gc_a));
    drop(tree);
    heap.collect();
    assert!(!heap.is_alive(gc_a) && heap.is_alive(gc_b));
}

#[test]
fn hashes_of_dense_slots_spread() {
    let mut heap = Heap::new();
    let hash = |gc: Gc<u64>| {
        let mut hasher = HandleHasher::default();
        gc.hash(&mut hasher);
        hasher.finish()
    };
    let hashes: Vec<u64> = (0..4096_u64).map(|value| hash(heap.alloc(value))).collect();
    // A random function hits about 63 of 100 buckets, and every value of the top seven bits.
    let low: HashSet<u64> = hashes.iter().map(|hash| hash % 4096).collect();
    let top: HashSet<u64> = hashes.iter().map(|hash| hash >> 57).collect();
    assert!(low.len() > 2400 && top.len() == 128, "{} and {}", low.len(), top.len());
}

#[test]
fn a_reference_to_a_handle_is_a_handle_however_deep() {
    let mut heap = Heap::new();
    let root = heap.alloc_root(1);
    let (gc, weak) = (root.gc(), root.downgrade());
    assert_eq!((heap.get(&&gc), heap.get(&&&weak), heap.get(&&root)), (Some(&1), Some(&1), Some(&1)));
    assert_eq!([&root].iter().filter(|root| heap.is_alive(root)).count(), 1);
    heap.destroy(&&root);
    assert_eq!([gc].iter().filter(|gc| heap.is_alive(gc)).count(), 0);
}

#[test]
fn a_handwritten_trace_needs_no_bound_on_what_its_handles_name() {
    struct Names<T> {
        one: Gc<T>,
        more: Vec<Gc<T>>,
        under: (Weak<T>, Gc<u8>),
    }

    impl<T: 'static> Trace for Names<T> {
        fn trace(&self, tracer: &mut Tracer<'_>) {
            tracer.edge(self.one);
            tracer.edges(self.more.iter().copied());
            tracer.ephemeron(self.under.0, &self.under.1);
        }

        fn inspect(&self, inspector: &mut Inspector<'_>) {
            inspector.edge(self.one);
            inspector.ephemeron(self.under.0, &self.under.1);
        }

        fn relink(&mut self, links: &mut Links<'_>) {
            links.gc(&mut self.one);
            self.more.iter_mut().for_each(|gc| links.gc(gc));
            links.weak(&mut self.under.0);
            links.gc(&mut self.under.1);
        }
    }

    let mut heap = Heap::new();
    let [one, two, garbage] = [1.0, 2.0, 3.0].map(|number| heap.alloc(Mute(number)));
    let value = heap.alloc(1_u8);
    let names = Names { one, more: vec![two], under: (two.into(), value) };
    let _names = heap.alloc_root(names);
    heap.collect();
    assert!(heap.is_alive(one) && heap.is_alive(two) && heap.is_alive(value) && !heap.is_alive(garbage));
}
