//! Catching up with the program: what it rooted, made and changed while marking went on.

use core::mem;

use super::{Marker, TraceOps};
use crate::collector::meter::Meter;
use crate::handle::AnyGc;
use crate::pool::Pool;
use crate::root::RootTable;
use crate::store::{Color, Store};

/// How many of the program's changes are caught up with in one go.
pub(super) const SOME: usize = 64;

/// How many steps try to catch up within their budgets.
const ATTEMPTS: u32 = 4;

/// Units that a step which must end marking may do on top of the program's changes.
const ENOUGH: usize = 1024;

impl Marker {
    /// Objects and roots that the program made or changed, as far as marking has not caught up with them.
    pub(super) fn changes_len(store: &Store, pools: &[Pool], roots: &RootTable) -> usize {
        let made: usize = pools.iter().map(Pool::made_len).sum();
        store.dirty_len() + made + roots.fresh_len()
    }

    /// Many of the program's changes are left, and it may keep changing that much: from some step on, each
    /// step that gets here may exceed its budget by twice as much as the one before. However much the program
    /// does between two steps, one of them catches up, so the number of steps is bounded by the size of the
    /// heap and the logarithm of what one frame changes.
    pub(super) fn be_patient(&mut self, left: usize, meter: &mut Meter<'_>) {
        if left < mem::replace(&mut self.left, left) {
            // It is shrinking anyway.
            return;
        }
        self.attempts += 1;
        if let Some(doublings) = self.attempts.checked_sub(ATTEMPTS) {
            meter.grant(SOME << doublings.min(40));
        }
    }

    /// Grants what is left: the program's changes since the last step, in which everything else was done. For
    /// a step that began by asking a slow source, whose answer takes a step's time and would take the next
    /// step's again.
    pub(super) fn end_in_this_step(store: &Store, pools: &[Pool], roots: &RootTable, meter: &mut Meter<'_>) {
        /// Units for a change: what it led to is traced too.
        const UNITS: usize = 4;
        meter.grant(Self::changes_len(store, pools, roots).saturating_mul(UNITS).saturating_add(ENOUGH));
    }

    /// Catches up with some of what the program did: roots that it made, objects that it made or changed.
    /// Traces those, or leaves them to whoever follows edges. Returns how many, at most `SOME`; zero if
    /// nothing is left.
    pub(super) fn catch_up(
        &mut self,
        ops: &[TraceOps],
        store: &mut Store,
        pools: &mut [Pool],
        roots: &RootTable,
        leave: bool,
        meter: &mut Meter<'_>,
    ) -> usize {
        /// Handles visited in vain that count as one traced object.
        const UNIT: usize = 2;
        let (mut len, mut in_vain) = (0, 0);
        self.trace_with(store, |tracer| {
            while len < SOME {
                let Some(raw) = roots.next_fresh() else { break };
                in_vain += usize::from(tracer.store.color_any(raw) != Color::White);
                tracer.edge_any(AnyGc::from_raw(raw));
                len += 1;
            }
        });
        store.prefetch_dirty(SOME - len);
        let mut due = mem::take(&mut self.due);
        while len < SOME {
            let Some(raw) = store.next_dirty() else { break };
            // It may be on the list for several changes, and may have been traced after all of them.
            if store.color_any(raw) == Color::Reached && store.take_change(raw) {
                due.push(raw);
            } else {
                in_vain += 1;
            }
            len += 1;
        }
        let leave = leave || self.side.gathering;
        for (pool, ops) in pools.iter_mut().zip(ops) {
            while len < SOME {
                let Some(made) = pool.next_made() else { break };
                if leave {
                    pool.each_made(store, made, &mut |raw| {
                        due.extend((store.color_any(raw) == Color::Reached).then_some(raw));
                        len += 1;
                    });
                } else {
                    len += self.trace_made(ops, store, made, meter);
                }
            }
        }
        if leave {
            due.drain(..).for_each(|raw| self.gray_again(ops, store, raw));
        } else {
            self.trace_again(ops, store, &mut due, meter);
        }
        self.due = due;
        meter.spend(in_vain / UNIT);
        len.min(SOME)
    }
}
