//! Roots of another heap. A `Root` knows its heap: in any other heap it is a handle that resolves to nothing,
//! although its bits are those of an object that lives there.

use std::cmp::Ordering;
use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeSet, HashSet};
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering as Memory};

use slotgc::{
    Dead, DeathQueue, Graveyard, Heap, Interner, Liveness, Root, Trace, Tracer, WeakKeyMap, WeakSet,
    WeakValueMap,
};

use crate::objects::panic_text;

const TEXT: &str = "a root of another heap";

/// Two heaps with the same objects in the same slots.
struct Twins<T: Trace> {
    heap: Heap,
    other: Heap,
    own: Root<T>,
    alien: Root<T>,
}

fn twins<T: Trace>(make: impl Fn() -> T) -> Twins<T> {
    let (mut heap, mut other) = (Heap::new(), Heap::new());
    let (own, alien) = (heap.alloc_root(make()), other.alloc_root(make()));
    assert_eq!(own.gc().to_bits(), alien.gc().to_bits(), "only their heap tells them apart");
    Twins { heap, other, own, alien }
}

fn numbers() -> Twins<u64> {
    twins(|| 7)
}

#[track_caller]
fn is_refused<T>(outcome: Result<T, Dead>) {
    let text = outcome.err().expect("a root of another heap is refused").to_string();
    assert!(text.contains(TEXT), "{text}");
}

#[test]
fn a_root_of_another_heap_reads_nothing() {
    let Twins { mut heap, own, alien, .. } = numbers();
    assert_eq!((heap.get(&alien), heap.get(&&alien), heap.is_alive(&alien)), (None, None, false));
    is_refused(heap.try_get(&alien).copied());
    assert!(heap.root(&alien).is_none());
    assert_eq!(heap.get(&own), Some(&7));
    // `Gc` and `Weak` do not know their heap.
    assert_eq!(heap.get(alien.gc()), Some(&7));
    assert_eq!(heap.get_mut(alien.downgrade()), Some(&mut 7));
}

#[test]
#[cfg_attr(not(feature = "std"), ignore = "without std nobody catches panics")]
fn indexing_by_a_root_of_another_heap_panics_and_says_so() {
    let Twins { mut heap, own, alien, .. } = numbers();
    assert!(panic_text(|| heap[&alien]).contains(TEXT));
    assert!(panic_text(|| heap[&alien] = 8).contains(TEXT));
    let item = heap.alloc("another".to_string());
    let (_, mut rest) = heap.split_mut(item).unwrap();
    assert!(panic_text(|| rest[&alien]).contains(TEXT));
    assert!(panic_text(|| rest[&alien] = 8).contains(TEXT));
    assert_eq!(heap[&own], 7);
}

#[test]
fn a_root_of_another_heap_changes_nothing() {
    let Twins { mut heap, own, alien, .. } = numbers();
    let second = heap.alloc_root(8_u64);
    let text = heap.alloc("another".to_string());
    assert!(heap.get_mut(&alien).is_none());
    is_refused(heap.try_get_mut(&alien).copied());
    assert!(heap.split_mut(&alien).is_none());
    assert!(heap.get_pair_mut(&alien, text).is_none() && heap.get_pair_mut(text, &alien).is_none());
    assert!(heap.get_pair_mut(&alien, &second).is_none() && heap.get_pair_mut(&second, &alien).is_none());
    assert!(heap.get_pair_mut(&alien, &own).is_none(), "it does not count as another object either");
    assert!(heap.get_disjoint_mut([&alien]).is_none());
    assert!(heap.get_disjoint_mut([&own, &second, &alien]).is_none());
    assert!(heap.get_disjoint_mut([&alien, &own]).is_none());
    let (_, mut rest) = heap.split_mut(text).unwrap();
    assert!(rest.get(&alien).is_none() && rest.get_mut(&alien).is_none() && !rest.is_alive(&alien));
    assert!(rest.get(&own).is_some());
    // While its twin is split off, it still resolves to nothing.
    let (_, mut rest) = heap.split_mut(&own).unwrap();
    assert!(!rest.is_alive(&alien) && rest.get_mut(&alien).is_none());
    assert_eq!((heap[&own], heap[&second]), (7, 8));
}

#[test]
fn a_root_of_another_heap_destroys_nothing() {
    let Twins { mut heap, other, own, alien } = numbers();
    assert_eq!(heap.destroy(&alien), None);
    assert!(heap.is_alive(&own) && other.is_alive(&alien));
    heap.verify();
}

#[test]
fn a_root_of_another_heap_keeps_nothing_alive() {
    let Twins { mut heap, own, alien, .. } = numbers();
    let gc = own.gc();
    drop(own);
    heap.collect();
    assert!(!heap.is_alive(gc) && alien.gc() == gc);
}

