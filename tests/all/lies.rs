//! `Trace` is safe to implement: whatever it reports, no handle ever resolves to another object, nothing is
//! dropped twice, and what is rooted stays. At worst objects are freed early, or kept.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use slotgc::{AnyGc, Gc, Heap, HeapConfig, Liveness, Root, Trace, Tracer, Weak};

use crate::objects::{Dice, Link, Log, Node, Noisy};

/// An object that reports what it likes.
struct Liar {
    id: u32,
    /// Reported unchecked; `way` says which of them in a turn.
    claims: Vec<AnyGc>,
    /// How to report: 0 everything, 1 nothing, 2 a different part each time, 3 itself as well, 4 as
    /// ephemerons.
    way: usize,
    turn: AtomicUsize,
    me: AnyGc,
    weak: Vec<AnyGc>,
    #[expect(dead_code, reason = "its destructor is counted")]
    noisy: Noisy,
}

impl Trace for Liar {
    fn trace(&self, tracer: &mut Tracer<'_>) {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let typed = |any: &AnyGc| Gc::<Liar>::from_bits(any.to_bits());
        match self.way {
            0 => self.claims.iter().for_each(|any| tracer.edge_any(*any)),
            1 => {}
            2 => self.claims.iter().skip(turn % 3).step_by(3).for_each(|any| tracer.edge(typed(any))),
            3 => {
                tracer.edge_any(self.me);
                self.claims.iter().rev().for_each(|any| tracer.edge(Gc::<Node>::from_bits(any.to_bits())));
            }
            _ => {
                for pair in self.claims.windows(2) {
                    tracer.ephemeron(typed(&pair[turn % 2]).downgrade(), &typed(&pair[1 - turn % 2]));
                }
            }
        }
        if turn % 2 == 0 {
            tracer.weak_collection();
        }
    }

    fn prune(&mut self, live: &Liveness<'_>) {
        let is_live = |any: &AnyGc| live.is_live(Gc::<Liar>::from_bits(any.to_bits()));
        // Now and then removes the living and leaves the dead.
        let turn = *self.turn.get_mut();
        self.weak.retain(|any| is_live(any) == (turn % 5 != 0));
        live.set_aside(vec![turn]);
    }
}

/// Everything that was ever allocated in a heap.
struct World {
    heap: Heap,
    log: Log,
    made: HashMap<AnyGc, u32>,
    order: Vec<AnyGc>,
    roots: Vec<Root<Liar>>,
    dropped: usize,
}

impl World {
    fn new(config: HeapConfig) -> Self {
        Self {
            heap: Heap::with_config(config),
            log: Log::default(),
            made: HashMap::new(),
            order: vec![],
            roots: vec![],
            dropped: 0,
        }
    }

    /// A handle of some kind: alive, dead, foreign, made up.
    fn claim(&self, dice: &mut Dice, foreign: &[AnyGc]) -> AnyGc {
        let last = self.order.len();
        let any = self.order.get(dice.below(last.max(1))).copied().unwrap_or_default();
        let recent = self.order.get(last.wrapping_sub(1 + dice.below(20))).copied().unwrap_or_default();
        match dice.below(8) {
            0 => foreign[dice.below(foreign.len())],
            1 => AnyGc::from_bits(dice.word()),
            2 => AnyGc::from_bits(recent.to_bits() + 2),
            3 => AnyGc::from_bits(recent.to_bits() & !0xffff_ffff | dice.word() & 0xf | 1),
            4 => AnyGc::from_bits(recent.to_bits() ^ 1 << (32 + dice.below(14))),
            5 => any,
            _ => recent,
        }
    }

    fn make(&mut self, dice: &mut Dice, foreign: &[AnyGc]) {
        let claims = (0..dice.below(6)).map(|_| self.claim(dice, foreign)).collect();
        let weak = (0..dice.below(3)).map(|_| self.claim(dice, foreign)).collect();
        let (id, way) = (self.made.len() as u32, dice.below(5));
        let noisy = Noisy::new(id, &self.log);
        let gc = self.heap.alloc_cyclic(|_, me: Gc<Liar>| Liar {
            id,
            claims,
            way,
            turn: AtomicUsize::new(0),
            me: me.erase(),
            weak,
            noisy,
        });
        assert_eq!(self.made.insert(gc.erase(), id), None, "a handle was handed out twice");
        self.order.push(gc.erase());
        if dice.one_in(20) {
            self.roots.push(self.heap.root(gc).unwrap());
        }
    }

