//! The objects of a type on all threads of a rayon pool.
//!
//! How many objects each page holds is counted first, by all threads, so that a piece can begin with the
//! object of any number. Where objects are changed, the same pass does the write barrier for all of them:
//! each thread gathers what is new in its pages, and the lists are joined before any object changes.

use alloc::vec::Vec;
use core::fmt;
use core::marker::PhantomData;

use rayon::iter::plumbing::{Consumer, Producer, ProducerCallback, UnindexedConsumer, bridge};
use rayon::prelude::*;

use crate::handle::{Gc, RawHandle, ShortName};
use crate::heap::Heap;
use crate::heap::access::barrier;
use crate::pool::Pool;
use crate::store::{LoggedMut, Objects, Store};
use crate::trace::Trace;

/// # All objects of a type, in parallel
impl Heap {
    /// Every living object of type `T`, as [`iter`](Self::iter), on all threads of rayon's pool. Indexed: it
    /// can be zipped, collected in slot order, and taken in chunks. O(slots) of work; a part of it counts the
    /// objects of each page.
    ///
    /// # Examples
    /// ```
    /// # #[cfg(feature = "rayon")] {
    /// use rayon::prelude::*;
    /// use slotgc::Heap;
    ///
    /// let mut heap = Heap::new();
    /// heap.extend(0..1000_u64);
    /// assert_eq!(heap.par_iter::<u64>().map(|(_, n)| *n).sum::<u64>(), 499_500);
    /// # }
    /// ```
    #[cfg_attr(docsrs, doc(cfg(feature = "rayon")))]
    pub fn par_iter<T: Trace>(&self) -> ParIter<'_, T> {
        let pages = self.pool_of::<T>().map_or(&[][..], Pool::pages);
        ParIter { objects: self.store.iter(pages), pages: pages.len(), len: self.len_of::<T>() }
    }

    /// Every living object of type `T`, mutably, as [`iter_mut`](Self::iter_mut), on all threads of
    /// rayon's pool. All of them pass the write barrier. Indexed.
    ///
    /// # Examples
    /// ```
    /// # #[cfg(feature = "rayon")] {
    /// use rayon::prelude::*;
    /// use slotgc::Heap;
    ///
    /// let mut heap = Heap::new();
    /// heap.extend([1_u64, 2, 3]);
    /// heap.par_iter_mut::<u64>().for_each(|(_, n)| *n *= 10);
    /// assert!(heap.iter::<u64>().map(|(_, n)| *n).eq([10, 20, 30]));
    /// # }
    /// ```
    #[cfg_attr(docsrs, doc(cfg(feature = "rayon")))]
    pub fn par_iter_mut<T: Trace>(&mut self) -> ParIterMut<'_, T> {
        let len = self.len_of::<T>();
        let Self { store, pools, types, .. } = self;
        let pages = types.get::<T>().map_or(&[][..], |index| pools[index as usize].pages());
        ParIterMut { store, pages, len, objects: PhantomData }
    }
}

/// The objects of a type, on several threads: of [`Heap::par_iter`].
pub struct ParIter<'a, T> {
    objects: Objects<'a, T>,
    pages: usize,
    len: usize,
}

/// The objects of a type, mutably, on several threads: of [`Heap::par_iter_mut`].
pub struct ParIterMut<'a, T> {
    store: &'a mut Store,
    pages: &'a [u32],
    len: usize,
    objects: PhantomData<&'a mut T>,
}

impl<T> Clone for ParIter<'_, T> {
    fn clone(&self) -> Self {
        Self { objects: self.objects.clone(), ..*self }
    }
}

/// The number of each page's first object.
fn starts(lens: impl Iterator<Item = usize>) -> Vec<usize> {
    let mut next = 0;
    let add = |len| {
        next += len;
        next - len
    };
    lens.map(add).collect()
}

/// What both have in common; `$object` is the type of their items.
macro_rules! parallel {
    ($iter:ident, $object:ty) => {
        impl<'a, T: Trace> ParallelIterator for $iter<'a, T> {
            type Item = (Gc<T>, $object);

            fn drive_unindexed<C: UnindexedConsumer<Self::Item>>(self, consumer: C) -> C::Result {
                bridge(self, consumer)
            }

            fn opt_len(&self) -> Option<usize> {
                Some(self.len)
            }
        }

        impl<T> fmt::Debug for $iter<'_, T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}<{}>({})", stringify!($iter), ShortName::of::<T>(), self.len)
            }
        }
    };
}

