//! Weak collections that are larger than a step: traced and pruned in slices, while the program changes them
//! between slices.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use slotgc::{
    Budget, Gc, Heap, Interner, Liveness, Phase, Root, Trace, Tracer, Weak, WeakKeyMap, WeakSet, WeakValueMap,
};

use crate::objects::{Dice, Node, traced};

mod reshaped;

/// One of each kind, and one whose values hold no handles.
#[derive(Default)]
struct Tables {
    notes: WeakKeyMap<Node, Gc<Node>>,
    nested: WeakKeyMap<Node, WeakSet<Node>>,
    names: WeakValueMap<u32, Node>,
    /// With edges in its keys.
    tags: WeakValueMap<(u32, Gc<Node>), Node>,
    set: WeakSet<Node>,
    plain: WeakKeyMap<Node, u64>,
}

traced!(Tables { notes, nested, names, tags, set, plain });

/// What the tables should hold for an object.
#[derive(Clone, Copy)]
struct Known {
    weak: Weak<Node>,
    note: Option<Gc<Node>>,
    tag: Option<Gc<Node>>,
}

struct World {
    heap: Heap,
    dice: Dice,
    tables: Root<Tables>,
    /// The rooted objects, by number.
    kept: BTreeMap<u32, (Root<Node>, Known)>,
    /// The objects that are no longer rooted.
    lost: Vec<Known>,
    made: u32,
}

impl World {
    fn new(seed: u64, len: u32) -> Self {
        let mut heap = Heap::new();
        let tables = heap.alloc_root(Tables::default());
        let (kept, lost) = (BTreeMap::new(), Vec::new());
        let mut world = Self { heap, dice: Dice::new(seed), tables, kept, lost, made: 0 };
        (0..len).for_each(|_| world.make());
        world
    }

    /// Allocates an object that is in every table, with a value that only the table leads to.
    fn make(&mut self) {
        let number = self.made;
        self.made += 1;
        let root = self.heap.alloc_root(Node::leaf(number.into()));
        let note = self.heap.alloc(Node::with([root.gc()]));
        let tag = self.heap.alloc(Node::leaf(0));
        let friends = [&root].into_iter().map(Root::downgrade).collect();
        let tables = &mut self.heap[&self.tables];
        tables.notes.insert(&root, note);
        tables.nested.insert(&root, friends);
        tables.names.insert(number, &root);
        tables.tags.insert((number, tag), &root);
        tables.set.insert(&root);
        tables.plain.insert(&root, number.into());
        let known = Known { weak: root.downgrade(), note: Some(note), tag: Some(tag) };
        self.kept.insert(number, (root, known));
    }

    fn pick(&mut self) -> Option<u32> {
        let at = self.dice.below(self.kept.len().max(1));
        self.kept.keys().nth(at).copied()
    }

    fn mutate(&mut self) {
        let Some(number) = self.pick() else { return self.make() };
        let (root, known) = &self.kept[&number];
        let (weak, known) = (root.downgrade(), *known);
        match self.dice.below(16) {
            0..=2 => self.make(),
            3..=5 => {
                self.lost.push(self.kept.remove(&number).expect("picked").1);
            }
            6 => {
                self.kept.remove(&number);
                self.heap.destroy(weak);
                self.lost.push(known);
            }
            7 => {
                // Another value, which from now on only the table leads to.
                let note = self.heap.alloc(Node::with([self.heap.upgrade(weak).expect("rooted")]));
                match self.dice.below(3) {
                    0 => drop(self.heap[&self.tables].notes.insert(weak, note)),
                    1 => {
                        *self.heap[&self.tables].notes.get_mut(weak).expect("an entry of a living object") =
                            note
                    }
                    _ => *self.heap[&self.tables].notes.entry(weak).or_insert(note) = note,
                }
                self.kept.get_mut(&number).expect("picked").1.note = Some(note);
            }
            8 => {
                // Perhaps in a new bucket.
                let tables = &mut self.heap[&self.tables];
                let note = tables.notes.remove(weak).expect("an entry of a living object");
                tables.notes.insert(weak, note);
                tables.set.remove(weak);
                tables.set.insert(weak);
            }
            9 => {
                let note = self.heap.alloc(Node::leaf(1));
                for (key, value) in self.heap[&self.tables].notes.iter_mut() {
                    if key == weak {
                        *value = note;
                    }
                }
                self.kept.get_mut(&number).expect("picked").1.note = Some(note);
            }
            10 => {
                let tables = &mut self.heap[&self.tables];
                tables.notes.shrink_to_fit();
                tables.set.shrink_to_fit();
                tables.names.shrink_to_fit();
            }
            11 => {
                // The whole object moves to another slot.
                let tables = std::mem::take(&mut self.heap[&self.tables]);
                self.tables = self.heap.alloc_root(tables);
            }
            12 => {
                let tables = &mut self.heap[&self.tables];
                tables.notes = std::mem::take(&mut tables.notes).into_iter().collect();
                tables.set = tables.set.clone();
            }
            13 => {
                let tables = &mut self.heap[&self.tables];
                tables.notes.reserve_by_churn(weak);
                tables.set.retain(|_| true);
            }
            _ => {
                let tables = &mut self.heap[&self.tables];
                tables.plain.entry(weak).and_modify(|n| *n += 1).or_insert(0);
                let friend = tables.nested.entry(weak).or_default();
                friend.insert(weak);
                friend.insert(known.weak);
            }
        }
    }

