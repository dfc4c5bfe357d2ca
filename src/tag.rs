//! Type tags: a type's identity in the 64 bits that a page carries and that every access compares.
//!
//! Invariant: no two types of which the process ever had a handle or an object share a tag. [`register`]
//! checks this where a pool is made and where a handle is made from bits, which are the only two ways to get
//! either. So if tags match, types match, by proof and not by chance.

use core::any::TypeId;
use core::hash::{Hash, Hasher};

/// The identity of a type, never zero. Zero is the tag of a page that holds no type at the moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(transparent)]
pub(crate) struct Tag(u64);

/// The bit that is set only in the tags of veiled pages.
const VEIL: u64 = 1 << 63;

impl Tag {
    /// The tag that no type has.
    pub(crate) const NONE: Tag = Tag(0);

    /// The tag of `T`: a constant after inlining.
    #[inline(always)]
    pub(crate) fn of<T: 'static>() -> Tag {
        Self::of_id(TypeId::of::<T>())
    }

    /// The tag of a type that need not be `'static`.
    #[cfg(all(feature = "serde", feature = "std"))]
    pub(crate) fn of_any<T>() -> Tag {
        Self::of_id(typeid::of::<T>())
    }

    #[inline(always)]
    fn of_id(id: TypeId) -> Tag {
        let mut fold = Fold(0);
        id.hash(&mut fold);
        // Only 7 bits in the test of clashing tags.
        let bits = if cfg!(slotgc_narrow_tags) { fold.0 & 0xff } else { fold.0 };
        Tag((bits | 1) & !VEIL)
    }

    /// The tag of the same type's pages while they hold dead objects that no longer resolve and are not swept
    /// yet.
    #[inline(always)]
    pub(crate) const fn veiled(self) -> Tag {
        Tag(self.0 | VEIL)
    }

    /// Undoes `veiled`.
    #[inline(always)]
    pub(crate) const fn unveiled(self) -> Tag {
        Tag(self.0 & !VEIL)
    }

    pub(crate) const fn is_veiled(self) -> bool {
        self.0 & VEIL != 0
    }

    /// The tag, spread over all of its bits.
    pub(crate) fn spread(self) -> u64 {
        self.0.wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }

    /// A number below `bound` (a power of two) that differs between most types.
    #[inline(always)]
    pub(crate) fn bucket(self, bound: usize) -> usize {
        debug_assert!(bound.is_power_of_two());
        // The lowest bit is always set, so it carries no information.
        (self.0 >> 1) as usize & (bound - 1)
    }
}

/// Keeps what `TypeId` feeds to a hasher, which is a good hash already.
struct Fold(u64);

impl Hasher for Fold {
    #[inline(always)]
    fn finish(&self) -> u64 {
        self.0
    }

    #[inline(always)]
    fn write_u64(&mut self, part: u64) {
        self.0 = self.0.rotate_left(32) ^ part;
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0.rotate_left(5) ^ u64::from(*byte)).wrapping_mul(0x517c_c1b7_2722_0a95);
        }
    }
}

/// Ensures that no other type in use has the tag of `T`. A few loads for a type that was registered before.
///
/// # Panics
/// If another type with the same tag is in use: two objects of different types could then be taken
/// for each other. The chance is 2<sup>-62</sup> for each pair of types.
#[inline]
pub(crate) fn register<T>() {
    let id = typeid::of::<T>();
    let tag = Tag::of_id(id);
    if !registry::is_known(tag, id) && !registry::add(tag, id) {
        clash(core::any::type_name::<T>());
    }
}

#[cold]
#[inline(never)]
fn clash(type_name: &str) -> ! {
    panic!(
        "slotgc: the type {type_name} has the same 64-bit tag as another type in this process; rename either"
    )
}

#[cfg(not(loom))]
mod registry {
    use super::{Tag, TypeId};
    use crate::sync::{FlagsWord, Ordering, fence};

    /// The types in use in this process, spread over buckets so that the search is short.
    static TYPES: [boxcar::Vec<(Tag, TypeId)>; 64] = [const { boxcar::Vec::new() }; 64];

    /// For some tags, the position in its bucket of the type that has it, counted from one, once the type was
    /// found to be the only one. A hint: the entry there is compared.
    static PLACES: [FlagsWord; 256] = [const { FlagsWord::new(0) }; 256];

    /// Whether the type was added before and no other has its tag.
    #[inline]
    pub(super) fn is_known(tag: Tag, id: TypeId) -> bool {
        // Relaxed: a number, of an entry that this thread reads by boxcar's own orderings.
        let place = PLACES[tag.bucket(PLACES.len())].load(Ordering::Relaxed);
        let known = TYPES[tag.bucket(TYPES.len())].get((place as usize).wrapping_sub(1));
        known == Some(&(tag, id))
    }

    /// Adds the type; `false` if another one has its tag.
    #[cold]
    pub(super) fn add(tag: Tag, id: TypeId) -> bool {
        let bucket = &TYPES[tag.bucket(TYPES.len())];
        if !bucket.iter().any(|(_, known)| *known == (tag, id)) {
            bucket.push((tag, id));
            // SeqCst: of two threads that add clashing types at once, each has pushed before this fence, so
            // at least one of them sees the other's entry below.
            fence(Ordering::SeqCst);
        }
        let is_alone = bucket.iter().all(|(_, known)| known.0 != tag || known.1 == id);
        let place = bucket.iter().find(|(_, known)| **known == (tag, id)).map_or(0, |(index, _)| index + 1);
        if is_alone {
            // Relaxed: a hint.
            PLACES[tag.bucket(PLACES.len())].store(u32::try_from(place).unwrap_or(0), Ordering::Relaxed);
        }
        is_alone
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn two_types_with_one_tag_are_noticed() {
            let tag = Tag(0xdead_beef);
            assert!(add(tag, TypeId::of::<[u8; 71]>()));
            assert!(add(tag, TypeId::of::<[u8; 71]>()));
            assert!(!add(tag, TypeId::of::<[u8; 72]>()));
        }
    }
}

/// A model has no process-wide state: each of its executions starts from scratch.
#[cfg(loom)]
mod registry {
    pub(super) fn is_known(_: super::Tag, _: super::TypeId) -> bool {
        true
    }

    pub(super) fn add(_: super::Tag, _: super::TypeId) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_of_different_types_differ() {
        struct A;
        struct B;
        assert_ne!(Tag::of::<A>(), Tag::of::<B>());
        assert_ne!(Tag::of::<A>(), Tag::NONE);
        register::<A>();
        register::<A>();
    }
}
