//! Containers: they hold handles if what they contain does, and are not walked otherwise.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet, BinaryHeap, LinkedList, VecDeque};
use alloc::vec::Vec;
use core::cmp::Reverse;
use core::num::{Saturating, Wrapping};
use core::ops::{Bound, ControlFlow, Range, RangeFrom, RangeInclusive, RangeTo};

use crate::trace::{Liveness, Trace, Tracer};

/// Containers of one type that give references and mutable references to all they hold.
macro_rules! sequences {
    ($([$($generics:tt)*] $ty:ty),* $(,)?) => {$(
        impl<T: Trace, $($generics)*> Trace for $ty {
            const NEEDS_TRACE: bool = T::NEEDS_TRACE;

            #[inline]
            fn trace(&self, tracer: &mut Tracer<'_>) {
                if T::NEEDS_TRACE {
                    self.iter().for_each(|item| item.trace(tracer));
                }
            }

            #[inline]
            fn prune(&mut self, live: &Liveness<'_>) {
                if T::NEEDS_TRACE {
                    self.iter_mut().for_each(|item| item.prune(live));
                }
            }
        }
    )*};
}

sequences! {
    [] Vec<T>, [] VecDeque<T>, [] LinkedList<T>, [] Box<[T]>, [] Option<T>, [const N: usize] [T; N],
}

/// Ordered and hashed collections: what they order or hash by cannot be changed in place, so a weak
/// collection in a key or an element is not pruned.
macro_rules! sets {
    ($([$($generics:tt)*] $ty:ty),* $(,)?) => {$(
        impl<T: Trace, $($generics)*> Trace for $ty {
            const NEEDS_TRACE: bool = T::NEEDS_TRACE;

            #[inline]
            fn trace(&self, tracer: &mut Tracer<'_>) {
                if T::NEEDS_TRACE {
                    self.iter().for_each(|item| item.trace(tracer));
                }
            }
        }
    )*};
}

