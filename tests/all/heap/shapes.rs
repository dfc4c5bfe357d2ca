//! Types of every size and alignment.

use slotgc::{AnyGc, Gc, Heap, Trace, Tracer};

use crate::objects::{Log, Noisy};

#[derive(Debug, PartialEq)]
struct Nothing;

impl Trace for Nothing {
    fn trace(&self, _: &mut Tracer<'_>) {}
}

#[test]
fn zero_sized_objects_have_identities_and_lives_of_their_own() {
    // weak-cases 9
    // weak-cases: mistakes
    let mut heap = Heap::new();
    let (a, b) = (heap.alloc_root(Nothing), heap.alloc(Nothing));
    let unit = heap.alloc(());
    assert_ne!(a.gc(), b);
    assert_ne!(a.gc().erase(), unit.erase());
    assert_eq!((heap.get(&a), heap.get(b)), (Some(&Nothing), Some(&Nothing)));
    assert_eq!(heap.collect().freed, 2);
    assert_eq!((heap.get(&a), heap.get(b), heap.get(unit)), (Some(&Nothing), None, None));
    let many: Vec<_> = (0..10_000).map(|_| heap.alloc(Nothing)).collect();
    assert_eq!(many.iter().collect::<std::collections::HashSet<_>>().len(), 10_000);
    assert_eq!(heap.destroy(many[77]), Some(Nothing));
    assert!(many.iter().enumerate().all(|(number, gc)| heap.is_alive(gc) == (number != 77)));
    assert_eq!(heap.iter::<Nothing>().count(), 10_000);
}

#[test]
fn the_destructor_of_a_zero_sized_object_runs_once_for_each() {
    use std::sync::atomic::{AtomicUsize, Ordering};
    static DROPS: AtomicUsize = AtomicUsize::new(0);
    struct Counted;
    impl Drop for Counted {
        fn drop(&mut self) {
            DROPS.fetch_add(1, Ordering::Relaxed);
        }
    }
    impl Trace for Counted {
        fn trace(&self, _: &mut Tracer<'_>) {}
    }
    let mut heap = Heap::new();
    let kept = heap.alloc_root(Counted);
    for _ in 0..5000 {
        heap.alloc(Counted);
    }
    assert_eq!((heap.collect().freed, DROPS.load(Ordering::Relaxed)), (5000, 5000));
    drop(heap.destroy(&kept));
    assert_eq!(DROPS.load(Ordering::Relaxed), 5001);
    drop(heap);
    assert_eq!(DROPS.load(Ordering::Relaxed), 5001);
}

/// An object of `N` words that holds its own handle and a word that it was given.
struct Block<const N: usize> {
    me: Gc<Self>,
    words: [u64; N],
    noisy: Option<Noisy>,
    edges: Vec<AnyGc>,
}

impl<const N: usize> Trace for Block<N> {
    fn trace(&self, tracer: &mut Tracer<'_>) {
        self.edges.iter().for_each(|edge| tracer.edge_any(*edge));
    }
}

/// Allocates, reads, collects and destroys objects of this size among smaller ones.
fn live_and_die<const N: usize>() {
    let log = Log::default();
    let mut heap = Heap::new();
    let mut made = Vec::new();
    for number in 0..12 {
        heap.alloc(u64::from(number));
        let block = heap.alloc_cyclic(|_, me| Block::<N> {
            me,
            words: [u64::from(number); N],
            noisy: Some(Noisy::new(number, &log)),
            edges: vec![],
        });
        made.push(block);
    }
    assert!(heap.stats().bytes >= 12 * N * 8);
    let intact = |heap: &Heap, number: usize| {
        let block = &heap[made[number]];
        block.me == made[number]
            && block.words.iter().all(|word| *word == number as u64)
            && block.noisy.as_ref().is_some_and(|noisy| noisy.number == number as u32)
    };
    assert!((0..12).all(|number| intact(&heap, number)));
    for (number, (gc, block)) in heap.iter::<Block<N>>().enumerate() {
        assert!(gc == made[number] && block.me == gc);
    }
    // 0 holds 3, which holds 6, which holds 9, through erased handles.
    for number in [0, 3, 6] {
        let next = made[number + 3].erase();
        heap[made[number]].edges.push(next);
    }
    let root = heap.root(made[0]).unwrap();
    heap.destroy(made[9]);
    assert_eq!(log.take(), [9]);
    heap.collect();
    assert_eq!(log.take(), [1, 2, 4, 5, 7, 8, 10, 11]);
    assert!([0, 3, 6].into_iter().all(|number| intact(&heap, number)));
    drop(root);
    assert_eq!(heap.collect().freed, 3);
    heap.shrink_to_fit();
    assert_eq!(heap.stats().pages, 0);
    let again = heap.alloc([7_u64; N]);
    assert_eq!(heap[again], [7; N]);
    assert!(made.iter().all(|gc| !heap.is_alive(gc)));
}

#[test]
fn objects_of_every_size_live_and_die_alike() {
    live_and_die::<0>();
    live_and_die::<1>();
    live_and_die::<7>();
    live_and_die::<50>();
    live_and_die::<500>();
    live_and_die::<1000>();
    live_and_die::<2700>();
    // Half a page, and one object a page.
    live_and_die::<4085>();
    live_and_die::<4100>();
    live_and_die::<8100>();
}

#[test]
fn objects_larger_than_a_page_live_and_die_like_small_ones() {
    // Values pass through the stack, several times without optimisation.
    let large = std::thread::Builder::new().stack_size(32 << 20).spawn(|| {
        // Just below a page, just above it, several.
        live_and_die::<8183>();
        live_and_die::<8184>();
        live_and_die::<8185>();
        live_and_die::<8192>();
        live_and_die::<10_000>();
        live_and_die::<20_000>();
        live_and_die::<100_000>();
    });
    large.unwrap().join().unwrap();
}

macro_rules! aligned {
    ($($name:ident: $align:literal),*) => {$(
        #[repr(align($align))]
        struct $name(u64, Gc<$name>);

        impl Trace for $name {
            fn trace(&self, tracer: &mut Tracer<'_>) {
                tracer.edge(self.1);
            }
        }
    )*};
}

aligned!(Align16: 16, Align64: 64, Align4096: 4096, Align65536: 65536);

macro_rules! check_alignment {
    ($name:ident, $count:literal) => {
        let mut heap = Heap::new();
        let mut last = Gc::default();
        for value in 0..$count {
            heap.alloc(value as u8);
            last = heap.alloc($name(value, last));
        }
        let all: Vec<_> = heap.iter::<$name>().map(|(gc, _)| gc).collect();
        assert_eq!(all.len(), $count);
        for gc in &all {
            assert_eq!(std::ptr::from_ref(&heap[*gc]).addr() % align_of::<$name>(), 0);
        }
        let root = heap.root(last).unwrap();
        assert_eq!(heap.collect().kept, $count);
        let mut values = Vec::new();
        let mut next = root.gc();
        while let Some($name(value, before)) = heap.get(next) {
            values.push(*value);
            next = *before;
        }
        assert!(values.into_iter().eq((0..$count).rev()));
        drop(root);
        assert_eq!(heap.collect().freed, $count);
    };
}

#[test]
fn objects_lie_at_their_alignment() {
    check_alignment!(Align16, 2000);
    check_alignment!(Align64, 1000);
    check_alignment!(Align4096, 40);
    check_alignment!(Align65536, 5);
    let mut heap = Heap::new();
    let wide = heap.alloc(1_u128);
    assert_eq!(std::ptr::from_ref(&heap[wide]).addr() % align_of::<u128>(), 0);
}