    /// Checks that the entries of the rooted objects exist and are alive.
    fn check(&self) {
        let tables = &self.heap[&self.tables];
        for (number, (root, known)) in &self.kept {
            let note = tables.notes.get(root).copied();
            assert_eq!(note, known.note);
            let note = note.expect("every one has a note");
            assert!(self.heap.is_alive(note), "the note of {number} is lost");
            assert_eq!(tables.names.get(number), Some(root.downgrade()));
            let tag = known.tag.expect("every one has a tag");
            assert!(self.heap.is_alive(tag), "the tag of {number} is lost");
            assert_eq!(tables.tags.get(&(*number, tag)), Some(root.downgrade()));
            assert!(tables.set.contains(root));
            assert!(tables.nested.get(root).is_some_and(|friends| friends.contains(root)));
            assert!(tables.plain.contains_key(root));
        }
    }

    /// Checks that nothing dead is in any table.
    fn check_exact(&self, what: &str) {
        let tables = &self.heap[&self.tables];
        let lens = [
            tables.notes.len(),
            tables.nested.len(),
            tables.names.len(),
            tables.tags.len(),
            tables.set.len(),
            tables.plain.len(),
        ];
        let alive = self.lost.iter().filter(|known| self.heap.is_alive(known.weak)).count() + self.kept.len();
        assert_eq!(lens, [alive; 6], "{what}");
        assert!(tables.nested.values().flat_map(WeakSet::iter).all(|weak| self.heap.is_alive(weak)));
    }

    fn step(&mut self, units: usize) -> bool {
        self.heap.step(Budget::Objects(units)).finished.is_some()
    }
}

/// Insertions and removals that make the table move its entries and leave nothing behind.
trait Churn {
    fn reserve_by_churn(&mut self, key: Weak<Node>);
}

impl Churn for WeakKeyMap<Node, Gc<Node>> {
    fn reserve_by_churn(&mut self, key: Weak<Node>) {
        let room = self.capacity() - self.len();
        let note = self[key];
        // Made-up handles of slots far away: entries that come and go.
        let handles = (0..=room as u64).map(|n| Weak::<Node>::from_bits((1 << 60 | n << 32) | 1));
        let handles: Vec<_> = handles.collect();
        self.extend(handles.iter().map(|weak| (*weak, note)));
        for weak in &handles {
            self.remove(weak);
        }
    }
}

#[test]
fn tables_larger_than_a_step_keep_what_they_should_whatever_comes_between() {
    let seeds = if cfg!(gc_zeal) { 2 } else { 6 };
    for seed in 0..seeds {
        let mut world = World::new(seed, 150);
        for cycle in 0..6 {
            let units = [8, 30, 100][world.dice.below(3)];
            while !world.step(units) {
                for _ in 0..world.dice.below(3) {
                    world.mutate();
                }
                world.check();
                world.heap.verify();
            }
            world.check();
            match cycle % 3 {
                0 => {
                    world.heap.collect();
                    world.lost.retain(|known| {
                        assert!(!world.heap.is_alive(known.weak));
                        false
                    });
                    world.check_exact("after a full collection");
                }
                1 => {
                    for _ in 0..10 {
                        world.mutate();
                    }
                    // Written to, so that they are pruned.
                    world.heap.get_mut(&world.tables);
                    world.heap.collect_minor();
                    world.check();
                    world.check_exact("after a minor collection");
                }
                _ => {}
            }
        }
    }
}

