//! User code that panics: in `trace`, in a root source, in `prune`, in destructors. Afterwards the heap is
//! intact, everything else has run, and the first panic reaches the caller.

use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};
use std::sync::atomic::{AtomicBool, Ordering};

use slotgc::{Budget, Gc, Heap, Liveness, Trace, Tracer, Weak, WeakSet, roots};

use crate::objects::{Bomb, Link, Log, Node, Noisy, panic_text};
use crate::subprocess;

/// Panics on request.
struct Fuse {
    in_trace: AtomicBool,
    in_prune: bool,
    edges: Vec<Gc<Node>>,
    aside: Vec<Bomb>,
    noisy: Vec<Noisy>,
}

impl Fuse {
    fn new(edges: Vec<Gc<Node>>) -> Self {
        Self { in_trace: false.into(), in_prune: false, edges, aside: vec![], noisy: vec![] }
    }
}

impl Trace for Fuse {
    fn trace(&self, tracer: &mut Tracer<'_>) {
        tracer.weak_collection();
        let (before, after) = self.edges.split_at(self.edges.len() / 2);
        tracer.edges(before.iter().copied());
        assert!(!self.in_trace.load(Ordering::Relaxed), "trace");
        tracer.edges(after.iter().copied());
    }

    fn prune(&mut self, live: &Liveness<'_>) {
        self.aside.drain(..).for_each(|bomb| live.set_aside(bomb));
        self.noisy.drain(..).for_each(|noisy| live.set_aside(noisy));
        assert!(!self.in_prune, "prune");
    }
}

/// A heap with some structure, a fuse in it, and garbage with destructors.
struct Scene {
    heap: Heap,
    log: Log,
    fuse: slotgc::Root<Fuse>,
    kids: Vec<Gc<Node>>,
    garbage: Vec<Weak<Noisy>>,
}

const GARBAGE: u32 = 500;

impl Scene {
    fn new() -> Self {
        let log = Log::default();
        let mut heap = Heap::new();
        let kids: Vec<_> = (0..1000)
            .map(|value| {
                let below = heap.alloc(Node::leaf(value));
                heap.alloc(Node { value, edges: vec![below] })
            })
            .collect();
        let fuse = heap.alloc_root(Fuse::new(kids.clone()));
        let garbage = (0..GARBAGE).map(|number| heap.alloc(Noisy::new(number, &log)).downgrade()).collect();
        Self { heap, log, fuse, kids, garbage }
    }

    /// Checks that nothing was freed.
    fn is_untouched(&self) {
        assert!(self.log.take().is_empty());
        assert_eq!(self.heap.len(), 2001 + GARBAGE as usize);
        assert!(self.garbage.iter().all(|weak| self.heap.is_alive(weak)));
        self.has_all_it_roots();
    }

    fn has_all_it_roots(&self) {
        for (value, gc) in self.kids.iter().enumerate() {
            let node = &self.heap[*gc];
            assert_eq!((node.value, self.heap[node.edges[0]].value), (value as u64, value as u64));
        }
        assert_eq!(self.heap[&self.fuse].edges, self.kids);
        assert_eq!(self.heap.iter::<Node>().count(), 2000);
    }

    /// Checks that the next collection works, and so does the heap.
    fn works(mut self) {
        let heap = &mut self.heap;
        let fresh = heap.alloc_root(Link { value: 5, next: None });
        let stats = heap.collect();
        assert_eq!((stats.kept, stats.freed), (2002, GARBAGE as usize));
        assert!(self.log.take().into_iter().eq(0..GARBAGE));
        assert!(!self.garbage.iter().any(|weak| heap.is_alive(weak)));
        assert_eq!(heap[&fresh].value, 5);
        self.has_all_it_roots();
        drop((self.fuse, fresh));
        assert_eq!(self.heap.collect().kept, 0);
        assert!(self.log.take().is_empty());
    }
}

