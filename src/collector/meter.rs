//! How much of a step's budget is left.

use core::time::Duration;

use crate::clock::Timer;
use crate::config::Budget;

/// Counts units of work (an object traced, freed or dropped, an entry pruned, a callback run) against a
/// budget.
///
/// The clock is read once per batch of units. The length of a batch follows from how long the last one took,
/// so that the clock costs little and slow units (destructors of files, objects with a thousand edges)
/// overshoot little.
pub(crate) struct Meter<'a> {
    clock: &'a Timer,
    limit: Allowance,
    work: usize,
    /// Units that may be done after the time is up.
    granted: usize,
    /// Units until the clock is read.
    batch: usize,
    /// Units of the batch that are done.
    done: usize,
    last: Duration,
    /// The work when the clock was last seen to move.
    moved_at: usize,
    leaves_edges: bool,
}

enum Allowance {
    None,
    Units(usize),
    Time {
        end: Duration,
        /// Units that may be done while the clock stands still: as many as would use up the budget.
        still: usize,
    },
}

/// How long a batch should take at most, and at least.
const LONG: Duration = Duration::from_micros(20);
const SHORT: Duration = Duration::from_micros(8);
const FIRST_BATCH: usize = 4;
const LONGEST_BATCH: usize = 128;

/// Entries of a table that are visited in one go: enough that tracing the rest of the object again, which may
/// be large, is a small part of the work, and few enough to take less than a tenth of a millisecond.
const SLICE: usize = 1024;
const LEAST_SLICE: usize = 4;

/// Without a clock, or with one that stands still, a budget of time is one of objects, at this time for each.
const UNIT_NS: u128 = 50;

fn units_in(time: Duration) -> usize {
    usize::try_from(time.as_nanos() / UNIT_NS).unwrap_or(usize::MAX).max(1)
}

impl<'a> Meter<'a> {
    /// A meter for a step that began at `start`.
    pub(crate) fn new(budget: Budget, clock: &'a Timer, start: Duration) -> Self {
        let limit = match budget {
            Budget::Unlimited => Allowance::None,
            // At least one unit is done.
            Budget::Objects(units) => Allowance::Units(units.max(1)),
            Budget::Time(time) if clock.runs() => {
                Allowance::Time { end: start.saturating_add(time), still: units_in(time) }
            }
            Budget::Time(time) => Allowance::Units(units_in(time)),
        };
        Self {
            clock,
            limit,
            work: 0,
            granted: 0,
            batch: FIRST_BATCH,
            done: 0,
            last: start,
            moved_at: 0,
            leaves_edges: false,
        }
    }

    /// Units that may be done before the next call of `spend`.
    pub(crate) fn quota(&self) -> usize {
        match self.limit {
            Allowance::None => usize::MAX,
            Allowance::Units(left) => left,
            Allowance::Time { end, still } => {
                if self.work > 0 && (self.last >= end || self.work - self.moved_at >= still) {
                    self.granted
                } else {
                    self.batch - self.done
                }
            }
        }
    }

    /// Entries of tables that may be visited before the next call of `spend`.
    pub(crate) fn slice(&self) -> usize {
        match self.limit {
            Allowance::None => usize::MAX,
            Allowance::Units(left) => left.max(LEAST_SLICE),
            Allowance::Time { .. } => SLICE,
        }
    }

    /// Whether there is a budget.
    pub(crate) fn is_limited(&self) -> bool {
        !matches!(self.limit, Allowance::None)
    }

    /// Whether edges are left to threads that mark beside readers, if there are many edges and such threads.
    pub(crate) fn leaves_edges(&self) -> bool {
        self.leaves_edges
    }

    /// See [`leaves_edges`](Self::leaves_edges).
    pub(crate) fn leave_edges(&mut self) {
        self.leaves_edges = true;
    }

    /// Whether the budget is one of time.
    pub(crate) fn is_timed(&self) -> bool {
        matches!(self.limit, Allowance::Time { .. })
    }

    /// What is left of a budget of time, as of now.
    pub(crate) fn time_left(&self) -> Option<Duration> {
        match self.limit {
            Allowance::Time { end, .. } => Some(end.saturating_sub(self.clock.now())),
            _ => None,
        }
    }

    /// Counts work done.
    pub(crate) fn spend(&mut self, units: usize) {
        self.work += units;
        match &mut self.limit {
            Allowance::None => {}
            Allowance::Units(left) => *left = left.saturating_sub(units),
            Allowance::Time { .. } => {
                self.done += units;
                self.granted = self.granted.saturating_sub(units);
                if self.done >= self.batch {
                    self.read_clock();
                }
            }
        }
    }

    fn read_clock(&mut self) {
        let now = self.clock.now();
        let took = now.saturating_sub(self.last);
        if now > self.last {
            self.moved_at = self.work;
        }
        if took > LONG {
            // In one go: a batch may meet the first of many slow units.
            let factor = (took.as_nanos() / LONG.as_nanos()).clamp(2, 64) as usize;
            self.batch = (self.batch / factor).max(1);
        } else if took < SHORT {
            self.batch = (self.batch * 2).min(LONGEST_BATCH);
        }
        self.done = 0;
        self.last = now;
    }

    /// Allows more units, whatever is left of the budget.
    pub(crate) fn grant(&mut self, units: usize) {
        match &mut self.limit {
            Allowance::None => {}
            Allowance::Units(left) => *left += units,
            Allowance::Time { .. } => self.granted += units,
        }
    }

    /// Counts an indivisible piece of unknown cost, against a budget of time.
    pub(crate) fn spend_piece(&mut self) {
        if self.is_timed() {
            self.work += 1;
            self.read_clock();
        }
    }

    /// Whether nothing more may be done.
    pub(crate) fn is_spent(&self) -> bool {
        self.quota() == 0
    }

    /// Begins another kind of work, with units of unknown cost: what was granted was for the work before.
    pub(crate) fn begin_phase(&mut self) {
        if self.is_timed() {
            self.read_clock();
            self.batch = FIRST_BATCH;
            self.granted = 0;
        }
    }

    pub(crate) fn work(&self) -> usize {
        self.work
    }

    pub(crate) fn clock(&self) -> &'a Timer {
        self.clock
    }

    /// Continues under a budget that includes what was done so far.
    pub(crate) fn limit(&mut self, budget: Budget, start: Duration) {
        let work = self.work;
        *self = Self::new(budget, self.clock, start);
        self.spend(work);
        self.begin_phase();
    }
}
