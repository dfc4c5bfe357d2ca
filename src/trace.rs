//! How objects tell the collector what they refer to.
//!
//! [`Trace`] is the safe trait that every object implements; a [`Tracer`] records the edges. It knows a
//! buffer of edges and the white bits, not the collector that will follow them. [`Liveness`] is what weak
//! collections ask when they drop their dead entries.

pub(crate) mod adapter;
pub(crate) mod beside;
mod chunked_vec;
mod components;
mod copies;
mod cycle;
mod discarded;
mod edges;
mod dynamic;
mod ephemerons;
pub(crate) mod field;
mod findings;
pub(crate) mod impls;
mod inspector;
mod links;
mod liveness;
#[cfg(feature = "std")]
mod lock;
mod nested;
#[cfg(feature = "std")]
mod notes;
mod reported;
mod sources;
mod tracer;
mod watcher;

use crate::handle::{Gc, Weak};
use crate::root::Root;

pub use adapter::TraceWith;
pub use components::Components;
pub(crate) use copies::Copies;
pub use cycle::Epoch;
pub(crate) use cycle::{Destroyed, Era, Moment};
pub(crate) use discarded::Discarded;
pub use dynamic::TraceDyn;
pub(crate) use edges::{EdgeStack, Spill};
pub(crate) use ephemerons::{Ephemerons, RecordIndex};
pub(crate) use findings::Recorded;
pub use impls::Untraced;
pub(crate) use impls::visit;
pub use inspector::Inspector;
pub(crate) use inspector::{Place, Sink};
pub use links::Links;
pub(crate) use links::{Link, Relinker, Values};
pub(crate) use liveness::During;
pub use liveness::Liveness;
#[cfg(feature = "std")]
pub use lock::GcRwLock;
pub(crate) use reported::Reported;
pub use sources::{RootLog, RootSource, roots};
pub use tracer::Tracer;
pub(crate) use tracer::{LOOK_AHEAD, Mode, Side};
pub(crate) use watcher::Watcher;

