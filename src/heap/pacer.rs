//! When a collection is due, and which: the policy behind `Heap::pace`.
//!
//! *Size* is what living objects take, inside and outside their slots. *Weight* is the size plus what was
//! released since the last cycle. The weight decides when something is due, the size decides what. A limit of
//! the configuration is a ceiling too.

use core::time::Duration;

use crate::collector::CycleKind;
use crate::config::{Budget, HeapConfig};
use crate::stats::Rule;

/// Sizes in bytes at the moments that matter.
#[derive(Clone)]
pub(super) struct Pacer {
    /// From this weight on `pace` has something to do: the one number that `is_due` compares.
    due_bytes: usize,
    /// What the last full cycle left alive, as far as that is known.
    live_bytes: usize,
    /// The size when the last cycle ended, and the objects that had been allocated.
    end_bytes: usize,
    end_allocated: u64,
    /// The size when the last full cycle ended.
    full_end_bytes: usize,
    /// The bytes that had been allocated when the current cycle began, or when it ended marking if what was
    /// allocated before that may die in it.
    begin_allocated: u64,
    /// The size and the number of objects at that moment.
    begin_size: usize,
    begin_objects: usize,
    /// Objects and bytes of slots when the last full cycle ended: what the distance to a limit is measured
    /// from.
    full_end: Mark,
    /// What the last full cycle took, without notifications.
    full_time: Duration,
    /// What had been allocated when it ended, and the calls of `pace` since.
    full_end_allocated: u64,
    calls: u32,
    is_paused: bool,
    /// Whether other threads mark.
    has_help: bool,
    /// Nanoseconds that a minor collection takes per object that it has to look at.
    minor_ns: f32,
}

/// A number of objects and of bytes in slots.
#[derive(Clone, Copy)]
pub(super) struct Mark {
    pub(super) objects: usize,
    pub(super) bytes: usize,
}

/// How near a limit of the configuration is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Nearness {
    Far,
    /// Half of the distance since the last full cycle is used up.
    Near,
    /// So near that an allocation may meet it before the next call.
    AtHand,
}

/// The estimate of that before the first minor collection.
const MINOR_NS: f32 = 40.0;

/// What to do, and why.
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
    /// The rest of the cycle, and another one if it freed too little.
    Finish,
    /// A full collection.
    Collect,
}

/// What a heap holds, and what it has done so far.
#[derive(Clone, Copy)]
pub(super) struct Totals {
    pub(super) size: usize,
    /// In slots.
    pub(super) bytes: usize,
    pub(super) objects: usize,
    /// Bytes ever allocated, in slots and owned.
    pub(super) allocated_bytes: u64,
    /// Objects ever allocated.
    pub(super) allocated: u64,
    pub(super) has_help: bool,
}

/// What the policy decides on.
pub(super) struct Situation {
    /// Bytes ever allocated, in slots and owned.
    pub(super) allocated_bytes: u64,
    pub(super) weight: usize,
    pub(super) size: usize,
    /// The weight of roots that were dropped.
    pub(super) roots: usize,
    /// What objects own outside their slots.
    pub(super) owned: usize,
    pub(super) nearness: Nearness,
    pub(super) is_idle: bool,
    /// Whether the current cycle is marking, and what it has marked.
    pub(super) is_marking: bool,
    pub(super) marked: usize,
    /// Whether only the program's changes keep it from ending that.
    pub(super) is_behind_program: bool,
    pub(super) can_do_minor: bool,
    /// Objects that a minor collection would have to look at.
    pub(super) minor_work: usize,
    /// Whether other threads mark: then a full cycle costs less here than minor ones.
    pub(super) has_help: bool,
}

impl Pacer {
    pub(super) fn new(config: &HeapConfig) -> Self {
        let mut pacer = Self {
            due_bytes: 0,
            live_bytes: 0,
            end_bytes: 0,
            end_allocated: 0,
            full_end_bytes: 0,
            begin_allocated: 0,
            begin_size: 0,
            begin_objects: 0,
            full_end: Mark { objects: 0, bytes: 0 },
            full_time: Duration::ZERO,
            full_end_allocated: 0,
            calls: 0,
            is_paused: false,
            has_help: false,
            minor_ns: MINOR_NS,
        };
        pacer.set_due(0, config);
        pacer
    }

    #[inline]
    pub(super) fn is_due(&self, weight: usize) -> bool {
        weight >= self.due_bytes
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
        if is_idle { self.set_due(self.end_bytes, config) } else { self.due_bytes = 0 }
    }

    /// A cycle begins.
    pub(super) fn begin(&mut self, allocated_bytes: u64) {
        self.begin_allocated = allocated_bytes;
        if !self.is_paused {
            self.due_bytes = 0;
        }
    }

    /// A full cycle has ended marking.
    pub(super) fn end_marking(&mut self, allocated_bytes: u64, config: &HeapConfig) {
        if config.collects_new() {
            self.begin_allocated = allocated_bytes;
        }
    }

