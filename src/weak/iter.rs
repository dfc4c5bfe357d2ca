//! The iterators of the weak collections: hashbrown's, under names that stay the same if the tables change.

use core::fmt;
use core::iter::{Chain, FusedIterator};

use hashbrown::hash_table;

use crate::handle::Weak;

/// An iterator over the entries of a table: `$entry` is the table's type, `$item` what `$show` makes of it.
macro_rules! iterators {
    ($(
        $(#[$doc:meta])*
        $iter:ident<$($lifetime:lifetime,)? $($param:ident),*>
            ($inner:ident of $entry:ty) -> $item:ty: |$pattern:pat_param| $show:expr;
    )*) => {$(
        $(#[$doc])*
        pub struct $iter<$($lifetime,)? $($param),*>(pub(in crate::weak) hash_table::$inner<$($lifetime,)? $entry>);

        impl<$($lifetime,)? $($param),*> Iterator for $iter<$($lifetime,)? $($param),*> {
            type Item = $item;

            #[inline]
            fn next(&mut self) -> Option<$item> {
                self.0.next().map(|$pattern| $show)
            }

            #[inline]
            fn size_hint(&self) -> (usize, Option<usize>) {
                self.0.size_hint()
            }

            #[inline]
            fn fold<B, F: FnMut(B, $item) -> B>(self, init: B, mut f: F) -> B {
                self.0.fold(init, |folded, $pattern| f(folded, $show))
            }
        }

        impl<$($lifetime,)? $($param),*> ExactSizeIterator for $iter<$($lifetime,)? $($param),*> {}

        impl<$($lifetime,)? $($param),*> FusedIterator for $iter<$($lifetime,)? $($param),*> {}
    )*};
}

/// Iterators through `&` can be cloned, and show what is left when they are printed.
macro_rules! shared {
    ($($iter:ident<$($param:ident $(: $bound:path)?),*>),* $(,)?) => {$(
        impl<$($param),*> Clone for $iter<'_, $($param),*> {
            fn clone(&self) -> Self {
                Self(self.0.clone())
            }
        }

        impl<$($param $(: $bound)?),*> fmt::Debug for $iter<'_, $($param),*> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_list().entries(self.clone()).finish()
            }
        }
    )*};
}

/// Other iterators say how much is left.
macro_rules! counted {
    ($($iter:ident<$($lifetime:lifetime,)? $($param:ident),*>),* $(,)?) => {$(
        impl<$($param),*> fmt::Debug for $iter<$($lifetime,)? $($param),*> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({} left)", stringify!($iter), self.len())
            }
        }
    )*};
}

/// Iterators of [`WeakSet`](crate::WeakSet).
pub mod weak_set {
    use super::*;
    use crate::weak::{Table, hash_of};

    iterators! {
        /// The elements of a set.
        Iter<'a, T>(Iter of Weak<T>) -> Weak<T>: |weak| *weak;
        /// The elements of a set that is emptied.
        Drain<'a, T>(Drain of Weak<T>) -> Weak<T>: |weak| weak;
        /// The elements of a set that is gone.
        IntoIter<T>(IntoIter of Weak<T>) -> Weak<T>: |weak| weak;
    }

    shared!(Iter<T>);
    counted!(Drain<'_, T>, IntoIter<T>);

    /// The elements of a set that are in another one, or that are not.
    pub(in crate::weak) struct Compared<'a, T> {
        pub(in crate::weak) own: Iter<'a, T>,
        pub(in crate::weak) other: &'a Table<Weak<T>>,
        pub(in crate::weak) wanted: Wanted,
    }

    #[derive(Clone, Copy, PartialEq, Eq)]
    pub(in crate::weak) enum Wanted {
        Common,
        Own,
    }

