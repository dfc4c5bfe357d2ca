//! What does a collection cost when its roots are component handles outside of the heap, as in an ECS?
//!
//! Before each collection a thousand of the handles, at random places, are replaced by handles of new
//! objects, and as many new objects are not stored. `minor_all` is a minor collection whose source reports
//! all handles, `minor_changes` one whose source reports only what changed, using a `RootLog`. `full` is a
//! full collection with all handles. The old objects that the new ones replace die only in full collections:
//! whenever the heap has twice as many objects as handles, an untimed full collection runs between minor
//! ones.
//!
//! Do not conclude: that a full collection costs this where objects refer to others (these have no edges, and
//! the collector reads them in column order); that a log of changes costs nothing (the program keeps it
//! outside of the time measured here).

use std::time::Duration;

use slotgc::{CollectStats, Gc, Heap, RootLog, RootSource, Tracer};
use slotgc_graphs::Random;

use crate::heaps::Node;
use crate::{Question, timed};

/// How many handles the source holds.
pub(crate) const SIZES: [usize; 4] = [10_000, 100_000, 300_000, 1_000_000];

/// Handles that are replaced before a collection.
const CHANGED: usize = 1000;

type Object = Node<3>;

pub(crate) fn ask(question: &mut Question<'_>) {
    let n = question.objects;
    let make = || World::new(n);
    question
        .case("minor_all", n, make, |world| world.minor(|heap, column| heap.collect_minor_with(&column.all)));
    question.case("minor_changes", CHANGED, make, |world| {
        world.minor(|heap, column| heap.collect_minor_with(column))
    });
    question.case("full", n, make, World::full);
}

/// Component handles.
struct Column {
    all: Vec<Gc<Object>>,
    /// Those that were stored since the last report.
    changed: Vec<Gc<Object>>,
    log: RootLog,
}

impl RootSource for Column {
    fn trace_roots(&self, tracer: &mut Tracer<'_>) {
        self.log.report(tracer, self.all.iter().copied(), self.changed.iter().copied());
    }

    fn trace_changed_roots(&self, tracer: &mut Tracer<'_>) {
        self.trace_roots(tracer);
    }
}

struct World {
    heap: Heap,
    column: Column,
    /// All places in the column in random order, and where in it to continue.
    places: Vec<u32>,
    next: usize,
}

impl World {
    fn new(n: usize) -> Self {
        let mut heap = Heap::new();
        let all = (0..n as u64).map(|id| heap.alloc(Object::new(id))).collect();
        let column = Column { all, changed: Vec::new(), log: RootLog::new() };
        heap.collect_with(&column);
        Self { heap, column, places: Random::new(15).order(n), next: 0 }
    }

    /// Replaces handles, each place once before any is replaced again.
    fn change(&mut self) {
        let Self { heap, column, places, next } = self;
        for place in &places[*next..*next + CHANGED] {
            heap.alloc(Object::new(0));
            let made = heap.alloc(Object::new(u64::from(*place)));
            column.all[*place as usize] = made;
            column.changed.push(made);
        }
        *next = (*next + CHANGED) % places.len();
    }

    fn minor(&mut self, collect: impl FnOnce(&mut Heap, &Column) -> CollectStats) -> Duration {
        let before = self.heap.len();
        self.change();
        let (time, stats) = timed(|| collect(&mut self.heap, &self.column));
        let Self { heap, column, .. } = self;
        assert!(stats.is_minor);
        assert_eq!((stats.freed, heap.len()), (CHANGED, before + CHANGED), "only what was not stored dies");
        // Every collection here calls the source; otherwise `RootLog::forget_reported` would say what to
        // forget.
        column.changed.clear();
        if heap.len() >= 2 * column.all.len() {
            self.clean();
        }
        time
    }

    fn full(&mut self) -> Duration {
        self.change();
        let (time, stats) = timed(|| self.heap.collect_with(&self.column.all));
        assert_eq!(
            (stats.freed, stats.kept),
            (2 * CHANGED, self.column.all.len()),
            "what was replaced or not stored dies"
        );
        self.column.changed.clear();
        time
    }

    /// Frees all that was replaced, and checks the rest.
    fn clean(&mut self) {
        let Self { heap, column, .. } = self;
        heap.collect_with(column);
        assert_eq!(heap.len(), column.all.len(), "nothing is lost, and no garbage is left");
        let mut held = column.all.iter().enumerate();
        assert!(held.all(|(place, gc)| heap[gc].id == place as u64), "each holds what it should");
    }
}
