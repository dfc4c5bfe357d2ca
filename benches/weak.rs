//! What do weak handles, weak maps, ephemerons and callbacks cost?
//!
//! Handles and keys are visited in random order, and half of the objects die, chosen at random. The time of
//! pruning is `CollectStats::prune_time`, per entry before pruning; that of ephemerons and callbacks is that
//! of the whole collection. `hashbrown_*` is the same table with nothing weak about it, the floor: with the
//! hash function of the weak maps, and pruned by `retain` with a bit for each object.
//!
//! Do not conclude: that a `get` of a map reaches the object (it returns a weak handle; `upgrade_random` or
//! `access/get_weak_random` comes on top); that an insertion takes this long (a table grows in leaps: most
//! insertions take half of it, some a whole rehash); that the order of ephemerons does not matter (a weak map
//! is traversed in hash order, whatever the order of insertion; `mark/ephemerons_*` has a table that is not,
//! and `scattered` a chain whose links are cache misses that wait for each other); that a callback costs this
//! little (these only count: each is an allocation, and its work comes on top).

use std::hash::BuildHasherDefault;
use std::hint::black_box;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use hashbrown::HashMap;
use slotgc::{CollectStats, Gc, HandleHasher, Heap, Root, Trace, Weak, WeakKeyMap, WeakSet, WeakValueMap};
use slotgc_graphs::Random;

use crate::heaps::{Node, sum_below};
use crate::{Question, timed};

pub(crate) fn ask(question: &mut Question<'_>) {
    upgrade(question);
    tables(question);
    prune(question);
    ephemerons(question);
    callbacks(question);
}

// ---- Handles

fn upgrade(question: &mut Question<'_>) {
    let n = question.objects;
    question.case("upgrade_random", n, || Handles::new(n), |handles| handles.upgrade_all(n));
    let half_dead = || {
        let mut handles = Handles::new(n);
        let living = &handles.random[..n / 2];
        handles.heap.collect_with(&living);
        Random::new(7).shuffle(&mut handles.random);
        handles
    };
    question.case("upgrade_random_half_dead", n, half_dead, |handles| handles.upgrade_all(n / 2));
}

/// Objects and their handles in two random orders.
struct Handles {
    heap: Heap,
    random: Vec<Gc<Node>>,
    otherwise: Vec<Gc<Node>>,
}

impl Handles {
    fn new(n: usize) -> Self {
        let mut heap = Heap::new();
        let mut random: Vec<_> = (0..n as u64).map(|id| heap.alloc(Node::new(id))).collect();
        Random::new(5).shuffle(&mut random);
        let mut otherwise = random.clone();
        Random::new(6).shuffle(&mut otherwise);
        Self { heap, random, otherwise }
    }

    fn upgrade_all(&self, alive: usize) -> Duration {
        let (time, found) = timed(|| {
            let weak = black_box(&self.random).iter().map(|gc| gc.downgrade());
            weak.filter(|weak| self.heap.upgrade(*weak).is_some()).count()
        });
        assert_eq!(found, alive);
        time
    }
}

// ---- Tables

/// A table with an entry for each object.
trait Table: Default {
    fn insert(&mut self, id: u64, gc: Gc<Node>);
    /// Finds the entry, and returns the object's id if it is the right one.
    fn find(&self, id: u64, gc: Gc<Node>) -> u64;
    fn len(&self) -> usize;
}

type Plain<K, V> = HashMap<K, V, BuildHasherDefault<HandleHasher>>;

impl Table for Plain<u64, u64> {
    #[inline(always)]
    fn insert(&mut self, id: u64, gc: Gc<Node>) {
        self.insert(id, gc.to_bits());
    }

    #[inline(always)]
    fn find(&self, id: u64, gc: Gc<Node>) -> u64 {
        self[&id] ^ gc.to_bits() ^ id
    }

    fn len(&self) -> usize {
        self.len()
    }
}

impl Table for Plain<Gc<Node>, u64> {
    #[inline(always)]
    fn insert(&mut self, id: u64, gc: Gc<Node>) {
        self.insert(gc, id);
    }

    #[inline(always)]
    fn find(&self, _: u64, gc: Gc<Node>) -> u64 {
        self[&gc]
    }

    fn len(&self) -> usize {
        self.len()
    }
}

impl Table for WeakValueMap<u64, Node> {
    #[inline(always)]
    fn insert(&mut self, id: u64, gc: Gc<Node>) {
        self.insert(id, gc);
    }

    #[inline(always)]
    fn find(&self, id: u64, gc: Gc<Node>) -> u64 {
        self.get(&id).map_or(0, Weak::to_bits) ^ gc.to_bits() ^ id
    }

