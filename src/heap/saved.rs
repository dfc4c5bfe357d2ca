//! Saving and loading graphs of objects.
//!
//! All that data can have wrong is found before the heap is touched: what is read waits in lists until it is
//! complete. Nothing is reserved because data says how much is to come.

mod made;
mod read;

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::any::TypeId;
use core::fmt;

use serde::Deserializer;
use serde::de::{DeserializeOwned, Error, SeqAccess, Visitor};
use slotmap::Key;

use crate::geometry::Geometry;
use crate::graph::{
    Care, Column, GraphError, LoadError, Map, Relinked, Save, SaveTypes, Schema, Stack, Stop, Walk,
};
use crate::handle::{AnyGc, Gc, RawHandle};
use crate::heap::Heap;
use crate::heap::graph::HeapTypes;
use crate::sync::Arc;
use crate::trace::{Link, RootSource, Trace, Watcher};

use made::Made;
use read::SaveVisitor;

impl Heap {
    /// What a root source reaches by strong edges, to be serialized into any format. The heap's own
    /// [`Root`](crate::Root)s do not count, garbage is not saved, and nothing in the heap is written.
    ///
    /// The objects are walked over and counted first; then they go from the heap into the format one by one.
    /// At most 16 bytes an object are needed beside the heap, and more for entries of
    /// [`WeakKeyMap`](crate::WeakKeyMap) whose key is reached later than the map. O(objects and edges).
    ///
    /// A handle is saved as its number and generation, an object under its type's name in the schema. What
    /// weak collections name is not saved for that; of their entries those are whose object is.
    ///
    /// # Errors
    /// [`GraphError::NotInSchema`], with the path to the object, and [`GraphError::Locked`].
    ///
    /// # Examples
    /// ```
    /// # #[cfg(feature = "serde")] {
    /// use serde::{Deserialize, Serialize};
    /// use slotgc::{Gc, Heap, Schema, Trace};
    ///
    /// #[derive(Trace, Serialize, Deserialize)]
    /// struct Node { name: String, children: Vec<Gc<Node>> }
    ///
    /// let schema = Schema::new().with::<Node>("node");
    /// let mut heap = Heap::new();
    /// let leaf = heap.alloc(Node { name: "leaf".into(), children: vec![] });
    /// let tree = heap.alloc(Node { name: "tree".into(), children: vec![leaf, leaf] });
    /// let data = serde_json::to_string(&heap.save(&schema, &[tree]).unwrap()).unwrap();
    ///
    /// let mut other = Heap::new();
    /// let loaded = other.load(&schema, &mut serde_json::Deserializer::from_str(&data)).unwrap();
    /// let tree = other.downcast::<Node>(loaded.roots()[0]).unwrap();
    /// assert_eq!(other[tree].name, "tree");
    /// assert_eq!(other[other[tree].children[0]].name, "leaf");
    /// # }
    /// ```
    pub fn save<'a, L: SaveTypes>(
        &'a self,
        schema: &'a Schema<L>,
        roots: &dyn RootSource,
    ) -> Result<Save<'a, L>, GraphError> {
        let mut care = Care::Late;
        let (mut reported, counts, marks) = loop {
            let mut walk = Walk::new(&self.pools, schema.types(), care);
            let mut stack = Stack::new(&self.store, schema.types());
            let (mut watcher, mut counts) = (Box::new(Watcher::new()), vec![0; schema.types().len()]);
            let reported = walk.report(&self.store, roots);
            let reported = reported.map_err(|stop| self.graph_error(stop, schema, &[]))?;
            // One root after the other: what waits to be followed is kept small.
            let walked = reported.iter().try_for_each(|raw| {
                stack.follow(&mut walk, &mut watcher, *raw, &mut |index| counts[index] += 1)
            });
            match walked {
                Ok(()) => break (reported, counts, Arc::new(walk.into_marks())),
                Err(Stop::Stale) => care = Care::Each,
                Err(stop) => return Err(self.graph_error(stop, schema, &reported)),
            }
        };
        reported
            .iter_mut()
            .filter(|raw| !self.store.is_alive_any(**raw))
            .for_each(|raw| *raw = RawHandle::NULL);
        Ok(Save { store: &self.store, schema, marks, counts, roots: reported })
    }

    /// Makes the objects of a saved graph, beside what the heap holds: all of them, or none. Their handles
    /// are new ones; [`Relinked`] knows which object is which, and what was saved as the roots. Root what is
    /// to stay before the next collection.
    ///
    /// A handle to nothing becomes null. Fields may have come and gone as the format and serde's attributes
    /// allow. Data from anywhere is safe: it can make objects of the schema's types, within the limits of the
    /// heap's [`HeapConfig`](crate::HeapConfig), and nothing else. (A format may have limits of its own, on
    /// nesting, say.)
    ///
    /// # Errors
    /// [`LoadError`]; the heap is as it was.
    ///
    /// # Examples
    /// ```
    /// # #[cfg(feature = "serde")] {
    /// use slotgc::{Heap, LoadError, Schema};
    ///
    /// let schema = Schema::new().with::<u32>("number");
    /// let mut heap = Heap::new();
    /// let text = r#"{"version":1,"types":[{"name":"monster","objects":[]}],"roots":[]}"#;
    /// let refused = heap.load(&schema, &mut serde_json::Deserializer::from_str(text));
    /// assert!(matches!(refused, Err(LoadError::UnknownType(name)) if name == "monster"));
    /// # }
    /// ```
    pub fn load<'de, L: LoadTypes, D: Deserializer<'de>>(
        &mut self,
        schema: &Schema<L>,
        from: D,
    ) -> Result<Relinked, LoadError<D::Error>> {
        let mut loading = Loading { heap: self, refused: None, objects: 0, bytes: 0 };
        let read = from.deserialize_struct(
            "Save",
            &["version", "types", "roots"],
            SaveVisitor { schema, loading: &mut loading },
        );
        let (staged, roots) = read.map_err(|error| match loading.refused {
            Some(Refused::Name(name)) => LoadError::UnknownType(name),
            Some(Refused::Graph(error)) => LoadError::Graph(error),
            None => LoadError::Format(error),
        })?;
        self.place::<L>(staged, roots).map_err(LoadError::Graph)
    }

    /// Makes the objects that were read.
    fn place<L: LoadTypes>(&mut self, staged: L::Staged, roots: Vec<AnyGc>) -> Result<Relinked, GraphError> {
        let mut placing = Placing { made: Made::new(self), columns: Vec::new() };
        L::place(staged, &mut placing)?;
        let Placing { mut made, columns } = placing;
        let mut relinked = Relinked { map: Map::Loaded(columns), roots, became_null: 0, merged: 0 };
        let mut became_null = 0;
        for root in &mut relinked.roots {
            let new = relinked.map.find(Link { raw: root.raw(), typed: None });
            became_null += usize::from(new.is_none() && !root.raw().is_null());
            *root = AnyGc::from_raw(new.unwrap_or(RawHandle::NULL));
        }
        relinked.became_null = became_null;
        made.relink::<L>(&mut relinked)?;
        made.keep();
        Ok(relinked)
    }
}

