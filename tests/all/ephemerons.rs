//! Ephemerons and weak collections, written with `Tracer` and `Liveness` as a user would. What `prune` may do
//! is in `ephemerons/prune.rs`.

mod prune;

use slotgc::{Gc, Heap, Liveness, Root, Trace, Tracer, Weak, WeakKeyMap, roots};

use crate::objects::{Dice, Link, Log, Node, Noisy, on_small_stack};

/// An ephemeron table: an entry lives while its key does, the value is reached only through a live key.
#[derive(Debug)]
struct Table<V> {
    entries: Vec<(Weak<Node>, V)>,
}

impl<V> Default for Table<V> {
    fn default() -> Self {
        Self { entries: Vec::new() }
    }
}

impl<V> Table<V> {
    fn of(entries: impl IntoIterator<Item = (Gc<Node>, V)>) -> Self {
        Self { entries: entries.into_iter().map(|(key, value)| (key.downgrade(), value)).collect() }
    }

    fn get(&self, key: Gc<Node>) -> Option<&V> {
        self.entries.iter().find(|entry| entry.0 == key).map(|entry| &entry.1)
    }
}

impl<V: Trace> Trace for Table<V> {
    fn trace(&self, tracer: &mut Tracer<'_>) {
        tracer.weak_collection();
        for (key, value) in &self.entries {
            tracer.ephemeron(*key, value);
        }
    }

    fn prune(&mut self, live: &Liveness<'_>) {
        for (key, value) in std::mem::take(&mut self.entries) {
            if live.is_live(key) {
                self.entries.push((key, value));
            } else {
                live.set_aside(value);
            }
        }
        self.entries.iter_mut().for_each(|entry| entry.1.prune(live));
    }
}

/// A value under two keys at once.
struct Both(Weak<Node>, Weak<Node>, Gc<Node>);

impl Trace for Both {
    fn trace(&self, tracer: &mut Tracer<'_>) {
        tracer.ephemeron(self.0, &Guarded(self.1, self.2));
    }
}

struct Guarded(Weak<Node>, Gc<Node>);

impl Trace for Guarded {
    fn trace(&self, tracer: &mut Tracer<'_>) {
        tracer.ephemeron(self.0, &self.1);
    }
}

fn leaves<const N: usize>(heap: &mut Heap) -> [Gc<Node>; N] {
    std::array::from_fn(|value| heap.alloc(Node::leaf(value as u64)))
}

#[test]
fn an_entry_lives_while_its_key_does_whatever_becomes_of_the_value() {
    // weak-cases 55
    for (key_lives, value_lives) in [(true, true), (true, false), (false, true), (false, false)] {
        let mut heap = Heap::new();
        let [key, value] = leaves(&mut heap);
        let table = heap.alloc_root(Table::of([(key, value)]));
        let held: Vec<Root<Node>> = [(key, key_lives), (value, value_lives)]
            .into_iter()
            .filter_map(|(gc, lives)| heap.root(gc).filter(|_| lives))
            .collect();
        let stats = heap.collect();
        assert_eq!(heap[&table].entries.len(), usize::from(key_lives));
        assert_eq!(heap.is_alive(key), key_lives);
        assert_eq!(heap.is_alive(value), key_lives || value_lives);
        assert_eq!(stats.pruned, usize::from(!key_lives));
        drop(held);
        assert_eq!((heap.collect().kept, heap[&table].entries.len()), (1, 0));
    }
}

#[test]
fn keys_are_told_apart_by_identity() {
    // weak-cases 50
    let mut heap = Heap::new();
    let [a, b] = [5, 5].map(|value| heap.alloc_root(Node::leaf(value)));
    let entries = [(a.gc(), 1_u32), (b.gc(), 2)];
    let table = heap.alloc_root(Table::of(entries));
    drop(a);
    heap.collect();
    assert_eq!((heap[&table].entries.len(), heap[&table].get(b.gc())), (1, Some(&2)));
}

#[test]
fn a_value_that_reaches_its_own_key_does_not_keep_it() {
    // weak-cases 54
    let mut heap = Heap::new();
    let [itself, key, reaches_key, shared] = leaves(&mut heap);
    heap[reaches_key].edges.push(key);
    let table = heap.alloc_root(Table::of([(itself, itself), (key, reaches_key), (key, shared)]));
    let stats = heap.collect();
    assert_eq!((stats.kept, stats.freed, stats.pruned), (1, 4, 3));
    assert!(heap[&table].entries.is_empty());
}

