//! Handles: the 8-byte ids by which a program and the heap name an object.
//!
//! Invariant: the granule of a non-null `Gc<T>` or `Weak<T>` is a slot boundary of `T`'s pages
//! ([`Geometry`]), and its generation is odd. Both hold wherever a handle is made; bits from outside are
//! checked in one place, [`RawHandle::checked`]. This is what makes made-up handles safe: the heap may read a
//! slot's header at any granule of a page of the right type. An [`AnyGc`] promises only the odd generation.
//!
//! This module knows no heap: only the heap knows whether a handle resolves.

mod raw;
mod short_name;
mod text;

use core::cmp::Ordering;
use core::fmt;
use core::hash::{Hash, Hasher};
use core::marker::PhantomData;

use slotmap::KeyData;

use crate::tag::register;
use raw::LAST_PAGE;
pub(crate) use raw::{Generation, RawHandle};
pub(crate) use short_name::{ShortName, write_short};

/// A handle of an object: a strong edge when it is stored inside another object, a checked id on the stack.
///
/// Eight bytes, `Copy`. It keeps its object alive only where a collection finds it: in a field of a live
/// object that [`Trace`](crate::Trace) reports. A local variable keeps nothing alive: that is what
/// [`Root`](crate::Root) is for. A handle whose object is gone resolves to `None` for ever, whatever takes
/// the object's place.
///
/// Two handles are equal if and only if they name the same object, living or dead.
///
/// # Examples
/// ```
/// use slotgc::{Gc, Heap};
///
/// let mut heap = Heap::new();
/// let bear: Gc<String> = heap.alloc("Teddy".to_string());
/// assert_eq!(heap.get(bear).map(String::as_str), Some("Teddy"));
///
/// heap.collect(); // nothing roots the bear
/// assert_eq!(heap.get(bear), None);
/// ```
#[doc(alias("key", "id", "pointer"))]
#[repr(transparent)]
pub struct Gc<T> {
    raw: RawHandle,
    target: PhantomData<fn(T) -> T>,
}

/// A handle that never keeps its object alive, wherever it is stored.
///
/// Eight bytes, `Copy`. Making one costs nothing and registers nothing: it is a [`Gc`] that no collection
/// follows.
///
/// # Examples
/// ```
/// use slotgc::{Heap, Weak};
///
/// let mut heap = Heap::new();
/// let root = heap.alloc_root(7u32);
/// let weak: Weak<u32> = root.downgrade();
/// assert_eq!(heap.get(weak), Some(&7));
///
/// drop(root);
/// heap.collect();
/// assert_eq!(heap.get(weak), None);
/// ```
#[doc(alias("weak pointer", "ref"))]
#[repr(transparent)]
pub struct Weak<T> {
    raw: RawHandle,
    target: PhantomData<fn(T) -> T>,
}

/// A [`Gc`] whose type is known only at run time.
///
/// Eight bytes, `Copy`. A strong edge when it is stored inside an object. Turn it back into a `Gc` with
/// [`Heap::downcast`](crate::Heap::downcast).
///
/// # Examples
/// ```
/// use slotgc::{AnyGc, Heap};
///
/// let mut heap = Heap::new();
/// let any: AnyGc = heap.alloc(1u8).erase();
/// assert!(heap.downcast::<u8>(any).is_some());
/// assert!(heap.downcast::<u16>(any).is_none());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct AnyGc {
    raw: RawHandle,
}

const _: () = assert!(size_of::<Gc<u8>>() == 8 && size_of::<Option<Gc<u8>>>() == 8);
const _: () = assert!(size_of::<Option<Weak<u8>>>() == 8 && size_of::<Option<AnyGc>>() == 8);

impl<T> Gc<T> {
    /// For a handle whose granule is a slot boundary of `T`.
    #[inline(always)]
    pub(crate) fn from_raw(raw: RawHandle) -> Self {
        debug_assert!(
            raw.granule().page() == LAST_PAGE || raw.granule().is_boundary::<T>(),
            "{raw} is no slot of {}",
            ShortName::of::<T>()
        );
        Self { raw, target: PhantomData }
    }

    /// The weak handle of the same object.
    #[inline(always)]
    pub fn downgrade(self) -> Weak<T> {
        Weak::from_raw(self.raw)
    }

    /// The same handle without its type.
    #[inline(always)]
    pub fn erase(self) -> AnyGc {
        AnyGc { raw: self.raw }
    }
}

impl<T> Weak<T> {
    /// For a handle whose granule is a slot boundary of `T`.
    #[inline(always)]
    pub(crate) fn from_raw(raw: RawHandle) -> Self {
        debug_assert!(
            raw.granule().page() == LAST_PAGE || raw.granule().is_boundary::<T>(),
            "{raw} is no slot of {}",
            ShortName::of::<T>()
        );
        Self { raw, target: PhantomData }
    }

    /// A weak handle that never resolves, in any heap.
    ///
    /// # Examples
    /// ```
    /// use slotgc::{Heap, Weak};
    ///
    /// let target: Weak<String> = Weak::dangling();
    /// assert_eq!(Heap::new().get(target), None);
    /// ```
    pub const fn dangling() -> Self {
        Self { raw: RawHandle::NULL, target: PhantomData }
    }

