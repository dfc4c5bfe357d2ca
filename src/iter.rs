//! The iterator types, for structs that hold one and functions that return one.
//!
//! All but those over two sets know how many items are left (`ExactSizeIterator`), and all return `None` for
//! ever after the last (`FusedIterator`). Those over the objects of a type also go backwards. Each is `Send`
//! if its items are.

pub use crate::heap::{GetMany, Iter, IterMut};
#[cfg(feature = "rayon")]
pub use crate::heap::{ParIter, ParIterMut};
pub use crate::weak::iter::{interner, weak_key_map, weak_set, weak_value_map};
