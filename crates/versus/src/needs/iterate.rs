//! What iterating over all objects needs of a peer.

use crate::needs::Handles;

/// A heap that lists its objects.
pub(crate) trait Iterate: Handles {
    /// The sum of the ids of all objects, found without a handle.
    fn sum_of_all(&self) -> u64;
}
