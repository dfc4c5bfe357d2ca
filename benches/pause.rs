//! How long does one call of `step` hold up the program that gave it a millisecond?
//!
//! The time is that of the longest step of a cycle of its kind, over a random graph in which everything lives
//! (`mark`), and over as many more objects that die: without destructors (`sweep`), with (`drop`), with a
//! callback each (`notify`). `spin` is a loop that reads the clock until a millisecond has passed, as often
//! as a cycle has steps: it shows how much time the machine takes from any program. The longest step should
//! be as long as the longest spin.
//!
//! Do not conclude: that every step stops in time (a destructor, a callback or a root source of the program
//! that takes long is not interrupted, nor is the `trace` of one object with a hundred thousand edges);
//! anything from one step that was longer than the spins (another process had the core: `crates/versus`
//! detects that from the thread's CPU time); that a frame loses a millisecond (`pace` does nothing in most
//! frames, see `frame`).

use std::hint::black_box;
use std::time::{Duration, Instant};

use slotgc::{Budget, CollectStats, Gc, Heap, Phase, Root, Trace};
use slotgc_graphs::Graph;

use crate::heaps::{Node, build};
use crate::{Question, timed};

const BUDGET: Duration = Duration::from_millis(1);

pub(crate) fn ask(question: &mut Question<'_>) {
    let n = question.objects;
    let name = |phase: &str| format!("longest_step_{phase}");
    question.case(&name("mark"), 1, || World::new(n), |world| world.longest(Phase::Mark, World::nothing));
    question.case(&name("sweep"), 1, || World::new(n), |world| world.longest(Phase::Sweep, World::plain));
    question.case(&name("drop"), 1, || World::new(n), |world| world.longest(Phase::Drop, World::mortal));
    question.case(&name("notify"), 1, || World::new(n), |world| world.longest(Phase::Notify, World::watched));
    // A cycle over this many objects has about as many steps: 20 ns an object.
    let steps = (n / 50_000).max(1);
    question.case("longest_spin", 1, || (), |()| (0..steps).map(|_| spin()).max().expect("at least one"));
}

fn spin() -> Duration {
    let start = Instant::now();
    while black_box(start.elapsed()) < BUDGET {}
    start.elapsed()
}

/// A graph that lives, with others that die.
struct World {
    heap: Heap,
    _root: Root<Node>,
    n: usize,
}

/// An object whose destructor must run.
#[derive(Trace)]
struct Mortal([u64; 8]);

impl Drop for Mortal {
    fn drop(&mut self) {
        black_box(self.0[0]);
    }
}

impl World {
    fn new(n: usize) -> Self {
        let mut heap = Heap::new();
        let nodes: Vec<Gc<Node>> = build(&Graph::random(n), &mut heap);
        let root = heap.root(nodes[0]).expect("a living object");
        heap.collect();
        Self { heap, _root: root, n }
    }

    fn nothing(&mut self) {}

    fn plain(&mut self) {
        (0..self.n as u64).for_each(|id| _ = self.heap.alloc(Node::<3>::new(id)));
    }

    fn mortal(&mut self) {
        (0..self.n).for_each(|_| _ = self.heap.alloc(Mortal([1; 8])));
    }

    fn watched(&mut self) {
        for id in 0..self.n as u64 {
            let node = self.heap.alloc(Node::<3>::new(id));
            self.heap.on_death(node, |_, _| {}).expect("a living object");
        }
    }

    /// Allocates garbage, runs a cycle, and returns the longest of the steps that ended in `phase`, or in the
    /// next phases if none did.
    fn longest(&mut self, phase: Phase, litter: fn(&mut Self)) -> Duration {
        litter(self);
        let garbage = self.heap.len() - self.n;
        let mut longest = Duration::ZERO;
        loop {
            let (time, report) = timed(|| self.heap.step(Budget::Time(BUDGET)));
            if report.phase == phase || (longest.is_zero() && report.finished.is_some()) {
                longest = longest.max(time);
            }
            if let Some(CollectStats { marked, freed, .. }) = report.finished {
                assert_eq!((marked, freed), (self.n, garbage), "the graph lives and nothing else");
                return longest;
            }
        }
    }
}