#[test]
fn two_keys_that_are_each_others_values_do_not_keep_each_other() {
    let mut heap = Heap::new();
    let [a, b] = leaves(&mut heap);
    let table = heap.alloc_root(Table::of([(a, b), (b, a)]));
    let root = heap.root(b).unwrap();
    assert_eq!((heap.collect().kept, heap[&table].entries.len()), (3, 2));
    drop(root);
    assert_eq!((heap.collect().kept, heap[&table].entries.len()), (1, 0));
}

/// An object that owns a table of its own kind.
struct Owner {
    table: Table<Gc<Owner>>,
    key: Option<Gc<Node>>,
}

crate::objects::traced!(Owner { table, key });

#[test]
fn a_table_that_is_reached_only_through_its_own_entries_is_freed() {
    // weak-cases 54
    let mut heap = Heap::new();
    let make = |heap: &mut Heap| {
        let key = heap.alloc(Node::leaf(1));
        heap.alloc_cyclic(|_, me| Owner { table: Table::of([(key, me)]), key: Some(key) })
    };
    let (lost, kept) = (make(&mut heap), make(&mut heap));
    let key = heap[kept].key.unwrap();
    let holder = heap.alloc_root(Table::of([(key, kept)]));
    let root = heap.root(key).unwrap();
    assert_eq!(heap.collect().freed, 2);
    assert!(!heap.is_alive(lost) && heap.is_alive(kept));
    drop(root);
    assert_eq!((heap.collect().freed, heap[&holder].entries.len()), (2, 0), "the owner holds its key");
}

/// A chain in which the value of each entry is the next key, with its entries in the order that `order`
/// makes.
fn chain(order: impl FnOnce(&mut Vec<(Gc<Node>, Gc<Node>)>) + Send) {
    const LEN: usize = 100_000;
    on_small_stack(|| {
        let mut heap = Heap::new();
        let keys: Vec<_> = (0..=LEN as u64).map(|value| heap.alloc(Node::leaf(value))).collect();
        let mut entries: Vec<_> = keys.windows(2).map(|pair| (pair[0], pair[1])).collect();
        order(&mut entries);
        let table = heap.alloc_root(Table::of(entries));
        let head = heap.root(keys[0]).unwrap();
        for _ in 0..2 {
            let stats = heap.collect();
            assert_eq!((stats.kept, stats.pruned, heap[&table].entries.len()), (LEN + 2, 0, LEN));
        }
        drop(head);
        let stats = heap.collect();
        assert_eq!((stats.kept, stats.pruned, heap[&table].entries.len()), (1, LEN, 0));
        assert!(!keys.iter().any(|key| heap.is_alive(key)));
    });
}

#[test]
fn a_chain_of_entries_lives_and_dies_in_one_collection_whatever_their_order() {
    // weak-cases 51, 52
    chain(|_| {});
    chain(|entries| entries.reverse());
    chain(|entries| Dice::new(3).shuffle(entries));
}

#[test]
fn a_chain_over_many_tables_lives_and_dies_in_one_collection() {
    let mut heap = Heap::new();
    let keys: Vec<_> = (0..20_000).map(|value| heap.alloc(Node::leaf(value))).collect();
    let mut pairs: Vec<_> = keys.windows(2).map(|pair| (pair[0], pair[1])).collect();
    Dice::new(4).shuffle(&mut pairs);
    let tables: Vec<_> = pairs.chunks(7).map(|part| heap.alloc(Table::of(part.iter().copied()))).collect();
    let held = heap.alloc_root(tables);
    let head = heap.root(keys[0]).unwrap();
    assert_eq!(heap.collect().freed, 0);
    drop(head);
    assert_eq!((heap.collect().freed, heap[&held].len()), (20_000, 2857));
}

#[test]
fn a_value_under_two_keys_needs_both() {
    for lives in [[false, false], [true, false], [false, true], [true, true]] {
        // The keys are reached before the table, or after it.
        for first in [true, false] {
            let mut heap = Heap::new();
            let [a, b, value, below] = leaves(&mut heap);
            heap[value].edges.push(below);
            let guarded = Both(a.downgrade(), b.downgrade(), value);
            let early = first.then(|| heap.alloc_root(Node::leaf(9)));
            let holder = heap.alloc_root(guarded);
            let late = heap.alloc_root(Node::leaf(9));
            let keeper = early.unwrap_or(late);
            let kept = [a, b].into_iter().zip(lives).filter(|key| key.1);
            heap[&keeper].edges = kept.map(|key| key.0).collect();
            heap.collect();
            assert_eq!([a, b].map(|key| heap.is_alive(key)), lives);
            assert_eq!([value, below].map(|gc| heap.is_alive(gc)), [lives == [true, true]; 2]);
            assert!(heap.is_alive(&holder));
        }
    }
}