/// What a list of types needs to read its own.
#[doc(hidden)]
pub struct Loading<'a> {
    heap: &'a Heap,
    refused: Option<Refused>,
    objects: usize,
    bytes: usize,
}

/// Why reading was given up, where that is no fault of the format.
enum Refused {
    Name(String),
    Graph(GraphError),
}

impl Loading<'_> {
    /// One object more was read.
    fn count<T>(&mut self) -> bool {
        self.objects += 1;
        self.bytes = self.bytes.saturating_add(Geometry::<T>::SLOT_BYTES);
        match self.heap.check_room(self.objects, self.bytes) {
            Ok(()) => true,
            Err(error) => {
                self.refused = Some(Refused::Graph(error));
                false
            }
        }
    }
}

impl fmt::Debug for Loading<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Loading").field("objects", &self.objects).finish_non_exhaustive()
    }
}

/// Objects that were read are being made.
#[doc(hidden)]
pub struct Placing<'a> {
    made: Made<'a>,
    columns: Vec<Column>,
}

impl fmt::Debug for Placing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Placing").finish_non_exhaustive()
    }
}

/// The types of a [`Schema`] that are all `DeserializeOwned`; nothing to implement.
pub trait LoadTypes: HeapTypes {
    #[doc(hidden)]
    type Staged: Default;

