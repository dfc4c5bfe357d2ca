//! Counts: `watch_count`, `len` right after a collection, what `CollectStats` reports about weak collections
//! and deaths.

use std::collections::{BTreeMap, HashMap, LinkedList, VecDeque};
use std::ops::{Range, RangeInclusive};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use slotgc::{
    Budget, DeathQueue, Gc, Graveyard, Heap, HeapConfig, Interner, Phase, Root, Trace, Weak, WeakKeyMap,
    WeakSet, WeakValueMap,
};

#[cfg(feature = "std")]
use crate::objects::Claim;
use crate::objects::{Dice, Log, Node, Noisy, traced};

#[test]
fn watchers_are_counted_and_memberships_are_not() {
    // weak-cases 65
    let mut heap = Heap::new();
    let dead = DeathQueue::new();
    let (object, other) = (heap.alloc_root(Node::leaf(1)), heap.alloc_root(Node::leaf(2)));
    assert_eq!(heap.watch_count(&object), 0);
    let first = heap.on_death(&object, |_, _| {}).unwrap();
    heap.on_death(&object, |_, _| {}).unwrap();
    let f = heap.finalizer(&object, |_| {}).unwrap();
    let tag = dead.watch(&mut heap, &object, 1).unwrap();
    assert_eq!((heap.watch_count(&object), heap.watch_count(&other)), (4, 0));
    assert!(heap.cancel(first));
    assert_eq!(heap.watch_count(&object), 3);
    let set = heap.alloc_root(WeakSet::from_iter([&object]));
    heap.alloc(WeakKeyMap::from_iter([(&object, 1)]));
    let graves = Graveyard::new();
    let burial = graves.bury(&mut heap, &object).unwrap();
    assert_eq!((heap.watch_count(object.gc()), heap.watch_count(object.downgrade())), (3, 3));
    f.call(&mut heap);
    drop(slotgc::WatchGuard::from(tag));
    assert_eq!(heap.watch_count(&object), 1);
    assert!(heap.cancel(burial) && heap.watch_count(&object) == 1);
    heap.destroy(&object);
    assert_eq!((heap.watch_count(&object), heap[&set].len()), (0, 1));
    let tenant = heap.alloc_root(Node::leaf(3));
    heap.collect();
    assert_eq!(heap.watch_count(&tenant), 0);
}

#[derive(PartialEq, Eq, Hash)]
struct Word(u64);

traced!(Word {});

/// One weak collection of each kind, over the same objects.
struct Collections {
    table: Root<Interner<Word>>,
    set: Root<WeakSet<Word>>,
    names: Root<WeakValueMap<u64, Word>>,
    notes: Root<WeakKeyMap<Word, u64>>,
    nested: Root<WeakKeyMap<Word, WeakSet<Word>>>,
}

impl Collections {
    fn of(heap: &mut Heap, len: u64) -> (Self, Vec<Root<Word>>) {
        let table = heap.alloc_root(Interner::new());
        let word = |number| {
            let word = heap.intern(&table, Word(number));
            heap.root(word).unwrap()
        };
        let objects: Vec<_> = (0..len).map(word).collect();
        let all = || objects.iter();
        let all = Self {
            table,
            set: heap.alloc_root(all().collect()),
            names: heap.alloc_root((0..).zip(all()).collect()),
            notes: heap.alloc_root(all().zip(0..).collect()),
            nested: heap.alloc_root(all().map(|root| (root, all().collect())).collect()),
        };
        (all, objects)
    }

    /// The total number of entries.
    fn len(&self, heap: &Heap) -> usize {
        let nested: usize = heap[&self.nested].values().map(WeakSet::len).sum();
        heap[&self.table].len()
            + heap[&self.set].len()
            + heap[&self.names].len()
            + heap[&self.notes].len()
            + heap[&self.nested].len()
            + nested
    }

    /// Asserts that each collection has exactly these entries, by every way of reading it.
    fn check(&self, heap: &Heap, living: &[Root<Word>], gone: &[Weak<Word>]) {
        let (table, set, names) = (&heap[&self.table], &heap[&self.set], &heap[&self.names]);
        let (notes, nested) = (&heap[&self.notes], &heap[&self.nested]);
        let len = living.len();
        assert_eq!((table.len(), table.iter().count(), table.is_empty()), (len, len, len == 0));
        assert_eq!([set.len(), names.len(), notes.len(), nested.len()], [len; 4]);
        assert_eq!(
            [set.iter().count(), names.iter().count(), notes.iter().count(), nested.iter().count()],
            [len; 4]
        );
        assert_eq!(
            [names.keys().count(), names.values().count(), notes.keys().count(), notes.values().count()],
            [len; 4]
        );
        assert_eq!([set.is_empty(), names.is_empty(), notes.is_empty(), nested.is_empty()], [len == 0; 4]);
        assert!(nested.values().all(|set| set.len() == len && set.iter().count() == len));
        for root in living {
            let value = heap[root].0;
            assert_eq!(heap.interned(&self.table, &Word(value)), Some(root.gc()));
            assert!(set.contains(root) && notes.contains_key(root) && nested[root].contains(root));
            assert_eq!((names.get(&value), notes.get(root)), (Some(root.downgrade()), Some(&value)));
        }
        for weak in gone {
            assert!(!set.contains(weak) && !notes.contains_key(weak) && !nested.contains_key(weak));
            assert!(nested.values().all(|set| !set.contains(weak)));
        }
        assert!((0..60).all(|number| {
            let found = names.get(&number).is_some();
            names.contains_key(&number) == found
                && heap.interned(&self.table, &Word(number)).is_some() == found
        }));
        assert!(
            table
                .iter()
                .chain(set.iter())
                .chain(names.values())
                .chain(notes.keys())
                .all(|weak| heap.is_alive(weak))
        );
    }
}