    impl<T> Clone for Compared<'_, T> {
        fn clone(&self) -> Self {
            Self { own: self.own.clone(), ..*self }
        }
    }

    impl<T> Iterator for Compared<'_, T> {
        type Item = Weak<T>;

        fn next(&mut self) -> Option<Weak<T>> {
            let Self { own, other, wanted } = self;
            let is_common = |weak: &Weak<T>| other.find(hash_of(weak), |known| known == weak).is_some();
            own.find(|weak| is_common(weak) == (*wanted == Wanted::Common))
        }

        fn size_hint(&self) -> (usize, Option<usize>) {
            (0, self.own.size_hint().1)
        }
    }

    impl<T> FusedIterator for Compared<'_, T> {}

    /// Iterators over two sets.
    macro_rules! of_two {
        ($($(#[$doc:meta])* $iter:ident($inner:ty);)*) => {$(
            $(#[$doc])*
            pub struct $iter<'a, T>(pub(in crate::weak) $inner);

            impl<T> Iterator for $iter<'_, T> {
                type Item = Weak<T>;

                fn next(&mut self) -> Option<Weak<T>> {
                    self.0.next()
                }

                fn size_hint(&self) -> (usize, Option<usize>) {
                    self.0.size_hint()
                }
            }

            impl<T> FusedIterator for $iter<'_, T> {}

            impl<T> Clone for $iter<'_, T> {
                fn clone(&self) -> Self {
                    Self(self.0.clone())
                }
            }

            impl<T> fmt::Debug for $iter<'_, T> {
                fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    f.debug_list().entries(self.clone()).finish()
                }
            }
        )*};
    }

    of_two! {
        /// What is in either of two sets.
        Union(Chain<Iter<'a, T>, Compared<'a, T>>);
        /// What is in both of two sets.
        Intersection(Compared<'a, T>);
        /// What is in one set and not in the other.
        Difference(Compared<'a, T>);
        /// What is in exactly one of two sets.
        SymmetricDifference(Chain<Compared<'a, T>, Compared<'a, T>>);
    }
}

/// Iterators of [`WeakKeyMap`](crate::WeakKeyMap).
pub mod weak_key_map {
    use super::*;

    iterators! {
        /// The entries of a map.
        Iter<'a, K, V>(Iter of (Weak<K>, V)) -> (Weak<K>, &'a V): |(key, value)| (*key, value);
        /// The entries of a map, with mutable values.
        IterMut<'a, K, V>(IterMut of (Weak<K>, V)) -> (Weak<K>, &'a mut V): |(key, value)| (*key, value);
        /// The objects that have a value in a map.
        Keys<'a, K, V>(Iter of (Weak<K>, V)) -> Weak<K>: |(key, _)| *key;
        /// The values of a map.
        Values<'a, K, V>(Iter of (Weak<K>, V)) -> &'a V: |(_, value)| value;
        /// The values of a map, mutably.
        ValuesMut<'a, K, V>(IterMut of (Weak<K>, V)) -> &'a mut V: |(_, value)| value;
        /// The entries of a map that is emptied.
        Drain<'a, K, V>(Drain of (Weak<K>, V)) -> (Weak<K>, V): |entry| entry;
        /// The entries of a map that is gone.
        IntoIter<K, V>(IntoIter of (Weak<K>, V)) -> (Weak<K>, V): |entry| entry;
    }

    shared!(Iter<K, V: fmt::Debug>, Keys<K, V>, Values<K, V: fmt::Debug>);
    counted!(IterMut<'_, K, V>, ValuesMut<'_, K, V>, Drain<'_, K, V>, IntoIter<K, V>);
}

/// Iterators of [`WeakValueMap`](crate::WeakValueMap).
pub mod weak_value_map {
    use super::*;

    iterators! {
        /// The entries of a map.
        Iter<'a, K, V>(Iter of (K, Weak<V>)) -> (&'a K, Weak<V>): |(key, weak)| (key, *weak);
        /// The keys of a map.
        Keys<'a, K, V>(Iter of (K, Weak<V>)) -> &'a K: |(key, _)| key;
        /// The objects of a map.
        Values<'a, K, V>(Iter of (K, Weak<V>)) -> Weak<V>: |(_, weak)| *weak;
        /// The entries of a map that is emptied.
        Drain<'a, K, V>(Drain of (K, Weak<V>)) -> (K, Weak<V>): |entry| entry;
        /// The entries of a map that is gone.
        IntoIter<K, V>(IntoIter of (K, Weak<V>)) -> (K, Weak<V>): |entry| entry;
    }

    shared!(Iter<K: fmt::Debug, V>, Keys<K: fmt::Debug, V>, Values<K, V>);
    counted!(Drain<'_, K, V>, IntoIter<K, V>);
}

/// Iterators of [`Interner`](crate::Interner).
pub mod interner {
    use super::*;

    /// An entry: the value's hash, so that growing needs no heap, and the value's handle.
    pub(in crate::weak) struct Interned<T> {
        pub(in crate::weak) hash: u64,
        pub(in crate::weak) weak: Weak<T>,
    }

    impl<T> Clone for Interned<T> {
        fn clone(&self) -> Self {
            Self { hash: self.hash, weak: self.weak }
        }
    }

    iterators! {
        /// The objects of an interner.
        Iter<'a, T>(Iter of Interned<T>) -> Weak<T>: |entry| entry.weak;
    }

    shared!(Iter<T>);
}
