//! slotgc: the column is a root source.

use std::ops::Range;
use std::time::Duration;

use slotgc::{Budget, Gc, Heap, RootLog, RootSource, Tracer};

use crate::needs::ecs::{Column, Plan, Reclaim};
use crate::needs::{First, Handles};
use crate::peers::slotgc::{Node, SlotGc};

const BUDGET: Budget = Budget::Time(Duration::from_millis(1));

/// The components.
#[derive(Debug, Default)]
struct Components {
    all: Vec<Gc<Node>>,
    /// Those that were stored since the collector last asked.
    changed: Vec<Gc<Node>>,
    log: RootLog,
}

impl RootSource for Components {
    fn trace_roots(&self, tracer: &mut Tracer<'_>) {
        let rows = |rows: Range<usize>| self.all[rows].iter().copied();
        self.log.report_rows(tracer, self.all.len(), rows, self.changed.iter().copied());
    }

    fn trace_changed_roots(&self, tracer: &mut Tracer<'_>) {
        self.trace_roots(tracer);
    }
}

/// Reports what changed.
pub(crate) type ChangesColumn = SlotGcColumn<true>;

/// Reports all handles whenever it is asked.
pub(crate) type AllColumn = SlotGcColumn<false>;

/// A heap, and a column that reports its changes or does not.
#[derive(Debug)]
pub(crate) struct SlotGcColumn<const CHANGES: bool> {
    heap: SlotGc,
    components: Components,
    reclaim: Reclaim,
}

impl<const CHANGES: bool> SlotGcColumn<CHANGES> {
    fn heap_and_source(&mut self) -> (&mut Heap, &dyn RootSource) {
        let Self { heap, components, .. } = self;
        let source: &dyn RootSource = if CHANGES { components } else { &components.all };
        (heap.heap_mut(), source)
    }

    fn collect(&mut self) {
        let (heap, source) = self.heap_and_source();
        heap.collect_with(source);
        self.forget();
    }

    fn pace(&mut self) {
        let (heap, source) = self.heap_and_source();
        heap.pace_with(BUDGET, source);
        self.forget();
    }

    fn forget(&mut self) {
        let Components { changed, log, .. } = &mut self.components;
        log.forget_reported(changed);
    }
}

impl<const CHANGES: bool> Column for SlotGcColumn<CHANGES> {
    fn new(entities: usize, reclaim: Reclaim) -> Self {
        let mut heap = SlotGc::new(entities);
        let all = (0..entities as u64).map(|id| heap.alloc(id)).collect();
        let mut column = Self { heap, components: Components { all, ..Components::default() }, reclaim };
        column.collect();
        column
    }

    fn frame(&mut self, plan: &Plan) {
        let Components { all, changed, .. } = &mut self.components;
        plan.despawned.iter().for_each(|place| _ = all.swap_remove(*place as usize));
        for id in plan.spawned() {
            let made = self.heap.alloc(id);
            all.push(made);
            if CHANGES {
                changed.push(made);
            }
        }
        match self.reclaim {
            Reclaim::All => self.collect(),
            Reclaim::Due => self.pace(),
        }
    }

    fn ids(&self) -> Vec<u64> {
        self.components.all.iter().map(|handle| self.heap.read::<First>(handle)).collect()
    }

    fn objects(&mut self) -> Option<usize> {
        Some(self.heap.heap_mut().len())
    }

    fn free_all(&mut self) {
        self.collect();
    }
}
