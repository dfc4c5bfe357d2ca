//! When a collection is due, and which: the policy behind `Heap::pace`.

use core::time::Duration;

use crate::collector::CycleKind;
use crate::config::{Budget, HeapConfig};
use crate::stats::Rule;

/// Sizes at moments that matter, in bytes of slots.
pub(super) struct Pacer {
    /// From this size on `pace` has something to do: the one number that `is_due` compares.
    due_bytes: usize,
    /// What the last full cycle left alive, as far as that is known.
    live_bytes: usize,
    /// The size when the last cycle ended, and the objects that had been allocated.
    end_bytes: usize,
    end_allocated: u64,
    /// The size when the last full cycle ended.
    full_end_bytes: usize,
    /// The size when the cycle under way began, and the bytes that had been freed.
    begin_bytes: usize,
    begin_freed_bytes: u64,
    is_paused: bool,
    /// What a minor collection takes for each object that it has to look at.
    minor_ns: f32,
}

/// What a minor collection is thought to take for an object before one was seen.
const MINOR_NS: f32 = 40.0;

/// What is to be done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Plan {
    pub(super) action: Action,
    pub(super) rule: Rule,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Action {
    Nothing,
    Minor,
    /// A slice of a full cycle.
    Slice(Budget),
    /// The cycle to its end, and another one if that freed too little.
    Finish,
    /// A full collection.
    Collect,
}

/// What a heap holds, and what it has done so far.
#[derive(Clone, Copy)]
pub(super) struct Totals {
    pub(super) bytes: usize,
    pub(super) freed_bytes: u64,
    pub(super) allocated: u64,
}

/// What the policy decides on.
pub(super) struct Situation {
    pub(super) bytes: usize,
    pub(super) is_idle: bool,
    pub(super) can_do_minor: bool,
    /// Objects that a minor collection would have to look at.
    pub(super) minor_work: usize,
}

impl Pacer {
    pub(super) fn new(config: &HeapConfig) -> Self {
        let mut pacer = Self {
            due_bytes: 0,
            live_bytes: 0,
            end_bytes: 0,
            end_allocated: 0,
            full_end_bytes: 0,
            begin_bytes: 0,
            begin_freed_bytes: 0,
            is_paused: false,
            minor_ns: MINOR_NS,
        };
        pacer.set_due(0, config);
        pacer
    }

    #[inline]
    pub(super) fn is_due(&self, bytes: usize) -> bool {
        bytes >= self.due_bytes
    }

    pub(super) fn live_bytes(&self) -> usize {
        self.live_bytes
    }

    pub(super) fn pause(&mut self, config: &HeapConfig) {
        self.is_paused = true;
        self.set_due(0, config);
    }

    pub(super) fn resume(&mut self, is_idle: bool, config: &HeapConfig) {
        self.is_paused = false;
        match is_idle {
            true => self.set_due(self.end_bytes, config),
            false => self.due_bytes = 0,
        }
    }

    /// A cycle begins.
    pub(super) fn begin(&mut self, bytes: usize, freed_bytes: u64) {
        self.begin_bytes = bytes;
        self.begin_freed_bytes = freed_bytes;
        if !self.is_paused {
            self.due_bytes = 0;
        }
    }

    /// It ended.
    pub(super) fn finish(&mut self, kind: CycleKind, totals: Totals, config: &HeapConfig) {
        let Totals { bytes, freed_bytes, allocated } = totals;
        self.end_bytes = bytes;
        self.end_allocated = allocated;
        if kind != CycleKind::Minor {
            // What was made meanwhile outlived the cycle without being asked for.
            let freed = usize::try_from(freed_bytes - self.begin_freed_bytes).unwrap_or(usize::MAX);
            let made = (bytes.saturating_add(freed)).saturating_sub(self.begin_bytes);
            self.live_bytes = bytes.saturating_sub(made);
            self.full_end_bytes = bytes;
            // While minor collections are refused nothing is learnt of them, so a refusal must not be for ever.
            self.minor_ns = self.minor_ns.min(MINOR_NS);
        }
        self.set_due(bytes, config);
    }

    /// Objects allocated since the last cycle ended.
    pub(super) fn young(&self, allocated: u64) -> usize {
        usize::try_from(allocated - self.end_allocated).unwrap_or(usize::MAX)
    }

    /// A minor collection looked at so many objects in this time.
    pub(super) fn learn(&mut self, work: usize, time: Duration) {
        if work >= 64 {
            let ns = time.as_nanos() as f32 / work as f32;
            // Quick to believe that it is slow, but not at once: the system may have taken the processor away.
            let weight = if ns > self.minor_ns { 0.5 } else { 0.1 };
            self.minor_ns += (ns.min(self.minor_ns * 2.0) - self.minor_ns) * weight;
        }
    }

    fn ceiling(&self, config: &HeapConfig) -> usize {
        self.live_bytes.saturating_add(config.ceiling(self.live_bytes))
    }

    fn set_due(&mut self, bytes: usize, config: &HeapConfig) {
        let ceiling = self.ceiling(config);
        self.due_bytes = match () {
            () if config.is_stress() => 0,
            () if self.is_paused => ceiling,
            () => bytes.saturating_add(config.nursery().max(1)).min(ceiling.max(bytes.saturating_add(1))),
        };
    }

    /// Whether the heap grew by its ceiling, or so nearly that it is not worth another cycle's time.
    pub(super) fn is_over(&self, bytes: usize, config: &HeapConfig) -> bool {
        self.debt_bytes(bytes) >= config.ceiling(self.live_bytes) / 2
    }

    /// How much of what it may grow the heap has grown.
    pub(super) fn debt_bytes(&self, bytes: usize) -> usize {
        bytes.saturating_sub(self.live_bytes)
    }

    pub(super) fn plan(&self, budget: Budget, now: &Situation, config: &HeapConfig) -> Plan {
        let plan = |action, rule| Plan { action, rule };
        if config.is_stress() {
            return plan(Action::Collect, Rule::Stress);
        }
        if !self.is_due(now.bytes) {
            return plan(Action::Nothing, Rule::NotDue);
        }
        if now.bytes >= self.ceiling(config) {
            return plan(Action::Finish, Rule::Ceiling);
        }
        // The more debt, the more of the budget: a frame that needs little time for the collector gets little taken.
        let (debt, ceiling) = (self.debt_bytes(now.bytes), config.ceiling(self.live_bytes));
        let in_debt = debt > ceiling / 4 * 3;
        let slice_budget = if in_debt { budget } else { budget.half() };
        let slice = plan(Action::Slice(slice_budget), if in_debt { Rule::Debt } else { Rule::Slice });
        if !now.is_idle {
            return slice;
        }
        // What was made during the last cycle outlived it unasked, and cannot be helped by another one so soon.
        let growth = now.bytes.saturating_sub(self.full_end_bytes);
        let has_grown = growth >= config.growth_bytes(self.live_bytes) || debt >= ceiling / 2;
        if in_debt {
            slice
        } else if !has_grown && now.can_do_minor && self.fits(budget, now.minor_work) {
            plan(Action::Minor, Rule::Nursery)
        } else {
            plan(Action::Slice(slice_budget), Rule::Growth)
        }
    }

    /// Whether a minor collection of so many objects is expected to keep to the budget. For budgets in objects no time
    /// is asked for, so that a run is reproducible.
    fn fits(&self, budget: Budget, work: usize) -> bool {
        match budget {
            Budget::Unlimited => true,
            Budget::Objects(units) => work <= units,
            Budget::Time(time) => work as f32 * self.minor_ns <= time.as_nanos() as f32 * 0.75,
        }
    }
}