#[test]
fn no_phase_takes_a_large_table_in_one_step() {
    const LEN: u32 = 2000;
    let mut world = World::new(1, LEN);
    let interner = world.heap.alloc_root(Interner::new());
    let texts: Vec<_> = (0..LEN)
        .map(|n| {
            let text = world.heap.intern(&interner, n.to_string());
            (n % 2 == 0).then(|| world.heap.root(text).expect("just made"))
        })
        .collect();
    world.kept.retain(|number, _| number % 2 == 0);
    let mut steps = BTreeMap::new();
    loop {
        let report = world.heap.step(Budget::Objects(50));
        *steps.entry(report.phase as u8).or_insert(0) += 1;
        assert!(report.work <= 50 + 200, "{report:?}");
        if report.finished.is_some() {
            break;
        }
    }
    // Six tables and the interner, each read bucket by bucket.
    assert!(steps[&(Phase::Prune as u8)] > 7 * LEN / 50 / 2, "{steps:?}");
    let half = LEN as usize / 2;
    assert_eq!((world.heap[&interner].len(), texts.iter().flatten().count()), (half, half));
    world.check();
    world.check_exact("after an undisturbed cycle");
}

#[test]
fn a_table_that_is_changed_as_a_whole_between_any_two_steps_does_not_hold_up_a_cycle() {
    let mut world = World::new(2, 1000);
    for step in 0.. {
        if world.step(50) {
            break;
        }
        assert!(step < 4000, "the cycle does not end");
        world.heap[&world.tables].notes.iter_mut().for_each(drop);
    }
    world.check();
}

#[test]
fn what_the_program_destroys_leaves_tables_in_the_next_minor_collection() {
    let mut world = World::new(3, 300);
    world.heap.collect();
    for number in (0..300).step_by(3) {
        let (root, known) = world.kept.remove(&number).expect("all are there");
        world.heap.destroy(&root);
        world.lost.push(known);
        if number % 60 == 0 {
            world.make();
            world.heap.collect_minor();
            world.check();
            world.check_exact("after a minor collection");
        }
    }
}

/// A large table, and a count of how often the object is traced.
struct Counted {
    table: WeakKeyMap<Node, Gc<Node>>,
    traces: AtomicUsize,
}

impl Trace for Counted {
    fn trace(&self, tracer: &mut Tracer<'_>) {
        self.traces.fetch_add(1, Ordering::Relaxed);
        self.table.trace(tracer);
    }

    fn prune(&mut self, live: &Liveness<'_>) {
        self.table.prune(live);
    }
}

#[test]
fn an_object_that_changes_between_any_two_steps_is_not_traced_again_for_each_change() {
    let mut heap = Heap::new();
    let counted = heap.alloc_root(Counted { table: WeakKeyMap::new(), traces: AtomicUsize::new(0) });
    let keys: Vec<_> = (0..3000).map(|n| heap.alloc_root(Node::leaf(n))).collect();
    for key in &keys {
        let value = heap.alloc(Node::leaf(0));
        heap[&counted].table.insert(key, value);
    }
    let mut steps = 0;
    while heap.step(Budget::Objects(40)).finished.is_none() {
        steps += 1;
        let value = heap.alloc(Node::leaf(1));
        heap[&counted].table.insert(&keys[steps % keys.len()], value);
    }
    // Once for each slice of its table, and for the changes of the last steps.
    let traces = heap[&counted].traces.load(Ordering::Relaxed);
    assert!(steps > 100 && traces <= 3000 / 40 + 32, "{traces} times in {steps} steps");
    assert!(keys.iter().all(|key| heap.is_alive(heap[&counted].table[key])));
}

