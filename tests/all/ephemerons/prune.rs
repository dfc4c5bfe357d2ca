//! `prune`, `Liveness` and `set_aside`: when they are called, what they see, and what happens to removed
//! entries.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use slotgc::{Gc, Heap, Liveness, Trace, Tracer, Weak};

use crate::objects::{Log, Node, Noisy};

/// A weak list that counts how often it is traced and pruned.
#[derive(Default)]
struct Watched {
    targets: Vec<Weak<Node>>,
    strong: Vec<Gc<Node>>,
    /// How often `trace` requests `prune`.
    asks: usize,
    traced: AtomicUsize,
    pruned: usize,
}

impl Trace for Watched {
    fn trace(&self, tracer: &mut Tracer<'_>) {
        self.traced.fetch_add(1, Ordering::Relaxed);
        (0..self.asks).for_each(|_| tracer.weak_collection());
        tracer.edges(self.strong.iter().copied());
        (0..self.asks).for_each(|_| tracer.weak_collection());
    }

    fn prune(&mut self, live: &Liveness<'_>) {
        self.pruned += 1;
        self.targets.retain(|target| {
            let is_live = live.is_live(target);
            if !is_live {
                live.set_aside(*target);
            }
            is_live
        });
    }
}

#[test]
fn prune_is_called_once_however_often_it_is_requested() {
    let mut heap = Heap::new();
    let lists = [0, 1, 5].map(|asks| heap.alloc_root(Watched { asks, ..Watched::default() }));
    for round in 1..4 {
        heap.collect();
        assert_eq!(lists.each_ref().map(|list| heap[list].pruned), [0, round, round]);
    }
}