sets! {
    [] BTreeSet<T>, [] BinaryHeap<T>, [S: Send + Sync + 'static] hashbrown::HashSet<T, S>,
}

#[cfg(feature = "std")]
sets! { [S: Send + Sync + 'static] std::collections::HashSet<T, S> }

/// Maps: edges from keys and values, weak collections in values.
macro_rules! maps {
    ($([$($generics:tt)*] $ty:ty),* $(,)?) => {$(
        impl<K: Trace, V: Trace, $($generics)*> Trace for $ty {
            const NEEDS_TRACE: bool = K::NEEDS_TRACE || V::NEEDS_TRACE;

            #[inline]
            fn trace(&self, tracer: &mut Tracer<'_>) {
                if K::NEEDS_TRACE || V::NEEDS_TRACE {
                    self.iter().for_each(|(key, value)| {
                        key.trace(tracer);
                        value.trace(tracer);
                    });
                }
            }

            #[inline]
            fn prune(&mut self, live: &Liveness<'_>) {
                if V::NEEDS_TRACE {
                    self.values_mut().for_each(|value| value.prune(live));
                }
            }
        }
    )*};
}

maps! { [] BTreeMap<K, V>, [S: Send + Sync + 'static] hashbrown::HashMap<K, V, S> }

#[cfg(feature = "std")]
maps! { [S: Send + Sync + 'static] std::collections::HashMap<K, V, S> }

/// slotmap's maps: edges from values; their keys are no handles of a heap unless they are weak side tables.
macro_rules! slot_maps {
    ($([$($generics:tt)*] $ty:ty),* $(,)?) => {$(
        impl<K: slotmap::Key + Send + Sync + 'static, V: Trace, $($generics)*> Trace for $ty {
            const NEEDS_TRACE: bool = V::NEEDS_TRACE;

            #[inline]
            fn trace(&self, tracer: &mut Tracer<'_>) {
                if V::NEEDS_TRACE {
                    self.values().for_each(|value| value.trace(tracer));
                }
            }

            #[inline]
            fn prune(&mut self, live: &Liveness<'_>) {
                if V::NEEDS_TRACE {
                    self.values_mut().for_each(|value| value.prune(live));
                }
            }
        }
    )*};
}

slot_maps! {
    [] slotmap::SlotMap<K, V>, [] slotmap::DenseSlotMap<K, V>, [] slotmap::SecondaryMap<K, V>,
}

#[cfg(feature = "std")]
slot_maps! {
    [S: std::hash::BuildHasher + Send + Sync + 'static] slotmap::SparseSecondaryMap<K, V, S>,
}

impl<T: Trace> Trace for Box<T> {
    const NEEDS_TRACE: bool = T::NEEDS_TRACE;

    #[inline]
    fn trace(&self, tracer: &mut Tracer<'_>) {
        (**self).trace(tracer);
    }

    #[inline]
    fn prune(&mut self, live: &Liveness<'_>) {
        (**self).prune(live);
    }
}

/// Types made of a fixed number of values.
macro_rules! structs {
    ($($ty:ident { $($field:tt),* }),* $(,)?) => {$(
        impl<T: Trace> Trace for $ty<T> {
            const NEEDS_TRACE: bool = T::NEEDS_TRACE;

            #[inline]
            fn trace(&self, tracer: &mut Tracer<'_>) {
                $(self.$field.trace(tracer);)*
            }

            #[inline]
            fn prune(&mut self, live: &Liveness<'_>) {
                $(self.$field.prune(live);)*
            }
        }
    )*};
}

structs! {
    Range { start, end }, RangeFrom { start }, RangeTo { end }, Reverse { 0 }, Wrapping { 0 }, Saturating { 0 },
}

impl<T: Trace> Trace for RangeInclusive<T> {
    const NEEDS_TRACE: bool = T::NEEDS_TRACE;

    #[inline]
    fn trace(&self, tracer: &mut Tracer<'_>) {
        self.start().trace(tracer);
        self.end().trace(tracer);
    }
}

impl<T: Trace> Trace for Bound<T> {
    const NEEDS_TRACE: bool = T::NEEDS_TRACE;

    #[inline]
    fn trace(&self, tracer: &mut Tracer<'_>) {
        if let Bound::Included(bound) | Bound::Excluded(bound) = self {
            bound.trace(tracer);
        }
    }

    #[inline]
    fn prune(&mut self, live: &Liveness<'_>) {
        if let Bound::Included(bound) | Bound::Excluded(bound) = self {
            bound.prune(live);
        }
    }
}

/// Enums of two types.
macro_rules! either {
    ($($ty:ident { $first:ident, $second:ident }),* $(,)?) => {$(
        impl<A: Trace, B: Trace> Trace for $ty<A, B> {
            const NEEDS_TRACE: bool = A::NEEDS_TRACE || B::NEEDS_TRACE;

            #[inline]
            fn trace(&self, tracer: &mut Tracer<'_>) {
                match self {
                    $ty::$first(value) => value.trace(tracer),
                    $ty::$second(value) => value.trace(tracer),
                }
            }

            #[inline]
            fn prune(&mut self, live: &Liveness<'_>) {
                match self {
                    $ty::$first(value) => value.prune(live),
                    $ty::$second(value) => value.prune(live),
                }
            }
        }
    )*};
}

either! { Result { Ok, Err }, ControlFlow { Continue, Break } }

/// Locks. Nobody can hold one during a collection, which has the heap to itself; what a leaked guard locks for
/// ever counts as holding no handles. A poisoned lock is traced as any other.
#[cfg(feature = "std")]
macro_rules! locks {
    ($($ty:ident . $lock:ident),*) => {$(
        impl<T: Trace> Trace for std::sync::$ty<T> {
            const NEEDS_TRACE: bool = T::NEEDS_TRACE;

            fn trace(&self, tracer: &mut Tracer<'_>) {
                tracer.interior_mutability();
                match self.$lock() {
                    Ok(value) => value.trace(tracer),
                    Err(std::sync::TryLockError::Poisoned(value)) => value.into_inner().trace(tracer),
                    Err(std::sync::TryLockError::WouldBlock) => {}
                }
            }

            fn prune(&mut self, live: &Liveness<'_>) {
                match self.get_mut() {
                    Ok(value) => value.prune(live),
                    Err(value) => value.into_inner().prune(live),
                }
            }
        }
    )*};
}

#[cfg(feature = "std")]
locks!(Mutex.try_lock, RwLock.try_read);

#[cfg(feature = "std")]
impl<T: Trace> Trace for std::sync::OnceLock<T> {
    const NEEDS_TRACE: bool = T::NEEDS_TRACE;

    fn trace(&self, tracer: &mut Tracer<'_>) {
        tracer.interior_mutability();
        if let Some(value) = self.get() {
            value.trace(tracer);
        }
    }

    fn prune(&mut self, live: &Liveness<'_>) {
        if let Some(value) = self.get_mut() {
            value.prune(live);
        }
    }
}

/// Tuples of up to twelve.
macro_rules! tuples {
    ($($name:ident)*) => {
        impl<$($name: Trace),*> Trace for ($($name,)*) {
            const NEEDS_TRACE: bool = false $(|| $name::NEEDS_TRACE)*;

            #[inline]
            fn trace(&self, tracer: &mut Tracer<'_>) {
                #[expect(non_snake_case, reason = "fields are named after their types")]
                let ($($name,)*) = self;
                $($name.trace(tracer);)*
            }

            #[inline]
            fn prune(&mut self, live: &Liveness<'_>) {
                #[expect(non_snake_case, reason = "fields are named after their types")]
                let ($($name,)*) = self;
                $($name.prune(live);)*
            }
        }
    };
}

tuples!(A);
tuples!(A B);
tuples!(A B C);
tuples!(A B C D);
tuples!(A B C D E);
tuples!(A B C D E F);
tuples!(A B C D E F G);
tuples!(A B C D E F G H);
tuples!(A B C D E F G H I);
tuples!(A B C D E F G H I J);
tuples!(A B C D E F G H I J K);
tuples!(A B C D E F G H I J K L);
