//! How long does it take to allocate an object, by the state that the heap is in?
//!
//! Writing the object's 64 bytes is part of it, and so is keeping its handle; `vec_push` does only these two.
//!
//! Do not conclude: that a program allocates this fast (here nothing else needs the cache, and all objects
//! are of one type); that `fresh` is slow code (most of it is the operating system, which hands out and
//! clears pages on first touch, for `vec_push` as well); that the price of a destructor is in
//! `destroy_and_alloc` (its objects have none); anything about the next collection, which pays for the
//! deaths.

use std::hint::black_box;
use std::time::Duration;

use slotgc::{Heap, Root};
use slotgc_graphs::Random;

use crate::heaps::{Node, Population, sum_below};
use crate::{Question, timed};

pub(crate) fn ask(question: &mut Question<'_>) {
    let n = question.objects;
    question.case("vec_push", n, || (), |()| vec_push(n));
    question.case("fresh", n, || (), |()| fresh(n));
    let population = || Population::new(n, Node::new);
    question.case("after_half_died", n / 2, population, |population| regrow(population, n / 2, n));
    question.case("after_all_died", n, population, |population| regrow(population, 0, n));
    question.case("alloc_root", n, Heap::new, |heap| alloc_root(heap, n));
    let population = || (Population::new(n, Node::new), Random::new(3).order(n));
    question.case("destroy_and_alloc", n, population, |(population, order)| replace(population, order));
}

/// The floor: pushes the same objects into a vector that has room.
fn vec_push(n: usize) -> Duration {
    let (mut nodes, mut indices) = (Vec::<Node>::with_capacity(n), Vec::with_capacity(n));
    let (time, ()) = timed(|| {
        for id in 0..n as u64 {
            indices.push(nodes.len());
            nodes.push(Node::new(id));
        }
    });
    assert_eq!(black_box(&indices).iter().map(|index| nodes[*index].id).sum::<u64>(), sum_below(n));
    time
}

/// Into a heap that has no memory yet.
fn fresh(n: usize) -> Duration {
    let mut heap = Heap::new();
    let mut nodes = Vec::with_capacity(n);
    let (time, ()) = timed(|| (0..n as u64).for_each(|id| nodes.push(heap.alloc(Node::<3>::new(id)))));
    assert_eq!(nodes.iter().map(|node| heap[node].id).sum::<u64>(), sum_below(n));
    time
}

/// Into the slots of objects that a collection freed, in random places: all but `left` of them.
fn regrow(population: &mut Population<Node>, left: usize, n: usize) -> Duration {
    population.shrink(left);
    let (time, ()) = timed(|| population.grow(n));
    let Population { heap, alive, .. } = population;
    assert_eq!(heap.len(), n);
    let new_ids = alive[left..].iter().map(|node| heap[node].id).sum::<u64>();
    assert_eq!(new_ids, sum_below(n) - sum_below(left.max(1)));
    time
}

/// Into the places of dead objects, each with a root. Compare with `after_all_died`.
fn alloc_root(heap: &mut Heap, n: usize) -> Duration {
    let mut roots: Vec<Root<Node>> = Vec::with_capacity(n);
    let (time, ()) = timed(|| (0..n as u64).for_each(|id| roots.push(heap.alloc_root(Node::new(id)))));
    assert_eq!(heap.stats().roots, n);
    assert_eq!(roots.iter().map(|root| heap[root].id).sum::<u64>(), sum_below(n));
    drop(roots);
    assert_eq!(heap.collect().freed, n);
    time
}

/// Destroys each object, in random order, and allocates one in its place, with no collection in between.
fn replace(population: &mut Population<Node>, order: &[u32]) -> Duration {
    let Population { heap, alive, .. } = population;
    let (n, before) = (alive.len(), heap.allocated());
    let (time, ids) = timed(|| {
        let mut ids = 0;
        for (id, place) in order.iter().enumerate() {
            let node = &mut alive[*place as usize];
            ids += heap.destroy(*node).expect("a living object").id;
            *node = heap.alloc(Node::new(id as u64));
        }
        ids
    });
    assert_eq!((heap.len(), heap.allocated()), (n, before + n as u64));
    assert_eq!(heap.iter::<Node>().map(|(_, node)| node.id).sum::<u64>(), sum_below(n));
    black_box(ids);
    time
}
