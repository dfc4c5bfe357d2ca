//! The iterators, by their names: for structs that hold one, and functions that return one.
//!
//! All know how many items are left (`ExactSizeIterator`) but those over two sets, and return `None` for ever
//! after the last (`FusedIterator`). Those over the objects of a type go backwards, too. Each is `Send` where
//! what it gives is.

pub use crate::heap::{GetMany, Iter, IterMut};
#[cfg(feature = "rayon")]
pub use crate::heap::{ParIter, ParIterMut};
pub use crate::weak::iter::{interner, weak_key_map, weak_set, weak_value_map};