    fn len(&self) -> usize {
        self.len()
    }
}

impl Table for WeakKeyMap<Node, u64> {
    #[inline(always)]
    fn insert(&mut self, id: u64, gc: Gc<Node>) {
        self.insert(gc, id);
    }

    #[inline(always)]
    fn find(&self, _: u64, gc: Gc<Node>) -> u64 {
        self[gc]
    }

    fn len(&self) -> usize {
        self.len()
    }
}

impl Table for WeakSet<Node> {
    #[inline(always)]
    fn insert(&mut self, _: u64, gc: Gc<Node>) {
        self.insert(gc);
    }

    #[inline(always)]
    fn find(&self, id: u64, gc: Gc<Node>) -> u64 {
        if self.contains(gc) { id } else { 0 }
    }

    fn len(&self) -> usize {
        self.len()
    }
}

fn tables(question: &mut Question<'_>) {
    table::<Plain<u64, u64>>(question, "hashbrown_value_map");
    table::<WeakValueMap<u64, Node>>(question, "value_map");
    table::<Plain<Gc<Node>, u64>>(question, "hashbrown_key_map");
    table::<WeakKeyMap<Node, u64>>(question, "key_map");
    table::<WeakSet<Node>>(question, "set");
}

/// Inserting into an empty table without memory, and finding.
fn table<T: Table>(question: &mut Question<'_>, name: &str) {
    let n = question.objects;
    let entries = |heap: &Heap, handles: &[Gc<Node>]| -> Vec<(u64, Gc<Node>)> {
        handles.iter().map(|gc| (heap[gc].id, *gc)).collect()
    };
    let make = || {
        let Handles { heap, random, .. } = Handles::new(n);
        (entries(&heap, &random), heap)
    };
    question.case(&format!("{name}_insert"), n, make, |(entries, _)| {
        let (time, table) = timed(|| filled::<T>(black_box(entries)));
        assert_eq!(table.len(), n);
        time
    });
    let make = || {
        let Handles { heap, random, otherwise } = Handles::new(n);
        (filled::<T>(&entries(&heap, &random)), entries(&heap, &otherwise), heap)
    };
    question.case(&format!("{name}_get"), n, make, |(table, entries, _)| {
        let (time, ids) =
            timed(|| black_box(entries).iter().map(|(id, gc)| table.find(*id, *gc)).sum::<u64>());
        assert_eq!(ids, sum_below(n));
        time
    });
}

fn filled<T: Table>(entries: &[(u64, Gc<Node>)]) -> T {
    let mut table = T::default();
    entries.iter().for_each(|(id, gc)| table.insert(*id, *gc));
    table
}

// ---- Pruning

fn prune(question: &mut Question<'_>) {
    let n = question.objects;
    let bits = || {
        let entries = Random::new(5).order(n).into_iter().map(u64::from).map(|id| (id, id));
        let living = Random::new(6).order(n).into_iter().take(n / 2);
        let mut bits = vec![0_u64; n.div_ceil(64)];
        living.for_each(|id| bits[id as usize / 64] |= 1 << (id % 64));
        (entries.collect::<Plain<u64, u64>>(), bits)
    };
    question.case("hashbrown_retain_half", n, bits, |(map, bits)| {
        let mut map = map.clone();
        let (time, ()) = timed(|| map.retain(|id, _| bits[*id as usize / 64] >> (id % 64) & 1 != 0));
        assert_eq!(map.len(), n / 2);
        time
    });
    pruned::<WeakValueMap<u64, Node>>(question, "value_map");
    pruned::<WeakKeyMap<Node, u64>>(question, "key_map");
    pruned::<WeakSet<Node>>(question, "set");
}

/// A table in the heap, of which nothing or half dies.
fn pruned<T: Table + Trace>(question: &mut Question<'_>, name: &str) {
    let n = question.objects;
    for (name, living) in [(format!("{name}_prune_none"), n), (format!("{name}_prune_half"), n / 2)] {
        question.case(
            &name,
            n,
            || WithTable::<T>::new(n),
            |with| {
                let CollectStats { pruned, prune_time, .. } = with.shrink(living);
                assert_eq!((pruned, with.heap[&with.table].len()), (n - living, living));
                with.grow(n);
                prune_time
            },
        );
    }
}

/// Objects, some of which die and are replaced, and a table in the heap with an entry for each.
struct WithTable<T> {
    heap: Heap,
    table: Root<T>,
    alive: Vec<Gc<Node>>,
    made: u64,
    random: Random,
}