    /// Reads the objects of the type of this number.
    #[doc(hidden)]
    fn read<'de, D: Deserializer<'de>>(
        staged: &mut Self::Staged,
        index: usize,
        loading: &mut Loading<'_>,
        from: D,
    ) -> Result<(), D::Error>;

    #[doc(hidden)]
    fn place(staged: Self::Staged, placing: &mut Placing<'_>) -> Result<(), GraphError>;
}

impl LoadTypes for () {
    type Staged = ();

    fn read<'de, D: Deserializer<'de>>(
        (): &mut (),
        _: usize,
        _: &mut Loading<'_>,
        _: D,
    ) -> Result<(), D::Error> {
        Err(D::Error::custom("no type of this number"))
    }

    fn place((): (), _: &mut Placing<'_>) -> Result<(), GraphError> {
        Ok(())
    }
}

impl<T: Trace + DeserializeOwned, L: LoadTypes> LoadTypes for (T, L) {
    type Staged = (Rows<T>, L::Staged);

    fn read<'de, D: Deserializer<'de>>(
        (rows, others): &mut Self::Staged,
        index: usize,
        loading: &mut Loading<'_>,
        from: D,
    ) -> Result<(), D::Error> {
        if index != L::LEN {
            return L::read(others, index, loading, from);
        }
        if !rows.keys.is_empty() {
            return Err(D::Error::custom("the objects of one type in two places"));
        }
        from.deserialize_seq(RowsVisitor { rows, loading })
    }

    fn place((rows, others): Self::Staged, placing: &mut Placing<'_>) -> Result<(), GraphError> {
        L::place(others, placing)?;
        for value in rows.values {
            placing.made.place(value)?;
        }
        let new = placing.made.end_type();
        placing.columns.push(Column::new(TypeId::of::<T>(), &rows.keys, &rows.bits, new));
        Ok(())
    }
}

/// The objects of one type, as they were read.
#[doc(hidden)]
pub struct Rows<T> {
    keys: Vec<u64>,
    bits: Vec<u64>,
    values: Vec<T>,
}

impl<T> Default for Rows<T> {
    fn default() -> Self {
        Self { keys: Vec::new(), bits: Vec::new(), values: Vec::new() }
    }
}

impl<T> fmt::Debug for Rows<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rows").field("len", &self.values.len()).finish()
    }
}

struct RowsVisitor<'r, 'l, 'h, T> {
    rows: &'r mut Rows<T>,
    loading: &'l mut Loading<'h>,
}

impl<'de, T: Trace + DeserializeOwned> Visitor<'de> for RowsVisitor<'_, '_, '_, T> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a sequence of objects, each with its handle in two forms")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let Self { rows, loading } = self;
        while let Some((gc, any, value)) = seq.next_element::<(Gc<T>, AnyGc, T)>()? {
            let (key, bits) = (gc.data().as_ffi(), any.to_bits());
            let ascends = rows.keys.last().is_none_or(|last| (*last as u32) < key as u32)
                && rows.bits.last().is_none_or(|last| *last < bits);
            if gc.is_null() || any == AnyGc::default() || !ascends {
                return Err(A::Error::custom("the objects of a type ascend by their handles"));
            }
            if !loading.count::<T>() {
                return Err(A::Error::custom("more objects than the heap's limits allow"));
            }
            rows.keys.push(key);
            rows.bits.push(bits);
            rows.values.push(value);
        }
        Ok(())
    }
}
