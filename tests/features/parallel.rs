//! Typed iteration on several threads: `par_iter`, `par_iter_mut`.

use rayon::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};
use slotgc::iter::{ParIter, ParIterMut};
use slotgc::{Budget, Gc, Heap, Trace};

use crate::objects::{Link, Node};

const _: () = {
    const fn is_indexed<I: IndexedParallelIterator + std::fmt::Debug>() {}
    is_indexed::<ParIter<'_, Node>>();
    is_indexed::<ParIterMut<'_, Node>>();
};

fn pool() -> ThreadPool {
    ThreadPoolBuilder::new().num_threads(4).build().unwrap()
}

/// Objects of several pages: with gaps, full, and one partly filled.
fn heap_with_gaps<T: Trace>(value: impl Fn(u64) -> T) -> Heap {
    let mut heap = Heap::new();
    let made = heap.alloc_many((0..10_000).map(value));
    let gone = |n: usize| n < 6000 && (n % 3 == 0 || (2000..5000).contains(&n));
    made.iter().enumerate().filter(|(n, _)| gone(*n)).for_each(|(_, gc)| drop(heap.destroy(gc)));
    heap
}

fn same_as_one_by_one<T: Trace + PartialEq>(mut heap: Heap) {
    let expected: Vec<Gc<T>> = heap.iter::<T>().map(|(gc, _)| gc).collect();
    let own = |heap: &Heap, gc: Gc<T>, object: &T| std::ptr::eq(object, &heap[gc]);
    pool().install(|| {
        let objects = heap.par_iter::<T>();
        assert_eq!((objects.len(), objects.opt_len()), (expected.len(), Some(expected.len())));
        let seen: Vec<_> = objects.clone().map(|(gc, object)| (gc, own(&heap, gc, object))).collect();
        assert!(seen.iter().all(|(_, is_own)| *is_own));
        assert!(seen.iter().map(|(gc, _)| gc).eq(&expected), "in slot order");
        // From both ends, and from any position.
        let reversed: Vec<_> = objects.clone().rev().map(|(gc, _)| gc).collect();
        assert!(reversed.iter().rev().eq(&expected));
        for skip in [0, 1, 63, 64, 65, 1000, 4095, expected.len().saturating_sub(1), expected.len()] {
            let rest: Vec<_> = objects.clone().skip(skip).take(500).map(|(gc, _)| gc).collect();
            assert!(rest.iter().eq(expected.iter().skip(skip).take(500)));
        }
        // In the smallest possible pieces.
        let last = expected.len().saturating_sub(300);
        let ones = objects.skip(last).with_max_len(1).zip(&expected[last..]);
        assert!(ones.all(|((gc, _), expected)| gc == *expected));
        let seen: Vec<_> = heap.par_iter_mut::<T>().with_max_len(50).map(|(gc, _)| gc).collect();
        assert_eq!(seen, expected);
    });
}

#[test]
fn many_threads_see_the_same_objects_in_the_same_order_as_one() {
    same_as_one_by_one::<u64>(heap_with_gaps(|n| n));
    same_as_one_by_one::<[u64; 40]>(heap_with_gaps(|n| [n; 40]));
    same_as_one_by_one::<u64>(Heap::new());
    let mut heap = Heap::new();
    heap.alloc(1_u64);
    same_as_one_by_one::<u64>(heap);
}

#[test]
fn objects_from_the_end_are_those_beside_the_other_list_whatever_its_length() {
    let mut heap = heap_with_gaps(|n| n);
    let expected: Vec<_> = heap.iter::<u64>().map(|(gc, _)| gc).collect();
    let shorter = &expected[..expected.len() - 100];
    pool().install(|| {
        let pairs: Vec<_> =
            heap.par_iter::<u64>().zip(shorter).rev().map(|((gc, _), own)| (gc, *own)).collect();
        assert!(pairs.iter().map(|pair| pair.0).eq(shorter.iter().rev().copied()));
        assert!(pairs.iter().all(|(gc, own)| gc == own));
        let pairs: Vec<_> =
            heap.par_iter_mut::<u64>().zip(&expected).rev().map(|((gc, _), own)| (gc, *own)).collect();
        assert!(pairs.len() == expected.len() && pairs.iter().all(|(gc, own)| gc == own));
    });
}

#[test]
fn dead_objects_that_wait_for_their_sweep_are_skipped() {
    let mut heap = heap_with_gaps(|n| Link { value: n, next: None });
    let kept: Vec<_> = heap.iter::<Link>().map(|(gc, _)| gc).step_by(5).collect();
    let roots: Vec<_> = kept.iter().map(|gc| heap.root(gc).unwrap()).collect();
    let pool = pool();
    loop {
        let report = heap.step(Budget::Objects(700));
        let expected: Vec<_> = heap.iter::<Link>().map(|(gc, _)| gc).collect();
        let seen: Vec<_> = pool.install(|| heap.par_iter::<Link>().map(|(gc, _)| gc).collect());
        assert_eq!(seen, expected);
        if report.finished.is_some() {
            break;
        }
    }
    assert_eq!(heap.len(), roots.len());
}

#[test]
fn what_threads_write_is_there_and_a_minor_collection_sees_it() {
    let mut heap = heap_with_gaps(Node::leaf);
    let old: Vec<_> = heap.iter::<Node>().map(|(gc, _)| gc).collect();
    let roots: Vec<_> = old.iter().map(|gc| heap.root(gc).unwrap()).collect();
    heap.collect();
    let young = heap.alloc_many((0..old.len() as u64).map(|value| Link { value, next: None }));
    let holders = heap.alloc_many(young.iter().map(|_| Holder(None)));
    let holder_roots: Vec<_> = holders.iter().map(|gc| heap.root(gc).unwrap()).collect();
    heap.collect_with(&young);
    let young = heap.alloc_many((0..old.len() as u64).map(|value| Link { value, next: None }));
    pool().install(|| {
        heap.par_iter_mut::<Node>().for_each(|(gc, node)| node.value = gc.to_bits());
        heap.par_iter_mut::<Holder>().zip(&young).for_each(|((_, holder), young)| holder.0 = Some(*young));
    });
    assert!(old.iter().all(|gc| heap[gc].value == gc.to_bits()));
    heap.collect_minor();
    assert!(young.iter().enumerate().all(|(n, gc)| heap.get(gc).is_some_and(|link| link.value == n as u64)));
    heap.verify();
    drop((roots, holder_roots));
}

#[derive(Trace)]
struct Holder(Option<Gc<Link>>);

#[test]
fn a_panic_on_one_thread_leaves_the_write_barrier_intact() {
    let mut heap = Heap::new();
    let holders = heap.alloc_many((0..3000).map(|_| Holder(None)));
    let roots: Vec<_> = holders.iter().map(|gc| heap.root(gc).unwrap()).collect();
    heap.collect();
    let young = heap.alloc_many((0..3000).map(|value| Link { value, next: None }));
    let text = crate::objects::panic_text(|| {
        pool().install(|| {
            heap.par_iter_mut::<Holder>().zip(&young).enumerate().for_each(|(n, ((_, holder), young))| {
                holder.0 = Some(*young);
                assert!(n != 1234, "no more");
            });
        });
    });
    assert_eq!(text, "no more");
    let held: Vec<_> = heap.iter::<Holder>().filter_map(|(_, holder)| holder.0).collect();
    heap.collect_minor();
    assert!(held.len() > 1 && held.iter().all(|gc| heap.is_alive(gc)));
    heap.verify();
    drop(roots);
}