impl<T: Table + Trace> WithTable<T> {
    fn new(n: usize) -> Self {
        let mut heap = Heap::new();
        let table = heap.alloc_root(T::default());
        let mut with = Self { heap, table, alive: Vec::new(), made: 0, random: Random::new(8) };
        with.grow(n);
        with
    }

    /// Allocates objects until there are `n`, and inserts them in random order.
    fn grow(&mut self, n: usize) {
        let old = self.alive.len();
        for _ in old..n {
            self.alive.push(self.heap.alloc(Node::new(self.made)));
            self.made += 1;
        }
        self.random.shuffle(&mut self.alive[old..]);
        for gc in &self.alive[old..] {
            let id = self.heap[gc].id;
            self.heap[&self.table].insert(id, *gc);
        }
    }

    /// Lets all but `n` die, chosen at random.
    fn shrink(&mut self, n: usize) -> CollectStats {
        self.random.shuffle(&mut self.alive);
        self.alive.truncate(n);
        self.heap.collect_with(&self.alive)
    }
}

// ---- Ephemerons

fn ephemerons(question: &mut Question<'_>) {
    let n = question.objects;
    let in_sequence: Vec<u32> = (0..n as u32).collect();
    let links: Vec<u32> = (0..n as u32 - 1).collect();
    let reverse: Vec<u32> = links.iter().rev().copied().collect();
    let shuffled = Random::new(9).order(n - 1);
    let orders = [
        ("forward", &in_sequence, &links),
        ("reverse", &in_sequence, &reverse),
        ("shuffled", &in_sequence, &shuffled),
        ("scattered", &Random::new(10).order(n), &links),
    ];
    for (name, chain, insertions) in orders {
        let make = || Chain::new(chain, insertions);
        question.case(&format!("ephemerons_{name}"), n, make, |chain| {
            let (time, stats) = timed(|| chain.heap.collect());
            assert_eq!((stats.marked, stats.pruned), (n + 1, 0), "everything is reached");
            time
        });
    }
}

/// A weak map in which each value is the next entry's key, and only the first key is rooted.
struct Chain {
    heap: Heap,
    _first: Root<Node>,
    _map: Root<WeakKeyMap<Node, Gc<Node>>>,
}

impl Chain {
    /// `chain` orders the objects; `insertions` are places in it.
    fn new(chain: &[u32], insertions: &[u32]) -> Self {
        let mut heap = Heap::new();
        let nodes: Vec<_> = (0..chain.len() as u64).map(|id| heap.alloc(Node::new(id))).collect();
        let at = |place: usize| nodes[chain[place] as usize];
        let mut map = WeakKeyMap::new();
        for place in insertions {
            let place = *place as usize;
            map.insert(at(place), at(place + 1));
        }
        let (first, map) = (heap.root(at(0)).expect("a living object"), heap.alloc_root(map));
        Self { heap, _first: first, _map: map }
    }
}

// ---- Callbacks

static CALLS: AtomicUsize = AtomicUsize::new(0);

fn call() {
    // Not `fetch_add`, which takes longer than the rest; this is the only thread that counts.
    CALLS.store(CALLS.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
}

fn callbacks(question: &mut Question<'_>) {
    let n = question.objects;
    let make = || (Heap::new(), Vec::new());
    question.case("callbacks_register", n, make, |(heap, handles)| watch_all(heap, handles, n));
    question.case("callbacks_run", n, make, |(heap, handles)| {
        let before = CALLS.load(Ordering::Relaxed);
        watch_all(heap, handles, n);
        let (time, stats) = timed(|| heap.collect());
        assert_eq!((stats.freed, stats.notified), (n, n));
        assert_eq!(CALLS.load(Ordering::Relaxed) - before, n, "each ran once");
        time
    });
    let make = || {
        let (mut heap, mut handles) = (Heap::new(), Vec::new());
        watch_all(&mut heap, &mut handles, n);
        (heap, handles)
    };
    question.case("callbacks_waiting", n, make, |(heap, handles)| {
        let (time, stats) = timed(|| heap.collect_with(handles));
        assert_eq!((stats.kept, stats.notified), (n, 0), "nothing dies");
        time
    });
}

/// Allocates objects with a callback each, and returns how long the registrations took.
fn watch_all(heap: &mut Heap, handles: &mut Vec<Gc<Node>>, n: usize) -> Duration {
    handles.clear();
    heap.collect();
    handles.extend((0..n as u64).map(|id| heap.alloc(Node::new(id))));
    let (time, ()) = timed(|| {
        for gc in handles.iter() {
            heap.on_death(gc, |_, _| call()).expect("a living object");
        }
    });
    assert_eq!(heap.watch_count(handles[n / 2]), 1);
    time
}
