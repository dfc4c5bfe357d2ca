//! What does a minor collection cost beside old objects with locks, through which handles are stored while
//! systems share the heap?
//!
//! Before each collection a thousand locks, at random places, are written: each gets a handle of a new
//! object. `std` is a `RwLock` in each object, `noted` a `GcRwLock`. `idle_std` and `idle_noted` are
//! collections before which nothing was written. The old objects that the new ones replace die only in full
//! collections: now and then one runs untimed.
//!
//! Do not conclude: what writing costs (it is not timed here).

use std::sync::RwLock;
use std::time::Duration;

use slotgc::{Gc, GcRwLock, Heap, Root, Trace};
use slotgc_graphs::Random;

use crate::{Question, timed};

/// Locks that are written before a collection.
const WRITTEN: usize = 1000;

type Text = Option<Gc<u64>>;

pub(crate) fn ask(question: &mut Question<'_>) {
    let n = question.objects;
    question.case("std", WRITTEN, || World::<RwLock<Text>>::new(n), |world| world.minor(WRITTEN));
    question.case("noted", WRITTEN, || World::<GcRwLock<Text>>::new(n), |world| world.minor(WRITTEN));
    question.case("idle_std", 1, || World::<RwLock<Text>>::new(n), |world| world.minor(0));
    question.case("idle_noted", 1, || World::<GcRwLock<Text>>::new(n), |world| world.minor(0));
}

trait Lock: Trace + Default {
    fn store(&self, gc: Gc<u64>);
    fn load(&self) -> Text;
}

impl Lock for RwLock<Text> {
    fn store(&self, gc: Gc<u64>) {
        *self.write().unwrap() = Some(gc);
    }

    fn load(&self) -> Text {
        *self.read().unwrap()
    }
}

impl Lock for GcRwLock<Text> {
    fn store(&self, gc: Gc<u64>) {
        *self.write().unwrap() = Some(gc);
    }

    fn load(&self) -> Text {
        *self.read().unwrap()
    }
}

struct World<L: Lock> {
    heap: Heap,
    all: Vec<Root<L>>,
    random: Random,
}

impl<L: Lock> World<L> {
    fn new(n: usize) -> Self {
        let mut heap = Heap::new();
        let all = (0..n).map(|_| heap.alloc_root(L::default())).collect();
        heap.collect();
        heap.collect_minor();
        Self { heap, all, random: Random::new(7) }
    }

    fn minor(&mut self, written: usize) -> Duration {
        let Self { heap, all, random } = self;
        let mut last = None;
        for id in 0..written as u64 {
            let place = random.below(all.len());
            let gc = heap.alloc(id);
            heap[&all[place]].store(gc);
            last = Some((place, gc));
        }
        let (time, stats) = timed(|| heap.collect_minor());
        assert!(stats.is_minor);
        if let Some((place, gc)) = last {
            assert!(heap.is_alive(gc) && heap[&all[place]].load() == Some(gc), "what was stored lives");
        }
        if heap.len() > 3 * all.len() {
            heap.collect();
        }
        time
    }
}
