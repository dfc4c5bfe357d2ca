//! What objects of many types need of a peer.

/// The most types there are: they take time to compile.
pub(crate) const MOST: usize = if cfg!(feature = "many-types") { 200 } else { 8 };

/// A heap whose objects are of several types, all of 64 bytes.
pub(crate) trait Types {
    /// What names an object of any type.
    type Handle;

    /// An empty heap.
    fn new() -> Self;
    /// Makes an object of the type with this number, which is less than [`MOST`].
    fn alloc(&mut self, number: usize, id: u64) -> Self::Handle;
    /// Checks that these are all objects, as they were made: with the numbers from 0 on as ids, of the types
    /// with the numbers less than `types` in turn.
    fn check(&self, types: usize, handles: &[Self::Handle]);
}
