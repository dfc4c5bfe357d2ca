//! Weak collections of each sort outside of the heap under test.

use slotgc::Heap;

use crate::ops::Combine;
use crate::tables::Tables;
use crate::types::view::{KeysView, SetView, ValuesView};
use crate::types::{KeyMap, Names, Set, ValueMap, has_names};

/// Weak collections that no heap holds, so that none prunes them.
#[derive(Debug, Default)]
pub(crate) struct Outside {
    pub(crate) values: ValueMap,
    pub(crate) keys: KeyMap,
    pub(crate) set: Set,
    pub(crate) names: Names,
}

impl Outside {
    pub(crate) fn prune_dead(&mut self, heap: &Heap) {
        self.values.prune_dead(heap);
        self.keys.prune_dead(heap);
        self.set.prune_dead(heap);
        self.names.prune_dead(heap);
    }

    pub(crate) fn holds(&self, tables: &Tables) -> bool {
        ValuesView::holds(&self.values, tables)
            && KeysView::holds(&self.keys, tables)
            && SetView::holds(&self.set, tables)
            && has_names(&self.names, tables)
    }

    /// Combines another set into this one, in both ways there are.
    pub(crate) fn combine(&mut self, by: Combine, other: &Set) {
        let mut assigned = self.set.clone();
        let combined = match by {
            Combine::Union => {
                assigned |= other;
                &self.set | other
            }
            Combine::Intersection => {
                assigned &= other;
                &self.set & other
            }
            Combine::Difference => {
                assigned -= other;
                &self.set - other
            }
            Combine::Symmetric => {
                assigned ^= other;
                &self.set ^ other
            }
        };
        assert_eq!(assigned, combined, "an operator and its assigning form");
        let both = self.set.intersection(other).count();
        assert_eq!(self.set.is_disjoint(other), both == 0, "is_disjoint");
        assert_eq!(self.set.is_subset(other), both == self.set.len(), "is_subset");
        assert_eq!(self.set.is_superset(other), both == other.len(), "is_superset");
        self.set = combined;
    }
}
