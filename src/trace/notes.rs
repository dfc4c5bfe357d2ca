//! Locks that tell the heap when they are written, so that nobody has to look.
//!
//! A trace of the object around such a lock leaves the object's handle with it. Who takes the lock for
//! writing moves the handles from the lock to the heaps that left them, once; the next trace leaves them
//! again. So the cost follows what was written (the remembered set of a generational collector, filled by the
//! lock instead of by a write barrier).

use alloc::vec::Vec;
use core::fmt;

use crate::handle::RawHandle;
use crate::sync::{Lock, QueueArc};

/// Objects whose lock was taken for writing since they were traced.
#[derive(Default)]
pub(crate) struct Notes {
    /// Shared with the locks. None before the first.
    queue: Option<QueueArc<Lock<Vec<RawHandle>>>>,
    /// Of a copy: what was in the queue when it was made.
    kept: Vec<RawHandle>,
}

impl Notes {
    pub(crate) fn len(&self) -> usize {
        self.kept.len() + self.queue.as_ref().map_or(0, |queue| queue.with(|noted| noted.len()))
    }

    /// Moves all to the end of a list.
    pub(crate) fn take(&mut self, into: &mut Vec<RawHandle>) {
        into.append(&mut self.kept);
        if let Some(queue) = &self.queue {
            queue.with(|noted| into.append(noted));
        }
    }

    /// Leaves the handle of the object with its lock.
    pub(super) fn leave(&mut self, object: RawHandle, listeners: &Lock<Listeners>) {
        let queue = self.queue.get_or_insert_with(|| QueueArc::new(Lock::new(Vec::new())));
        listeners.with(|listeners| listeners.add(queue, object));
    }
}

/// A checkpoint has what was noted before it was made; the locks are those of the heap.
impl Clone for Notes {
    fn clone(&self) -> Self {
        let mut kept = self.kept.clone();
        if let Some(queue) = &self.queue {
            queue.with(|noted| kept.extend_from_slice(noted));
        }
        Self { queue: self.queue.clone(), kept }
    }
}

/// An object to be noted.
#[derive(Clone)]
struct Listener {
    queue: QueueArc<Lock<Vec<RawHandle>>>,
    object: RawHandle,
}

/// Whom a lock tells that it is written. Nearly always one object: that which holds the lock.
#[derive(Clone, Default)]
pub(crate) struct Listeners {
    first: Option<Listener>,
    more: Vec<Listener>,
}

impl Listeners {
    fn add(&mut self, queue: &QueueArc<Lock<Vec<RawHandle>>>, object: RawHandle) {
        let is_known = |known: &Listener| known.object == object && QueueArc::ptr_eq(&known.queue, queue);
        if self.first.iter().chain(&self.more).any(is_known) {
            return;
        }
        let listener = Listener { queue: queue.clone(), object };
        match &self.first {
            None => self.first = Some(listener),
            Some(_) => self.more.push(listener),
        }
    }

    /// The lock is taken for writing.
    pub(super) fn tell(&mut self) {
        for Listener { queue, object } in self.first.take().into_iter().chain(self.more.drain(..)) {
            queue.with(|noted| noted.push(object));
        }
    }
}

impl fmt::Debug for Listeners {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.first.iter().chain(&self.more).map(|known| known.object)).finish()
    }
}