    /// The strong handle with the same identity, whether or not it resolves.
    #[inline(always)]
    pub(crate) fn assume_strong(self) -> Gc<T> {
        Gc::from_raw(self.raw)
    }
}

impl AnyGc {
    #[inline(always)]
    pub(crate) fn raw(self) -> RawHandle {
        self.raw
    }

    #[inline(always)]
    pub(crate) fn from_raw(raw: RawHandle) -> Self {
        Self { raw }
    }

    /// The handle as a number, the same as [`Gc::to_bits`] of the object.
    #[inline]
    pub fn to_bits(self) -> u64 {
        self.raw.to_bits()
    }

    /// The handle with these bits. Bits that no handle has become a handle that resolves to nothing.
    #[inline]
    pub fn from_bits(bits: u64) -> Self {
        Self { raw: RawHandle::from_bits(bits) }
    }
}

impl Default for AnyGc {
    /// The null handle: it never resolves.
    fn default() -> Self {
        Self { raw: RawHandle::NULL }
    }
}

impl fmt::Debug for AnyGc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AnyGc({})", self.raw)
    }
}

impl fmt::Display for AnyGc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.raw, f)
    }
}

/// What `Gc` and `Weak` have in common. Written by hand, since a derive would put the bounds on `T`.
macro_rules! typed_handle {
    ($handle:ident) => {
        impl<T> $handle<T> {
            #[inline(always)]
            pub(crate) fn raw(self) -> RawHandle {
                self.raw
            }

            /// The handle as a number, to be kept outside Rust or packed into a tagged word. `Gc`, `Weak` and
            /// `AnyGc` of one object have the same bits.
            #[inline]
            pub fn to_bits(self) -> u64 {
                self.raw.to_bits()
            }

            /// The handle with these bits: `from_bits(h.to_bits()) == h`. Bits that no handle of a `T` has
            /// become the null handle or one that resolves to nothing; bits of another object's handle may
            /// resolve to a live object, always a `T`. O(1), a few instructions.
            ///
            /// # Examples
            /// ```
            #[doc = concat!("use slotgc::{Heap, ", stringify!($handle), "};")]
            ///
            /// let mut heap = Heap::new();
            #[doc = concat!("let handle: ", stringify!($handle), "<u32> = heap.alloc(5).into();")]
            #[doc = concat!("assert_eq!(", stringify!($handle), "::from_bits(handle.to_bits()), handle);")]
            #[doc = concat!("let made_up = ", stringify!($handle), "::<u32>::from_bits(0xdead_beef);")]
            /// assert_eq!(heap.get(made_up), None);
            /// ```
            #[inline]
            pub fn from_bits(bits: u64) -> Self {
                register::<T>();
                Self::from_raw(RawHandle::from_bits(bits).checked::<T>())
            }
        }

        impl<T> Clone for $handle<T> {
            #[inline(always)]
            fn clone(&self) -> Self {
                *self
            }
        }

        impl<T> Copy for $handle<T> {}

        impl<T> PartialEq for $handle<T> {
            #[inline(always)]
            fn eq(&self, other: &Self) -> bool {
                self.raw == other.raw
            }
        }

        impl<T> Eq for $handle<T> {}

        impl<T> PartialOrd for $handle<T> {
            #[inline]
            fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
                Some(self.cmp(other))
            }
        }

        impl<T> Ord for $handle<T> {
            /// By slot, then by generation: for one type the order of [`Heap::iter`](crate::Heap::iter).
            #[inline]
            fn cmp(&self, other: &Self) -> Ordering {
                self.raw.cmp(&other.raw)
            }
        }

        impl<T> Hash for $handle<T> {
            #[inline]
            fn hash<H: Hasher>(&self, state: &mut H) {
                self.raw.hash(state);
            }
        }

        impl<T> Default for $handle<T> {
            /// The null handle: it never resolves.
            fn default() -> Self {
                Self { raw: RawHandle::NULL, target: PhantomData }
            }
        }

        impl<T> fmt::Debug for $handle<T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}<{}>({})", stringify!($handle), ShortName::of::<T>(), self.raw)
            }
        }

        impl<T> fmt::Display for $handle<T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.raw, f)
            }
        }

        impl<T> From<KeyData> for $handle<T> {
            /// As [`from_bits`](Self::from_bits), from slotmap's form of a key.
            fn from(key: KeyData) -> Self {
                register::<T>();
                Self::from_raw(RawHandle::from_key::<T>(key))
            }
        }

        // SAFETY: slotmap requires that `data` return the same key as long as the handle is unchanged, which
        // holds since it is computed from the handle's bits alone, and that `From<KeyData>` undo it:
        // `from_key` and `to_key` are inverse to each other on every handle that the invariant above admits,
        // and on every key that a map can make: see `of_foreign_key`.
        #[expect(unsafe_code, reason = "`slotmap::Key` is an unsafe trait; this is its only implementation")]
        unsafe impl<T> slotmap::Key for $handle<T> {
            fn data(&self) -> KeyData {
                self.raw.to_key::<T>()
            }
        }
    };
}