#[test]
fn right_after_a_collection_every_number_is_exact() {
    // weak-cases 66, 68
    // weak-cases: mistakes
    let mut dice = Dice::new(4);
    for round in 0..12 {
        let mut heap = Heap::new();
        let (all, mut living) = Collections::of(&mut heap, 60);
        let mut gone: Vec<Weak<Word>> = Vec::new();
        while !living.is_empty() {
            let (old, dying) = (gone.len(), dice.below(20).min(living.len()));
            for _ in 0..dying {
                let root = living.swap_remove(dice.below(living.len()));
                gone.push(root.downgrade());
                if dice.one_in(2) {
                    heap.destroy(&root);
                }
            }
            let objects = heap.len();
            let stats = heap.collect();
            all.check(&heap, &living, &gone);
            assert_eq!(stats.freed, objects - heap.len(), "round {round}");
            // One entry of each collection, and one of each set that is the value of a living key.
            assert_eq!(stats.pruned, (gone.len() - old) * (5 + living.len()), "round {round}");
        }
        assert_eq!((all.len(&heap), heap.len(), gone.len()), (0, 5, 60));
    }
}

#[test]
fn pruned_is_the_number_of_entries_removed() {
    // weak-cases 68
    let mut heap = Heap::new();
    let mut objects: Vec<_> = (0..100).map(|n| heap.alloc_root(Node::leaf(n))).collect();
    let set = heap.alloc_root(objects.iter().collect::<WeakSet<_>>());
    let names = heap.alloc_root((0..).zip(&objects).collect::<WeakValueMap<u32, _>>());
    let texts =
        heap.alloc_root(objects.iter().map(|root| (format!("{root}"), root)).collect::<WeakValueMap<_, _>>());
    let notes =
        heap.alloc_root(objects.iter().map(|root| (root, "note".to_string())).collect::<WeakKeyMap<_, _>>());
    let table = heap.alloc_root(Interner::new());
    for number in 0..50_u64 {
        heap.intern(&table, number);
    }
    // A map that dies is freed, not pruned.
    heap.alloc(objects.iter().collect::<WeakSet<_>>());
    objects.truncate(70);
    let stats = heap.collect();
    assert_eq!((stats.pruned, stats.freed), (4 * 30 + 50, 30 + 50 + 1));
    assert_eq!([heap[&set].len(), heap[&names].len(), heap[&texts].len(), heap[&notes].len()], [70; 4]);
    assert_eq!((heap[&table].len(), heap.collect().pruned), (0, 0));
}

#[test]
fn the_statistics_of_a_collection_match_what_the_program_sees() {
    // weak-cases 68
    let mut dice = Dice::new(6);
    for round in 0..30 {
        let log = Log::default();
        let (dead, graves, ran) = (DeathQueue::new(), Graveyard::new(), Arc::new(AtomicUsize::new(0)));
        let mut heap = Heap::new();
        let map = heap.alloc_root(WeakValueMap::new());
        let objects: Vec<Gc<Noisy>> = (0..200).map(|n| heap.alloc(Noisy::new(n, &log))).collect();
        heap[&map].extend((0_u32..).zip(&objects));
        let mut watches = Vec::new();
        for _ in 0..dice.below(300) {
            let target = objects[dice.below(200)];
            let ran = Arc::clone(&ran);
            let count = move || {
                ran.fetch_add(1, Ordering::Relaxed);
            };
            match dice.below(4) {
                0 => watches.push(heap.on_death(target, move |_, _| count()).unwrap()),
                1 => drop(heap.finalizer(target, move |_| count()).unwrap()),
                2 => watches.push(dead.watch(&mut heap, target, ()).unwrap()),
                _ => watches.push(graves.bury(&mut heap, target).unwrap()),
            }
        }
        watches.retain(|watch| dice.one_in(3) && heap.cancel(*watch));
        let _kept: Vec<_> = objects.iter().filter(|_| dice.one_in(2)).map(|gc| heap.root(gc)).collect();
        let total: usize = objects.iter().map(|gc| heap.watch_count(gc)).sum();
        let stats = heap.collect();
        let left: usize = objects.iter().map(|gc| heap.watch_count(gc)).sum();
        let buried = graves.len();
        let dropped = log.take().len() + buried;
        assert_eq!(stats.freed, dropped, "round {round}");
        assert_eq!(stats.freed, objects.iter().filter(|gc| !heap.is_alive(*gc)).count());
        assert_eq!((stats.pruned, heap[&map].len()), (dropped, 200 - dropped));
        assert_eq!(stats.notified, ran.load(Ordering::Relaxed) + dead.len());
        assert_eq!(stats.notified, total - left);
        assert_eq!(stats.kept, heap.len());
        drop(heap);
        assert_eq!(log.take().len() + graves.len() - buried, 200 - dropped);
    }
}

