//! Numbers that a heap and its collections report: plain data.

use core::time::Duration;

/// Where a cycle is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default, Hash)]
pub enum Phase {
    /// No cycle is in progress.
    #[default]
    Idle,
    /// Everything that roots reach is being found.
    Mark,
    /// What was not reached is dead. Weak collections are losing their dead entries.
    Prune,
    /// The slots of the dead are being freed.
    Sweep,
    /// Destructors run.
    Drop,
    /// Tags go to their queues, callbacks and finalizers run.
    Notify,
}

/// Which rule of pacing decided what a step did.
#[non_exhaustive]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Hash)]
pub enum Rule {
    /// Nothing was due.
    #[default]
    NotDue,
    /// The program requested a step, or the current cycle continued.
    Slice,
    /// Enough was allocated since the last collection, and a minor one fits into the budget.
    Nursery,
    /// The heap grew by its [`growth`](crate::HeapConfig::growth): a cycle began.
    Growth,
    /// Roots were dropped since the last full cycle, and enough of them or long enough ago: a cycle began.
    Roots,
    /// The cycle did not keep up with allocation: the step took its whole budget, not half of it as with
    /// little debt.
    Debt,
    /// The heap grew by its [`ceiling`](crate::HeapConfig::ceiling_bytes): the cycle was finished whatever
    /// the budget.
    Ceiling,
    /// A limit is near: a collection runs before an allocation is refused, whatever the budget if the limit
    /// is very near.
    Limit,
    /// The heap is under [`stress`](crate::HeapConfig::stress): a full collection.
    Stress,
}

/// What one call of [`Heap::step`](crate::Heap::step) or [`Heap::pace`](crate::Heap::pace) did.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StepReport {
    /// The phase in which the step ended; for a finished cycle, its last phase.
    pub phase: Phase,
    /// Units of work: objects traced, freed or dropped, entries of weak collections visited, callbacks run.
    pub work: usize,
    /// How long the step took.
    pub time: Duration,
    /// What the cycle did in total, if this step finished it.
    pub finished: Option<CollectStats>,
    /// Which rule of pacing decided what was done.
    pub rule: Rule,
    /// Whether the step exceeded its budget of time by more than 0.2 ms.
    pub overshot: bool,
}

/// What a heap holds and has done so far, from [`Heap::stats`](crate::Heap::stats).
///
/// The times are zero where there is no clock.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HeapStats {
    /// Objects alive, garbage included.
    pub objects: usize,
    /// Bytes in their slots: values, headers of 8 bytes and padding.
    pub bytes: usize,
    /// The most objects and bytes that the heap has held at a time.
    pub peak_objects: usize,
    /// Bytes that living objects own outside their slots: exact after a full cycle, an estimate in between.
    /// See [`Trace::owned_bytes`](crate::Trace::owned_bytes).
    pub owned_bytes: usize,
    /// See `peak_objects`.
    pub peak_bytes: usize,
    /// Bytes that the last full cycle left alive, in slots and owned, without what was made during that
    /// cycle.
    pub live_bytes: usize,
    /// Bytes by which the heap has grown since: the debt that [`Heap::pace`](crate::Heap::pace) works off.
    pub debt_bytes: usize,
    /// Pages of 64 KiB that hold memory.
    pub pages: usize,
    /// [`Root`](crate::Root)s that have not been dropped.
    pub roots: usize,
    /// Collections that ran to their end, minor ones included.
    pub collections: u64,
    /// Objects ever allocated.
    pub allocated: u64,
    /// Objects freed, by collections and by `destroy`.
    pub freed: u64,
    /// Bytes in the slots of freed objects.
    pub freed_bytes: u64,
    /// The phase of the current cycle.
    pub phase: Phase,
    /// Times that a collection or a step of one held up the program.
    pub pauses: u64,
    /// The pause that half of all pauses do not exceed, to within 6 %.
    pub pause_p50: Duration,
    /// The same for 99 of 100 pauses.
    pub pause_p99: Duration,
    /// The same for 999 of 1000 pauses.
    pub pause_p999: Duration,
    /// The longest pause.
    pub pause_max: Duration,
    /// How many of these pauses were steps: calls of `step`, and of `pace` that did something.
    pub steps: u64,
    /// Steps that exceeded their budget of time by more than 0.2 ms.
    pub overshoots: u64,
    /// By how much the worst step exceeded its budget of time.
    pub overshoot_max: Duration,
    /// How many steps the last full cycle finished by a step took.
    pub cycle_steps: u64,
    /// Time in each phase, in total.
    pub times: PhaseTimes,
}

/// How long the phases of collections took in total.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PhaseTimes {
    /// Finding what is reachable.
    pub mark: Duration,
    /// Pruning weak collections.
    pub prune: Duration,
    /// Freeing slots.
    pub sweep: Duration,
    /// Destructors.
    pub drop: Duration,
    /// Tags, callbacks and finalizers.
    pub notify: Duration,
}

impl PhaseTimes {
    pub(crate) fn add(&mut self, stats: &CollectStats) {
        self.mark = self.mark.saturating_add(stats.mark_time);
        self.prune = self.prune.saturating_add(stats.prune_time);
        self.sweep = self.sweep.saturating_add(stats.sweep_time);
        self.drop = self.drop.saturating_add(stats.drop_time);
        self.notify = self.notify.saturating_add(stats.notify_time);
    }
}

/// The objects of one type, from [`Heap::census`](crate::Heap::census).
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TypeCensus {
    /// The short name of the type, with enough of its path to tell it from other types of the heap.
    pub type_name: &'static str,
    /// Objects alive, garbage included.
    pub objects: usize,
    /// Bytes in their slots.
    pub bytes: usize,
    /// Pages of 64 KiB that hold memory.
    pub pages: usize,
}

/// What one collection did, from [`Heap::collect`](crate::Heap::collect).
///
/// The times are zero where there is no clock (without the feature `std`, and on bare WebAssembly).
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CollectStats {
    /// Whether it was a minor collection.
    pub is_minor: bool,
    /// Objects reached from the roots.
    pub marked: usize,
    /// Objects living after the sweep.
    pub kept: usize,
    /// Objects freed.
    pub freed: usize,
    /// Bytes in the slots of freed objects.
    pub freed_bytes: usize,
    /// Entries removed from weak collections.
    pub pruned: usize,
    /// Callbacks, finalizers and queue tags that the deaths triggered.
    pub notified: usize,
    /// Time to mark.
    pub mark_time: Duration,
    /// Time to prune weak collections.
    pub prune_time: Duration,
    /// Time to sweep.
    pub sweep_time: Duration,
    /// Time in destructors.
    pub drop_time: Duration,
    /// Time in callbacks and finalizers.
    pub notify_time: Duration,
}

impl CollectStats {
    /// This collection and the one after it, which a callback requested, as one.
    pub(crate) fn then(&self, next: &CollectStats) -> CollectStats {
        CollectStats {
            is_minor: next.is_minor,
            marked: next.marked,
            kept: next.kept,
            freed: self.freed + next.freed,
            // Several collections together can free more bytes than there are addresses.
            freed_bytes: self.freed_bytes.saturating_add(next.freed_bytes),
            pruned: self.pruned + next.pruned,
            notified: self.notified + next.notified,
            mark_time: self.mark_time.saturating_add(next.mark_time),
            prune_time: self.prune_time.saturating_add(next.prune_time),
            sweep_time: self.sweep_time.saturating_add(next.sweep_time),
            drop_time: self.drop_time.saturating_add(next.drop_time),
            notify_time: self.notify_time.saturating_add(next.notify_time),
        }
    }
}