#[test]
fn nested_keys_may_be_reached_through_each_others_values() {
    // `b` is reached through `a`, and the value under both keys through either order.
    let mut heap = Heap::new();
    let [a, b, value, c] = leaves(&mut heap);
    let tables = heap.alloc_root(Table::of([(a, b), (value, c)]));
    let both = heap.alloc_root(Both(b.downgrade(), a.downgrade(), value));
    let other = heap.alloc_root(Both(a.downgrade(), c.downgrade(), value));
    let root = heap.root(a).unwrap();
    assert_eq!(heap.collect().freed, 0);
    drop(root);
    assert_eq!(heap.collect().freed, 4);
    assert!(heap.is_alive(&both) && heap.is_alive(&other) && heap[&tables].entries.is_empty());
}

/// Objects that hold tables of each other, one inside the other.
struct Layer {
    inner: Table<Gc<Layer>>,
    garbage: Table<Gc<Node>>,
}

crate::objects::traced!(Layer { inner, garbage });

#[test]
fn a_hundred_nested_tables_live_and_die_with_their_keys() {
    // weak-cases 53
    let mut heap = Heap::new();
    let keys: [Root<Node>; 2] = [0, 1].map(|value| heap.alloc_root(Node::leaf(value)));
    let mut layers: Vec<Gc<Layer>> = Vec::new();
    let special = heap.alloc_root(Node::leaf(50));
    for number in (0..100).rev() {
        let key = if number == 50 { special.gc() } else { keys[number % 2].gc() };
        let inner = Table::of(layers.last().map(|layer| (key, *layer)));
        let [dead_key, value] = leaves(&mut heap);
        let garbage = Table::of([(dead_key, value)]);
        layers.push(heap.alloc(Layer { inner, garbage }));
    }
    layers.reverse();
    let root = heap.root(layers[0]).unwrap();
    let stats = heap.collect();
    assert_eq!((stats.pruned, stats.freed), (100, 200));
    let entries = |layer: &Layer| layer.inner.entries.len() + layer.garbage.entries.len();
    assert!(layers[..99].iter().all(|layer| entries(&heap[*layer]) == 1));
    drop(special);
    heap.collect();
    let alive: Vec<_> = layers.iter().map(|layer| heap.is_alive(layer)).collect();
    assert!(alive[..51].iter().all(|alive| *alive) && !alive[51..].iter().any(|alive| *alive));
    assert_eq!(entries(&heap[layers[50]]), 0);
    drop(root);
    assert_eq!(heap.collect().kept, 2);
}

#[test]
fn an_entry_removed_or_overwritten_releases_its_value() {
    // weak-cases 56
    let mut heap = Heap::new();
    let [key, first, second] = leaves(&mut heap);
    let root = heap.root(key).unwrap();
    let table = heap.alloc_root(Table::of([(key, first)]));
    heap[&table].entries[0].1 = second;
    assert_eq!((heap.collect().freed, heap.is_alive(first), heap.is_alive(second)), (1, false, true));
    heap[&table].entries.clear();
    assert_eq!((heap.collect().freed, heap.is_alive(second), heap.is_alive(&root)), (1, false, true));
}

#[test]
fn a_key_in_several_tables_serves_each_of_them() {
    let mut heap = Heap::new();
    let key = heap.alloc_root(Node::leaf(1));
    let values: [Gc<Node>; 20] = leaves(&mut heap);
    let tables: Vec<_> = values
        .chunks(2)
        .map(|part| heap.alloc_root(Table::of(part.iter().map(|value| (key.gc(), *value)))))
        .collect();
    assert_eq!(heap.collect().freed, 0);
    let gc = key.gc();
    drop(key);
    let stats = heap.collect();
    assert_eq!((stats.pruned, stats.freed), (20, 21));
    assert!(tables.iter().all(|table| heap[table].entries.is_empty()) && !heap.is_alive(gc));
}