#[test]
fn a_panic_in_trace_abandons_the_collection() {
    let mut scene = Scene::new();
    for _ in 0..2 {
        *scene.heap[&scene.fuse].in_trace.get_mut() = true;
        assert_eq!(panic_text(|| scene.heap.collect()), "trace");
        scene.is_untouched();
        scene.heap.shrink_to_fit();
    }
    assert_eq!(scene.heap.stats().collections, 0, "none ran to its end");
    *scene.heap[&scene.fuse].in_trace.get_mut() = false;
    scene.works();
}

#[test]
fn a_panic_in_trace_while_marking_exactly_abandons_the_collection() {
    let mut scene = Scene::new();
    let heap = &mut scene.heap;
    let tenant = heap.alloc(Link::default());
    let stale = Gc::<Link>::from_bits(tenant.to_bits() + 2);
    let holder = heap.alloc_root(vec![stale, tenant]);
    *heap[&scene.fuse].in_trace.get_mut() = true;
    assert_eq!(panic_text(|| heap.collect()), "trace");
    *heap[&scene.fuse].in_trace.get_mut() = false;
    let held = heap.alloc_root(0_u8);
    heap.collect();
    assert!(heap.is_alive(tenant) && heap.is_alive(&holder) && heap.is_alive(&held));
    // Now stale edges are expected.
    *heap[&scene.fuse].in_trace.get_mut() = true;
    assert_eq!(panic_text(|| heap.collect()), "trace");
    *heap[&scene.fuse].in_trace.get_mut() = false;
    drop(holder);
    heap.collect();
    assert!(!heap.is_alive(tenant) && heap.is_alive(&held));
    scene.has_all_it_roots();
}

#[test]
fn a_panic_in_a_root_source_abandons_the_collection() {
    let mut scene = Scene::new();
    let some = scene.kids[..3].to_vec();
    let source = roots(|tracer| {
        tracer.edges(some.iter().copied());
        panic!("source");
    });
    assert_eq!(panic_text(|| scene.heap.collect_with(&source)), "source");
    scene.is_untouched();
    scene.works();
}

#[test]
fn a_panic_inside_an_ephemerons_value_abandons_the_collection() {
    struct Guarded(Weak<Node>, Gc<Node>, AtomicBool);
    impl Trace for Guarded {
        fn trace(&self, tracer: &mut Tracer<'_>) {
            // Nested, with edges before the panic.
            tracer.ephemeron(self.0, &Panics(self.0, self.1, self.2.load(Ordering::Relaxed)));
        }
    }
    struct Panics(Weak<Node>, Gc<Node>, bool);
    impl Trace for Panics {
        fn trace(&self, tracer: &mut Tracer<'_>) {
            tracer.edge(self.1);
            if self.2 {
                tracer.ephemeron(self.0, &Panics(self.0, self.1, false));
                panic!("value");
            }
        }
    }
    let mut scene = Scene::new();
    let heap = &mut scene.heap;
    let key = heap.alloc(Node::leaf(1));
    let value = heap.alloc(Node::leaf(2));
    let guarded = heap.alloc_root(Guarded(key.downgrade(), value, true.into()));
    assert_eq!(panic_text(|| heap.collect()), "value");
    assert!(heap.is_alive(key) && heap.is_alive(value));
    *heap[&guarded].2.get_mut() = false;
    let root = heap.root(key).unwrap();
    heap.collect();
    assert!(heap.is_alive(key) && heap.is_alive(value));
    drop(root);
    heap.collect();
    assert!(!heap.is_alive(key) && !heap.is_alive(value));
    scene.has_all_it_roots();
}