    /// What must hold whatever was reported.
    fn check(&mut self) {
        let heap = &self.heap;
        let living = heap.iter::<Liar>().map(|(gc, liar)| (gc.erase(), liar.id)).collect::<Vec<_>>();
        assert!(living.iter().all(|(any, id)| self.made.get(any) == Some(id)));
        let resolved = self.made.iter().filter(|(any, id)| {
            let found = heap.downcast::<Liar>(**any).and_then(|gc| heap.get(gc));
            assert!(found.is_none_or(|liar| liar.id == **id && liar.me == **any));
            found.is_some()
        });
        assert_eq!((resolved.count(), heap.len_of::<Liar>()), (living.len(), living.len()));
        for root in &self.roots {
            assert_eq!(heap[root].id, self.made[&root.gc().erase()], "what is rooted is there");
        }
        let dropped = self.log.take();
        self.dropped += dropped.len();
        assert_eq!(self.dropped + living.len(), self.made.len(), "every destructor runs once");
    }
}

fn run(seed: u64, config: HeapConfig) {
    let mut dice = Dice::new(seed);
    let mut other = Heap::new();
    let foreign: Vec<AnyGc> = (0..300)
        .map(|value| match value % 3 {
            0 => other.alloc(Node::leaf(value)).erase(),
            1 => other.alloc([value; 30]).erase(),
            _ => other.alloc(Link { value, next: None }).erase(),
        })
        .collect();
    let mut world = World::new(config);
    let node = world.heap.alloc_root(Node::leaf(77));
    for round in 0..40 {
        for _ in 0..dice.below(120) {
            world.make(&mut dice, &foreign);
        }
        for _ in 0..dice.below(40) {
            let any = world.claim(&mut dice, &foreign);
            if any != node.gc().erase() && !world.roots.iter().any(|root| root.gc().erase() == any) {
                world.heap.destroy_any(any);
            }
        }
        world.roots.truncate(10);
        match round % 4 {
            0 => {}
            1 => {
                let claims: Vec<_> = (0..5).map(|_| world.claim(&mut dice, &foreign)).collect();
                world.heap.collect_with(&claims);
            }
            _ => assert_eq!(world.heap.collect().kept, world.heap.len()),
        }
        if dice.one_in(10) {
            world.heap.shrink_to_fit();
        }
        world.check();
        assert_eq!(world.heap[&node].value, 77);
    }
    let World { heap, log, made, dropped, .. } = world;
    drop(heap);
    assert_eq!(dropped + log.take().len(), made.len());
}

#[test]
fn whatever_is_reported_handles_resolve_to_their_own_object_or_none() {
    for seed in 0..30 {
        run(seed, HeapConfig::default());
    }
}

#[test]
fn whatever_is_reported_retired_slots_stay_retired() {
    for seed in 30..50 {
        run(seed, HeapConfig::default().first_generation(HeapConfig::MAX_GENERATION - 4));
    }
}

