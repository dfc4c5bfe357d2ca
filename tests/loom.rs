//! Models of the root set: loom explores every interleaving of a few operations on tiny heaps, and every
//! value that a load may see under the C11 memory model.
//!
//! ```text
//! RUSTFLAGS="--cfg loom" cargo test --release --test loom
//! ```
//!
//! Threads share the table of roots: `Root`s are cloned and dropped on any thread, even while a collection
//! reads the table, and made by any thread that has a `&Heap`. A collection needs `&mut Heap`, so it never
//! runs while a root is made.
//!
//! Each model states its claim. Which of them fail when an ordering in `root.rs` is weakened is listed at the
//! end.
#![cfg(loom)]

use loom::sync::Arc;
use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::thread;
use slotgc::{Budget, DeathQueue, Gc, Heap, Phase, Root, Trace, Tracer};

/// Explores a model with up to three preemptions, which finds everything known to be findable here, in
/// seconds instead of hours.
fn model(f: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound.get_or_insert(3);
    // The longest execution takes more branches than loom's default of 1000, but fewer than this; a loop that
    // spins exceeds any number.
    builder.max_branches = builder.max_branches.max(2000);
    builder.check(f);
}

/// A heap with one root for each number below `len`.
fn heap_with_roots(len: u32) -> (Heap, Vec<Root<u32>>) {
    let mut heap = Heap::new();
    let roots = (0..len).map(|number| heap.alloc_root(number)).collect();
    (heap, roots)
}

/// Takes the heap back from its threads, which have ended.
fn take_back(heap: Arc<Heap>) -> Heap {
    Arc::try_unwrap(heap).expect("the threads that shared the heap have ended")
}

/// Claim: an object that has a `Root` at every moment survives, although that root changes while the
/// collection reads the table; without a `Root` it is freed by the next collection.
#[test]
fn a_root_passed_on_during_a_collection_keeps_its_object() {
    model(|| {
        let (mut heap, mut roots) = heap_with_roots(1);
        let root = roots.remove(0);
        let gc = root.gc();
        let passing_on = thread::spawn(move || {
            let clone = root.clone();
            drop(root);
            clone
        });
        heap.collect();
        assert!(heap.is_alive(gc));
        let clone = passing_on.join().unwrap();
        heap.collect();
        assert_eq!(heap.get(&clone), Some(&0));
        drop(clone);
        assert_eq!(heap.collect().freed, 1);
        assert_eq!(heap.stats().roots, 0);
    });
}

/// Claim: a root dropped while a collection runs is noticed by that collection or the next one, and both keep
/// the other roots.
#[test]
fn a_root_dropped_during_a_collection_is_noticed_by_the_next() {
    model(|| {
        let (mut heap, mut roots) = heap_with_roots(2);
        let dropped = roots.remove(0);
        let kept = roots.remove(0);
        let gc = dropped.gc();
        let dropping = thread::spawn(move || drop(dropped));
        let first = heap.collect().freed;
        dropping.join().unwrap();
        let second = heap.collect().freed;
        assert_eq!(first + second, 1);
        assert!(!heap.is_alive(gc));
        assert_eq!(heap.get(&kept), Some(&1));
    });
}

/// Claim: of two threads that drop the last two clones of a root, exactly one frees the entry, and the
/// entry's next root is like any other.
#[test]
fn the_last_of_two_clones_gives_the_entry_back_once() {
    model(|| {
        let (mut heap, mut roots) = heap_with_roots(1);
        let root = roots.remove(0);
        let clone = root.clone();
        let dropping = thread::spawn(move || drop(clone));
        drop(root);
        dropping.join().unwrap();
        let new = [heap.alloc_root(10), heap.alloc_root(11)];
        assert_eq!(heap.collect().freed, 1);
        assert_eq!(new.map(|root| heap[&root]), [10, 11]);
    });
}

/// Claim: roots made through `&Heap` while others are dropped never share an entry: each keeps its own
/// object.
#[test]
fn a_root_made_while_others_are_dropped_has_an_entry_of_its_own() {
    model(|| {
        let (mut heap, mut roots) = heap_with_roots(2);
        let gcs: Vec<Gc<u32>> = (10..13).map(|number| heap.alloc(number)).collect();
        // The free list was used before, so that its entries hold old links.
        roots.iter_mut().for_each(|root| *root = heap.root(gcs[2]).unwrap());
        let (first, second) = (roots.remove(0), roots.remove(0));
        let heap = Arc::new(heap);
        let dropping = thread::spawn(move || {
            drop(first);
            drop(second);
        });
        let made = [heap.root(gcs[0]).unwrap(), heap.root(gcs[1]).unwrap()];
        dropping.join().unwrap();
        let mut heap = take_back(heap);
        heap.collect();
        assert_eq!(made.map(|root| heap.get(&root).copied()), [Some(10), Some(11)]);
        assert_eq!(heap.len(), 2);
    });
}

