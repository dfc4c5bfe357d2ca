//! Roots and root sources: what a collection starts from.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use slotgc::{Budget, Gc, Heap, Root, RootLog, RootSource, Tracer, Weak, roots};

use crate::objects::{APART, Log, Node, Noisy, forget};

#[test]
fn a_root_keeps_its_object_and_all_that_it_reaches_until_the_last_clone_is_gone() {
    let mut heap = Heap::new();
    let leaf = heap.alloc(Node::leaf(1));
    let middle = heap.alloc(Node::with([leaf]));
    let root = heap.alloc_root(Node::with([middle]));
    let (gc, clone) = (root.gc(), root.clone());
    assert_eq!(heap.stats().roots, 2);
    drop(root);
    assert_eq!((heap.stats().roots, heap.collect().freed), (1, 0));
    assert!(heap.is_alive(leaf) && heap.is_alive(&clone));
    drop(clone);
    assert_eq!((heap.stats().roots, heap.collect().freed), (0, 3));
    assert!(heap.get(gc).is_none());
}

#[test]
fn every_clone_counts() {
    let mut heap = Heap::new();
    let (a, b) = (heap.alloc_root(1), heap.alloc_root(2));
    let mut clones: Vec<Root<i32>> = (0..100).map(|_| a.clone()).collect();
    clones.extend((0..10).map(|_| heap.root(&b).unwrap()));
    assert_eq!(heap.stats().roots, 112);
    clones.truncate(50);
    assert_eq!(heap.stats().roots, 52);
    drop((a, clones));
    assert_eq!(heap.stats().roots, 1);
    assert_eq!((heap.collect().kept, heap[&b]), (1, 2));
}

#[test]
fn entries_in_the_table_of_roots_are_reused() {
    let mut heap = Heap::new();
    let kept: Vec<_> = (0..10).map(|value| heap.alloc_root(Node::leaf(value))).collect();
    for round in 0..100 {
        let some: Vec<_> = (0..100).map(|value| heap.alloc_root(Node::leaf(value))).collect();
        assert_eq!(heap.stats().roots, 110);
        let order: Vec<_> = if round % 2 == 0 { some } else { some.into_iter().rev().collect() };
        drop(order);
        assert_eq!((heap.stats().roots, heap.collect().kept), (10, 10));
    }
    assert!(kept.iter().enumerate().all(|(value, root)| heap[root].value == value as u64));
}

#[test]
fn a_root_made_from_a_weak_handle_keeps_the_object() {
    // weak-cases 7
    let mut heap = Heap::new();
    let first = heap.alloc_root(Node::leaf(1));
    let weak = first.downgrade();
    let second = heap.root(weak).unwrap();
    drop(first);
    assert_eq!((heap.collect().freed, heap.get(weak).is_some()), (0, true));
    drop(second);
    assert_eq!((heap.collect().freed, heap.get(weak).is_some()), (1, false));
    assert!(heap.root(weak).is_none());
}

#[test]
fn roots_are_cloned_and_dropped_on_any_thread() {
    let mut heap = Heap::new();
    let all: Vec<_> = (0..100).map(|value| heap.alloc_root(Node::leaf(value))).collect();
    let weak: Vec<Weak<Node>> = all.iter().map(Root::downgrade).collect();
    let shared = &all;
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(move || {
                for _ in 0..100 {
                    let clones: Vec<_> = shared.iter().map(Clone::clone).collect();
                    assert!(clones.iter().eq(shared));
                }
            });
        }
    });
    assert_eq!(heap.stats().roots, 100);
    let (keep, lose): (Vec<_>, Vec<_>) = all.into_iter().partition(|root| heap[root].value % 2 == 0);
    thread::spawn(move || drop(lose)).join().unwrap();
    assert_eq!(heap.collect().freed, 50);
    assert!(weak.iter().enumerate().all(|(value, weak)| heap.is_alive(weak) == (value % 2 == 0)));
    drop(keep);
}

