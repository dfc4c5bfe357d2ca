//! [`Relinked`]: which object stands for which, after a graph was copied or loaded.

use alloc::vec::Vec;
#[cfg(feature = "serde")]
use core::any::TypeId;
use core::any::type_name_of_val;
use core::fmt;

use hashbrown::{HashMap, HashSet};

use crate::handle::{AnyGc, Gc, RawHandle};
use crate::trace::{Link, Links, Relinker, Trace};
use crate::weak::Fixed;

/// The new handles of objects that were copied or loaded, by their old ones. For handles that live outside of the
/// graph: in a world's components, in the editor's selection.
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

#[derive(Default)]
pub(crate) struct Copies {
    pub(crate) new: HashMap<RawHandle, RawHandle, Fixed>,
    /// Handles to nothing that objects outside of the copy are not named by.
    pub(crate) dead: HashSet<RawHandle, Fixed>,
}

/// The loaded objects of one type, in the order of their old slots.
#[cfg(feature = "serde")]
pub(crate) struct Column {
    pub(crate) id: TypeId,
    /// Old handles in their dense form.
    pub(crate) keys: Vec<u64>,
    /// Old handles in their other form.
    pub(crate) bits: Vec<u64>,
    pub(crate) new: Vec<RawHandle>,
    /// The row of each dense number, plus one; empty where numbers are too far apart for that.
    dense: Vec<u32>,
}

#[cfg(feature = "serde")]
impl Column {
    /// Of rows whose keys and bits ascend.
    pub(crate) fn new(id: TypeId, keys: Vec<u64>, bits: Vec<u64>) -> Self {
        let last = keys.last().map_or(0, |key| *key as u32 as usize);
        let mut dense = Vec::new();
        if last < keys.len() * 4 + 1024 {
            dense.resize(last + 1, 0);
            for (row, key) in keys.iter().enumerate() {
                dense[*key as u32 as usize] = row as u32 + 1;
            }
        }
        Self { id, new: Vec::with_capacity(keys.len()), keys, bits, dense }
    }

    fn by_key(&self, key: u64) -> Option<RawHandle> {
        let row = match self.dense.is_empty() {
            false => (*self.dense.get(key as u32 as usize)?).checked_sub(1)? as usize,
            true => self.keys.binary_search_by_key(&(key as u32), |known| *known as u32).ok()?,
        };
        (self.keys[row] == key).then(|| self.new.get(row).copied())?
    }

    fn by_bits(&self, bits: u64) -> Option<RawHandle> {
        if bits < *self.bits.first()? || bits > *self.bits.last()? {
            return None;
        }
        self.new.get(self.bits.binary_search(&bits).ok()?).copied()
    }
}

impl Map {
    pub(crate) fn copies_mut(&mut self) -> Option<&mut Copies> {
        match self {
            Self::Copies(copies) => Some(copies),
            #[cfg(feature = "serde")]
            Self::Loaded(_) => None,
        }
    }

    pub(crate) fn find(&self, link: Link) -> Option<RawHandle> {
        match self {
            Self::Copies(copies) => copies.new.get(&link.raw).copied(),
            #[cfg(feature = "serde")]
            Self::Loaded(columns) => match link.typed {
                Some((id, key)) => columns.iter().find(|column| column.id == id)?.by_key(key.as_ffi()),
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

    /// Replaces the old handles in a value by the new ones. Once a value: a new handle may look like the old one of
    /// another object. After a load a handle of no loaded object becomes null.
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

    /// After a load, what the saved root source reported, in its order, repeats included; a handle to nothing is null.
    /// After a copy, the copy.
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
