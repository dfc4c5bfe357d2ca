//! Objects that are being loaded: all of them are kept, or none is.

use alloc::vec::Vec;
use core::any::TypeId;

use crate::geometry::Geometry;
use crate::graph::{Column, GraphError, Map, Relinked};
use crate::handle::{AnyGc, RawHandle};
use crate::heap::Heap;
use crate::heap::graph::HeapTypes;
use crate::panics::Panics;
use crate::trace::{Link, Trace};

/// Objects that are being made, by type, and are destroyed again unless they are kept.
pub(super) struct Made<'a> {
    heap: &'a mut Heap,
    map: Map,
}

impl<'a> Made<'a> {
    /// For objects of these types.
    pub(super) fn new(heap: &'a mut Heap, types: impl Iterator<Item = TypeId>) -> Self {
        Self { heap, map: Map::Loaded(types.map(Column::new).collect()) }
    }

    fn columns(map: &mut Map) -> &mut [Column] {
        match map {
            Map::Loaded(columns) => columns,
            Map::Copies(_) => &mut [],
        }
    }

    /// The objects of the type with this number.
    pub(super) fn column(&mut self, index: usize) -> &mut Column {
        &mut Self::columns(&mut self.map)[index]
    }

    /// Makes an object.
    pub(super) fn place<T: Trace>(&mut self, value: T) -> Result<RawHandle, GraphError> {
        const { Geometry::<T>::FITS };
        match self.heap.try_alloc(value) {
            Ok(gc) => Ok(gc.raw()),
            Err(refused) => Err(GraphError::Limit(refused.without_value())),
        }
    }

    /// Puts the new handles into all of them, and keeps them.
    pub(super) fn keep<L: HeapTypes>(mut self, mut roots: Vec<AnyGc>) -> Result<Relinked, GraphError> {
        let Self { heap, map } = &mut self;
        Self::columns(map).iter_mut().for_each(Column::close);
        let (map, mut became_null) = (&*map, 0);
        for root in &mut roots {
            let new = map.find(Link { raw: root.raw(), typed: None });
            became_null += usize::from(new.is_none() && !root.raw().is_null());
            *root = AnyGc::from_raw(new.unwrap_or(RawHandle::NULL));
        }
        let mut ops = Vec::new();
        L::ops(&mut ops);
        let placed: Vec<&[RawHandle]> = match map {
            Map::Loaded(columns) => columns.iter().map(|column| &column.new[..]).collect(),
            Map::Copies(_) => Vec::new(),
        };
        let pass = heap.relink_once(&ops, &placed, map)?;
        heap.refile(&ops, &pass.owners);
        let map = core::mem::replace(&mut self.map, Map::Loaded(Vec::new()));
        Ok(Relinked { map, roots, became_null: became_null + pass.became_null, merged: pass.merged })
    }
}

impl Drop for Made<'_> {
    fn drop(&mut self) {
        let mut panics = Panics::default();
        for column in Self::columns(&mut self.map).iter_mut().rev() {
            panics.run_all(|| match column.new.pop() {
                Some(raw) => {
                    self.heap.unmake(raw);
                    true
                }
                None => false,
            });
        }
        panics.raise_unless_panicking();
    }
}
