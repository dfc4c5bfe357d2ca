//! Tables that the program changes as a whole between two slices: they grow, they shrink, or all values
//! change.

use slotgc::{Budget, Gc, Heap, Phase, Root, Weak, WeakKeyMap, WeakSet};

use crate::objects::{APART, Node};

/// A table so large that a step of a few units covers only a part of it; its keys and its values.
struct Sliced {
    heap: Heap,
    map: Root<WeakKeyMap<Node, Gc<Node>>>,
    keys: Vec<Root<Node>>,
    values: Vec<Gc<Node>>,
}

impl Sliced {
    fn new(len: usize, capacity: usize) -> Self {
        let mut heap = Heap::new();
        let map = heap.alloc_root(WeakKeyMap::with_capacity(capacity));
        let mut sliced = Self { heap, map, keys: vec![], values: vec![] };
        (0..len).for_each(|_| sliced.insert());
        sliced
    }

    fn insert(&mut self) {
        let number = self.values.len() as u64;
        let (key, value) = (self.heap.alloc_root(Node::leaf(number)), self.heap.alloc(Node::leaf(number)));
        self.heap[&self.map].insert(&key, value);
        self.keys.push(key);
        self.values.push(value);
    }

    /// Steps of a few units until the table is partly traced, or partly pruned.
    fn begin(&mut self, phase: Phase, steps: usize) -> bool {
        while self.heap.stats().phase < phase {
            self.heap.step(Budget::Objects(8));
        }
        (0..steps).for_each(|_| {
            self.heap.step(Budget::Objects(8));
        });
        self.heap.stats().phase == phase
    }

    fn finish(&mut self) {
        while self.heap.step(Budget::Objects(8)).finished.is_none() {}
    }

    fn is_whole(&self, what: &str) {
        for (key, value) in self.keys.iter().zip(&self.values) {
            assert!(self.heap.is_alive(value), "{what}");
            assert_eq!(self.heap[&self.map].get(key), Some(value), "{what}");
        }
    }
}

#[test]
fn a_table_that_grows_while_it_is_traced_in_slices_loses_no_value() {
    for steps in (1..400).step_by(7 * APART) {
        let mut sliced = Sliced::new(1792, 0);
        let capacity = sliced.heap[&sliced.map].capacity();
        if !sliced.begin(Phase::Mark, steps) {
            assert!(steps > 100, "the phase takes some steps");
            break;
        }
        while sliced.heap[&sliced.map].capacity() == capacity {
            sliced.insert();
        }
        sliced.finish();
        sliced.is_whole("it grew");
    }
}

#[test]
fn a_table_that_shrinks_while_it_is_traced_in_slices_loses_no_value() {
    for by_itself in [false, true] {
        for steps in (1..400).step_by(7 * APART) {
            let mut sliced = Sliced::new(1000, 8000);
            if by_itself {
                // It shrinks at the next insertion after entries were pruned.
                let key = sliced.heap.alloc(Node::leaf(0));
                sliced.heap[&sliced.map].insert(key, key);
                sliced.heap.collect();
            }
            let capacity = sliced.heap[&sliced.map].capacity();
            if !sliced.begin(Phase::Mark, steps) {
                assert!(steps > 100, "the phase takes some steps");
                break;
            }
            if by_itself {
                sliced.insert()
            } else {
                sliced.heap[&sliced.map].shrink_to_fit()
            }
            assert!(sliced.heap[&sliced.map].capacity() < capacity);
            sliced.finish();
            sliced.is_whole("it shrank");
        }
    }
}

#[test]
fn a_table_that_moves_its_entries_while_it_is_pruned_in_slices_loses_all_its_dead() {
    for grows in [false, true] {
        for steps in (1..400).step_by(7 * APART) {
            let mut sliced = Sliced::new(1792, if grows { 0 } else { 8000 });
            let half = sliced.keys.len() / 2;
            sliced.keys.drain(half..);
            sliced.values.drain(half..);
            let capacity = sliced.heap[&sliced.map].capacity();
            if !sliced.begin(Phase::Prune, steps) {
                assert!(steps > 100, "the phase takes some steps");
                break;
            }
            if grows {
                let room = capacity - sliced.heap[&sliced.map].len() + 1;
                (0..room).for_each(|_| sliced.insert());
            } else {
                sliced.heap[&sliced.map].shrink_to_fit();
            }
            assert_ne!(sliced.heap[&sliced.map].capacity(), capacity);
            sliced.finish();
            sliced.is_whole("its entries moved");
            assert_eq!(sliced.heap[&sliced.map].len(), sliced.keys.len(), "exact after {steps} steps");
        }
    }
}