parallel!(ParIter, &'a T);
parallel!(ParIterMut, &'a mut T);

impl<T: Trace> IndexedParallelIterator for ParIter<'_, T> {
    fn len(&self) -> usize {
        self.len
    }

    fn drive<C: Consumer<Self::Item>>(self, consumer: C) -> C::Result {
        bridge(self, consumer)
    }

    fn with_producer<P: ProducerCallback<Self::Item>>(self, callback: P) -> P::Output {
        let Self { objects, pages, len } = self;
        let lens: Vec<_> = (0..pages).into_par_iter().map(|page| objects.len_of_page(page)).collect();
        let starts = starts(lens.into_iter());
        callback.callback(Piece { objects, starts: &starts, first: 0, len })
    }
}

impl<T: Trace> IndexedParallelIterator for ParIterMut<'_, T> {
    fn len(&self) -> usize {
        self.len
    }

    fn drive<C: Consumer<Self::Item>>(self, consumer: C) -> C::Result {
        bridge(self, consumer)
    }

    fn with_producer<P: ProducerCallback<Self::Item>>(self, callback: P) -> P::Output {
        let Self { store, pages, len, .. } = self;
        let all = 0..pages.len();
        let shared = &*store;
        let logged: Vec<_> =
            all.into_par_iter().map(|page| shared.log_page::<T>(pages, page, barrier::<T>())).collect();
        let starts = starts(logged.iter().map(|(len, _)| *len));
        logged.into_iter().for_each(|(_, logged)| store.note_logged(logged));
        let objects = store.iter_logged_mut::<T>(pages);
        callback.callback(PieceMut { objects, starts: &starts, first: 0, len })
    }
}

/// Objects that one thread visits, or that are split further.
struct Piece<'a, 's, T> {
    objects: Objects<'a, T>,
    /// The number of each page's first object.
    starts: &'s [usize],
    /// The number of the first.
    first: usize,
    len: usize,
}

/// The same, mutably.
struct PieceMut<'a, 's, T> {
    objects: LoggedMut<'a, T>,
    starts: &'s [usize],
    first: usize,
    len: usize,
}

/// How both are split and iterated.
macro_rules! producer {
    ($piece:ident, $object:ty, $objects:ty) => {
        impl<'a, T: Trace> Producer for $piece<'a, '_, T> {
            type Item = (Gc<T>, $object);
            type IntoIter = Objectwise<$objects, T>;

            fn into_iter(self) -> Self::IntoIter {
                Objectwise { objects: self.objects, left: self.len, target: PhantomData }
            }

            fn split_at(self, index: usize) -> (Self, Self) {
                let Self { objects, starts, first, len } = self;
                let (left, right) = objects.split_at(starts, first + index);
                let left = Self { objects: left, starts, first, len: index };
                (left, Self { objects: right, starts, first: first + index, len: len - index })
            }
        }
    };
}

producer!(Piece, &'a T, Objects<'a, T>);
producer!(PieceMut, &'a mut T, LoggedMut<'a, T>);

/// The objects of a piece, one after the other.
struct Objectwise<I, T> {
    objects: I,
    left: usize,
    target: PhantomData<fn() -> T>,
}

impl<T, R, I: Iterator<Item = (RawHandle, R)>> Iterator for Objectwise<I, T> {
    type Item = (Gc<T>, R);

    fn next(&mut self) -> Option<Self::Item> {
        let (raw, object) = self.objects.next()?;
        self.left -= 1;
        Some((Gc::from_raw(raw), object))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl<T, R, I: DoubleEndedIterator<Item = (RawHandle, R)>> DoubleEndedIterator for Objectwise<I, T> {
    fn next_back(&mut self) -> Option<Self::Item> {
        let (raw, object) = self.objects.next_back()?;
        self.left -= 1;
        Some((Gc::from_raw(raw), object))
    }
}

impl<T, R, I: Iterator<Item = (RawHandle, R)>> ExactSizeIterator for Objectwise<I, T> {}
