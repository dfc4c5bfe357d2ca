//! `Graveyard`.

use core::fmt;

use crate::handle::Weak;
use crate::sync::{Queue, QueueArc, QueueWeak};
use crate::trace::Trace;

/// Collects the values of dead objects, moved out of the heap without running their destructors.
///
/// `bury` registers an object; when it dies its value moves here instead of being dropped. Handles in the
/// value to objects that died in the same collection resolve to nothing, those to living ones resolve. The
/// first graveyard in which an object was registered gets its value. A clone is the same graveyard.
///
/// # Examples
/// ```
/// use slotgc::{Graveyard, Heap};
///
/// let mut heap = Heap::new();
/// let graves = Graveyard::new();
/// let bear = heap.alloc("Teddy".to_string());
/// graves.bury(&mut heap, bear).unwrap();
/// heap.collect();
/// let (weak, name) = graves.exhume().unwrap();
/// assert_eq!(name, "Teddy");
/// assert!(!heap.is_alive(weak));
/// ```
pub struct Graveyard<T> {
    values: QueueArc<Queue<(Weak<T>, T)>>,
}

impl<T: Trace> Graveyard<T> {
    /// An empty graveyard.
    pub fn new() -> Self {
        Self { values: QueueArc::new(Queue::new()) }
    }

    /// Takes out the value that has been here longest, with the handle that its object had.
    pub fn exhume(&self) -> Option<(Weak<T>, T)> {
        self.values.pop()
    }

    /// Takes values out until the graveyard is empty.
    pub fn drain(&self) -> impl Iterator<Item = (Weak<T>, T)> {
        core::iter::from_fn(|| self.exhume())
    }

    /// The number of values.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether the graveyard is empty.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// What a registration does when its object dies: moves the value here, from wherever `take` has it. If
    /// the graveyard no longer exists, it leaves the value where it is.
    pub(crate) fn receiver<S>(
        &self,
        weak: Weak<T>,
        take: impl Fn(&mut S) -> Option<T> + Send + 'static,
    ) -> impl FnMut(&mut S) + Send + 'static {
        let values: QueueWeak<Queue<(Weak<T>, T)>> = QueueArc::downgrade(&self.values);
        move |store| {
            if let Some(values) = values.upgrade() {
                if let Some(value) = take(store) {
                    values.push((weak, value));
                }
            }
        }
    }
}

impl<T: Trace> Default for Graveyard<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Clone for Graveyard<T> {
    fn clone(&self) -> Self {
        Self { values: QueueArc::clone(&self.values) }
    }
}

impl<T> fmt::Debug for Graveyard<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Graveyard").field("len", &self.values.len()).finish()
    }
}