#[test]
fn values_changed_by_retain_and_similar_methods_are_found_by_minor_collections_and_between_slices() {
    type Change = fn(&mut WeakKeyMap<Node, Gc<Node>>, &[Weak<Node>], Gc<Node>);
    let ways: [(&str, Change); 6] = [
        ("retain", |map, _, fresh| {
            map.retain(|_, value| {
                *value = fresh;
                true
            })
        }),
        ("iter_mut", |map, _, fresh| map.iter_mut().for_each(|(_, value)| *value = fresh)),
        ("values_mut", |map, _, fresh| map.values_mut().for_each(|value| *value = fresh)),
        ("get_mut", |map, keys, fresh| keys.iter().for_each(|key| *map.get_mut(key).unwrap() = fresh)),
        ("insert", |map, keys, fresh| {
            keys.iter().for_each(|key| {
                map.insert(key, fresh);
            })
        }),
        ("entry", |map, keys, fresh| {
            keys.iter().for_each(|key| drop(map.entry(key).and_modify(|value| *value = fresh)));
        }),
    ];
    for (way, change) in ways {
        // None: a minor collection, after a full one has traced the table.
        for steps in [None, Some(3), Some(20), Some(60), Some(120)] {
            let mut sliced = Sliced::new(1000, 0);
            sliced.heap.collect();
            let keys: Vec<_> = sliced.keys.iter().map(Root::downgrade).collect();
            let fresh = sliced.heap.alloc(Node::leaf(7));
            if let Some(steps) = steps {
                assert!(sliced.begin(Phase::Mark, steps));
            }
            change(&mut sliced.heap[&sliced.map], &keys, fresh);
            sliced.values.fill(fresh);
            match steps {
                None => assert!(sliced.heap.collect_minor().is_minor),
                Some(_) => sliced.finish(),
            }
            sliced.is_whole(way);
        }
    }
}

#[test]
fn a_full_table_in_which_an_entry_is_replaced_amid_its_slices_loses_no_value() {
    for steps in 0..320 {
        let mut sliced = Sliced::new(448, 0);
        let capacity = sliced.heap[&sliced.map].capacity();
        assert_eq!(capacity, 448, "there is no room for another one");
        if !sliced.begin(Phase::Mark, steps) {
            break;
        }
        let (key, value) = (&sliced.keys[0], sliced.values[0]);
        sliced.heap[&sliced.map].insert(key, value);
        assert!(sliced.heap[&sliced.map].capacity() > capacity, "hashbrown makes room first");
        sliced.finish();
        sliced.is_whole(&format!("replaced after {steps} steps"));
    }
}

#[test]
fn a_full_table_in_which_an_entry_is_replaced_amid_pruning_keeps_no_dead_one() {
    for steps in 0..320 {
        let mut sliced = Sliced::new(448, 0);
        let dead = sliced.keys.split_off(1);
        drop(dead);
        if !sliced.begin(Phase::Prune, steps) {
            break;
        }
        // Full again, of entries that this cycle does not prune.
        while sliced.heap[&sliced.map].len() < sliced.heap[&sliced.map].capacity() {
            let key = sliced.heap.alloc_root(Node::leaf(0));
            let value = sliced.heap.alloc(Node::leaf(0));
            sliced.heap[&sliced.map].insert(&key, value);
            sliced.keys.push(key);
        }
        let (key, value) = (&sliced.keys[0], sliced.values[0]);
        sliced.heap[&sliced.map].insert(key, value);
        sliced.finish();
        let map = &sliced.heap[&sliced.map];
        assert_eq!(map.len(), sliced.keys.len(), "replaced after {steps} steps");
    }
}

#[test]
fn a_table_that_grows_faster_than_steps_prune_it_ends_its_cycle() {
    for (units, made) in [(10, 100), (1, 20), (100, 500)].into_iter().step_by(APART) {
        for nested in [false, true] {
            let mut heap = Heap::new();
            let plain = heap.alloc_root(WeakSet::<u32>::new());
            let sets = heap.alloc_root(WeakKeyMap::<u32, WeakSet<u32>>::new());
            let insert = |heap: &mut Heap, number| {
                let key = heap.alloc(number);
                if nested {
                    heap[&sets].insert(key, [key.downgrade()].into_iter().collect());
                } else {
                    heap[&plain].insert(key);
                }
            };
            (0..1000).for_each(|number| insert(&mut heap, number));
            let finished = (0..20_000).find_map(|_| {
                (0..made).for_each(|number| insert(&mut heap, number));
                heap.step(Budget::Objects(units)).finished
            });
            let phase = heap.stats().phase;
            assert!(finished.is_some(), "{made} more before each step of {units}: {phase:?}");
            heap.verify();
            heap.collect();
            assert_eq!((heap[&plain].len(), heap[&sets].len(), heap.len()), (0, 0, 2));
        }
    }
}
