//! The representation of every handle: a granule and a generation in 64 bits.

use core::fmt;
use core::hash::{Hash, Hasher};
use core::num::NonZeroU64;

use slotmap::KeyData;

use super::text::Line;
use crate::geometry::{Geometry, Granule, MAX_PAGES, PAGE_GRANULES};

/// A slot's tenancy number: odd while an object lives there, otherwise even.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Generation(pub(crate) u32);

impl Generation {
    /// The generation of a slot that was never used, and of one whose generations are used up.
    pub(crate) const ZERO: Generation = Generation(0);

    #[inline(always)]
    pub(crate) fn is_occupied(self) -> bool {
        self.0 % 2 == 1
    }

    /// The generation after this one. After the last comes [`ZERO`](Self::ZERO): the slot is retired.
    #[inline(always)]
    pub(crate) fn next(self) -> Generation {
        Generation(self.0.wrapping_add(1))
    }
}

/// The representation of every handle: a granule and an odd generation, ordered by both.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(transparent)]
pub(crate) struct RawHandle(NonZeroU64);

impl RawHandle {
    /// The handle that never resolves: its page is beyond every heap's range.
    pub(crate) const NULL: RawHandle = RawHandle(match NonZeroU64::new((u32::MAX as u64) << 32 | 1) {
        Some(bits) => bits,
        None => unreachable!(),
    });

    #[inline(always)]
    pub(crate) fn new(granule: Granule, generation: Generation) -> Self {
        debug_assert!(generation.is_occupied(), "a handle names a living generation");
        // The `| 1` changes nothing for an odd generation, and tells the compiler that the bits are not zero.
        let bits = u64::from(granule.0) << 32 | u64::from(generation.0) | 1;
        Self(NonZeroU64::MIN | bits)
    }

    /// From arbitrary bits: null unless the generation is odd.
    #[inline]
    pub(crate) fn from_bits(bits: u64) -> Self {
        if bits & 1 == 0 { Self::NULL } else { Self(NonZeroU64::MIN | bits) }
    }

    #[inline(always)]
    pub(crate) fn to_bits(self) -> u64 {
        self.0.get()
    }

    #[inline(always)]
    pub(crate) fn granule(self) -> Granule {
        Granule((self.0.get() >> 32) as u32)
    }

    #[inline(always)]
    pub(crate) fn generation(self) -> Generation {
        Generation(self.0.get() as u32)
    }

    pub(crate) fn is_null(self) -> bool {
        self == Self::NULL
    }

    /// The same handle if it lies on a slot boundary of `T` or stands for a foreign key, otherwise null.
    #[inline]
    pub(crate) fn checked<T>(self) -> Self {
        let granule = self.granule();
        if granule.page() == LAST_PAGE {
            return self.foreign_key::<T>().map_or(Self::NULL, |_| self);
        }
        if granule.is_boundary::<T>() { self } else { Self::NULL }
    }

    /// slotmap's form of the handle: slots numbered densely within each page.
    pub(super) fn to_key<T>(self) -> KeyData {
        let granule = self.granule();
        if granule.page() == LAST_PAGE {
            return self.foreign_key::<T>().unwrap_or_default();
        }
        let index = granule.page() * Geometry::<T>::PAGE_SLOTS + granule.slot_index::<T>();
        KeyData::from_ffi(u64::from(self.generation().0) << 32 | u64::from(index))
    }

    pub(super) fn from_key<T>(key: KeyData) -> Self {
        let ffi = key.as_ffi();
        let (index, generation) = (ffi as u32, Generation((ffi >> 32) as u32));
        let page = index / Geometry::<T>::PAGE_SLOTS;
        if page >= LAST_PAGE {
            return Self::of_foreign_key(index, generation);
        }
        Self::new(Granule::of_slot::<T>(page, index % Geometry::<T>::PAGE_SLOTS), generation)
    }

    /// A handle for a key that no object of `T` can have: its number is too large. slotmap's own maps make
    /// such keys once they have that many entries, and need them back unchanged. The handle lies in the last
    /// page, which is never opened, so it resolves to nothing; the key is spread over the remaining bits.
    /// Null if it does not fit: for a place that was used 4095 times, in a map with more entries than a heap
    /// has slots.
    #[cold]
    fn of_foreign_key(index: u32, version: Generation) -> Self {
        let uses = version.0 >> 1;
        let is_null = index == u32::MAX && version.0 == 1;
        if is_null || uses >= FOREIGN_USES || !version.is_occupied() {
            return Self::NULL;
        }
        let in_page = index >> 31 << FOREIGN_USES.trailing_ones() | uses;
        Self::new(Granule::new(LAST_PAGE, in_page), Generation(index << 1 | 1))
    }

    /// Undoes `of_foreign_key`; `None` for any other handle.
    #[cold]
    pub(super) fn foreign_key<T>(self) -> Option<KeyData> {
        let in_page = self.granule().in_page();
        let index = in_page >> FOREIGN_USES.trailing_ones() << 31 | self.generation().0 >> 1;
        let version = (in_page & FOREIGN_USES) << 1 | 1;
        let key = KeyData::from_ffi(u64::from(version) << 32 | u64::from(index));
        let is_foreign = index / Geometry::<T>::PAGE_SLOTS >= LAST_PAGE;
        (is_foreign && Self::from_key::<T>(key) == self && !self.is_null()).then_some(key)
    }
}

/// No heap opens this page.
pub(super) const LAST_PAGE: u32 = MAX_PAGES - 1;

/// How often a foreign key's place may have been used: all ones, in all but one of the bits of a granule's
/// place in its page.
pub(super) const FOREIGN_USES: u32 = (PAGE_GRANULES >> 1) - 1;

impl fmt::Debug for RawHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Hash for RawHandle {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.to_bits());
    }
}

impl fmt::Display for RawHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_null() {
            return f.pad("null");
        }
        let mut text = Line::default();
        fmt::write(&mut text, format_args!("{}v{}", self.granule().0, self.generation().0))?;
        f.pad(text.as_str())
    }
}