    /// A full cycle begins, of a heap of this size.
    pub(super) fn begin_full(&mut self, size: usize, objects: usize) {
        (self.begin_size, self.begin_objects) = (size, objects);
    }

    /// It ended.
    pub(super) fn finish(&mut self, kind: CycleKind, time: Duration, totals: Totals, config: &HeapConfig) {
        let Totals { size, bytes, objects, allocated_bytes, allocated, has_help } = totals;
        self.has_help = has_help;
        self.end_bytes = size;
        self.end_allocated = allocated;
        if kind != CycleKind::Minor {
            // What was made outlived the cycle, reachable or not.
            let made = usize::try_from(allocated_bytes - self.begin_allocated).unwrap_or(usize::MAX);
            self.live_bytes = size.saturating_sub(made);
            self.full_end_bytes = size;
            self.full_end = Mark { objects, bytes };
            self.full_time = time;
            (self.full_end_allocated, self.calls) = (allocated_bytes, 0);
            // While no minor collection runs, nothing is learnt about their cost, so the estimate must come
            // down again.
            self.minor_ns = self.minor_ns.min(MINOR_NS);
        }
        self.set_due(size, config);
    }

    /// A limit is near: something is due, whatever the weight.
    pub(super) fn hurry(&mut self, nearness: Nearness) {
        if self.is_urgent(nearness) {
            self.due_bytes = 0;
        }
    }

    /// Whether something is due, whatever the weight.
    pub(super) fn is_urgent(&self, nearness: Nearness) -> bool {
        nearness == Nearness::AtHand || nearness == Nearness::Near && !self.is_paused
    }

    /// The sizes from which a limit is [near](Nearness::Near) and [at hand](Nearness::AtHand).
    fn marks(&self, config: &HeapConfig) -> [Mark; 2] {
        let part = |from: usize, limit: usize, part: usize| {
            let room = limit.saturating_sub(from);
            from.saturating_add((room / 8).saturating_mul(part).max(usize::from(room > 0)))
        };
        let (objects, bytes) = (config.objects_limit(), config.bytes_limit());
        [4, 7].map(|eighths| Mark {
            objects: part(self.full_end.objects, objects, eighths),
            bytes: part(self.full_end.bytes, bytes, eighths),
        })
    }

    pub(super) fn nearness(&self, objects: usize, bytes: usize, config: &HeapConfig) -> Nearness {
        if (config.objects_limit(), config.bytes_limit()) == (usize::MAX, usize::MAX) {
            return Nearness::Far;
        }
        let is_past = |mark: &Mark| objects >= mark.objects || bytes >= mark.bytes;
        match self.marks(config) {
            [_, at_hand] if is_past(&at_hand) => Nearness::AtHand,
            [near, _] if is_past(&near) => Nearness::Near,
            _ => Nearness::Far,
        }
    }

    /// The next size at which something changes for pacing, the limits at the latest. Something is due from
    /// the first one on.
    pub(super) fn next_mark(&mut self, objects: usize, bytes: usize, config: &HeapConfig) -> Mark {
        self.hurry(self.nearness(objects, bytes, config));
        let marks = self.marks(config);
        let next = |now: usize, marks: [usize; 2], limit: usize| {
            marks.into_iter().find(|mark| *mark > now).unwrap_or(limit).min(limit)
        };
        Mark {
            objects: next(objects, marks.map(|mark| mark.objects), config.objects_limit()),
            bytes: next(bytes, marks.map(|mark| mark.bytes), config.bytes_limit()),
        }
    }

    /// Another call of `pace`.
    #[inline]
    pub(super) fn note_call(&mut self) {
        self.calls = self.calls.wrapping_add(1);
    }

    /// Whether the next full cycle, if it takes as long as the last one and the program allocates as fast as
    /// since then, must begin now to end before the ceiling. (The pacer of Go's collector asks the same.)
    fn must_begin(&self, budget: Budget, now: &Situation, ceiling: usize) -> bool {
        let Budget::Time(time) = budget else { return false };
        let growth = now.size.saturating_sub(self.full_end_bytes);
        if self.calls == 0 || growth < ceiling / 8 {
            return false;
        }
        let steps = self.full_time.as_secs_f64() / time.as_secs_f64().max(1e-9);
        let allocated = (now.allocated_bytes - self.full_end_allocated) as f64 / f64::from(self.calls);
        self.debt_bytes(now.size) as f64 + steps * allocated > ceiling as f64 * 0.75
    }

    /// Objects allocated since the last cycle ended.
    pub(super) fn young(&self, allocated: u64) -> usize {
        usize::try_from(allocated - self.end_allocated).unwrap_or(usize::MAX)
    }

