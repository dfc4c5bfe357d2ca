//! Panics that a `trace` catches itself. The collection goes on, so everything it had set aside around the
//! panicking code is restored: nothing that others reach is lost.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};

use slotgc::{Budget, Gc, Heap, Liveness, Root, Trace, Tracer, Weak, WeakKeyMap};

use crate::objects::{Link, Node};

/// A value of ephemerons: reports an edge, then panics in one of its calls.
struct Charge {
    edge: Gc<Node>,
    /// An ephemeron nested in the value, reported before the panic.
    inner: Option<(Weak<u64>, Gc<Node>)>,
    /// The number of that call, counted from one; zero means every call.
    at: usize,
    calls: AtomicUsize,
}

impl Charge {
    fn new(edge: Gc<Node>, at: usize) -> Self {
        Self { edge, inner: None, at, calls: AtomicUsize::new(0) }
    }
}

impl Trace for Charge {
    fn trace(&self, tracer: &mut Tracer<'_>) {
        tracer.edge(self.edge);
        let explode = || {
            let call = self.calls.fetch_add(1, Ordering::Relaxed) + 1;
            assert!(self.at != 0 && self.at != call, "a charge");
        };
        match &self.inner {
            None => explode(),
            Some((key, value)) => {
                tracer.ephemeron(*key, value);
                explode();
            }
        }
    }
}

/// Catches the panic of its charge, and has honest edges before and after it.
struct Catcher {
    before: Vec<Gc<Node>>,
    key: Weak<u64>,
    charge: Charge,
    after: Vec<Gc<Node>>,
}

impl Trace for Catcher {
    fn trace(&self, tracer: &mut Tracer<'_>) {
        tracer.edges(self.before.iter().copied());
        let _caught = catch_unwind(AssertUnwindSafe(|| tracer.ephemeron(self.key, &self.charge)));
        tracer.edges(self.after.iter().copied());
    }
}

/// The state of the keys when the tables are traced.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Keys {
    Dead,
    White,
    Reached,
}

struct Scene {
    heap: Heap,
    /// Reached only through `catchers`.
    honest: Vec<Gc<Node>>,
    charged: Vec<Gc<Node>>,
    catchers: Root<Vec<Gc<Catcher>>>,
    keys: Vec<Root<u64>>,
}

const CATCHERS: u64 = 200;

fn scene(keys: Keys, nested: bool) -> Scene {
    let mut heap = Heap::new();
    let (mut honest, mut charged, mut catchers, mut roots) = (vec![], vec![], vec![], vec![]);
    // Roots are followed in the order of creation.
    let mut early = Vec::new();
    for number in 0..CATCHERS {
        let key = heap.alloc(number);
        if keys == Keys::Reached {
            early.push(heap.root(key).unwrap());
        }
        let edges: Vec<_> = (0..10)
            .map(|of| {
                let below = heap.alloc(Node::leaf(number * 10 + of));
                heap.alloc(Node::with([below]))
            })
            .collect();
        honest.extend(&edges);
        let mut charge = Charge::new(heap.alloc(Node::leaf(number)), 0);
        charged.push(charge.edge);
        if nested {
            charge.inner = Some((key.downgrade(), heap.alloc(Node::leaf(number))));
        }
        let (before, after) = edges.split_at(5);
        let (before, after) = (before.to_vec(), after.to_vec());
        catchers.push(heap.alloc(Catcher { before, key: key.downgrade(), charge, after }));
        if keys == Keys::White {
            roots.push(key);
        }
    }
    let catchers = heap.alloc_root(catchers);
    early.extend(roots.into_iter().map(|key| heap.root(key).unwrap()));
    Scene { heap, honest, charged, catchers, keys: early }
}