#[test]
fn a_panic_in_prune_stops_nothing_else() {
    let mut scene = Scene::new();
    scene.heap[&scene.fuse].in_prune = true;
    let sets = [0, 1].map(|_| scene.heap.alloc_root(WeakSet::<Noisy>::new()));
    for set in &sets {
        scene.heap[set].extend(scene.garbage.iter().take(10));
    }
    assert_eq!(panic_text(|| scene.heap.collect()), "prune");
    assert_eq!(scene.log.take(), (0..GARBAGE).collect::<Vec<_>>());
    assert!(sets.iter().all(|set| scene.heap[set].is_empty()));
    assert!(scene.garbage.iter().all(|weak| !scene.heap.is_alive(weak)));
    scene.has_all_it_roots();
    scene.heap[&scene.fuse].in_prune = false;
    assert_eq!(scene.heap.collect().freed, 0);
}

#[test]
#[cfg_attr(miri, ignore = "starts a process")]
fn a_panic_in_prune_does_not_abort_when_what_was_set_aside_panics_too() {
    subprocess::survives(
        "panics::a_panic_in_prune_does_not_abort_when_what_was_set_aside_panics_too",
        || {
            let mut scene = Scene::new();
            let log = Log::default();
            scene.heap[&scene.fuse].aside = vec![Bomb(Noisy::new(1, &log)), Bomb(Noisy::new(2, &log))];
            scene.heap[&scene.fuse].noisy = vec![Noisy::new(3, &log)];
            scene.heap[&scene.fuse].in_prune = true;
            assert_eq!(panic_text(|| scene.heap.collect()), "prune");
            assert_eq!((log.take(), scene.log.take().len()), (vec![1, 2, 3], GARBAGE as usize));
            scene.has_all_it_roots();
            scene.heap[&scene.fuse].in_prune = false;
            assert_eq!(scene.heap.collect().freed, 0);
        },
    );
}

#[test]
fn panics_of_destructors_stop_no_other_and_the_first_is_raised() {
    // weak-cases: mistakes
    let log = Log::default();
    let mut scene = Scene::new();
    let heap = &mut scene.heap;
    // Bombs come after the other garbage, since their type was allocated last.
    for number in [1000, 1001, 1002] {
        heap.alloc(Bomb(Noisy::new(number, &scene.log)));
    }
    for number in 0..10 {
        heap.alloc((1_u8, Noisy::new(number, &log)));
    }
    assert_eq!(panic_text(|| heap.collect()), "bomb 1000");
    assert!(scene.log.take().into_iter().eq((0..GARBAGE).chain(1000..1003)), "each runs once, in order");
    assert!(log.take().into_iter().eq(0..10));
    assert_eq!((heap.len(), heap.stats().freed, heap.stats().collections), (2001, 513, 1));
    scene.has_all_it_roots();
    assert_eq!(scene.heap.collect().freed, 0);
    for number in 0..GARBAGE {
        scene.garbage.push(scene.heap.alloc(Noisy::new(number, &scene.log)).downgrade());
    }
    scene.works();
}

#[test]
fn panics_of_entries_set_aside_stop_no_other() {
    let mut scene = Scene::new();
    let log = scene.log.clone();
    let fuse = &mut scene.heap[&scene.fuse];
    fuse.aside = (2000..2003).map(|number| Bomb(Noisy::new(number, &log))).collect();
    fuse.noisy = (3000..3003).map(|number| Noisy::new(number, &log)).collect();
    assert_eq!(panic_text(|| scene.heap.collect()), "bomb 2000");
    assert!(log.take().into_iter().eq((0..GARBAGE).chain(2000..2003).chain(3000..3003)));
    assert_eq!(scene.heap.len(), 2001);

    // The panic of an object comes before that of an entry.
    scene.heap[&scene.fuse].aside = vec![Bomb(Noisy::new(2, &log))];
    scene.heap.alloc(Bomb(Noisy::new(1, &log)));
    assert_eq!(panic_text(|| scene.heap.collect()), "bomb 1");
    assert_eq!(log.take(), [1, 2]);
    scene.has_all_it_roots();
}