/// Claim: the same for a thread that takes an entry which the other thread put back with an older link in it.
#[test]
fn an_entry_put_back_during_the_taking_of_another_is_not_handed_out_twice() {
    model(|| {
        let (mut heap, roots) = heap_with_roots(2);
        let gcs: Vec<Gc<u32>> = (10..14).map(|number| heap.alloc(number)).collect();
        // Entry 1 comes first in the list and links to entry 0.
        roots.into_iter().for_each(drop);
        let heap = Arc::new(heap);
        let other = {
            let (heap, gcs) = (Arc::clone(&heap), gcs.clone());
            thread::spawn(move || {
                let first = heap.root(gcs[0]).unwrap();
                let second = heap.root(gcs[1]).unwrap();
                drop(first);
                second
            })
        };
        let mine = [heap.root(gcs[2]).unwrap(), heap.root(gcs[3]).unwrap()];
        let second = other.join().unwrap();
        let mut heap = take_back(heap);
        heap.collect();
        assert_eq!(heap.get(&second), Some(&11));
        assert_eq!(mine.map(|root| heap.get(&root).copied()), [Some(12), Some(13)]);
        assert_eq!(heap.len(), 3);
    });
}

/// Claim: two threads that root the same object and drop it again leave the table empty and usable.
#[test]
fn two_threads_that_root_and_unroot_leave_no_root_behind() {
    model(|| {
        let (mut heap, _) = heap_with_roots(1);
        let gc = heap.alloc(7);
        let heap = Arc::new(heap);
        let other = {
            let heap = Arc::clone(&heap);
            thread::spawn(move || drop(heap.root(gc)))
        };
        let root = heap.root(gc).unwrap();
        let clone = root.clone();
        drop(root);
        other.join().unwrap();
        let mut heap = take_back(heap);
        assert_eq!(heap.stats().roots, 1);
        assert!(heap.is_alive(gc));
        heap.collect();
        assert_eq!(heap[&clone], 7);
        drop(clone);
        heap.collect();
        assert!(heap.is_empty());
    });
}

/// Claim: roots made by two threads at once are all on the list of fresh ones, although the entry of one is
/// on it from an earlier use: a minor collection, which reads only that list, finds both.
#[test]
fn roots_made_by_two_threads_are_seen_by_a_minor_collection() {
    model(|| {
        let (mut heap, roots) = heap_with_roots(1);
        heap.collect();
        let gcs: Vec<Gc<u32>> = (10..13).map(|number| heap.alloc(number)).collect();
        drop(heap.root(gcs[2]));
        let heap = Arc::new(heap);
        let other = {
            let (heap, gc) = (Arc::clone(&heap), gcs[0]);
            thread::spawn(move || heap.root(gc).unwrap())
        };
        let mine = heap.root(gcs[1]).unwrap();
        let theirs = other.join().unwrap();
        let mut heap = take_back(heap);
        assert_eq!(heap.collect_minor().freed, 1);
        assert_eq!(
            [&roots[0], &theirs, &mine].map(|root| heap.get(root).copied()),
            [Some(0), Some(10), Some(11)]
        );
    });
}

/// Claim: a tag polled on another thread while a collection sends it is returned there or later, exactly
/// once.
#[test]
fn a_tag_is_polled_from_its_queue_once_whoever_polls_and_when() {
    model(|| {
        let mut heap = Heap::new();
        let queue = DeathQueue::new();
        let gc = heap.alloc(1);
        queue.watch(&mut heap, gc, 7).unwrap();
        let polling = {
            let queue = queue.clone();
            thread::spawn(move || queue.poll())
        };
        heap.collect();
        let early = polling.join().unwrap();
        let late = queue.poll();
        assert!(early.xor(late) == Some(7), "{early:?} and {late:?}");
        assert_eq!(queue.poll(), None);
    });
}

/// Claim: threads that make the first roots of a table, which grows for each, all find an entry in it, and a
/// collection finds all of them.
#[test]
fn two_threads_that_make_the_first_roots_both_find_a_place() {
    model(|| {
        let mut heap = Heap::new();
        let gcs: Vec<Gc<u32>> = (0..2).map(|number| heap.alloc(number)).collect();
        let heap = Arc::new(heap);
        let (other, gc) = (Arc::clone(&heap), gcs[1]);
        let maker = thread::spawn(move || other.root(gc).unwrap());
        let roots = [heap.root(gcs[0]).unwrap(), maker.join().unwrap()];
        let mut heap = take_back(heap);
        heap.collect();
        assert!(gcs.iter().all(|gc| heap.is_alive(gc)), "both are roots");
        drop(roots);
        heap.collect();
        assert!(heap.is_empty());
    });
}

/// Refers to one number, and counts how often an object of its type was traced.
struct Parent {
    child: Gc<u32>,
    traced: Arc<AtomicUsize>,
}

impl Trace for Parent {
    fn trace(&self, tracer: &mut Tracer<'_>) {
        self.traced.fetch_add(1, Ordering::SeqCst);
        tracer.edge(self.child);
    }
}

/// A heap that is marking, with this many edges to follow; the children, and how many parents were traced.
struct Marking {
    heap: Heap,
    _roots: Vec<Root<Parent>>,
    children: Vec<Gc<u32>>,
    traced: Arc<AtomicUsize>,
}