impl Scene {
    fn is_whole(&self) {
        self.heap.verify();
        for (value, gc) in self.honest.iter().enumerate() {
            let node = self.heap.get(*gc).expect("an honest object is reachable");
            assert_eq!(self.heap[node.edges[0]].value, value as u64);
        }
        // The edges that a value reported before its panic count like any others.
        for gc in &self.charged {
            assert_eq!(self.heap.is_alive(gc), !self.keys.is_empty());
        }
    }
}

fn each_scene(mut check: impl FnMut(Scene)) {
    for keys in [Keys::Dead, Keys::White, Keys::Reached] {
        for nested in [false, true] {
            check(scene(keys, nested));
        }
    }
}

#[test]
fn two_hundred_panics_caught_inside_trace_lose_no_honest_object() {
    each_scene(|mut scene| {
        for _ in 0..3 {
            scene.heap.collect();
            scene.is_whole();
            scene.heap.collect_minor();
            scene.is_whole();
        }
        scene.heap[&scene.catchers].clear();
        scene.heap.collect();
        assert_eq!(scene.heap.len(), 1 + scene.keys.len(), "and nothing else survives");
    });
}

#[test]
fn panics_caught_inside_trace_lose_nothing_in_steps_of_any_size() {
    for units in [1, 7, 64] {
        each_scene(|mut scene| {
            for _ in 0..2 {
                while scene.heap.step(Budget::Objects(units)).finished.is_none() {}
                scene.is_whole();
            }
        });
    }
}

#[test]
fn panics_caught_inside_trace_lose_nothing_where_marking_is_exact() {
    each_scene(|mut scene| {
        // A stale edge to a slot with a tenant: marking starts again, exactly, and the next full collection
        // marks exactly from the start.
        let tenant = scene.heap.alloc(Link::default());
        let stale = Gc::<Link>::from_bits(tenant.to_bits() + 2);
        let _holder = scene.heap.alloc_root(vec![stale, tenant]);
        for _ in 0..3 {
            scene.heap.collect();
            scene.is_whole();
        }
    });
}

/// Has a table, and retries tracing it until nothing panics.
struct Stubborn {
    before: Gc<Node>,
    table: WeakKeyMap<u64, Charge>,
    after: Gc<Node>,
}

impl Trace for Stubborn {
    fn trace(&self, tracer: &mut Tracer<'_>) {
        tracer.edge(self.before);
        while catch_unwind(AssertUnwindSafe(|| self.table.trace(tracer))).is_err() {}
        tracer.edge(self.after);
    }

    fn prune(&mut self, live: &Liveness<'_>) {
        self.table.prune(live);
    }
}

#[test]
fn a_table_traced_in_slices_whose_panics_are_caught_loses_no_entry() {
    const ENTRIES: u64 = 3000;
    for units in [3, 50, 1000, usize::MAX] {
        let mut heap = Heap::new();
        let (mut table, mut values, mut dead) = (WeakKeyMap::new(), vec![], vec![]);
        let keys: Vec<_> = (0..ENTRIES).map(|number| heap.alloc_root(number)).collect();
        for key in &keys {
            let value = heap.alloc(Node::leaf(1));
            values.push(value);
            let at = if values.len() % 40 == 0 { 1 + values.len() / 40 % 6 } else { usize::MAX };
            table.insert(key, Charge::new(value, at));
        }
        for number in 0..100 {
            let (key, value) = (heap.alloc(number), heap.alloc(Node::leaf(2)));
            dead.push(value);
            table.insert(key, Charge::new(value, 3));
        }
        let (before, after) = (heap.alloc(Node::leaf(3)), heap.alloc(Node::leaf(4)));
        let owner = heap.alloc_root(Stubborn { before, table, after });
        for _ in 0..3 {
            while heap.step(Budget::Objects(units)).finished.is_none() {}
            heap.verify();
            assert!(values.iter().all(|value| heap.is_alive(value)), "in steps of {units}");
            assert!(heap.is_alive(before) && heap.is_alive(after));
            assert!(!dead.iter().any(|value| heap.is_alive(value)));
            assert_eq!(heap[&owner].table.len(), keys.len());
        }
    }
}
