//! [`Relinked`]: which object stands for which, after a graph was copied or loaded.

#[cfg(feature = "serde")]
use alloc::vec;
use alloc::vec::Vec;
#[cfg(feature = "serde")]
use core::any::TypeId;
use core::any::type_name_of_val;
use core::fmt;

use hashbrown::HashSet;

use crate::handle::{AnyGc, Gc, RawHandle};
use crate::trace::{Copies, Link, Links, Relinker, Trace};
use crate::weak::Fixed;

/// The new handles of objects that were copied or loaded, by their old ones. For handles that live outside of
/// the graph: in a world's components, in the editor's selection.
///
/// # Examples
/// ```
/// use slotgc::{Gc, Heap, Schema, Trace};
///
/// #[derive(Trace, Clone)]
/// struct Node { next: Option<Gc<Node>> }
///
/// let mut heap = Heap::new();
/// let last = heap.alloc(Node { next: None });
/// let first = heap.alloc(Node { next: Some(last) });
/// let mut selection = vec![last];
///
/// let (copy, relinked) = heap.clone_graph(first, &Schema::new().with::<Node>("node")).unwrap();
/// relinked.apply(&mut selection);
/// assert_eq!(heap[copy].next, Some(selection[0]));
/// assert_eq!(relinked.get(first), Some(copy));
/// ```
pub struct Relinked {
    pub(crate) map: Map,
    pub(crate) roots: Vec<AnyGc>,
    pub(crate) became_null: usize,
    pub(crate) merged: usize,
}

/// New handles by old ones.
pub(crate) enum Map {
    /// After a copy: what is not in it stays as it is.
    Copies(Copies),
    /// After a load: what is not in it becomes null.
    #[cfg(feature = "serde")]
    Loaded(Vec<Column>),
}

/// The loaded objects of one type, in the order of their old slots.
#[cfg(feature = "serde")]
pub(crate) struct Column {
    pub(crate) id: TypeId,
    /// By old handles in their dense form.
    keys: Rows,
    /// By old handles in their other form.
    bits: Vec<(u64, RawHandle)>,
}

/// The new handle of each key.
#[cfg(feature = "serde")]
enum Rows {
    /// By number: the generation and the new handle, in one line. Where few numbers are without an object.
    Dense(Vec<(u32, RawHandle)>),
    Sparse(Vec<(u64, RawHandle)>),
}

#[cfg(feature = "serde")]
impl Column {
    /// Of rows whose keys and bits ascend, as many as new handles.
    pub(crate) fn new(id: TypeId, keys: &[u64], bits: &[u64], new: &[RawHandle]) -> Self {
        let bits = bits.iter().copied().zip(new.iter().copied()).collect();
        let rows = keys.iter().copied().zip(new.iter().copied());
        let last = keys.last().map_or(0, |key| *key as u32 as usize);
        if last >= keys.len() * 4 + 1024 {
            return Self { id, keys: Rows::Sparse(rows.collect()), bits };
        }
        let mut dense = vec![(0, RawHandle::NULL); last + 1];
        rows.for_each(|(key, new)| dense[key as u32 as usize] = ((key >> 32) as u32, new));
        Self { id, keys: Rows::Dense(dense), bits }
    }

    #[inline]
    fn by_key(&self, key: u64) -> Option<RawHandle> {
        match &self.keys {
            Rows::Dense(rows) => {
                let (generation, new) = rows.get(key as u32 as usize)?;
                (u64::from(*generation) == key >> 32 && *generation != 0).then_some(*new)
            }
            Rows::Sparse(rows) => {
                let row = rows.binary_search_by_key(&(key as u32), |(known, _)| *known as u32).ok()?;
                (rows[row].0 == key).then_some(rows[row].1)
            }
        }
    }

    fn by_bits(&self, bits: u64) -> Option<RawHandle> {
        if bits < self.bits.first()?.0 || bits > self.bits.last()?.0 {
            return None;
        }
        Some(self.bits[self.bits.binary_search_by_key(&bits, |(known, _)| *known).ok()?].1)
    }
}

