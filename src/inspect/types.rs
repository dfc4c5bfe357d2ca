//! The types of objects in a snapshot.

use core::any::TypeId;

use crate::tag::Tag;

/// A type of objects in a snapshot.
#[derive(Clone, Debug)]
pub(crate) struct TypeRow {
    pub(crate) id: TypeId,
    pub(crate) tag: Tag,
    /// The name with enough of its path to tell it from the others; numbered if the full path does not
    /// suffice.
    pub(crate) name: &'static str,
    pub(crate) slot_bytes: u32,
}
