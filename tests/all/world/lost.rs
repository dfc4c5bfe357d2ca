//! Nothing reachable is lost.

use std::sync::{Mutex, OnceLock, RwLock};

use slotgc::{Budget, Gc, GcRwLock, Heap, Phase, Root, Trace, WeakKeyMap, WeakSet};

type Text = Option<Gc<String>>;

/// Objects that change through `&`, and how.
trait Lock: Trace + Default {
    fn store(&self, gc: Gc<String>);
}

impl Lock for Mutex<Text> {
    fn store(&self, gc: Gc<String>) {
        *self.lock().unwrap() = Some(gc);
    }
}

impl Lock for RwLock<Text> {
    fn store(&self, gc: Gc<String>) {
        *self.write().unwrap() = Some(gc);
    }
}

impl Lock for GcRwLock<Text> {
    fn store(&self, gc: Gc<String>) {
        *self.write().unwrap() = Some(gc);
    }
}

impl Lock for OnceLock<Gc<String>> {
    fn store(&self, gc: Gc<String>) {
        self.set(gc).unwrap();
    }
}

#[derive(Trace, Default)]
struct Deep {
    lists: Vec<Option<Box<Mutex<Text>>>>,
}

impl Lock for Deep {
    fn store(&self, gc: Gc<String>) {
        self.lists.iter().flatten().for_each(|lock| lock.store(gc));
    }
}

const PHASES: [Phase; 5] = [Phase::Idle, Phase::Mark, Phase::Prune, Phase::Sweep, Phase::Drop];

/// A heap with something to do in each phase.
fn busy() -> (Heap, Root<WeakSet<String>>) {
    let mut heap = Heap::new();
    let set = heap.alloc_root(WeakSet::new());
    for number in 0..40 {
        let text = heap.alloc(number.to_string());
        heap[&set].insert(text);
    }
    (heap, set)
}

/// Steps until the cycle is in this phase.
fn step_to(heap: &mut Heap, phase: Phase) {
    while heap.stats().phase != phase {
        heap.step(Budget::Objects(1));
    }
}

fn finish(heap: &mut Heap) {
    while heap.step(Budget::Objects(1)).finished.is_none() {}
}

fn check_lock<T: Lock>(make: impl Fn() -> T) {
    for made_in in PHASES {
        let (mut heap, _set) = busy();
        step_to(&mut heap, made_in);
        let shared = heap.alloc_root(make());
        if made_in != Phase::Idle {
            finish(&mut heap);
        }
        let young = heap.alloc("young".to_string());
        heap[&shared].store(young);
        heap.collect_minor();
        assert!(heap.is_alive(young), "the lock was made in {made_in:?}");
        heap.verify();
        heap.collect();
        assert!(heap.is_alive(young));
    }
}

#[test]
fn a_young_object_behind_a_lock_survives_whatever_phase_the_lock_was_made_in() {
    check_lock(Mutex::<Text>::default);
    check_lock(RwLock::<Text>::default);
    check_lock(GcRwLock::<Text>::default);
    check_lock(OnceLock::<Gc<String>>::default);
    check_lock(|| Deep { lists: vec![None, Some(Box::default())] });
}

fn check_phases<T: Lock>() {
    for put_in in PHASES {
        let (mut heap, _set) = busy();
        let shared = heap.alloc_root(T::default());
        heap.collect();
        (0..40).for_each(|number| drop(heap.alloc_root(number.to_string())));
        step_to(&mut heap, put_in);
        let young = heap.alloc("young".to_string());
        heap[&shared].store(young);
        if put_in != Phase::Idle {
            finish(&mut heap);
        }
        assert!(heap.is_alive(young), "put there in {put_in:?}");
        heap.collect_minor();
        heap.collect();
        assert!(heap.is_alive(young), "put there in {put_in:?}");
    }
}

#[test]
fn a_young_object_behind_a_lock_survives_whatever_phase_it_was_put_there() {
    check_phases::<Mutex<Text>>();
    check_phases::<GcRwLock<Text>>();
}

#[test]
fn a_weak_set_made_during_a_cycle_is_exact_after_the_next_minor_collection() {
    for made_in in PHASES {
        let (mut heap, _set) = busy();
        step_to(&mut heap, made_in);
        let dead = heap.alloc("dead".to_string());
        heap.destroy(dead);
        let set = heap.alloc_root(WeakSet::from_iter([dead]));
        if made_in != Phase::Idle {
            finish(&mut heap);
        }
        heap.collect_minor();
        assert_eq!(heap[&set].len(), 0, "made in {made_in:?}");
    }
}

#[test]
fn a_store_through_a_lock_inside_a_weak_maps_value_is_seen() {
    check_values::<Mutex<Text>>();
    check_values::<GcRwLock<Text>>();
}

fn check_values<T: Lock>() {
    for entries in [1, 40, 1000] {
        let mut heap = Heap::new();
        let keys: Vec<_> = (0..entries).map(|key| heap.alloc_root(key)).collect();
        let table = heap.alloc_root(WeakKeyMap::<u64, T>::new());
        for key in &keys {
            heap[&table].insert(key, T::default());
        }
        heap.collect();
        heap.collect_minor();
        let young = heap.alloc("young".to_string());
        heap[&table].get(&keys[entries as usize / 2]).unwrap().store(young);
        heap.collect_minor();
        assert!(heap.is_alive(young), "a minor collection, {entries} entries");
        heap.collect();
        // Stored at any moment of an incremental cycle.
        for steps in (0..200).step_by(7) {
            let old = heap.alloc_root("moved".to_string());
            heap.collect();
            for _ in 0..steps {
                heap.step(Budget::Objects(3));
            }
            heap[&table].get(&keys[0]).unwrap().store(old.gc());
            let old = old.downgrade();
            while heap.stats().phase != Phase::Idle {
                heap.step(Budget::Objects(3));
            }
            assert!(heap.is_alive(old), "after {steps} steps, {entries} entries");
        }
    }
}

#[test]
fn a_slot_set_aside_for_allocation_counts_as_dead_in_tables_of_another_heap() {
    let (mut one, mut other) = (Heap::new(), Heap::new());
    let strangers: Vec<_> = (0..200_u64).map(|number| other.alloc(number)).collect();
    let set = one.alloc_root(WeakSet::<u64>::new());
    for stranger in &strangers {
        one[&set].insert(stranger);
    }
    while one.stats().phase < Phase::Prune {
        one.step(Budget::Objects(1));
    }
    let made = one.alloc_root(7_u64);
    while one.step(Budget::Objects(1)).finished.is_none() {}
    let resolving: Vec<_> = one[&set].iter().filter(|weak| one.is_alive(weak)).collect();
    assert!(resolving.len() <= 1 && one.is_alive(&made));
    assert_eq!(one[&set].len(), resolving.len());
    let mut outside: WeakSet<u64> = strangers.iter().copied().collect();
    outside.prune_dead(&one);
    assert_eq!(outside.len(), outside.iter().filter(|weak| one.is_alive(weak)).count());
}
