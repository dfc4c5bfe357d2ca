//! Putting new handles into new objects.

use alloc::vec::Vec;

use crate::graph::{GraphError, Map, Relinking, TypeList};
use crate::handle::{AnyGc, Gc, RawHandle};
use crate::heap::Heap;
use crate::trace::{Link, Links, Relinker, Trace, Values};

impl Heap {
    /// Destroys an object that is not known outside, as if it had not been made.
    pub(in crate::heap) fn unmake(&mut self, raw: RawHandle) {
        let slot_bytes = self.pools[usize::from(self.store.pool_of(raw.granule()))].info().slot_bytes;
        if self.destroy_any(AnyGc::from_raw(raw)) {
            self.counts.freed -= 1;
            self.counts.freed_bytes -= slot_bytes as u64;
        }
    }

    /// Replaces the handles in objects, those of each type, once.
    pub(in crate::heap) fn relink_once(
        &mut self,
        ops: &[HeapOps],
        placed: &[impl AsRef<[RawHandle]>],
        map: &Map,
    ) -> Result<Pass, GraphError> {
        let mut relinking = Relinking::new(map);
        let mut owners = Vec::new();
        for (index, placed) in placed.iter().enumerate() {
            (ops[index].relink)(self, placed.as_ref(), &mut relinking, &mut owners);
        }
        match relinking.unsupported {
            Some(type_name) => Err(GraphError::NotRelinkable { type_name }),
            None => Ok(Pass {
                owners,
                outside: relinking.outside,
                became_null: relinking.became_null,
                merged: relinking.merged,
            }),
        }
    }

    /// Rehashes the tables in objects whose handles have all been replaced.
    pub(in crate::heap) fn refile(&mut self, ops: &[HeapOps], owners: &[(usize, RawHandle)]) {
        owners.iter().for_each(|(index, owner)| (ops[*index].refile)(self, *owner));
    }
}

/// The objects with tables to be rehashed, by type.
pub(in crate::heap) type Owners = Vec<(usize, RawHandle)>;

/// The result of one pass over new objects.
pub(in crate::heap) struct Pass {
    #[cfg_attr(not(feature = "serde"), allow(dead_code, reason = "copies know their own"))]
    pub(in crate::heap) owners: Owners,
    /// Handles that were left as they are.
    pub(in crate::heap) outside: hashbrown::HashSet<RawHandle, crate::weak::Fixed>,
    pub(in crate::heap) became_null: usize,
    pub(in crate::heap) merged: usize,
}

/// Rehashes tables; all handles stay.
struct Refiling<'a>(Values<'a>);

impl Relinker for Refiling<'_> {
    fn replace(&mut self, link: Link) -> RawHandle {
        link.raw
    }

    fn unsupported(&mut self, _: &'static str) {}

    fn merged(&mut self) {}

    fn values(&self) -> Option<Values<'_>> {
        Some(self.0)
    }
}

/// The heap's operations on objects of a listed type.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct HeapOps {
    relink: fn(&mut Heap, &[RawHandle], &mut Relinking<'_>, &mut Owners),
    refile: fn(&mut Heap, RawHandle),
}

/// The types of a [`Schema`], without further bounds; nothing to implement.
#[doc(hidden)]
pub trait HeapTypes: TypeList {
    fn ops(ops: &mut Vec<HeapOps>);
}

impl HeapTypes for () {
    fn ops(_: &mut Vec<HeapOps>) {}
}

impl<T: Trace, L: HeapTypes> HeapTypes for (T, L) {
    fn ops(ops: &mut Vec<HeapOps>) {
        L::ops(ops);
        ops.push(HeapOps {
            relink: |heap, placed, relinking, owners| {
                if !T::HOLDS_HANDLES {
                    return;
                }
                for raw in placed {
                    let tables = relinking.tables;
                    if let Some(object) = heap.get_mut(Gc::<T>::from_raw(*raw)) {
                        object.relink(&mut Links::new(relinking));
                    }
                    if relinking.tables > tables {
                        owners.push((L::LEN, *raw));
                    }
                }
            },
            refile: |heap, raw| {
                if let Some((object, others)) = heap.split_mut(Gc::<T>::from_raw(raw)) {
                    object.relink(&mut Links::new(&mut Refiling(others.values())));
                }
            },
        });
    }
}