/// What can live in a heap.
///
/// Derive it: `#[derive(Trace)]`. The derive writes every method from the fields; `#[trace(skip)]` leaves out
/// a field of a foreign type that holds no handles, as [`Untraced`] does inside a std container, and
/// `#[trace(with = Adapter)]` traces a foreign type that does hold handles, through a [`TraceWith`]. A trait
/// object is traced through [`TraceDyn`].
///
/// The trait is safe. A `trace` that forgets an edge loses that object early, and handles to it return
/// `None`; one that reports too much keeps garbage. Neither is undefined behaviour.
///
/// Not implemented for [`Root`](crate::Root), since one inside an object would keep what it holds alive for
/// ever, nor for `Cell` and `RefCell`: all mutation goes through `&mut Heap`. Types with interior mutability
/// that are `Sync` (`Mutex`, `RwLock`) are allowed.
///
/// # Examples
/// ```
/// use slotgc::{Gc, Heap, Trace, Weak};
///
/// #[derive(Trace)]
/// struct Mob {
///     name: String,
///     goals: Vec<Gc<Goal>>,
///     target: Weak<Mob>, // keeps nothing alive
///     #[trace(skip)]
///     started: std::time::Instant,
/// }
///
/// #[derive(Trace)]
/// enum Goal {
///     Guard(Gc<Mob>),
///     Sleep,
/// }
///
/// let mut heap = Heap::new();
/// let sleep = heap.alloc(Goal::Sleep);
/// let started = std::time::Instant::now();
/// let goals = vec![sleep];
/// let mob = heap.alloc_root(Mob { name: "Bear".into(), goals, target: Weak::dangling(), started });
/// let guard = heap.alloc(Goal::Guard(mob.gc()));
/// heap[&mob].goals.push(guard); // a cycle, no leak
/// heap.collect();
/// assert_eq!(heap.len(), 3);
/// drop(mob);
/// heap.collect();
/// assert_eq!(heap.len(), 0);
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not implement `Trace`, so it cannot live in a GC heap",
    label = "`Trace` is not implemented for `{Self}`",
    note = "for a type of your own: `#[derive(slotgc::Trace)]`; for a trait of your own: `slotgc::trace_dyn!(dyn Trait)`",
    note = "for a foreign type that holds handles: `#[trace(with = Adapter)]` on the field",
    note = "for a foreign type that holds none: the slotgc feature named after its crate, or `slotgc::Untraced<{Self}>`"
)]
pub trait Trace: Send + Sync + 'static {
    /// `false` says that values of this type never hold a handle: they are never visited, and changing them
    /// passes no write barrier.
    const NEEDS_TRACE: bool = true;

    /// Reports every strong edge.
    ///
    /// A panic here abandons the collection: nothing is freed, and the panic reaches the caller of `collect`.
    fn trace(&self, tracer: &mut Tracer<'_>);

    /// Drops the entries of weak collections in this value whose target died. Called on live objects whose
    /// `trace` requested it ([`Tracer::weak_collection`]), after marking and before anything is freed.
    ///
    /// # Examples
    /// A custom weak list:
    /// ```
    /// use slotgc::{Heap, Liveness, Trace, Tracer, Weak};
    ///
    /// struct Listeners(Vec<Weak<String>>);
    ///
    /// impl Trace for Listeners {
    ///     fn trace(&self, tracer: &mut Tracer<'_>) {
    ///         tracer.weak_collection();
    ///     }
    ///     fn prune(&mut self, live: &Liveness<'_>) {
    ///         self.0.retain(|listener| live.is_live(listener) || { live.set_aside(()); false });
    ///     }
    /// }
    ///
    /// let mut heap = Heap::new();
    /// let (kept, lost) = (heap.alloc_root("kept".to_string()), heap.alloc("lost".to_string()));
    /// let list = heap.alloc_root(Listeners(vec![kept.downgrade(), lost.downgrade()]));
    /// assert_eq!(heap.collect().pruned, 1);
    /// assert_eq!(heap[&list].0, [kept.downgrade()]);
    /// ```
    fn prune(&mut self, live: &Liveness<'_>) {
        let _ = live;
    }

    /// `false` says that values of this type never hold a handle, strong or weak: [`inspect`](Self::inspect)
    /// and [`relink`](Self::relink) skip them, and an `Arc` may share them. `NEEDS_TRACE = false` alone does
    /// not imply this, since a weak handle is not traced.
    const HOLDS_HANDLES: bool = true;

    /// Whether [`owned_bytes`](Self::owned_bytes) is ever more than zero.
    const OWNS: bool = false;

    /// Bytes that this value owns outside its slot: the capacities of its buffers and what its boxes hold,
    /// recursively. What it shares through an `Arc` does not count. A long container may extrapolate from 64
    /// items, so the result is an estimate.
    ///
    /// # Examples
    /// ```
    /// use slotgc::{Trace, Tracer};
    ///
    /// /// A picture that another library keeps in memory.
    /// struct Picture { id: u32, width: usize, height: usize }
    ///
    /// impl Trace for Picture {
    ///     const NEEDS_TRACE: bool = false;
    ///     const HOLDS_HANDLES: bool = false;
    ///     const OWNS: bool = true;
    ///     fn trace(&self, _: &mut Tracer<'_>) {}
    ///     fn owned_bytes(&self) -> usize {
    ///         4 * self.width * self.height
    ///     }
    /// }
    ///
    /// let picture = Picture { id: 1, width: 640, height: 480 };
    /// assert_eq!(picture.owned_bytes(), 1_228_800);
    /// assert_eq!(Vec::<u64>::with_capacity(100).owned_bytes(), 800);
    /// ```
    fn owned_bytes(&self) -> usize {
        0
    }

    /// Names every edge, for people: what [`Inspector`] shows. By default the edges that `trace` reports,
    /// without names.
    ///
    /// # Examples
    /// ```
    /// use slotgc::{Gc, Inspector, Trace, Tracer};
    ///
    /// struct Mob { name: String, loot: Vec<Gc<u32>> }
    ///
    /// impl Trace for Mob {
    ///     fn trace(&self, tracer: &mut Tracer<'_>) {
    ///         self.loot.trace(tracer);
    ///     }
    ///     fn inspect(&self, inspector: &mut Inspector<'_>) {
    ///         inspector.label(&self.name);
    ///         inspector.field("loot", &self.loot);
    ///     }
    /// }
    /// ```
    fn inspect(&self, inspector: &mut Inspector<'_>) {
        inspector.anonymous(self);
    }

    /// Hands out every handle in this value, strong or weak, to be replaced: when a graph is copied or
    /// loaded, see [`Links`]. By default an error that names the type.
    ///
    /// # Examples
    /// ```
    /// use slotgc::{Gc, Links, Trace, Tracer, Weak};
    ///
    /// struct Mob { home: Gc<u32>, target: Weak<Mob> }
    ///
    /// impl Trace for Mob {
    ///     fn trace(&self, tracer: &mut Tracer<'_>) {
    ///         tracer.edge(self.home);
    ///     }
    ///     fn relink(&mut self, links: &mut Links<'_>) {
    ///         links.gc(&mut self.home);
    ///         links.weak(&mut self.target);
    ///     }
    /// }
    /// ```
    fn relink(&mut self, links: &mut Links<'_>) {
        links.unsupported::<Self>();
    }

    /// Whether `relink` hands out by [`Links::gc`] and [`Links::any`] exactly the edges that `trace` reports.
    /// A copy of such a value tells what it reaches while its handles are replaced. Derived and library code
    /// knows; nothing is assumed about hand-written code.
    #[doc(hidden)]
    fn relinks_edges(components: &mut Components) -> bool {
        let _ = components;
        false
    }
}