#[test]
fn an_unreported_edge_loses_its_target_early_and_nothing_else() {
    struct Forgets(Gc<Node>);
    impl Trace for Forgets {
        fn trace(&self, _: &mut Tracer<'_>) {}
    }
    let mut heap = Heap::new();
    let target = heap.alloc(Node::leaf(1));
    let root = heap.alloc_root(Forgets(target));
    assert_eq!(heap.collect().freed, 1);
    let next = heap.alloc_root(Node::leaf(2));
    assert!(heap.get(heap[&root].0).is_none(), "not the next object in its place");
    assert_eq!(heap[&next].value, 2);
}

#[test]
fn an_object_that_reports_itself_is_garbage_all_the_same() {
    let mut heap = Heap::new();
    for _ in 0..100 {
        heap.alloc_cyclic(|_, me: Gc<Node>| Node::with([me, me]));
    }
    assert_eq!(heap.collect().freed, 100);
}

#[test]
fn an_extra_edge_keeps_what_it_reaches_and_no_more() {
    struct Boasts(Arc<Mutex<Vec<Gc<Node>>>>);
    impl Trace for Boasts {
        fn trace(&self, tracer: &mut Tracer<'_>) {
            tracer.edges(self.0.lock().unwrap().iter().copied());
        }
    }
    let mut heap = Heap::new();
    let claims = Arc::new(Mutex::new(Vec::new()));
    let root = heap.alloc_root(Boasts(Arc::clone(&claims)));
    let (wanted, lost) = (heap.alloc(Node::leaf(1)), heap.alloc(Node::leaf(2)));
    claims.lock().unwrap().push(wanted);
    heap.collect();
    assert!(heap.is_alive(wanted) && !heap.is_alive(lost));
    claims.lock().unwrap().extend([wanted; 10]);
    assert_eq!((heap.collect().marked, heap.is_alive(&root)), (2, true));
    // A stale edge reaches nothing, though its slot has another object now.
    claims.lock().unwrap().extend([lost; 10]);
    let next = heap.alloc(Node::leaf(3));
    assert_eq!((heap.collect().marked, heap.is_alive(next)), (2, false));
}

#[test]
fn an_object_that_denies_holding_handles_is_believed() {
    struct Denies(Gc<Node>);
    impl Trace for Denies {
        const NEEDS_TRACE: bool = false;
        fn trace(&self, tracer: &mut Tracer<'_>) {
            tracer.edge(self.0);
        }
    }
    let mut heap = Heap::new();
    let target = heap.alloc(Node::leaf(1));
    let root = heap.alloc_root(Denies(target));
    heap.collect();
    assert!(heap.get(heap[&root].0).is_none());
}

#[test]
fn a_prune_that_exchanges_the_value_changes_nothing_else() {
    struct Restless(u64, Weak<Node>, Option<Noisy>);
    impl Trace for Restless {
        fn trace(&self, tracer: &mut Tracer<'_>) {
            tracer.weak_collection();
        }
        fn prune(&mut self, live: &Liveness<'_>) {
            let before = std::mem::replace(self, Restless(self.0 + 1, self.1, None));
            live.set_aside(before.2);
        }
    }
    let log = Log::default();
    let mut heap = Heap::new();
    let root = heap.alloc_root(Restless(0, Weak::dangling(), Some(Noisy::new(1, &log))));
    assert_eq!((heap.collect().pruned, heap[&root].0, log.take()), (1, 1, vec![1]));
    assert_eq!((heap.collect().pruned, heap[&root].0, log.take()), (1, 2, vec![]));
}

#[test]
fn a_liar_among_honest_objects_costs_them_nothing() {
    struct Random(Mutex<Dice>);
    impl Trace for Random {
        fn trace(&self, tracer: &mut Tracer<'_>) {
            let mut dice = self.0.lock().unwrap();
            for _ in 0..50 {
                let bits = dice.word() & 0x7fff_0000_0007 | 1;
                tracer.edge_any(AnyGc::from_bits(bits));
                tracer.edge(Gc::<Node>::from_bits(bits));
                tracer.ephemeron(Weak::<Node>::from_bits(bits), &Gc::<Link>::from_bits(dice.word()));
            }
        }
    }
    let mut heap = Heap::new();
    let (mut honest, mut liars) = (Vec::new(), Vec::new());
    let mut last = None;
    for value in 0..3000 {
        let node = heap.alloc(Node { value, edges: last.into_iter().collect() });
        last = Some(node);
        honest.push(node);
        if value % 300 == 0 {
            liars.push(heap.alloc_root(Random(Mutex::new(Dice::new(value)))));
        }
        heap.alloc(Node::leaf(value));
    }
    let root = heap.root(last.unwrap()).unwrap();
    for _ in 0..20 {
        let stats = heap.collect();
        assert_eq!(stats.kept, heap.len());
        assert!(stats.kept >= 3010);
        assert!(honest.iter().enumerate().all(|(value, gc)| heap[*gc].value == value as u64));
        for value in 0..500 {
            heap.alloc(Node::leaf(value));
        }
    }
    assert!(heap.is_alive(&root) && liars.iter().all(|liar| heap.is_alive(liar)));
}
