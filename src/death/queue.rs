//! `DeathQueue`.

use core::fmt;

use crate::sync::{Queue, QueueArc, QueueWeak};

/// Tags of objects that died, to be polled from any thread.
///
/// `watch` registers a tag on an object; when the object dies the tag comes out of the queue, once. No code
/// of yours runs during the collection. `Send + Sync`, and a clone is the same queue.
///
/// A tag may hold a `Gc` or `Weak` of its own target without keeping it alive. Dropping the queue drops the
/// tags in it; those of objects still alive are dropped when they would have been delivered.
///
/// # Examples
/// ```
/// use slotgc::{DeathQueue, Heap};
///
/// let mut heap = Heap::new();
/// let dead = DeathQueue::new();
/// let bear = heap.alloc("Teddy");
/// dead.watch(&mut heap, bear, "the bear").unwrap();
/// assert_eq!(dead.poll(), None);
/// heap.collect();
/// assert_eq!(dead.poll(), Some("the bear"));
/// assert_eq!(dead.poll(), None);
/// ```
pub struct DeathQueue<Tag> {
    tags: QueueArc<Queue<Tag>>,
}

impl<Tag: Send + 'static> DeathQueue<Tag> {
    /// An empty queue.
    pub fn new() -> Self {
        Self { tags: QueueArc::new(Queue::new()) }
    }

    /// Removes and returns the tag of the next death; `None` if there is none yet. Never blocks.
    pub fn poll(&self) -> Option<Tag> {
        self.tags.pop()
    }

    /// Takes tags out until the queue is empty.
    pub fn drain(&self) -> impl Iterator<Item = Tag> {
        core::iter::from_fn(|| self.poll())
    }

    /// The number of tags in the queue.
    pub fn len(&self) -> usize {
        self.tags.len()
    }

    /// Whether the queue is empty.
    pub fn is_empty(&self) -> bool {
        self.tags.is_empty()
    }

    /// What a registration does with its tag. If the queue no longer exists, the tag is dropped.
    pub(crate) fn sender(&self, tag: Tag) -> impl FnOnce() + Send + 'static {
        let tags: QueueWeak<Queue<Tag>> = QueueArc::downgrade(&self.tags);
        move || {
            if let Some(tags) = tags.upgrade() {
                tags.push(tag);
            }
        }
    }
}

impl<Tag: Send + 'static> Default for DeathQueue<Tag> {
    fn default() -> Self {
        Self::new()
    }
}

impl<Tag> Clone for DeathQueue<Tag> {
    fn clone(&self) -> Self {
        Self { tags: QueueArc::clone(&self.tags) }
    }
}

impl<Tag> fmt::Debug for DeathQueue<Tag> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeathQueue").field("len", &self.tags.len()).finish()
    }
}
