//! Saving and loading graphs of objects.
//!
//! What is read becomes an object at once, but its handle stays private until all objects exist and have
//! their new handles; if something is wrong with the data, they are destroyed. Memory is never reserved on
//! the data's word alone.

mod made;
mod read;

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec;
use core::fmt;
use core::marker::PhantomData;

use serde::Deserializer;
use serde::de::{DeserializeOwned, Error, SeqAccess, Visitor};
use slotmap::Key;

use crate::graph::{Care, GraphError, LoadError, Relinked, Save, SaveTypes, Schema, Stack, Stop, Walk};
use crate::handle::{Gc, RawHandle};
use crate::heap::Heap;
use crate::heap::graph::HeapTypes;
use crate::sync::Arc;
use crate::trace::{RootSource, Trace, Watcher};

use made::Made;
use read::SaveVisitor;

/// # Saving and loading
impl Heap {
    /// What a root source reaches by strong edges, ready to be serialized into any format. The heap's own
    /// [`Root`](crate::Root)s do not count, garbage is not saved, and nothing in the heap is written.
    ///
    /// The objects are walked and counted first; then they are serialized one by one. Needs at most 16 bytes
    /// per object beside the heap, and more for entries of [`WeakKeyMap`](crate::WeakKeyMap) whose key is
    /// reached later than the map. O(objects and edges).
    ///
    /// A handle is saved as its number and generation, an object under its type's name in the schema, and a
    /// type with the distance between its slots. Being in a weak collection does not cause an object to be
    /// saved; an entry is saved if its object is.
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
        let (mut reported, counts, saved) = loop {
            let mut walk = Walk::new(&self.pools, schema.types(), care);
            let mut stack = Stack::new(&self.store, schema.types());
            let (mut watcher, mut counts) = (Box::new(Watcher::new()), vec![0; schema.types().len()]);
            let reported = walk.report(&self.store, roots);
            let reported = reported.map_err(|stop| self.graph_error(stop, schema, &[]))?;
            // One root after the other, which keeps the stack of what is still to be followed small.
            let walked =
                reported.iter().try_for_each(|raw| stack.follow(&mut walk, &mut watcher, *raw, &mut counts));
            match walked {
                Ok(()) => break (reported, counts, Arc::new(walk.into_saved(&self.store))),
                Err(Stop::Stale) => care = Care::Each,
                Err(stop) => return Err(self.graph_error(stop, schema, &reported)),
            }
        };
        reported
            .iter_mut()
            .filter(|raw| !self.store.is_alive_any(**raw))
            .for_each(|raw| *raw = RawHandle::NULL);
        Ok(Save { store: &self.store, schema, saved, counts, roots: reported })
    }

    /// Makes the objects of a saved graph, beside what the heap holds: all of them, or none. Their handles
    /// are new; [`Relinked`] maps old handles to new ones and has the saved roots. Root what must survive the
    /// next collection.
    ///
    /// A handle to nothing becomes null. Fields may have come and gone as the format and serde's attributes
    /// allow. Data from anywhere is safe: it can make objects of the schema's types, within the limits of the
    /// heap's [`HeapConfig`](crate::HeapConfig), and nothing else. (A format may have limits of its own, for
    /// example on nesting.)
    ///
    /// An object is made when it is read: O(objects and edges), and 16 bytes per object beside the heap,
    /// which [`Relinked`] keeps. After an error the slots of what was read become free again with the next
    /// collection.
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
        let made = Made::new(self, schema.types().iter().map(|ops| ops.id));
        let mut loading = Loading { made, refused: None };
        let read = from.deserialize_struct(
            "Save",
            &["version", "types", "roots"],
            SaveVisitor { schema, loading: &mut loading },
        );
        let roots = read.map_err(|error| match loading.refused.take() {
            Some(Refused::Name(name)) => LoadError::UnknownType(name),
            Some(Refused::Graph(error)) => LoadError::Graph(error),
            None => LoadError::Format(error),
        })?;
        loading.made.keep::<L>(roots).map_err(LoadError::Graph)
    }
}

/// What a list of types needs to read its objects.
#[doc(hidden)]
pub struct Loading<'a> {
    made: Made<'a>,
    refused: Option<Refused>,
}

/// Why reading was abandoned, where the format is not the reason.
enum Refused {
    Name(String),
    Graph(GraphError),
}

impl Loading<'_> {
    /// How many granules apart the slots of the type with this number were.
    fn set_stride<E: Error>(&mut self, index: usize, stride: u32) -> Result<(), E> {
        if self.made.column(index).set_stride(stride) {
            Ok(())
        } else {
            Err(E::custom("a type whose slots have no size"))
        }
    }
}

impl fmt::Debug for Loading<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Loading").finish_non_exhaustive()
    }
}

/// The types of a [`Schema`] that are all `DeserializeOwned`; nothing to implement.
pub trait LoadTypes: HeapTypes {
    /// Reads the objects of the type with this number.
    #[doc(hidden)]
    fn read<'de, D: Deserializer<'de>>(
        index: usize,
        loading: &mut Loading<'_>,
        from: D,
    ) -> Result<(), D::Error>;
}

impl LoadTypes for () {
    fn read<'de, D: Deserializer<'de>>(_: usize, _: &mut Loading<'_>, _: D) -> Result<(), D::Error> {
        Err(D::Error::custom("no type with this number"))
    }
}

impl<T: Trace + DeserializeOwned, L: LoadTypes> LoadTypes for (T, L) {
    fn read<'de, D: Deserializer<'de>>(
        index: usize,
        loading: &mut Loading<'_>,
        from: D,
    ) -> Result<(), D::Error> {
        if index != L::LEN {
            return L::read(index, loading, from);
        }
        if !loading.made.column(index).new.is_empty() {
            return Err(D::Error::custom("the objects of one type occur in two places"));
        }
        from.deserialize_seq(RowsVisitor::<T> { loading, index, target: PhantomData })
    }
}

struct RowsVisitor<'l, 'h, T> {
    loading: &'l mut Loading<'h>,
    index: usize,
    target: PhantomData<T>,
}

impl<'de, T: Trace + DeserializeOwned> Visitor<'de> for RowsVisitor<'_, '_, T> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a sequence of objects, each with its handle")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let Self { loading, index, .. } = self;
        while let Some((gc, value)) = seq.next_element::<(Gc<T>, T)>()? {
            let key = gc.data().as_ffi();
            if gc.is_null() || !loading.made.column(index).ascends(key) {
                return Err(A::Error::custom("the objects of a type must ascend by their handles"));
            }
            match loading.made.place(value) {
                Ok(new) => loading.made.column(index).push(key, new),
                Err(error) => {
                    loading.refused = Some(Refused::Graph(error));
                    return Err(A::Error::custom("more objects than the heap's limits allow"));
                }
            }
        }
        Ok(())
    }
}