#[test]
fn a_heap_at_its_limit_prunes_and_notifies_completely() {
    // weak-cases: mistakes
    let log = Log::default();
    let (dead, graves) = (DeathQueue::new(), Graveyard::new());
    let mut heap = Heap::with_config(HeapConfig::default().max_objects(1002));
    let set = heap.alloc_root(WeakSet::new());
    let map = heap.alloc_root(WeakValueMap::new());
    let mut number = 0;
    while let Ok(object) = heap.try_alloc(Noisy::new(number, &log)) {
        let ran = log.clone();
        heap.on_death(object, move |_, _| ran.write(10_000 + number)).unwrap();
        dead.watch(&mut heap, object, number).unwrap();
        heap[&set].insert(object);
        heap[&map].insert(number, object);
        if number % 2 == 0 {
            graves.bury(&mut heap, object).unwrap();
        }
        number += 1;
    }
    // The value that was refused.
    assert_eq!(log.take(), [1000]);
    let stats = heap.collect();
    assert_eq!((stats.freed, stats.pruned, stats.notified), (1000, 2000, 2000));
    assert_eq!((heap[&set].len(), heap[&map].len(), graves.len()), (0, 0, 500));
    assert!(dead.drain().eq(0..1000));
    let written = log.take();
    assert!(written[500..].iter().copied().eq((10_000..11_000).rev()));
    assert_eq!(written[..500].iter().filter(|number| *number % 2 == 1).count(), 500);
}

#[test]
fn every_object_may_claim_to_own_all_memory() {
    let mut heap = Heap::new();
    let [one, two] = [1, 2].map(|number| heap.alloc_root(number));
    assert!(heap.set_owned_bytes(&one, usize::MAX) && heap.set_owned_bytes(&two, usize::MAX));
    assert_eq!(heap.stats().owned_bytes, usize::MAX);
    heap.destroy(&one);
    assert_eq!(heap.stats().owned_bytes, usize::MAX);
    heap.set_owned_bytes(&two, 7);
    assert_eq!(heap.stats().owned_bytes, 7);
    heap.pace(Budget::Objects(10));
    drop(two);
    heap.collect();
    assert_eq!((heap.len(), heap.stats().owned_bytes), (0, 0));
}

#[test]
fn what_a_cycle_kept_is_what_lived_after_its_sweep() {
    let mut heap = Heap::new();
    let _living: Vec<_> = (0..10).map(|number| heap.alloc_root(number)).collect();
    for number in 0..1000 {
        heap.alloc(number.to_string());
    }
    let mut at_end_of_sweep = None;
    let stats = loop {
        if let Some(stats) = heap.step(Budget::Objects(10)).finished {
            break stats;
        }
        if heap.stats().phase >= Phase::Drop {
            at_end_of_sweep.get_or_insert(heap.len());
            heap.alloc(0);
        }
    };
    assert!(heap.len() > 20, "there were steps with destructors to run");
    assert_eq!(Some(stats.kept), at_end_of_sweep);
}

// A `HashMap` is std's.
#[cfg(feature = "std")]
#[test]
fn every_part_of_an_object_may_claim_to_own_all_memory() {
    #[derive(Trace)]
    struct Claims {
        boxed: Box<Claim>,
        lists: (Vec<Claim>, VecDeque<Claim>, LinkedList<Claim>),
        range: (Range<Claim>, RangeInclusive<Claim>),
        maps: (BTreeMap<u8, Claim>, HashMap<u8, Claim>),
        by_key: WeakKeyMap<u8, Claim>,
        alone: Claim,
    }

    let mut heap = Heap::new();
    let key = heap.alloc_root(1_u8);
    let claims = Claims {
        boxed: Box::new(Claim),
        lists: (vec![Claim, Claim], VecDeque::from([Claim]), LinkedList::from([Claim])),
        range: (Claim..Claim, Claim..=Claim),
        maps: (BTreeMap::from([(1, Claim)]), HashMap::from([(1, Claim)])),
        by_key: WeakKeyMap::from_iter([(&key, Claim)]),
        alone: Claim,
    };
    let claims = heap.alloc_root(claims);
    assert_eq!(heap.stats().owned_bytes, usize::MAX);
    heap.collect();
    assert_eq!(heap.stats().owned_bytes, usize::MAX);
    drop(claims);
    heap.collect();
    assert_eq!(heap.stats().owned_bytes, 0);
}
