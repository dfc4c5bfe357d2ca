//! How long does it take from the end of marking until the collection is over, by what died?
//!
//! The time is `sweep_time + drop_time` of `CollectStats`, per slot, not per dead object. Objects are of one
//! type and have no edges; the dead are chosen at random, so that they are in all pages.
//!
//! Do not conclude: that `all_die` has done all the work (pages that died as a whole are made inaccessible at
//! once, and cleaned up when they are next used: see `alloc/after_all_died`); that a destructor is this cheap
//! (the one here adds 1 to a number); that a collection in which half dies takes this long (it marks the
//! other half first).

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use slotgc::{CollectStats, Trace};

use crate::Question;
use crate::heaps::{Node, Population};

pub(crate) fn ask(question: &mut Question<'_>) {
    let n = question.objects;
    let make = || Population::new(n, Node::<3>::new);
    question.case("nothing_dies", n, make, |population| sweep(population, n));
    question.case("half_dies", n, make, |population| sweep(population, n / 2));
    question.case("all_die", n, make, |population| sweep(population, 0));
    let make = || Population::new(n, Mortal::new);
    question.case("half_dies_with_destructors", n, make, |population| {
        let before = DESTRUCTORS.load(Ordering::Relaxed);
        let time = sweep(population, n / 2);
        assert_eq!(DESTRUCTORS.load(Ordering::Relaxed) - before, n - n / 2, "each ran once");
        time
    });
}

/// Lets all but `left` die, then allocates as many new ones.
fn sweep<T: Trace>(population: &mut Population<T>, left: usize) -> Duration {
    let n = population.alive.len();
    let CollectStats { sweep_time, drop_time, .. } = population.shrink(left);
    population.grow(n);
    sweep_time + drop_time
}

/// An object with a destructor that counts.
#[derive(Trace)]
struct Mortal(Node);

static DESTRUCTORS: AtomicUsize = AtomicUsize::new(0);

impl Mortal {
    fn new(id: u64) -> Self {
        Self(Node::new(id))
    }
}

impl Drop for Mortal {
    fn drop(&mut self) {
        // Not `fetch_add`, which takes longer than all the rest; this is the only thread that counts.
        DESTRUCTORS.store(DESTRUCTORS.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    }
}
