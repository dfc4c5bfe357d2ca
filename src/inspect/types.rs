//! The types of objects in a snapshot.

use core::any::TypeId;

use crate::tag::Tag;

/// A type of objects in a snapshot.
#[derive(Clone, Debug)]
pub(crate) struct TypeRow {
    pub(crate) id: TypeId,
    pub(crate) tag: Tag,
    /// The name with as much of its paths as tells it from the others; where that is all of it, numbered.
    pub(crate) name: &'static str,
    pub(crate) slot_bytes: u32,
}