/// One thread collects without a pause while others clone and drop.
#[test]
fn roots_come_and_go_while_collections_run() {
    let mut heap = Heap::new();
    let kids: Vec<_> = (0..200).map(|value| heap.alloc(Node::leaf(value))).collect();
    let owners: Vec<_> = kids.iter().map(|kid| heap.alloc_root(Node::with([*kid]))).collect();
    let weak: Vec<_> = owners.iter().map(Root::downgrade).collect();
    let dropped: Vec<AtomicBool> = (0..200).map(|_| AtomicBool::new(false)).collect();
    let running = AtomicUsize::new(4);
    thread::scope(|scope| {
        let mut parts = owners.into_iter().enumerate();
        for _ in 0..4 {
            let mine: Vec<(usize, Root<Node>)> = parts.by_ref().take(50).collect();
            let (dropped, running) = (&dropped, &running);
            scope.spawn(move || {
                for (number, root) in mine {
                    // At every moment at least one of these exists.
                    let mut held = root.clone();
                    drop(root);
                    for _ in 0..200 {
                        held = held.clone();
                    }
                    dropped[number].store(true, Ordering::SeqCst);
                    drop(held);
                }
                running.fetch_sub(1, Ordering::SeqCst);
            });
        }
        while running.load(Ordering::SeqCst) > 0 {
            heap.collect();
            for (number, weak) in weak.iter().enumerate() {
                let object = heap.get(weak);
                let is_whole = object.is_some_and(|node| heap[node.edges[0]].value == number as u64);
                assert!(is_whole || dropped[number].load(Ordering::SeqCst), "{number} was lost");
            }
        }
    });
    assert_eq!((heap.stats().roots, heap.collect().kept), (0, 0));
}

#[test]
fn the_root_of_a_destroyed_object_keeps_nothing() {
    // weak-cases 10
    let mut heap = Heap::new();
    let kid = heap.alloc(Node::leaf(1));
    let root = heap.alloc_root(Node::with([kid]));
    let value = heap.destroy(&root).unwrap();
    assert_eq!(value.edges, [kid]);
    assert_eq!((heap.stats().roots, heap.collect().freed), (1, 1));
    for value in 0..5000 {
        let other = heap.alloc(Node::leaf(value));
        assert!(root != other && heap.get(&root).is_none());
    }
    assert_eq!(heap.collect().freed, 5000, "and it does not keep the next tenant");
    drop(root.clone());
    drop(root);
    assert_eq!(heap.stats().roots, 0);
}

#[test]
fn a_forgotten_root_keeps_its_object_for_ever() {
    let log = Log::default();
    let mut heap = Heap::new();
    let gc = heap.alloc(Noisy::new(1, &log));
    forget(heap.root(gc));
    for _ in 0..3 {
        assert_eq!(heap.collect().freed, 0);
    }
    assert_eq!((heap.stats().roots, heap.is_alive(gc)), (1, true));
    drop(heap);
    assert_eq!(log.take(), [1], "until the heap ends");
}

#[test]
fn a_root_may_outlive_its_heap() {
    let log = Log::default();
    let mut heap = Heap::new();
    let root = heap.alloc_root(Noisy::new(1, &log));
    drop(heap);
    assert_eq!(log.take(), [1]);
    let clone = root.clone();
    assert_eq!((root.gc(), format!("{root:?}")), (clone.gc(), "Root<Noisy>(0v1)".to_string()));
    let mut other = Heap::new();
    other.alloc(1);
    assert!(other.get(&root).is_none());
    thread::spawn(move || drop(root)).join().unwrap();
    drop(clone);
    assert!(log.take().is_empty());
}

#[test]
fn a_root_of_another_heap_keeps_nothing_here() {
    let (mut a, mut b) = (Heap::new(), Heap::new());
    let in_a = a.alloc_root(Node::leaf(1));
    let in_b = b.alloc(Node::leaf(2));
    assert_eq!(in_a, in_b, "the same slot");
    assert_eq!(b.collect().freed, 1);
    assert_eq!((a.collect().freed, a[&in_a].value), (0, 1));
}

/// Collects with this source and checks which of the objects live.
#[track_caller]
fn kept_by(make: impl FnOnce(&[Gc<Node>]) -> Box<dyn RootSource>, expected: &[u64]) {
    let mut heap = Heap::new();
    let all: Vec<_> = (0..8).map(|value| heap.alloc(Node::leaf(value))).collect();
    let owned = heap.alloc_root(Node::with([all[7]]));
    let source = make(&all);
    heap.collect_with(&*source);
    let kept: Vec<u64> = heap.iter::<Node>().map(|(_, node)| node.value).collect();
    // The heap's own roots count too: the owner has value 0 and comes last.
    assert_eq!(kept, [expected, &[7, 0]].concat());
    assert!(heap.is_alive(&owned));
}