impl Map {
    /// What names nobody, in a copy and wherever its handles are looked up later.
    pub(crate) fn set_dead(&mut self, dead: HashSet<RawHandle, Fixed>) {
        match self {
            Self::Copies(copies) => copies.dead = dead,
            #[cfg(feature = "serde")]
            Self::Loaded(_) => {}
        }
    }

    pub(crate) fn find(&self, link: Link) -> Option<RawHandle> {
        match self {
            Self::Copies(copies) => copies.get(link.raw),
            #[cfg(feature = "serde")]
            Self::Loaded(columns) => match link.typed {
                Some(typed) => {
                    let column = columns.iter().find(|column| column.id == typed.id)?;
                    column.by_key((typed.key)(link.raw).as_ffi())
                }
                None => columns.iter().find_map(|column| column.by_bits(link.raw.to_bits())),
            },
        }
    }
}

impl Relinked {
    /// The new handle of an object, by its old one; `None` if the object is none of the graph.
    pub fn get<T: Trace>(&self, old: Gc<T>) -> Option<Gc<T>> {
        let new = self.map.find(Link::of_gc(old))?;
        Some(Gc::from_bits(new.to_bits()))
    }

    /// As [`get`](Self::get), for a handle whose type is known at run time only.
    pub fn get_any(&self, old: impl Into<AnyGc>) -> Option<AnyGc> {
        let raw = old.into().raw();
        self.map.find(Link { raw, typed: None }).map(AnyGc::from_raw)
    }

    /// Replaces the old handles in a value by the new ones. Once a value: a new handle may look like the old
    /// one of another object. After a load a handle of no loaded object becomes null.
    ///
    /// # Panics
    /// If the value holds something without [`relink`](Trace::relink). The text names its type.
    pub fn apply(&self, value: &mut impl Trace) {
        let mut relinking = Relinking::new(&self.map);
        Links::new(&mut relinking).field(value);
        if let Some(type_name) = relinking.unsupported {
            panic!("slotgc: {type_name} in {} has no `Trace::relink`", type_name_of_val(value));
        }
    }

    /// After a load, what the saved root source reported, in its order, repeats included; a handle to nothing
    /// is null. After a copy, the copy.
    pub fn roots(&self) -> &[AnyGc] {
        &self.roots
    }

    /// How many handles became null, because there is nothing for them to name.
    pub fn became_null(&self) -> usize {
        self.became_null
    }

    /// How many entries of maps and sets were dropped, because their key became equal to another's.
    pub fn merged(&self) -> usize {
        self.merged
    }
}

impl fmt::Debug for Relinked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Relinked")
            .field("roots", &self.roots)
            .field("became_null", &self.became_null)
            .field("merged", &self.merged)
            .finish_non_exhaustive()
    }
}

/// Handles are being replaced.
pub(crate) struct Relinking<'a> {
    map: &'a Map,
    pub(crate) became_null: usize,
    pub(crate) merged: usize,
    pub(crate) unsupported: Option<&'static str>,
    /// How many tables are to be filed again.
    pub(crate) tables: usize,
    /// Handles that a copy leaves as they are.
    pub(crate) outside: HashSet<RawHandle, Fixed>,
}

impl<'a> Relinking<'a> {
    pub(crate) fn new(map: &'a Map) -> Self {
        Self { map, became_null: 0, merged: 0, unsupported: None, tables: 0, outside: HashSet::default() }
    }
}

impl Relinker for Relinking<'_> {
    fn replace(&mut self, link: Link) -> RawHandle {
        if let Some(new) = self.map.find(link) {
            return new;
        }
        match self.map {
            Map::Copies(copies) if !copies.dead.contains(&link.raw) => {
                self.outside.insert(link.raw);
                link.raw
            }
            _ => {
                // A null handle names nothing before and after.
                self.became_null += usize::from(!link.is_null());
                RawHandle::NULL
            }
        }
    }

    fn unsupported(&mut self, type_name: &'static str) {
        self.unsupported.get_or_insert(type_name);
    }

    fn merged(&mut self) {
        self.merged += 1;
    }

    fn note_table(&mut self) {
        self.tables += 1;
    }
}
