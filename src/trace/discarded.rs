//! Entries that weak collections removed, kept until the heap is in its final state and then dropped.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::any::Any;
use core::mem::needs_drop;

use crate::panics::Panics;

/// Values of any types, grouped in runs of one type so that an entry costs no allocation of its own.
#[derive(Default)]
pub(crate) struct Discarded {
    runs: VecDeque<Box<dyn EntryQueue>>,
}

/// Stands for an entry that was dropped in frames that were undone.
struct Undone;

impl Drop for Undone {
    fn drop(&mut self) {}
}

/// A run of entries of one type.
trait EntryQueue: Send {
    fn as_any(&mut self) -> &mut dyn Any;

    fn len(&self) -> usize;

    /// Drops the first entry; `false` if there is none.
    fn drop_first(&mut self) -> bool;
}

impl<X: Send + 'static> EntryQueue for VecDeque<X> {
    fn as_any(&mut self) -> &mut dyn Any {
        self
    }

    fn len(&self) -> usize {
        VecDeque::len(self)
    }

    fn drop_first(&mut self) -> bool {
        self.pop_front().is_some()
    }
}

impl Discarded {
    /// This many entries of which nothing is left: dropping them takes as many turns, and runs no code.
    pub(crate) fn of_undone(len: usize) -> Self {
        let mut discarded = Self::default();
        (0..len).for_each(|_| discarded.push(Undone));
        discarded
    }

    /// The number of entries.
    pub(crate) fn len(&self) -> usize {
        self.runs.iter().map(|run| run.len()).sum()
    }

    pub(crate) fn push<X: Send + 'static>(&mut self, entry: X) {
        if !needs_drop::<X>() {
            return;
        }
        let last = self.runs.back_mut().and_then(|run| (**run).as_any().downcast_mut::<VecDeque<X>>());
        match last {
            Some(run) => run.push_back(entry),
            None => self.runs.push_back(Box::new(VecDeque::from(Vec::from([entry])))),
        }
    }

    /// Drops the oldest entry; `false` if there is none. If its destructor panics it is gone all the same.
    pub(crate) fn drop_first(&mut self) -> bool {
        while let Some(run) = self.runs.front_mut() {
            if run.drop_first() {
                return true;
            }
            self.runs.pop_front();
        }
        false
    }
}

impl Drop for Discarded {
    /// Needed only when a panic in `prune` abandons the collection; panics of the entries are contained all
    /// the same.
    fn drop(&mut self) {
        let mut panics = Panics::default();
        panics.run_all(|| self.drop_first());
        core::mem::forget(panics.into_first());
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;
    use alloc::sync::Arc;

    use super::*;

    #[test]
    fn entries_are_dropped_oldest_first_and_once() {
        let token = Arc::new(());
        let mut discarded = Discarded::default();
        discarded.push(7_u32);
        discarded.push(Arc::clone(&token));
        discarded.push(("x".to_string(), Arc::clone(&token)));
        discarded.push(Arc::clone(&token));
        for left in [3, 2, 1] {
            assert!(discarded.drop_first());
            assert_eq!(Arc::strong_count(&token), left);
        }
        assert!(!discarded.drop_first());
    }
}