struct State {
    stack: Vec<Gc<Node>>,
    global: Option<Gc<Node>>,
}

impl RootSource for State {
    fn trace_roots(&self, tracer: &mut Tracer<'_>) {
        tracer.edges(self.stack.iter().copied());
        self.global.iter().for_each(|gc| tracer.edge_any(gc.erase()));
    }
}

#[test]
fn sources_of_every_shape_are_traced() {
    kept_by(|_| Box::new(()), &[]);
    kept_by(|all| Box::new(State { stack: all[1..3].to_vec(), global: Some(all[5]) }), &[1, 2, 5]);
    kept_by(|all| Box::new(all[2..4].to_vec()), &[2, 3]);
    kept_by(|all| Box::new([all[0], all[6]]), &[0, 6]);
    kept_by(|all| Box::new(Some(all[1])), &[1]);
    kept_by(|_| Box::new(None::<Gc<Node>>), &[]);
    // Anything that implements `Trace`, in a container.
    kept_by(|all| Box::new(vec![Some((all[1], "x".to_string())), None]), &[1]);
    kept_by(|all| Box::new([Node::with([all[2], all[3]])]), &[2, 3]);
    // Weak handles are no edges.
    kept_by(|all| Box::new(vec![all[1].downgrade()]), &[]);
    let closure = |all: &[Gc<Node>]| -> Box<dyn RootSource> {
        let (a, b) = (all[3], all[4]);
        Box::new(roots(move |tracer| tracer.edges([a, b])))
    };
    kept_by(closure, &[3, 4]);
}

#[test]
fn sources_by_reference_and_several_at_once_are_traced() {
    let mut heap = Heap::new();
    let make =
        |heap: &mut Heap| -> Vec<Gc<Node>> { (0..10).map(|value| heap.alloc(Node::leaf(value))).collect() };
    let left = |heap: &Heap| heap.iter::<Node>().map(|(_, node)| node.value).collect::<Vec<_>>();

    let all = make(&mut heap);
    heap.collect_with(&&all[2..5]);
    assert_eq!(left(&heap), [2, 3, 4]);
    heap.collect_with(&roots(|tracer| tracer.edges(all[3..4].iter().copied())));
    assert_eq!(left(&heap), [3]);
    let closure = |tracer: &mut Tracer<'_>| tracer.edge(all[3]);
    heap.collect_with(&closure);
    assert_eq!(left(&heap), [3]);
    heap.collect();
    assert!(left(&heap).is_empty());

    let all = make(&mut heap);
    let state = State { stack: vec![all[0]], global: None };
    let (one, array, vec, nothing) = (Some(all[1]), [all[2]], vec![all[3]], ());
    let slice = &all[4..6];
    let extra: &dyn RootSource = &array;
    heap.collect_with(&(&state, &one, extra, &vec, &nothing, &slice));
    assert_eq!(left(&heap), [0, 1, 2, 3, 4, 5]);
    heap.collect_with(&(&state, extra));
    assert_eq!(left(&heap), [0, 2]);
    heap.collect_with(&(extra,));
    assert_eq!(left(&heap), [2]);

    let all = make(&mut heap);
    let (a, b) = (vec![all[0]], roots(|tracer| tracer.edge(all[9])));
    let sources: [&dyn RootSource; 3] = [&a, &b, &()];
    heap.collect_with(&sources);
    assert_eq!(left(&heap), [0, 9]);
    let none: [&dyn RootSource; 0] = [];
    heap.collect_with(&none);
    assert!(left(&heap).is_empty());
}

#[test]
fn a_source_is_borrowed_for_one_collection_only() {
    let mut heap = Heap::new();
    let mut stack = vec![heap.alloc(Node::leaf(1)), heap.alloc(Node::leaf(2))];
    heap.collect_with(&stack);
    assert_eq!(heap.len(), 2);
    stack.pop();
    heap.collect_with(&stack);
    assert_eq!(heap.len(), 1);
    heap.collect();
    assert_eq!(heap.len(), 0);
    assert!(heap.get(stack[0]).is_none());
}

