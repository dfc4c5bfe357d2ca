//! Objects behind traits: [`TraceDyn`], and `trace_dyn!`.
//!
//! `Trace` has constants, so it is not dyn-compatible. `TraceDyn` is its dyn-compatible part: its methods,
//! under names of their own so that no call is ambiguous.

use crate::trace::{Inspector, Links, Liveness, Trace, Tracer};

/// The methods of [`Trace`] for a trait object. Implemented for every `T: Trace`; make it a supertrait of
/// your trait and invoke [`trace_dyn!`](crate::trace_dyn), and `Box<dyn YourTrait>` is `Trace`.
///
/// # Examples
/// ```
/// use slotgc::{Gc, Heap, Trace, TraceDyn, trace_dyn};
///
/// trait Behaviour: TraceDyn {
///     fn act(&mut self) -> u32;
/// }
/// trace_dyn!(dyn Behaviour);
///
/// #[derive(Trace)]
/// struct Follow { whom: Gc<String> }
///
/// impl Behaviour for Follow {
///     fn act(&mut self) -> u32 { 1 }
/// }
///
/// #[derive(Trace)]
/// struct Mob { behaviours: Vec<Box<dyn Behaviour>> }
///
/// let mut heap = Heap::new();
/// let whom = heap.alloc("Teddy".to_string());
/// let mob = heap.alloc_root(Mob { behaviours: vec![Box::new(Follow { whom })] });
/// heap.collect();
/// assert!(heap.is_alive(whom));
/// assert_eq!(heap[&mob].behaviours[0].act(), 1);
/// ```
pub trait TraceDyn: Send + Sync + 'static {
    /// [`Trace::trace`].
    fn trace_dyn(&self, tracer: &mut Tracer<'_>);

    /// [`Trace::prune`].
    fn prune_dyn(&mut self, live: &Liveness<'_>);

    /// [`Trace::owned_bytes`].
    fn owned_bytes_dyn(&self) -> usize;

    /// [`Trace::inspect`].
    fn inspect_dyn(&self, inspector: &mut Inspector<'_>);

    /// [`Trace::relink`], if the value holds handles.
    fn relink_dyn(&mut self, links: &mut Links<'_>);
}

impl<T: Trace> TraceDyn for T {
    fn trace_dyn(&self, tracer: &mut Tracer<'_>) {
        if T::NEEDS_TRACE {
            self.trace(tracer);
        }
    }

    fn prune_dyn(&mut self, live: &Liveness<'_>) {
        self.prune(live);
    }

    fn owned_bytes_dyn(&self) -> usize {
        self.owned_bytes()
    }

    fn inspect_dyn(&self, inspector: &mut Inspector<'_>) {
        self.inspect(inspector);
    }

    fn relink_dyn(&mut self, links: &mut Links<'_>) {
        links.field(self);
    }
}

/// Implements [`Trace`](trait@crate::Trace) for a trait object, so that a `Box<dyn YourTrait>` can be stored
/// in an object. The trait must have [`TraceDyn`](crate::TraceDyn) as a supertrait, which has an example.
///
/// # Examples
/// A generic trait is named with its parameters:
/// ```
/// use slotgc::{TraceDyn, trace_dyn};
///
/// trait System<World>: TraceDyn {
///     fn run(&self, world: &mut World);
/// }
/// trace_dyn!(<World: 'static> dyn System<World>);
/// ```
#[macro_export]
macro_rules! trace_dyn {
    (<$($param:ident $(: $bound:tt $(+ $more:tt)*)?),+ $(,)?> $object:ty) => {
        $crate::trace_dyn!(@ [<$($param $(: $bound $(+ $more)*)?),+>] $object);
    };
    (@ [$($generics:tt)*] $object:ty) => {
        impl $($generics)* $crate::Trace for $object {
            const NEEDS_TRACE: bool = true;
            const HOLDS_HANDLES: bool = true;
            const OWNS: bool = true;

            fn trace(&self, tracer: &mut $crate::Tracer<'_>) {
                $crate::TraceDyn::trace_dyn(self, tracer);
            }

            fn prune(&mut self, live: &$crate::Liveness<'_>) {
                $crate::TraceDyn::prune_dyn(self, live);
            }

            fn owned_bytes(&self) -> usize {
                $crate::TraceDyn::owned_bytes_dyn(self)
            }

            fn inspect(&self, inspector: &mut $crate::Inspector<'_>) {
                $crate::TraceDyn::inspect_dyn(self, inspector);
            }

            fn relink(&mut self, links: &mut $crate::Links<'_>) {
                $crate::TraceDyn::relink_dyn(self, links);
            }
        }
    };
    ($object:ty) => {
        $crate::trace_dyn!(@ [] $object);
    };
}

trace_dyn!(dyn TraceDyn);
