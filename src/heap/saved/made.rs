//! Objects that are being loaded: all of them are kept, or none.

use alloc::vec::Vec;

use crate::geometry::Geometry;
use crate::graph::{GraphError, Relinked};
use crate::handle::{AnyGc, RawHandle};
use crate::heap::Heap;
use crate::heap::graph::HeapTypes;
use crate::panics::Panics;
use crate::trace::Trace;

/// Objects that are being made, type by type, and are destroyed again unless they are kept.
pub(in crate::heap::saved) struct Made<'a> {
    heap: &'a mut Heap,
    raws: Vec<RawHandle>,
    /// Where those of each type of the schema end.
    ends: Vec<usize>,
}

impl<'a> Made<'a> {
    pub(in crate::heap::saved) fn new(heap: &'a mut Heap) -> Self {
        Self { heap, raws: Vec::new(), ends: Vec::new() }
    }

    /// All objects of the next type were made: these.
    pub(in crate::heap::saved) fn end_type(&mut self) -> &[RawHandle] {
        let start = self.ends.last().copied().unwrap_or(0);
        self.ends.push(self.raws.len());
        &self.raws[start..]
    }

    /// Puts the new handles into all of them.
    pub(in crate::heap::saved) fn relink<L: HeapTypes>(
        &mut self,
        relinked: &mut Relinked,
    ) -> Result<(), GraphError> {
        let starts = core::iter::once(&0).chain(&self.ends);
        let placed: Vec<&[RawHandle]> =
            starts.zip(&self.ends).map(|(start, end)| &self.raws[*start..*end]).collect();
        let mut ops = Vec::new();
        L::ops(&mut ops);
        let pass = self.heap.relink_once(&ops, &placed, &relinked.map)?;
        relinked.became_null += pass.became_null;
        relinked.merged += pass.merged;
        self.heap.refile(&ops, &pass.owners);
        Ok(())
    }

    pub(in crate::heap::saved) fn place<T: Trace>(&mut self, value: T) -> Result<RawHandle, GraphError> {
        const { Geometry::<T>::FITS };
        match self.heap.try_alloc(value) {
            Ok(gc) => {
                self.raws.push(gc.raw());
                Ok(gc.raw())
            }
            Err(refused) => Err(GraphError::Limit(refused.without_value())),
        }
    }

    pub(in crate::heap::saved) fn keep(mut self) {
        self.raws.clear();
    }
}

impl Drop for Made<'_> {
    fn drop(&mut self) {
        let mut panics = Panics::default();
        panics.run_all(|| match self.raws.pop() {
            Some(raw) => {
                self.heap.destroy_any(AnyGc::from_raw(raw));
                true
            }
            None => false,
        });
        panics.raise_unless_panicking();
    }
}