#[test]
fn a_source_may_clone_and_drop_roots() {
    let mut heap = Heap::new();
    let root = heap.alloc_root(Node::leaf(1));
    let other = heap.alloc_root(Node::leaf(2));
    let slot = std::sync::Mutex::new(Some(other));
    heap.collect_with(&roots(|_| {
        drop(root.clone());
        slot.lock().unwrap().take();
    }));
    assert_eq!(heap.stats().roots, 1);
    heap.collect();
    assert_eq!((heap.len(), heap[&root].value), (1, 1));
}

#[test]
fn roots_made_by_many_threads_on_an_empty_table_are_all_found() {
    // The first roots make the table grow: each round begins with an empty table.
    for _ in (0..300).step_by(APART) {
        let mut heap = Heap::new();
        let all: Vec<_> = (0..400_u64).map(|value| heap.alloc(value)).collect();
        let shared = &heap;
        let roots: Vec<_> = std::thread::scope(|scope| {
            let makers: Vec<_> = (all.chunks(100))
                .map(|some| {
                    scope.spawn(move || some.iter().map(|gc| shared.root(gc).unwrap()).collect::<Vec<_>>())
                })
                .collect();
            makers.into_iter().flat_map(|maker| maker.join().unwrap()).collect()
        });
        heap.collect();
        assert_eq!((heap.len(), heap.stats().roots), (400, 400));
        drop(roots);
        heap.collect();
        assert_eq!((heap.len(), heap.stats().roots), (0, 0));
    }
}

#[cfg(feature = "inspect")]
#[test]
fn lists_of_handles_and_of_sources_are_roots_that_have_paths() {
    let mut heap = Heap::new();
    let [a, b] = [1, 2].map(|value| heap.alloc(Node::leaf(value)));
    let edge = |source: &dyn RootSource| {
        let path = heap.why_alive_with(b, source)?;
        Some(path.to_string().split(" -> ").next()?.to_string())
    };
    let slice: &[Gc<Node>] = &[a, b];
    assert_eq!(edge(&slice).unwrap(), "source [1]");
    assert_eq!(edge(&vec![a, b]).unwrap(), "source [1]");
    assert_eq!(edge(&[a, b]).unwrap(), "source [1]");
    assert_eq!(edge(&Some(b)).unwrap(), "source");
    assert_eq!(edge(&[&() as &dyn RootSource, &slice]).unwrap(), "source [1]");
    assert_eq!(edge(&[&() as &dyn RootSource, &()]), None);
}

/// Counts how often it is asked for all, and for what changed.
#[derive(Default)]
struct Asked {
    all: AtomicUsize,
    changed: AtomicUsize,
    handles: Vec<Gc<Node>>,
    log: RootLog,
}

impl RootSource for Asked {
    fn trace_roots(&self, tracer: &mut Tracer<'_>) {
        self.all.fetch_add(1, Ordering::Relaxed);
        self.log.report(tracer, self.handles.iter().copied(), []);
    }

    fn trace_changed_roots(&self, tracer: &mut Tracer<'_>) {
        self.changed.fetch_add(1, Ordering::Relaxed);
        self.log.report(tracer, self.handles.iter().copied(), []);
    }
}

#[test]
fn a_list_of_sources_passes_on_what_is_asked_of_it() {
    let mut heap = Heap::new();
    let handles = heap.alloc_many((0..100).map(Node::leaf));
    let (first, second) = (Asked { handles, ..Asked::default() }, Asked::default());
    assert!(!first.log.take_reported(), "nothing has been reported");
    let both = [&first as &dyn RootSource, &second];
    while heap.step_with(Budget::Objects(10), &both).finished.is_none() {}
    let counts = |source: &Asked| [&source.all, &source.changed].map(|n| n.load(Ordering::Relaxed));
    assert_eq!(counts(&first), counts(&second));
    assert!(counts(&first)[1] > 0, "the end of marking asks for changes: {:?}", counts(&first));
    assert!(first.log.take_reported() && !first.log.take_reported());
    assert_eq!(heap.len(), 100);
}