#[test]
fn an_object_under_construction_is_a_live_key() {
    let mut heap = Heap::new();
    let table = heap.alloc_root(Table::<Gc<Node>>::default());
    let nested = heap.alloc_root(Both(Weak::dangling(), Weak::dangling(), Gc::default()));
    let [value, guarded] = leaves(&mut heap);
    let made = heap.alloc_cyclic(|heap, me: Gc<Node>| {
        heap[&table].entries.push((me.downgrade(), value));
        heap[&nested] = Both(me.downgrade(), me.downgrade(), guarded);
        let stats = heap.collect();
        assert_eq!((stats.pruned, stats.freed), (0, 0));
        assert!(heap.is_alive(value) && heap.is_alive(guarded));
        assert_eq!(heap[&table].entries.len(), 1);
        Node::leaf(7)
    });
    assert_eq!(heap[&table].get(made), Some(&value));
    assert_eq!(heap.collect().freed, 3, "now it is like any other object");
    assert!(heap[&table].entries.is_empty());
}

#[test]
fn a_key_whose_making_panicked_is_dead() {
    let mut heap = Heap::new();
    let table = heap.alloc_root(Table::<Gc<Node>>::default());
    let [value] = leaves(&mut heap);
    crate::objects::panic_text(|| {
        heap.alloc_cyclic(|heap, me: Gc<Node>| {
            heap[&table].entries.push((me.downgrade(), value));
            heap.collect();
            assert!(heap.is_alive(value));
            panic!()
        })
    });
    assert_eq!((heap.collect().pruned, heap.is_alive(value)), (1, false));
}

#[test]
fn a_destroyed_key_is_dead() {
    let mut heap = Heap::new();
    let [key, value] = leaves(&mut heap);
    let root = heap.root(key).unwrap();
    let table = heap.alloc_root(Table::of([(key, value)]));
    heap.destroy(key);
    assert_eq!(heap[&table].entries.len(), 1, "until the next collection");
    let stats = heap.collect();
    assert_eq!((stats.pruned, stats.freed, heap[&table].entries.len()), (1, 1, 0));
    drop(root);
}

#[test]
fn a_key_whose_slot_has_a_new_tenant_is_dead() {
    let mut heap = Heap::new();
    let [value, kept] = leaves(&mut heap);
    let tenant = heap.alloc_root(Node::leaf(1));
    let old = Gc::<Node>::from_bits(tenant.gc().to_bits() + 2);
    let table = heap.alloc_root(Table::of([(old, value), (tenant.gc(), kept)]));
    let nested = heap.alloc_root(Both(tenant.downgrade(), old.downgrade(), value));
    let stats = heap.collect();
    assert_eq!((stats.pruned, stats.freed), (1, 1));
    assert!(!heap.is_alive(value) && heap.is_alive(kept) && heap.is_alive(&nested));
    assert_eq!(heap[&table].entries.len(), 1);
}

#[test]
fn a_key_read_as_one_of_another_type_is_dead() {
    let mut heap = Heap::new();
    let [value] = leaves(&mut heap);
    // The first slot of a page has the same address for every type.
    let link = heap.alloc_root(Link::default());
    let cast = Weak::<Node>::from_bits(link.gc().to_bits());
    assert!(cast != Weak::dangling() && !heap.is_alive(cast));
    let table = heap.alloc_root(Table { entries: vec![(cast, value)] });
    let stats = heap.collect();
    assert_eq!((heap.is_alive(value), stats.pruned, heap[&table].entries.len()), (false, 1, 0));
}

#[test]
fn a_source_may_have_ephemerons() {
    let mut heap = Heap::new();
    let [a, b, c, d] = leaves(&mut heap);
    let root = heap.root(a).unwrap();
    let source = roots(|tracer| {
        tracer.ephemeron(c.downgrade(), &d);
        tracer.ephemeron(b.downgrade(), &c);
        tracer.ephemeron(a.downgrade(), &b);
        tracer.weak_collection();
    });
    assert_eq!((heap.collect_with(&source).freed, heap.is_alive(d)), (0, true));
    drop(root);
    assert_eq!(heap.collect_with(&source).freed, 4);
}

