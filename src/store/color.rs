//! What a lookup tells about an object: how far the collection has come with it, and whether it is there.

/// How far the current collection has come with an object.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Color {
    /// Not reached yet.
    White,
    /// Reached; the bit does not tell whether it was traced.
    Reached,
    /// No such object.
    Dead,
}

/// What lives in the slot that a handle names.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Tenant {
    /// The handle's own object.
    Own,
    /// Nothing.
    None,
    /// A later object, or an earlier one if the handle is made up.
    Other,
}
