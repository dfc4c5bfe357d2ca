//! [`Schema`]: the types, by stable names.

use alloc::vec::Vec;
use core::any::{TypeId, type_name};
use core::fmt;
use core::marker::PhantomData;

use crate::handle::RawHandle;
use crate::store::Store;
use crate::tag::Tag;
use crate::trace::{Inspector, Sink, Trace, Watcher};

/// The types of a graph, each with a name that stays the same when the type is renamed or moved: what
/// [`Heap::clone_graph`](crate::Heap::clone_graph) may copy, and how saved data names its types.
///
/// The compiler knows the list, so that a graph is copied and saved at the speed of code written for its
/// types. What a type must be depends on the use: `Clone` to be copied, `Serialize` and `DeserializeOwned` to
/// be saved and loaded.
///
/// # Examples
/// ```
/// use slotgc::{Gc, Heap, Schema, Trace};
///
/// #[derive(Trace, Clone)]
/// struct Mob { name: String, loot: Vec<Gc<Loot>> }
/// #[derive(Trace, Clone)]
/// struct Loot { gold: u32 }
///
/// let schema = Schema::new().with::<Mob>("mob").with::<Loot>("loot").alias::<Mob>("monster");
///
/// let mut heap = Heap::new();
/// let gold = heap.alloc(Loot { gold: 7 });
/// let wolf = heap.alloc(Mob { name: "wolf".into(), loot: vec![gold, gold] });
/// let (copy, _) = heap.clone_graph(wolf, &schema).unwrap();
/// assert_ne!(heap[copy].loot[0], gold);
/// assert_eq!(heap[copy].loot[0], heap[copy].loot[1]);
/// ```
pub struct Schema<L = ()> {
    types: Vec<TypeOps>,
    aliases: Vec<(&'static str, usize)>,
    list: PhantomData<fn() -> L>,
}

/// The operations on objects of a listed type, with the type erased.
#[derive(Clone, Copy)]
pub(crate) struct TypeOps {
    pub(crate) name: &'static str,
    pub(crate) type_name: &'static str,
    pub(crate) id: TypeId,
    pub(crate) tag: Tag,
    /// Traces an object, if the handle names one. It lies in a page of the type.
    pub(crate) trace: fn(&Store, RawHandle, &mut Watcher) -> bool,
    /// Names the edges of an object that is alive.
    pub(crate) inspect: fn(&Store, RawHandle, &mut dyn Sink),
}

impl TypeOps {
    fn of<T: Trace>(name: &'static str) -> Self {
        Self {
            name,
            type_name: type_name::<T>(),
            id: TypeId::of::<T>(),
            tag: Tag::of::<T>(),
            trace: |store, raw, watcher| {
                let Some(object) = get::<T>(store, raw) else { return false };
                if T::NEEDS_TRACE {
                    watcher.watch(|tracer| object.trace(tracer));
                }
                true
            },
            inspect: |store, raw, sink| {
                if let Some(object) = get::<T>(store, raw) {
                    object.inspect(&mut Inspector::new(sink));
                }
            },
        }
    }
}

/// The object of a handle that may lie between slots.
fn get<T: 'static>(store: &Store, raw: RawHandle) -> Option<&T> {
    if raw.granule().is_boundary::<T>() { store.look().get::<T>(raw) } else { None }
}

/// A list of types: `()`, or a type and a list. The parameter of [`Schema`]; nothing to implement.
pub trait TypeList: sealed::Sealed {
    /// How many types there are.
    const LEN: usize;
}

impl TypeList for () {
    const LEN: usize = 0;
}

impl<T: Trace, L: TypeList> TypeList for (T, L) {
    const LEN: usize = L::LEN + 1;
}

mod sealed {
    pub trait Sealed {}

    impl Sealed for () {}
    impl<T, L> Sealed for (T, L) {}
}

impl Schema {
    /// A schema without types.
    pub fn new() -> Self {
        Self { types: Vec::new(), aliases: Vec::new(), list: PhantomData }
    }
}

impl Default for Schema {
    fn default() -> Self {
        Self::new()
    }
}

impl<L> Schema<L> {
    /// Adds a type under a name that saved data will have.
    ///
    /// # Panics
    /// If the schema already has the type or the name.
    pub fn with<T: Trace>(mut self, name: &'static str) -> Schema<(T, L)> {
        let ops = TypeOps::of::<T>(name);
        assert!(
            !self.types.iter().any(|known| known.id == ops.id),
            "slotgc: the schema lists {} twice",
            ops.type_name
        );
        self.check_name(name);
        self.types.push(ops);
        Schema { types: self.types, aliases: self.aliases, list: PhantomData }
    }

    /// Adds a former name of a type of the schema, under which old data can still be loaded.
    ///
    /// # Panics
    /// If the schema does not list the type, or has the name already.
    #[must_use]
    pub fn alias<T: Trace>(mut self, old: &'static str) -> Self {
        let index = self.types.iter().position(|known| known.id == TypeId::of::<T>());
        let Some(index) = index else { panic!("slotgc: the schema does not list {}", type_name::<T>()) };
        self.check_name(old);
        self.aliases.push((old, index));
        self
    }

    fn check_name(&self, name: &str) {
        assert!(self.index_of(name).is_none(), "slotgc: the schema has two types named {name:?}");
    }

    /// The number of the type that has or had this name.
    pub(crate) fn index_of(&self, name: &str) -> Option<usize> {
        let by_name = self.types.iter().position(|known| known.name == name);
        by_name.or_else(|| self.aliases.iter().find(|(old, _)| *old == name).map(|(_, index)| *index))
    }

    pub(crate) fn types(&self) -> &[TypeOps] {
        &self.types
    }
}

impl<L> Clone for Schema<L> {
    fn clone(&self) -> Self {
        Self { types: self.types.clone(), aliases: self.aliases.clone(), list: PhantomData }
    }
}

impl<L> fmt::Debug for Schema<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.types.iter().map(|known| (known.name, known.type_name))).finish()
    }
}
