//! How programs and the model name objects: by a handle as plain data, or by a number.
//!
//! A [`Link`] is what a field stores and what the model compares: bits and the type they are read as. Nothing
//! here knows whether a link resolves, nor the types of handles: `handles` converts between the two.

use crate::kind::Kind;

/// The number of an object in a run, in all heaps together: the identity that does not depend on handles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ObjectId(pub(crate) u32);

/// A handle as data: `Gc<T>` where `T` is what the kind stands for, or `AnyGc`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Link {
    pub(crate) bits: u64,
    /// `None`: an `AnyGc`.
    pub(crate) kind: Option<Kind>,
}

/// An ephemeron: the value is reached only while the key is, and the inner key too, where there is one.
/// Keys have a type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) key: Link,
    pub(crate) inner: Option<Link>,
    pub(crate) value: Link,
}

impl Entry {
    pub(crate) fn keys(self) -> impl Iterator<Item = Link> {
        [Some(self.key), self.inner].into_iter().flatten()
    }
}
