//! Finds the pool of a type in a few instructions, however many types there are.

use core::any::TypeId;

use hashbrown::HashTable;

use crate::tag::Tag;

/// Places for the types used last.
const RECENT: usize = 32;

/// Pools by type. The types in use lie in an array, by their tags; all of them in a table beside it.
#[derive(Clone)]
pub(super) struct Types {
    recent: [(TypeId, u16); RECENT],
    all: HashTable<(TypeId, u64, u16)>,
}

/// A type that has no pool.
struct Nobody;

impl Default for Types {
    fn default() -> Self {
        Self { recent: [(TypeId::of::<Nobody>(), 0); RECENT], all: HashTable::new() }
    }
}

fn hash<T: 'static>() -> u64 {
    // hashbrown takes its seven bits from the top.
    Tag::of::<T>().spread()
}

impl Types {
    /// The pool of `T`, if it is one of those used last.
    #[inline(always)]
    pub(super) fn recent<T: 'static>(&self) -> Option<u16> {
        // The type itself is compared, not its tag.
        let (id, index) = self.recent[Tag::of::<T>().bucket(RECENT)];
        (id == TypeId::of::<T>()).then_some(index)
    }

    /// The pool of `T`.
    #[inline]
    pub(super) fn get<T: 'static>(&self) -> Option<u16> {
        if let Some(index) = self.recent::<T>() {
            return Some(index);
        }
        self.find(TypeId::of::<T>(), hash::<T>())
    }

    // Not generic, so that hashbrown's functions are not compiled for each type.
    #[inline]
    fn find(&self, id: TypeId, hash: u64) -> Option<u16> {
        self.all.find(hash, |known| known.0 == id).map(|known| known.2)
    }

    /// The pool of `T`, which is found quickly from here on.
    pub(super) fn promote<T: 'static>(&mut self) -> Option<u16> {
        let index = self.get::<T>()?;
        self.recent[Tag::of::<T>().bucket(RECENT)] = (TypeId::of::<T>(), index);
        Some(index)
    }

    /// Adds a pool for a type that has none.
    pub(super) fn add<T: 'static>(&mut self, index: u16) {
        self.insert(TypeId::of::<T>(), hash::<T>(), index);
    }

    fn insert(&mut self, id: TypeId, hash: u64, index: u16) {
        self.all.insert_unique(hash, (id, hash, index), |known| known.1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Other<const N: usize>;

    #[test]
    fn a_type_is_found_by_itself_and_not_by_its_place() {
        let mut types = Types::default();
        assert_eq!(types.get::<Other<0>>(), None);
        macro_rules! with_many {
            ($then:ident: $($n:literal)*) => { $(types.$then::<Other<$n>>($n);)* };
        }
        macro_rules! all {
            ($($n:literal)*) => { $(
                assert_eq!(types.get::<Other<$n>>(), Some($n));
                assert_eq!(types.promote::<Other<$n>>(), Some($n));
                assert_eq!(types.recent::<Other<$n>>(), Some($n));
            )* };
        }
        with_many!(add: 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32 33);
        all!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32 33);
        all!(33 32 31 30 29 28 27 26 25 24 23 22 21 20 19 18 17 16 15 14 13 12 11 10 9 8 7 6 5 4 3 2 1 0);
        assert_eq!(types.get::<Other<99>>(), None);
    }
}