typed_handle!(Gc);
typed_handle!(Weak);

impl<T> From<Gc<T>> for AnyGc {
    fn from(gc: Gc<T>) -> Self {
        gc.erase()
    }
}

impl<T> From<&Gc<T>> for AnyGc {
    fn from(gc: &Gc<T>) -> Self {
        gc.erase()
    }
}

impl<T> From<Weak<T>> for AnyGc {
    /// The handle of the same object: a strong edge when stored inside another object.
    fn from(weak: Weak<T>) -> Self {
        Self { raw: weak.raw }
    }
}

impl<T> From<Gc<T>> for Weak<T> {
    fn from(gc: Gc<T>) -> Self {
        gc.downgrade()
    }
}

impl<T> From<&Gc<T>> for Weak<T> {
    fn from(gc: &Gc<T>) -> Self {
        gc.downgrade()
    }
}

impl<T> From<&Weak<T>> for Weak<T> {
    fn from(weak: &Weak<T>) -> Self {
        *weak
    }
}

impl<T> PartialEq<Weak<T>> for Gc<T> {
    fn eq(&self, other: &Weak<T>) -> bool {
        self.raw == other.raw
    }
}

impl<T> PartialEq<Gc<T>> for Weak<T> {
    fn eq(&self, other: &Gc<T>) -> bool {
        self.raw == other.raw
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;
    use alloc::{format, vec};

    use super::raw::FOREIGN_USES;
    use super::*;
    use crate::geometry::Granule;

    #[test]
    fn keys_and_bits_round_trip_at_every_slot() {
        type Node = [u64; 8];
        for page in [0, 1, 77, LAST_PAGE - 1] {
            for slot in [0, 1, 909] {
                let granule = Granule::of_slot::<Node>(page, slot);
                for generation in [1, 3, u32::MAX] {
                    let gc = Gc::<Node>::from_raw(RawHandle::new(granule, Generation(generation)));
                    assert_eq!(Gc::from_bits(gc.to_bits()), gc);
                    assert_eq!(Gc::from(slotmap::Key::data(&gc)), gc);
                }
            }
        }
        assert_eq!(Gc::<Node>::from(KeyData::default()), Gc::default());
        assert_eq!(slotmap::Key::data(&Gc::<Node>::default()), KeyData::default());
        assert!(slotmap::Key::is_null(&Gc::<Node>::default()));
    }

    #[test]
    fn keys_that_no_object_can_have_come_back_unchanged_and_name_nothing() {
        fn check<T: 'static>(first_foreign: u64) {
            let last = u64::from(u32::MAX);
            for index in [first_foreign - 1, first_foreign, first_foreign + 7, last / 2 + 1, last - 1, last] {
                for version in [1, 3, 2 * u64::from(FOREIGN_USES) - 1] {
                    let key = KeyData::from_ffi(version << 32 | index);
                    let gc = Gc::<T>::from(key);
                    assert_eq!(slotmap::Key::data(&gc), key, "{index} {version}");
                    assert_eq!(gc, Gc::from_bits(gc.to_bits()));
                    let is_foreign = gc.raw().granule().page() == LAST_PAGE;
                    assert_eq!(is_foreign, index >= first_foreign, "{index} {version}");
                }
            }
        }
        check::<[u64; 20_000]>(u64::from(LAST_PAGE));
        check::<[u64; 8]>(u64::from(LAST_PAGE) * 910);
        check::<u8>(u64::from(LAST_PAGE) * 4096);
    }

    #[test]
    fn bits_off_a_slot_boundary_are_null() {
        type Node = [u64; 8];
        let in_the_middle = RawHandle::new(Granule::new(0, 4), Generation(1));
        let past_the_last = RawHandle::new(Granule::new(0, 910 * 9), Generation(1));
        for raw in [in_the_middle, past_the_last] {
            assert!(Gc::<Node>::from_bits(raw.to_bits()).raw().is_null());
        }
        assert!(Gc::<Node>::from_bits(0).raw().is_null());
        assert!(Gc::<Node>::from_bits(2).raw().is_null(), "an even generation");
    }

    #[test]
    fn text_has_the_short_name_and_keeps_to_a_width() {
        struct Node;
        let raw = RawHandle::new(Granule::of_slot::<Node>(0, 6), Generation(3));
        assert_eq!(format!("{:?}", Gc::<Node>::from_raw(raw)), "Gc<Node>(12v3)");
        assert_eq!(
            format!("{:?}", Weak::<vec::Vec<Option<Node>>>::dangling()),
            "Weak<Vec<Option<Node>>>(null)"
        );
        assert_eq!(format!("{:?}", Gc::<Node>::from_raw(raw).erase()), "AnyGc(12v3)");
        assert_eq!(format!("[{:>6}]", Gc::<Node>::from_raw(raw)), "[  12v3]");
        assert_eq!(ShortName("(a::B, &'static [c::D<e::F>; 3])").to_string(), "(B, &'static [D<F>; 3])");
    }
}