mod sealed {
    /// How a message describes a handle.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub enum HandleKind {
        Strong,
        Weak,
        Root,
    }

    pub trait Sealed: Copy {
        const KIND: HandleKind;

        /// The number of the heap that the handle belongs to, zero if it does not know.
        fn heap_number(self) -> u64 {
            0
        }

        /// Whether the handle may name an object of the heap with this number.
        #[inline(always)]
        fn is_of(self, _heap: u64) -> bool {
            true
        }
    }
}

pub(crate) use sealed::HandleKind;

/// Anything that names an object: [`Gc`], [`Weak`], `&Root`, and references to any of these, however deep, as
/// in iterators and the closures of `filter`. The methods of [`Heap`](crate::Heap) take any of these.
///
/// # Examples
/// ```
/// use slotgc::{Heap, Root};
///
/// let mut heap = Heap::new();
/// let roots: Vec<Root<u32>> = (0..3).map(|n| heap.alloc_root(n)).collect();
/// heap.destroy(&roots[1]);
/// assert_eq!(roots.iter().filter(|root| heap.is_alive(root)).count(), 2); // a `&&Root`
/// ```
pub trait Handle: Copy + sealed::Sealed {
    /// The type of the object.
    type Target: Trace;

    /// The weak handle of the object.
    fn downgrade(self) -> Weak<Self::Target>;
}

/// Implements `Handle`, given how the type becomes a weak handle.
macro_rules! handles {
    ($($handle:ty: $kind:ident $(($number:expr, $is_of:expr))?),*) => {$(
        impl<T> sealed::Sealed for $handle {
            const KIND: HandleKind = HandleKind::$kind;

            $(
                fn heap_number(self) -> u64 {
                    $number(self)
                }

                #[inline(always)]
                fn is_of(self, heap: u64) -> bool {
                    $is_of(self, heap)
                }
            )?
        }

        impl<T: Trace> Handle for $handle {
            type Target = T;

            #[inline(always)]
            fn downgrade(self) -> Weak<T> {
                self.into()
            }
        }
    )*};
}

handles!(Gc<T>: Strong, Weak<T>: Weak, &Root<T>: Root (Root::heap_number, Root::is_of));

impl<H: sealed::Sealed> sealed::Sealed for &H {
    const KIND: HandleKind = H::KIND;

    fn heap_number(self) -> u64 {
        (*self).heap_number()
    }

    #[inline(always)]
    fn is_of(self, heap: u64) -> bool {
        (*self).is_of(heap)
    }
}

impl<H: Handle> Handle for &H {
    type Target = H::Target;

    #[inline(always)]
    fn downgrade(self) -> Weak<H::Target> {
        (*self).downgrade()
    }
}