#[test]
fn nothing_is_registered_by_a_root_of_another_heap() {
    let Twins { mut heap, own, alien, mut other } = numbers();
    let (kept, told) = (Arc::new(()), Arc::new(AtomicUsize::new(0)));
    let tell = |_kept: Arc<()>| {
        let told = Arc::clone(&told);
        move || {
            told.fetch_add(1, Memory::Relaxed);
        }
    };
    let callback = tell(Arc::clone(&kept));
    is_refused(heap.on_death(&alien, move |_, _| callback()));
    let finalizer = tell(Arc::clone(&kept));
    is_refused(heap.finalizer(&alien, move |_| finalizer()));
    let (queue, graves) = (DeathQueue::new(), Graveyard::new());
    is_refused(queue.watch(&mut heap, &alien, Arc::clone(&kept)));
    is_refused(graves.bury(&mut heap, &alien));
    assert_eq!(Arc::strong_count(&kept), 1, "refused closures and tags are dropped");
    assert_eq!((heap.watch_count(&alien), heap.watch_count(&own)), (0, 0));
    // A registration on its twin is not its own.
    heap.on_death(&own, |_, _| {}).unwrap();
    other.on_death(&alien, |_, _| {}).unwrap();
    assert_eq!((heap.watch_count(&alien), heap.watch_count(&own)), (0, 1));
    assert_eq!((other.watch_count(&alien), other.watch_count(&own)), (1, 0));
    drop((own, alien));
    heap.collect();
    heap.shutdown().unwrap();
    other.shutdown().unwrap();
    assert_eq!((told.load(Memory::Relaxed), queue.len(), graves.len()), (0, 0, 0));
}

#[test]
#[cfg_attr(not(feature = "std"), ignore = "without std nobody catches panics")]
fn a_cache_of_another_heap_makes_nothing() {
    type Cache = WeakValueMap<String, u64>;
    let Twins { mut heap, own, alien, .. } = twins(Cache::new);
    let text = panic_text(|| heap.get_or_alloc(&alien, "key".into(), |_, _| unreachable!("never made")));
    assert!(text.contains(TEXT), "{text}");
    let text = panic_text(|| {
        heap.get_or_try_alloc(&alien, "key", |_| -> Result<_, ()> { unreachable!("never made") })
    });
    assert!(text.contains(TEXT), "{text}");
    assert!(heap[&own].is_empty() && heap.len() == 1);
}

#[test]
#[cfg_attr(not(feature = "std"), ignore = "without std nobody catches panics")]
fn an_interner_of_another_heap_makes_nothing() {
    let Twins { mut heap, own, alien, .. } = twins(Interner::<String>::new);
    assert!(panic_text(|| heap.intern(&alien, "text".into())).contains(TEXT));
    assert!(panic_text(|| heap.try_intern(&alien, "text".into()).is_ok()).contains(TEXT));
    assert!(panic_text(|| heap.interned(&alien, "text")).contains(TEXT));
    let text = panic_text(|| heap.intern_with(&alien, "text", |_| unreachable!("never made")));
    assert!(text.contains(TEXT), "{text}");
    assert!(heap[&own].is_empty() && heap.len() == 1);
}

/// Asks whether a root is live.
struct Asks(Root<u64>, bool);

/// A root in an object would keep its target for ever; a root of another heap, on purpose, is fine.
impl Trace for Asks {
    fn trace(&self, tracer: &mut Tracer<'_>) {
        tracer.weak_collection();
    }

    fn prune(&mut self, live: &Liveness<'_>) {
        self.1 = live.is_live(&self.0);
    }
}

#[test]
fn a_root_of_another_heap_counts_as_dead_when_pruning() {
    let Twins { mut heap, own, alien, .. } = numbers();
    let asks = [heap.alloc_root(Asks(own.clone(), false)), heap.alloc_root(Asks(alien, true))];
    heap.collect();
    assert_eq!(asks.map(|root| heap[&root].1), [true, false]);
}

#[test]
fn sets_and_maps_store_the_handle_of_a_root_and_not_its_heap() {
    let Twins { mut heap, own, alien, .. } = numbers();
    let (set, map) = (heap.alloc_root(WeakSet::new()), heap.alloc_root(WeakKeyMap::new()));
    heap[&set].insert(&alien);
    heap[&map].insert(&alien, 1_u8);
    // An entry is a `Weak`, which does not know its heap: it names the object of this heap.
    assert!(heap[&set].contains(&own) && heap[&map].contains_key(&own));
    heap.collect();
    assert_eq!((heap[&set].len(), heap[&map].len()), (1, 1));
    drop(own);
    heap.collect();
    assert!(heap[&set].is_empty() && heap[&map].is_empty());
}

fn hash_of(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

#[test]
fn roots_of_two_heaps_are_never_equal_and_have_an_order() {
    let Twins { own, alien, .. } = numbers();
    assert_ne!(own, alien);
    assert_ne!(alien, own);
    assert_eq!(own, own.clone());
    assert!(own.gc() == alien.gc() && own == alien.gc() && alien.downgrade() == own);
    assert_eq!(hash_of(&own), hash_of(&alien), "the hash of its `Gc`");
    let order = own.cmp(&alien);
    assert_ne!(order, Ordering::Equal);
    assert_eq!((alien.cmp(&own), own.partial_cmp(&alien)), (order.reverse(), Some(order)));
    assert_eq!(own.cmp(&own.clone()), Ordering::Equal);
}

#[test]
fn sets_tell_roots_of_two_heaps_apart_and_find_both_by_their_handle() {
    let Twins { own, alien, .. } = numbers();
    let gc = own.gc();
    let (mut hashed, mut sorted) = (HashSet::from([own.clone()]), BTreeSet::from([own.clone()]));
    assert!(hashed.contains(&own) && hashed.contains(&gc) && !hashed.contains(&alien));
    assert!(sorted.contains(&own) && sorted.contains(&gc) && !sorted.contains(&alien));
    assert!(hashed.insert(alien.clone()) && sorted.insert(alien.clone()));
    assert!(!hashed.insert(own.clone()) && !sorted.insert(own.clone()));
    assert_eq!((hashed.len(), sorted.len()), (2, 2));
    assert!(hashed.remove(&alien) && sorted.remove(&alien));
    assert!(hashed.contains(&gc) && sorted.contains(&own));
}