#[test]
fn an_object_with_small_tables_before_a_large_one_is_marked_in_steps_of_any_size() {
    #[derive(Trace)]
    struct Tables {
        small: Vec<WeakKeyMap<u32, Gc<u32>>>,
        large: WeakKeyMap<u32, Gc<u32>>,
    }
    let budgets = [1, 2, 5, 10].map(Budget::Objects);
    for budget in budgets.into_iter().chain([Budget::Time(Duration::from_micros(1))]) {
        // With a budget of time, more in small tables than are visited in one go.
        for (maps, len) in [(1, 500), (2, 500), (300, 5000)] {
            let mut heap = Heap::new();
            let keys: Vec<_> = (0..len).map(|number| heap.alloc_root(number)).collect();
            let entries = || keys.iter().map(|key| (key.downgrade(), key.gc()));
            let few: WeakKeyMap<u32, Gc<u32>> = entries().take(6).collect();
            let large = entries().collect();
            let tables = heap.alloc_root(Tables { small: vec![few; maps], large });
            let steps = (1..100_000).find(|_| heap.step(budget).finished.is_some());
            assert!(steps.is_some(), "{maps} maps in steps of {budget:?}: {:?}", heap.stats().phase);
            assert_eq!(heap[&tables].large.len(), keys.len());
        }
    }
}

#[test]
fn an_object_with_many_large_tables_is_marked_in_steps_that_keep_to_their_budget() {
    #[derive(Clone)]
    struct Counted(Arc<AtomicUsize>);
    impl Trace for Counted {
        fn trace(&self, _: &mut Tracer<'_>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
    let traced = Arc::new(AtomicUsize::new(0));
    let mut heap = Heap::new();
    let keys: Vec<_> = (0..1000).map(|number| heap.alloc_root(number)).collect();
    let map: WeakKeyMap<u32, Counted> =
        keys.iter().map(|key| (key.downgrade(), Counted(Arc::clone(&traced)))).collect();
    let tables = heap.alloc_root(vec![map; 100]);
    while heap.step(Budget::Objects(5)).finished.is_none() {
        // Some buckets of one table, not some of each.
        let traced = traced.swap(0, Ordering::Relaxed);
        assert!(traced <= 64, "{traced} entries in one step");
    }
    assert!(heap[&tables].iter().all(|map| map.len() == keys.len()));
}

#[cfg(feature = "std")]
#[test]
fn tables_behind_locks_are_marked_in_steps_of_any_size() {
    use std::sync::{Mutex, RwLock};

    let budgets = [1, 2, 5, 10].map(Budget::Objects);
    for budget in budgets.into_iter().chain([Budget::Time(Duration::from_micros(1))]) {
        for (locks, len) in [(40, 6), (3, 500)] {
            let mut heap = Heap::new();
            let keys: Vec<_> = (0..len).map(|number| heap.alloc_root(Node::leaf(number))).collect();
            let map = || -> WeakKeyMap<Node, Gc<Node>> {
                keys.iter().map(|key| (key.downgrade(), key.gc())).collect()
            };
            let some: Vec<_> = (0..locks).map(|_| heap.alloc_root(Mutex::new(map()))).collect();
            let others: Vec<_> = (0..locks).map(|_| heap.alloc_root(RwLock::new(map()))).collect();
            let steps = (1..100_000).find(|_| heap.step(budget).finished.is_some());
            assert!(steps.is_some(), "{locks} locks in steps of {budget:?}: {:?}", heap.stats().phase);
            assert!(some.iter().all(|lock| heap[lock].lock().unwrap().len() == keys.len()));
            assert!(others.iter().all(|lock| heap[lock].read().unwrap().len() == keys.len()));
        }
    }
}

#[test]
fn a_map_of_weak_collections_is_pruned_in_steps_of_any_size() {
    for len in [1, 8, 40, 300] {
        for units in [1, 2, 5, 10] {
            let mut heap = Heap::new();
            let map = heap.alloc_root(WeakKeyMap::<u32, WeakSet<u32>>::new());
            let mut keys: Vec<_> = (0..len).map(|number| heap.alloc_root(number)).collect();
            for key in &keys {
                let all = keys.iter().map(Root::downgrade).take(9).collect();
                heap[&map].insert(key, all);
            }
            keys.truncate(len as usize / 2 + 1);
            let steps = (1..10_000).find(|_| heap.step(Budget::Objects(units)).finished.is_some());
            assert!(steps.is_some(), "{len} entries in steps of {units}: {:?}", heap.stats().phase);
            assert_eq!(heap[&map].len(), keys.len());
            let left = keys.len().min(9);
            assert!(heap[&map].values().all(|set| set.len() == left), "{len} entries in steps of {units}");
        }
    }
}