impl Marking {
    fn new(len: u32) -> Self {
        let (mut heap, traced) = (Heap::new(), Arc::new(AtomicUsize::new(0)));
        let children: Vec<Gc<u32>> = (0..len).map(|number| heap.alloc(number)).collect();
        let parent = |child: &Gc<u32>| Parent { child: *child, traced: Arc::clone(&traced) };
        let roots = children.iter().map(|child| heap.alloc_root(parent(child))).collect();
        heap.alloc(99); // garbage
        heap.step(Budget::Objects(1));
        assert_eq!((heap.stats().phase, traced.load(Ordering::SeqCst)), (Phase::Mark, 0));
        Self { heap, _roots: roots, children, traced }
    }

    fn finish(mut self) {
        assert_eq!(self.heap.step(Budget::Unlimited).finished.unwrap().freed, 1);
        assert!(self.children.iter().all(|gc| self.heap.is_alive(gc)));
    }
}

/// Claim: two threads that mark one cycle return when all edges are followed, each edge by one of them.
#[test]
fn two_markers_follow_each_edge_once_and_end_together() {
    model(|| {
        let marking = Arc::new(Marking::new(3));
        let mark = |marking: &Marking| {
            let work = marking.heap.step_shared(Budget::Unlimited).work;
            assert_eq!(marking.traced.load(Ordering::SeqCst), 3, "all parents are traced");
            work
        };
        let other = {
            let marking = Arc::clone(&marking);
            thread::spawn(move || mark(&marking))
        };
        assert_eq!(mark(&marking) + other.join().unwrap(), 6);
        Arc::try_unwrap(marking).ok().expect("the other thread has ended").finish();
    });
}

/// Claim: what a marker with a small budget does not finish is finished by another one, or by the next step.
#[test]
fn a_marker_that_leaves_leaves_its_edges() {
    model(|| {
        let marking = Arc::new(Marking::new(3));
        let other = {
            let marking = Arc::clone(&marking);
            thread::spawn(move || marking.heap.step_shared(Budget::Objects(1)).work)
        };
        // Makes other markers leave, too.
        marking.heap.verify();
        marking.heap.step_shared(Budget::Objects(2));
        other.join().unwrap();
        Arc::try_unwrap(marking).ok().expect("the other thread has ended").finish();
    });
}

/// Claim: objects that two threads allocate through `&Heap` have slots of their own.
#[test]
fn objects_made_later_by_two_threads_have_slots_of_their_own() {
    model(|| {
        let heap = Arc::new(Heap::new());
        let other = {
            let heap = Arc::clone(&heap);
            thread::spawn(move || heap.alloc_root_later(1_u32))
        };
        let mine = [heap.alloc_root_later(2_u32), heap.alloc_root_later(3)];
        let theirs = other.join().unwrap();
        let mut heap = take_back(heap);
        assert_eq!(heap.collect().kept, 3);
        assert_eq!((heap[&theirs], mine.map(|root| heap[&root])), (1, [2, 3]));
    });
}

/// Claim: so do those whose slots were set aside among objects that others read meanwhile.
#[test]
fn objects_made_later_in_slots_set_aside_have_slots_of_their_own() {
    model(|| {
        let mut heap = Heap::new();
        let before = heap.alloc_root(9_u32);
        heap.alloc_later(8_u32);
        assert_eq!(heap.flush(), 1);
        let heap = Arc::new(heap);
        let other = {
            let heap = Arc::clone(&heap);
            thread::spawn(move || heap.alloc_root_later(1_u32))
        };
        let mine = heap.alloc_root_later(2_u32);
        assert_eq!(heap[&before], 9);
        let theirs = other.join().unwrap();
        let mut heap = take_back(heap);
        assert_eq!(heap.collect().kept, 3);
        assert_eq!((heap[&theirs], heap[&mine]), (1, 2));
    });
}

// Which models fail when `root.rs`, `exchange.rs`, `later.rs` or `ahead.rs` is weakened on purpose:
//
// | in | weakened | models that fail |
// |---|---|---|
// | `release` | the exchange `Relaxed` | `an_entry_put_back..`, `a_root_made..`, `two_threads..` |
// | `release` | gives the entry back at every drop | `the_last_of_two..`, `two_threads..` |
// | `take_free` | load and exchange of `free` `Relaxed` | `an_entry_put_back..`, `a_root_made..`, `two_threads..` |
// | `take_free` | several takers at once | `an_entry_put_back..` |
// | `take_free` | `taking` `Relaxed` | `an_entry_put_back..` |
// | `Inside::take` | ends though another marker is busy | `two_markers..` |
// | `Inside::take` | busy markers are not counted | `two_markers..` |
// | `Inside::leave` | the edges in hand are dropped | `a_marker_that_leaves..` |
// | `Heap::take_word` | a word taken is not counted | `objects_made_later_in_slots..` |
// | `Ahead::promise` | a load and a store of `pages` | `objects_made_later_by_two..` |