#[test]
fn the_payload_of_the_first_panic_arrives_as_it_was_thrown() {
    struct Thrower(u32);
    impl Drop for Thrower {
        fn drop(&mut self) {
            panic_any(self.0);
        }
    }
    impl Trace for Thrower {
        fn trace(&self, _: &mut Tracer<'_>) {}
    }
    let mut heap = Heap::new();
    for number in 7..20 {
        heap.alloc(Thrower(number));
    }
    let payload = catch_unwind(AssertUnwindSafe(|| heap.collect())).unwrap_err();
    assert_eq!(payload.downcast_ref::<u32>(), Some(&7));
    assert!(heap.is_empty());
}

#[test]
fn a_heap_whose_objects_panic_when_it_is_dropped_drops_them_all() {
    let log = Log::default();
    let mut heap = Heap::new();
    let root = heap.alloc_root(Bomb(Noisy::new(0, &log)));
    for number in 1..10 {
        heap.alloc(Bomb(Noisy::new(number, &log)));
        heap.alloc(Noisy::new(100 + number, &log));
    }
    assert_eq!(panic_text(|| drop(heap)), "bomb 0");
    assert!(log.take().into_iter().eq((0..10).chain(101..110)));
    drop(root);
}

#[test]
#[cfg_attr(miri, ignore = "starts a process")]
fn a_heap_dropped_while_panicking_does_not_abort() {
    subprocess::survives("panics::a_heap_dropped_while_panicking_does_not_abort", || {
        let log = Log::default();
        let text = panic_text(|| {
            let mut heap = Heap::new();
            for number in 0..3 {
                heap.alloc(Bomb(Noisy::new(number, &log)));
                heap.alloc(Noisy::new(10 + number, &log));
            }
            panic!("of the program");
        });
        assert_eq!(text, "of the program");
        assert_eq!(log.take(), [0, 1, 2, 10, 11, 12]);
    });
}

#[test]
#[cfg_attr(miri, ignore = "starts a process")]
fn a_collection_during_a_panic_does_not_abort_if_its_panic_is_caught() {
    struct Collects(Option<Heap>);
    impl Drop for Collects {
        fn drop(&mut self) {
            let mut heap = self.0.take().unwrap();
            assert!(catch_unwind(AssertUnwindSafe(|| heap.collect())).is_err());
            assert!(heap.is_empty());
        }
    }
    subprocess::survives("panics::a_collection_during_a_panic_does_not_abort_if_its_panic_is_caught", || {
        let log = Log::default();
        let mut heap = Heap::new();
        heap.alloc(Bomb(Noisy::new(1, &log)));
        heap.alloc(Noisy::new(2, &log));
        let text = panic_text(|| {
            let _collects = Collects(Some(heap));
            panic!("of the program");
        });
        assert_eq!((text.as_str(), log.take()), ("of the program", vec![1, 2]));
    });
}

#[test]
#[cfg_attr(miri, ignore = "starts a process")]
fn a_payload_that_panics_when_dropped_stops_no_destructor() {
    struct Nasty;
    impl Drop for Nasty {
        fn drop(&mut self) {
            panic!("a payload");
        }
    }
    struct Thrower(#[expect(dead_code, reason = "dropped with it")] Noisy);
    impl Drop for Thrower {
        fn drop(&mut self) {
            panic_any(Nasty);
        }
    }
    impl Trace for Thrower {
        fn trace(&self, _: &mut Tracer<'_>) {}
    }
    subprocess::survives("panics::a_payload_that_panics_when_dropped_stops_no_destructor", || {
        let log = Log::default();
        let mut heap = Heap::new();
        for number in 0..4 {
            heap.alloc(Thrower(Noisy::new(number, &log)));
        }
        let payload = catch_unwind(AssertUnwindSafe(|| heap.collect())).unwrap_err();
        assert!(payload.is::<Nasty>());
        std::mem::forget(payload);
        assert_eq!((log.take(), heap.len(), heap.collect().freed), (vec![0, 1, 2, 3], 0, 0));
    });
}

#[test]
#[cfg_attr(miri, ignore = "starts a process")]
fn replacing_the_heap_inside_make_panics_at_worst() {
    subprocess::survives("panics::replacing_the_heap_inside_make_panics_at_worst", || {
        // Empty, with other types, and one whose next slot looks just like the reserved one.
        let others: [fn() -> Heap; 3] = [
            Heap::new,
            || {
                let mut heap = Heap::new();
                heap.alloc([0_u64; 50]);
                heap
            },
            || {
                let mut heap = Heap::new();
                heap.alloc_cyclic(|heap, _: Gc<Link>| {
                    heap.alloc(Node::leaf(1));
                    Link::default()
                });
                let gc = heap.alloc(Node::leaf(1));
                heap.destroy(gc);
                heap
            },
        ];
        for other in others {
            let mut heap = Heap::new();
            heap.alloc(Node::leaf(1));
            let mut handle = Gc::<Node>::default();
            let made = catch_unwind(AssertUnwindSafe(|| {
                heap.alloc_cyclic(|heap, me: Gc<Node>| {
                    handle = me;
                    *heap = other();
                    Node::leaf(7)
                })
            }));
            assert!(made.is_err(), "the reserved slot is gone");
            assert!(heap.get(handle).is_none());
            let kept = heap.alloc_root(Node::leaf(9));
            heap.collect();
            assert_eq!((heap.len(), heap[&kept].value), (1, 9));
        }
    });
}

#[test]
fn the_panic_of_a_callback_comes_before_that_of_the_collection_it_requested() {
    for by_hand in [false, true] {
        let mut scene = Scene::new();
        let target = scene.heap.alloc(1_u8);
        scene
            .heap
            .on_death(target, |heap, _| {
                heap.collect();
                panic!("callback");
            })
            .unwrap();
        let text = if by_hand {
            *scene.heap[&scene.fuse].in_trace.get_mut() = true;
            panic_text(|| scene.heap.destroy(target))
        } else {
            // The other object's callback arms the fuse.
            let fuse = scene.fuse.downgrade();
            let another = scene.heap.alloc(2_u8);
            scene.heap.on_death(another, move |heap, _| *heap[fuse].in_trace.get_mut() = true).unwrap();
            panic_text(|| scene.heap.collect())
        };
        assert_eq!(text, "callback", "destroyed by hand: {by_hand}");
        *scene.heap[&scene.fuse].in_trace.get_mut() = false;
        scene.has_all_it_roots();
        scene.heap.verify();
    }
}

#[test]
fn after_an_abandoned_cycle_no_minor_collection_trusts_its_marks() {
    for steps in [None, Some(1), Some(700), Some(1500)] {
        let mut scene = Scene::new();
        scene.heap.collect();
        *scene.heap[&scene.fuse].in_trace.get_mut() = true;
        let text = panic_text(|| match steps {
            None => drop(scene.heap.collect()),
            Some(units) => loop {
                scene.heap.step(Budget::Objects(units));
            },
        });
        assert_eq!(text, "trace");
        *scene.heap[&scene.fuse].in_trace.get_mut() = false;
        // What is allocated now is in the pages of unreached objects.
        let young: Vec<_> = (0..5000).map(|value| scene.heap.alloc(Node::leaf(value))).collect();
        scene.heap.verify();
        assert!(!scene.heap.collect_minor().is_minor);
        scene.has_all_it_roots();
        assert!(!young.iter().any(|gc| scene.heap.is_alive(gc)));
        assert!(scene.heap.collect_minor().is_minor, "the next collection may be minor");
    }
}

#[test]
fn after_an_abandoned_cycle_the_state_is_that_of_an_idle_heap() {
    let mut scene = Scene::new();
    *scene.heap[&scene.fuse].in_trace.get_mut() = true;
    assert_eq!(panic_text(|| scene.heap.collect()), "trace");
    scene.heap.verify();
    for value in 0..10_000 {
        scene.heap.alloc(Node::leaf(value));
    }
    scene.heap.verify();
}