#[test]
fn prune_is_not_called_on_the_dead() {
    let log = Log::default();
    struct Dying(Log, #[expect(dead_code, reason = "dropped with the object")] Noisy);
    impl Trace for Dying {
        fn trace(&self, tracer: &mut Tracer<'_>) {
            tracer.weak_collection();
        }
        fn prune(&mut self, _: &Liveness<'_>) {
            self.0.write(99);
        }
    }
    let mut heap = Heap::new();
    let root = heap.alloc_root(Dying(log.clone(), Noisy::new(1, &log)));
    heap.collect();
    assert_eq!(log.take(), [99]);
    drop(root);
    heap.collect();
    assert_eq!(log.take(), [1]);
}

#[test]
fn prune_sees_what_lives_on_and_what_dies_in_the_same_collection() {
    let mut heap = Heap::new();
    let kept = heap.alloc_root(Node::leaf(1));
    let [below, lost, gone] = [2, 3, 4].map(|value| heap.alloc(Node::leaf(value)));
    heap[&kept].edges.push(below);
    heap.destroy(gone);
    let tenant_of_another_time = Weak::from_bits(kept.gc().to_bits() + 2);
    let targets = vec![
        kept.downgrade(),
        below.downgrade(),
        lost.downgrade(),
        gone.downgrade(),
        Weak::dangling(),
        tenant_of_another_time,
    ];
    let list = heap.alloc_root(Watched { targets, asks: 1, ..Watched::default() });
    let stats = heap.collect();
    assert_eq!((stats.pruned, stats.freed), (4, 1));
    assert_eq!(heap[&list].targets, [kept.downgrade(), below.downgrade()]);
    assert_eq!(heap.collect().pruned, 0);
}

#[test]
fn a_collection_may_name_itself_and_others_of_its_kind() {
    struct Ring(Vec<Weak<Ring>>);
    impl Trace for Ring {
        fn trace(&self, tracer: &mut Tracer<'_>) {
            tracer.weak_collection();
        }
        fn prune(&mut self, live: &Liveness<'_>) {
            self.0.retain(|other| live.is_live(other));
        }
    }
    let mut heap = Heap::new();
    let rings: Vec<Gc<Ring>> =
        (0..100).map(|_| heap.alloc_cyclic(|_, me| Ring(vec![me.downgrade()]))).collect();
    for ring in &rings {
        heap[*ring].0.extend(rings.iter().map(|other| other.downgrade()));
    }
    let held: Vec<_> = rings.iter().step_by(2).map(|ring| heap.root(ring).unwrap()).collect();
    let stats = heap.collect();
    assert_eq!((stats.kept, stats.pruned), (50, 0), "removed without being set aside, not counted");
    assert!(
        held.iter().all(|ring| heap[ring].0.len() == 51 && heap[ring].0.iter().all(|r| heap.is_alive(r)))
    );
}

/// Sets a few things of different types aside when it is first pruned.
type OnPrune = Box<dyn FnOnce(&Liveness<'_>) + Send + Sync>;

struct Discards(Option<OnPrune>);

impl Trace for Discards {
    fn trace(&self, tracer: &mut Tracer<'_>) {
        tracer.weak_collection();
    }

    fn prune(&mut self, live: &Liveness<'_>) {
        if let Some(discard) = self.0.take() {
            discard(live);
        }
    }
}

#[test]
fn what_is_set_aside_counts_as_pruned_and_is_dropped_oldest_first_after_all_objects() {
    let log = Log::default();
    let mut heap = Heap::new();
    for number in 0..3 {
        heap.alloc(Noisy::new(number, &log));
    }
    let (inside, moved) = (log.clone(), log.clone());
    let discards = heap.alloc_root(Discards(Some(Box::new(move |live| {
        live.set_aside(Noisy::new(10, &moved));
        live.set_aside((1, Noisy::new(11, &moved)));
        live.set_aside(12);
        live.set_aside(vec![Noisy::new(12, &moved), Noisy::new(13, &moved)]);
        live.set_aside(Noisy::new(14, &moved));
        assert!(inside.take().is_empty(), "nothing is dropped while pruning");
    }))));
    let stats = heap.collect();
    assert_eq!((stats.pruned, stats.freed), (5, 3));
    assert_eq!(log.take(), [0, 1, 2, 10, 11, 12, 13, 14]);
    assert_eq!(heap.collect().pruned, 0);
    assert!(heap.is_alive(&discards));
}

#[test]
fn an_entry_set_aside_may_own_a_root() {
    // weak-cases 43, with a user-defined table
    let mut heap = Heap::new();
    let rooted = heap.alloc_root(Node::leaf(1));
    let weak = rooted.downgrade();
    let list = heap.alloc_root(Discards(Some(Box::new(move |live| live.set_aside(rooted)))));
    heap.collect();
    assert!(
        heap.is_alive(weak) && heap.stats().roots == 1,
        "the root was dropped at the end of that collection"
    );
    assert_eq!((heap.collect().freed, heap.is_alive(weak)), (1, false));
    assert!(heap.is_alive(&list));
}

#[test]
fn a_value_may_drop_what_it_removes_at_once() {
    let log = Log::default();
    let mut heap = Heap::new();
    struct Eager(Vec<Noisy>);
    impl Trace for Eager {
        fn trace(&self, tracer: &mut Tracer<'_>) {
            tracer.weak_collection();
        }
        fn prune(&mut self, _: &Liveness<'_>) {
            self.0.clear();
        }
    }
    let eager = heap.alloc_root(Eager(vec![Noisy::new(1, &log)]));
    heap.alloc(Noisy::new(2, &log));
    assert_eq!(heap.collect().pruned, 0);
    assert_eq!((log.take(), heap[&eager].0.len()), (vec![1, 2], 0));
}

#[test]
#[cfg(feature = "std")]
fn prune_reaches_values_inside_containers() {
    use std::sync::Mutex;

    struct Shelf {
        lists: Vec<Option<Box<Watched>>>,
        locked: Mutex<Watched>,
    }
    crate::objects::traced!(Shelf { lists, locked });
    let list = |heap: &mut Heap| {
        let target = heap.alloc(Node::leaf(1)).downgrade();
        Watched { targets: vec![target, target], asks: 1, ..Watched::default() }
    };
    let mut heap = Heap::new();
    let lists = (0..3).map(|number| (number != 1).then(|| Box::new(list(&mut heap)))).collect();
    let locked = Mutex::new(list(&mut heap));
    let shelf = heap.alloc_root(Shelf { lists, locked });
    let stats = heap.collect();
    assert_eq!((stats.pruned, stats.freed), (6, 3));
    assert!(heap[&shelf].lists.iter().flatten().all(|list| list.targets.is_empty() && list.pruned == 1));
    assert!(heap[&shelf].locked.lock().unwrap().targets.is_empty());
}

#[test]
fn no_destructor_runs_before_all_collections_are_pruned_and_all_dead_handles_stop_resolving() {
    /// Checks when it is dropped that all lists were pruned.
    struct Witness(Arc<AtomicUsize>, Arc<AtomicUsize>);
    impl Drop for Witness {
        fn drop(&mut self) {
            self.1.fetch_add(usize::from(self.0.load(Ordering::SeqCst) == 50), Ordering::SeqCst);
        }
    }
    impl Trace for Witness {
        fn trace(&self, _: &mut Tracer<'_>) {}
    }
    let (pruned, seen) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let mut heap = Heap::new();
    let mut held = Vec::new();
    for _ in 0..50 {
        heap.alloc(Witness(Arc::clone(&pruned), Arc::clone(&seen)));
        let (pruned, entry) = (Arc::clone(&pruned), Witness(Arc::clone(&pruned), Arc::clone(&seen)));
        held.push(heap.alloc_root(Discards(Some(Box::new(move |live| {
            live.set_aside(entry);
            pruned.fetch_add(1, Ordering::SeqCst);
        })))));
    }
    let stats = heap.collect();
    assert_eq!((stats.pruned, stats.freed, seen.load(Ordering::SeqCst)), (50, 50, 100));
    drop(held);
}

#[test]
fn many_short_lived_keys_leave_nothing_behind() {
    // weak-cases 58, with a user-defined list
    let mut heap = Heap::new();
    let list = heap.alloc_root(Watched { asks: 1, ..Watched::default() });
    let mut pages = 0;
    for round in 0..100 {
        for value in 0..1000 {
            let key = heap.alloc(Node::leaf(value)).downgrade();
            heap[&list].targets.push(key);
        }
        let stats = heap.collect();
        assert_eq!((stats.pruned, stats.freed, heap[&list].targets.len()), (1000, 1000, 0));
        if round == 10 {
            pages = heap.stats().pages;
        }
    }
    assert_eq!(heap.stats().pages, pages);
}

#[test]
fn pruned_collections_are_exact_beside_stale_edges() {
    let mut heap = Heap::new();
    let kept = heap.alloc_root(Node::leaf(1));
    let tenant = heap.alloc(Node::leaf(2));
    let strong = vec![Gc::from_bits(tenant.to_bits() + 2)];
    let targets = vec![kept.downgrade(), tenant.downgrade(), strong[0].downgrade()];
    let list = heap.alloc_root(Watched { targets, strong, asks: 1, ..Watched::default() });
    let stats = heap.collect();
    assert_eq!((stats.pruned, stats.freed), (2, 1));
    assert_eq!((heap[&list].targets.clone(), heap[&list].pruned), (vec![kept.downgrade()], 1));
    assert_eq!(heap[&list].traced.load(Ordering::Relaxed), 2, "marked twice, pruned once");
}
