//! What all weak collections pass on to their table.

/// The size of a collection: a `$noun` of `$items`, of which garbage collection leaves those `$alive`.
macro_rules! sized {
    ([$($generics:tt)*] $ty:ty: $noun:literal of $items:literal, $alive:literal) => {
        impl<$($generics)*> $ty {
            #[doc = concat!("The number of ", $items, "; right after a collection exactly those ", $alive, ".")]
            pub fn len(&self) -> usize {
                self.table.len()
            }

            #[doc = concat!("Whether the ", $noun, " is empty.")]
            pub fn is_empty(&self) -> bool {
                self.table.is_empty()
            }

            #[doc = concat!("How many ", $items, " fit without reallocating.")]
            pub fn capacity(&self) -> usize {
                self.table.capacity()
            }
        }
    };
}
pub(super) use sized;

/// As `sized`, for a collection that can be emptied.
macro_rules! emptied {
    ([$($generics:tt)*] $ty:ty: $noun:literal of $items:literal, $alive:literal) => {
        $crate::weak::common::sized!([$($generics)*] $ty: $noun of $items, $alive);

        impl<$($generics)*> $ty {
            #[doc = concat!("Removes all ", $items, " and keeps the memory.")]
            pub fn clear(&mut self) {
                self.table.clear();
            }
        }
    };
}
pub(super) use emptied;
