//! Iteration over the objects of a type.

use core::fmt;
use core::iter::FusedIterator;

use crate::handle::{Gc, ShortName};
use crate::heap::Heap;
use crate::heap::access::barrier;
use crate::pool::Pool;
use crate::store::{Objects, ObjectsMut};
use crate::trace::Trace;

/// # All objects of a type
impl Heap {
    /// Every living object of type `T`, in slot order, garbage included. O(slots) for all of them. Methods
    /// that consume the iterator (`for_each`, `sum`, `fold`) take half as long as a `for` loop.
    ///
    /// # Examples
    /// ```
    /// use slotgc::Heap;
    ///
    /// let mut heap = Heap::new();
    /// for n in 1..=3 {
    ///     heap.alloc(n);
    /// }
    /// assert_eq!(heap.iter::<i32>().map(|(_, n)| n).sum::<i32>(), 6);
    /// assert_eq!(heap.iter::<i32>().len(), 3);
    /// assert_eq!(heap.iter::<i32>().next_back().map(|(_, n)| *n), Some(3));
    /// ```
    pub fn iter<T: Trace>(&self) -> Iter<'_, T> {
        let pool = self.pool_of::<T>();
        let pages = pool.map_or(&[][..], Pool::pages);
        Iter { objects: self.store.iter(pages), left: pool.map_or(0, |pool| self.living_in(pool)) }
    }

    /// Every living object of type `T`, mutably, in slot order. Each object that the iterator yields passes
    /// the write barrier. O(slots) for all of them.
    ///
    /// # Examples
    /// ```
    /// use slotgc::Heap;
    ///
    /// let mut heap = Heap::new();
    /// let n = heap.alloc(1);
    /// heap.iter_mut::<i32>().for_each(|(_, n)| *n += 1);
    /// assert_eq!(heap[n], 2);
    /// ```
    pub fn iter_mut<T: Trace>(&mut self) -> IterMut<'_, T> {
        let left = self.len_of::<T>();
        let Self { store, pools, types, .. } = self;
        let pages = types.get::<T>().map_or(&[][..], |index| pools[index as usize].pages());
        IterMut { objects: store.iter_mut(pages, barrier::<T>()), left }
    }
}

/// The objects of a type: of [`Heap::iter`].
///
/// # Examples
/// ```
/// use slotgc::{Heap, iter::Iter};
///
/// fn longest<'a>(names: Iter<'a, String>) -> Option<&'a str> {
///     names.map(|(_, name)| name.as_str()).max_by_key(|name| name.len())
/// }
///
/// let mut heap = Heap::new();
/// heap.extend(["Teddy".to_string(), "Pooh".to_string()]);
/// assert_eq!(longest(heap.iter()), Some("Teddy"));
/// ```
pub struct Iter<'a, T> {
    objects: Objects<'a, T>,
    left: usize,
}

/// The objects of a type, mutably: of [`Heap::iter_mut`].
pub struct IterMut<'a, T> {
    objects: ObjectsMut<'a, T>,
    left: usize,
}

impl<T> Clone for Iter<'_, T> {
    fn clone(&self) -> Self {
        Self { objects: self.objects.clone(), left: self.left }
    }
}

/// What both iterators have, `$object` their items.
macro_rules! iterator {
    ($iter:ident, $object:ty) => {
        impl<'a, T: Trace> Iterator for $iter<'a, T> {
            type Item = (Gc<T>, $object);

            #[inline]
            fn next(&mut self) -> Option<Self::Item> {
                let (raw, object) = self.objects.next()?;
                self.left -= 1;
                Some((Gc::from_raw(raw), object))
            }

            #[inline]
            fn size_hint(&self) -> (usize, Option<usize>) {
                (self.left, Some(self.left))
            }

            #[inline]
            fn fold<B, F: FnMut(B, Self::Item) -> B>(self, init: B, mut visit: F) -> B {
                self.objects.fold(init, |all, (raw, object)| visit(all, (Gc::from_raw(raw), object)))
            }
        }

        impl<'a, T: Trace> DoubleEndedIterator for $iter<'a, T> {
            #[inline]
            fn next_back(&mut self) -> Option<Self::Item> {
                let (raw, object) = self.objects.next_back()?;
                self.left -= 1;
                Some((Gc::from_raw(raw), object))
            }
        }

        impl<T: Trace> ExactSizeIterator for $iter<'_, T> {}

        impl<T: Trace> FusedIterator for $iter<'_, T> {}

        impl<T> fmt::Debug for $iter<'_, T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}<{}>({} left)", stringify!($iter), ShortName::of::<T>(), self.left)
            }
        }
    };
}

iterator!(Iter, &'a T);
iterator!(IterMut, &'a mut T);