#[test]
fn ephemerons_are_exact_beside_stale_edges() {
    let mut heap = Heap::new();
    let [a, b, c, d, dead_key, dead_value] = leaves(&mut heap);
    let tenant = heap.alloc(Node::leaf(9));
    let stale = Gc::<Node>::from_bits(tenant.to_bits() + 2);
    let table =
        heap.alloc_root(Table::of([(c, d), (b, c), (a, b), (dead_key, dead_value), (tenant, dead_value)]));
    let nested = heap.alloc_root(Both(b.downgrade(), a.downgrade(), d));
    let holder = heap.alloc_root(Node::with([stale]));
    let root = heap.root(a).unwrap();
    let stats = heap.collect();
    assert_eq!((stats.freed, stats.pruned, stats.kept), (3, 2, 7));
    assert!([a, b, c, d].iter().all(|gc| heap.is_alive(gc)) && !heap.is_alive(tenant));
    drop(root);
    let stats = heap.collect();
    assert_eq!((stats.freed, stats.pruned, stats.kept), (4, 3, 3));
    assert!(heap.is_alive(&holder) && heap.is_alive(&nested) && heap[&table].entries.is_empty());
}

#[test]
fn random_tables_keep_exactly_what_their_keys_reach() {
    let mut dice = Dice::new(11);
    for round in 0..100 {
        let mut heap = Heap::new();
        let all: Vec<_> = (0..60).map(|value| heap.alloc(Node::leaf(value))).collect();
        let mut pick = || all[dice.below(60)];
        for _ in 0..20 {
            let (from, to) = (pick(), pick());
            heap[from].edges.push(to);
        }
        let entries: Vec<_> = (0..60).map(|_| (pick(), pick())).collect();
        let both: Vec<_> = (0..20).map(|_| (pick(), pick(), pick())).collect();
        let held: Vec<_> = (0..3).map(|_| heap.root(pick()).unwrap()).collect();
        let tables: Vec<_> =
            entries.chunks(9).map(|part| heap.alloc_root(Table::of(part.iter().copied()))).collect();
        let guards: Vec<_> = both
            .iter()
            .map(|(a, b, value)| heap.alloc_root(Both(a.downgrade(), b.downgrade(), *value)))
            .collect();
        // The naive way: repeat until nothing new is found.
        let mut reached: std::collections::HashSet<_> = held.iter().map(|root| root.gc()).collect();
        loop {
            let mut found: Vec<_> = reached.iter().flat_map(|gc| heap[*gc].edges.clone()).collect();
            found.extend(entries.iter().filter(|entry| reached.contains(&entry.0)).map(|entry| entry.1));
            let is_guarded = |(a, b, _): &&(Gc<_>, Gc<_>, Gc<_>)| reached.contains(a) && reached.contains(b);
            found.extend(both.iter().filter(is_guarded).map(|guard| guard.2));
            let before = reached.len();
            reached.extend(found);
            if reached.len() == before {
                break;
            }
        }
        let stats = heap.collect();
        assert_eq!(stats.kept, reached.len() + tables.len() + guards.len(), "round {round}");
        assert!(all.iter().all(|gc| heap.is_alive(gc) == reached.contains(gc)));
        let left: usize = tables.iter().map(|table| heap[table].entries.len()).sum();
        assert_eq!(left, entries.iter().filter(|entry| reached.contains(&entry.0)).count());
        assert_eq!(stats.pruned, entries.len() - left);
    }
}

#[test]
fn values_that_go_with_their_keys_are_dropped_once_before_the_collection_returns() {
    // weak-cases 57
    let log = Log::default();
    let mut heap = Heap::new();
    let keys: Vec<_> = (0..100).map(|value| heap.alloc_root(Node::leaf(value))).collect();
    let entries = keys.iter().zip(0..).map(|(key, number)| (key.gc(), Noisy::new(number, &log)));
    let table = heap.alloc_root(Table::of(entries));
    let kept: Vec<_> = keys.into_iter().filter(|key| heap[key].value % 4 == 0).collect();
    let stats = heap.collect();
    assert_eq!((stats.pruned, stats.freed, heap[&table].entries.len()), (75, 75, 25));
    assert!(log.take().into_iter().eq((0..100).filter(|number| number % 4 != 0)));
    drop(kept);
    heap.collect();
    assert!(log.take().into_iter().eq((0..100).step_by(4)));
}

#[test]
fn a_key_under_construction_as_another_type_is_dead() {
    let mut heap = Heap::new();
    let map = heap.alloc_root(WeakKeyMap::<u64, Gc<Node>>::new());
    heap.alloc_cyclic(|heap, me: Gc<Node>| {
        let value = heap.alloc(Node::leaf(1));
        heap[&map].insert(Weak::<u64>::from_bits(me.to_bits()), value);
        assert_eq!(heap.collect().pruned, 1);
        assert!(heap[&map].is_empty() && !heap.is_alive(value));
        Node::leaf(2)
    });
}