    /// Learns that a minor collection looked at this many objects in this time.
    pub(super) fn learn(&mut self, work: usize, time: Duration) {
        if work >= 64 {
            let ns = time.as_nanos() as f32 / work as f32;
            // Adapts quickly upwards, but not at once: the thread may have been preempted.
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
            () => {
                // A full cycle marked by other threads costs the frames less than minor collections. So there
                // are none, and the cycle begins early enough to end before the heap has grown by its growth.
                let early = self.live_bytes.saturating_add(config.growth_bytes(self.live_bytes) / 4 * 3);
                let least = if self.has_help { early } else { 0 };
                let next = least.max(bytes.saturating_add(config.nursery().max(1)));
                next.min(ceiling.max(bytes.saturating_add(1)))
            }
        };
    }

    /// Whether the heap is still so large after a cycle that another one must follow at once.
    pub(super) fn is_over(&self, bytes: usize, config: &HeapConfig) -> bool {
        self.debt_bytes(bytes) >= config.ceiling(self.live_bytes) / 2
    }

    /// How much of its allowed growth the heap has used.
    pub(super) fn debt_bytes(&self, bytes: usize) -> usize {
        bytes.saturating_sub(self.live_bytes)
    }

    pub(super) fn plan(&self, budget: Budget, now: &Situation, config: &HeapConfig) -> Plan {
        let plan = |action, rule| Plan { action, rule };
        if config.is_stress() {
            return plan(Action::Collect, Rule::Stress);
        }
        if !self.is_due(now.weight) {
            return plan(Action::Nothing, Rule::NotDue);
        }
        if now.size >= self.ceiling(config) || now.owned > config.owned_limit() {
            return plan(Action::Finish, Rule::Ceiling);
        }
        match now.nearness {
            Nearness::AtHand => return plan(Action::Finish, Rule::Limit),
            Nearness::Near => return plan(Action::Slice(budget), Rule::Limit),
            Nearness::Far => {}
        }
        // The more debt, the more of the budget is used: with little debt a frame loses little time.
        let (debt, ceiling) = (self.debt_bytes(now.size), config.ceiling(self.live_bytes));
        let in_debt = debt > ceiling / 4 * 3;
        // With help most steps leave their edges to others. The last steps of marking must not.
        // At half of the budget a long cycle takes twice as long, and what is made meanwhile outlives it.
        // The cycle is assumed to be as long as the last one.
        let is_long = !now.is_idle && self.full_end_bytes - self.live_bytes > ceiling / 4;
        // Half of the budget may not be enough to catch up with the program.
        let is_hurried =
            in_debt || now.has_help || now.is_behind_program || is_long || self.is_behind(now, config);
        let slice_budget = if is_hurried { budget } else { budget.half() };
        let slice = plan(Action::Slice(slice_budget), if in_debt { Rule::Debt } else { Rule::Slice });
        if !now.is_idle {
            return slice;
        }
        // What was made during the last cycle outlived it in any case, and another cycle so soon cannot help
        // that.
        let growth = now.size.saturating_sub(self.full_end_bytes);
        let has_grown = growth >= config.growth_bytes(self.live_bytes)
            || debt >= ceiling / 2
            || self.must_begin(budget, now, ceiling);
        if in_debt {
            slice
        } else if now.roots >= config.nursery() / 2 && now.roots > 0 {
            plan(Action::Slice(slice_budget), Rule::Roots)
        } else if !has_grown && !now.has_help && now.can_do_minor && self.fits(budget, now.minor_work) {
            plan(Action::Minor, Rule::Nursery)
        } else {
            plan(Action::Slice(slice_budget), Rule::Growth)
        }
    }

    /// Whether the heap grows so fast that, at the current cycle's rate so far, it would reach the ceiling
    /// before the cycle ends.
    fn is_behind(&self, now: &Situation, config: &HeapConfig) -> bool {
        /// The part of a cycle's work that is marking.
        const MARKING: f32 = 0.8;
        /// The part of the room that must be left at the end.
        const KEPT: f32 = 0.25;
        if now.is_idle {
            return false;
        }
        // Garbage is included, so this is an underestimate.
        let marked = now.marked as f32 / self.begin_objects.max(1) as f32;
        let done = if now.is_marking { marked.min(1.0) * MARKING } else { MARKING };
        let ceiling = self.ceiling(config);
        let room = ceiling.saturating_sub(self.begin_size) as f32;
        let left = ceiling.saturating_sub(now.size) as f32;
        left - room * KEPT < (1.0 - done) * room * (1.0 - KEPT)
    }

    /// Whether a minor collection of this many objects is expected to keep to the budget. For budgets in
    /// objects no time is considered, so that a run is reproducible.
    fn fits(&self, budget: Budget, work: usize) -> bool {
        match budget {
            Budget::Unlimited => true,
            Budget::Objects(units) => work <= units,
            Budget::Time(time) => work as f32 * self.minor_ns <= time.as_nanos() as f32 * 0.75,
        }
    }
}
