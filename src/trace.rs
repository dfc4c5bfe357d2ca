//! How objects tell the collector what they refer to.
//!
//! [`Trace`] is the safe trait that every object implements; a [`Tracer`] records the edges. It knows a
//! buffer of edges and the white bits, not the collector that will follow them. [`Liveness`] is what weak
//! collections ask when they drop their dead entries.

mod chunked_vec;
mod cycle;
mod discarded;
mod edges;
mod ephemerons;
pub(crate) mod field;
mod impls;
mod liveness;
mod sources;
mod tracer;

use crate::handle::{Gc, Weak};
use crate::root::Root;

pub(crate) use cycle::{Destroyed, Era, Moment};
pub(crate) use discarded::Discarded;
pub(crate) use edges::{EdgeStack, Spill};
pub(crate) use ephemerons::{Ephemerons, RecordIndex};
pub use impls::Untraced;
pub(crate) use liveness::During;
pub use liveness::Liveness;
pub use sources::{RootSource, roots};
pub use tracer::Tracer;
pub(crate) use tracer::{LOOK_AHEAD, Side};

/// What can live in a heap.
///
/// Derive it: `#[derive(Trace)]`. The derive reports every field; `#[trace(skip)]` leaves out a field of a
/// foreign type that holds no handles, as [`Untraced`] does inside a std container.
///
/// The trait is safe. A `trace` that forgets an edge loses that object early, and handles to it give `None`;
/// one that reports too much keeps garbage. Neither is undefined behaviour.
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
/// let mob = heap.alloc_root(Mob { name: "Bear".into(), goals: vec![sleep], target: Weak::dangling(), started });
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
    note = "for a type of your own: `#[derive(slotgc::Trace)]`",
    note = "for a foreign type that holds no handles: `#[trace(skip)]` on the field, or `slotgc::Untraced<{Self}>` inside a container"
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
    /// `trace` asked for it ([`Tracer::weak_collection`]), after marking and before anything is freed.
    ///
    /// # Examples
    /// A weak list of one's own:
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
}

mod sealed {
    /// What a message says of a handle.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub enum HandleKind {
        Strong,
        Weak,
        Root,
    }

    pub trait Sealed: Copy {
        const KIND: HandleKind;

        /// The number of the heap that the handle belongs to, zero if it does not know.
        #[inline(always)]
        fn heap_number(self) -> u64 {
            0
        }
    }
}

pub(crate) use sealed::HandleKind;

/// Anything that names an object: [`Gc`], [`Weak`], `&Root`, and references to the first two, as iterators
/// give them. The methods of [`Heap`](crate::Heap) take any of these.
pub trait Handle: Copy + sealed::Sealed {
    /// The type of the object.
    type Target: Trace;

    /// The weak handle of the object.
    fn downgrade(self) -> Weak<Self::Target>;
}

/// What is a handle, and how it becomes a weak one.
macro_rules! handles {
    ($($handle:ty: $kind:ident $(($number:expr))?),*) => {$(
        impl<T> sealed::Sealed for $handle {
            const KIND: HandleKind = HandleKind::$kind;

            $(
                #[inline(always)]
                fn heap_number(self) -> u64 {
                    $number(self)
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

handles!(Gc<T>: Strong, Weak<T>: Weak, &Gc<T>: Strong, &Weak<T>: Weak, &Root<T>: Root (Root::heap_number));
