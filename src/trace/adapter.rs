//! [`TraceWith`]: how one type is traced by another.

use core::marker::PhantomData;

use crate::trace::field::HasField;
use crate::trace::{Components, Inspector, Links, Liveness, Tracer};

/// Traces a foreign type that holds handles: with `#[trace(with = Adapter)]`, a field of type `F` is traced
/// by `Adapter: TraceWith<F>`. Its methods are those of [`Trace`](trait@crate::Trace), with the same
/// defaults.
///
/// # Examples
/// ```
/// use slotgc::{Gc, Heap, Inspector, Links, Trace, TraceWith, Tracer};
///
/// # mod grid {
/// #     pub struct Grid<T>(pub Vec<T>);
/// #     impl<T> Grid<T> {
/// #         pub fn cells(&self) -> impl Iterator<Item = &T> { self.0.iter() }
/// #         pub fn cells_mut(&mut self) -> impl Iterator<Item = &mut T> { self.0.iter_mut() }
/// #     }
/// # }
/// use grid::Grid; // of another crate, which does not know `Trace`
///
/// enum Cells {}
///
/// impl<T: Trace> TraceWith<Grid<T>> for Cells {
///     const NEEDS_TRACE: bool = T::NEEDS_TRACE;
///     const HOLDS_HANDLES: bool = T::HOLDS_HANDLES;
///
///     fn trace(grid: &Grid<T>, tracer: &mut Tracer<'_>) {
///         grid.cells().for_each(|cell| cell.trace(tracer));
///     }
///     fn inspect(grid: &Grid<T>, inspector: &mut Inspector<'_>) {
///         grid.cells().enumerate().for_each(|(index, cell)| inspector.item(index, cell));
///     }
///     fn relink(grid: &mut Grid<T>, links: &mut Links<'_>) {
///         grid.cells_mut().for_each(|cell| links.field(cell));
///     }
/// }
///
/// #[derive(Trace)]
/// struct Level {
///     #[trace(with = Cells)]
///     mobs: Grid<Option<Gc<String>>>,
/// }
///
/// let mut heap = Heap::new();
/// let bear = heap.alloc("Teddy".to_string());
/// let level = heap.alloc_root(Level { mobs: Grid(vec![None, Some(bear)]) });
/// heap.collect();
/// assert!(heap.is_alive(bear));
/// ```
pub trait TraceWith<F: ?Sized> {
    /// See [`Trace::NEEDS_TRACE`](trait@crate::Trace#associatedconstant.NEEDS_TRACE).
    const NEEDS_TRACE: bool = true;
    /// See [`Trace::HOLDS_HANDLES`](trait@crate::Trace#associatedconstant.HOLDS_HANDLES).
    const HOLDS_HANDLES: bool = true;
    /// See [`Trace::OWNS`](trait@crate::Trace#associatedconstant.OWNS).
    const OWNS: bool = false;

    /// Reports every strong edge.
    fn trace(field: &F, tracer: &mut Tracer<'_>);

    /// Drops the entries of weak collections whose target died.
    fn prune(field: &mut F, live: &Liveness<'_>) {
        let _ = (field, live);
    }

    /// Bytes that the field owns outside the slot.
    fn owned_bytes(field: &F) -> usize {
        let _ = field;
        0
    }

    /// Names every edge; by default the edges that `trace` reports, without names.
    fn inspect(field: &F, inspector: &mut Inspector<'_>) {
        inspector.anonymous_with(|tracer| Self::trace(field, tracer));
    }

    /// Hands out every handle, to be replaced; by default an error that names the field's type.
    fn relink(field: &mut F, links: &mut Links<'_>) {
        let _ = field;
        links.unsupported::<F>();
    }
}

/// Stands for the deriving type where a field is traced by an adapter.
#[derive(Debug)]
pub struct With<A: ?Sized>(PhantomData<A>);

impl<F: ?Sized, A: TraceWith<F> + ?Sized> HasField<F> for With<A> {
    const IF_THIS_IS_A_CYCLE_ADD_TRACE_RECURSIVE: bool = A::NEEDS_TRACE;
    const IF_THIS_IS_A_CYCLE_ADD_TRACE_RECURSIVE_HOLDS: bool = A::HOLDS_HANDLES;
    const IF_THIS_IS_A_CYCLE_ADD_TRACE_RECURSIVE_OWNS: bool = A::OWNS;

    #[inline(always)]
    fn trace(field: &F, tracer: &mut Tracer<'_>) {
        if A::NEEDS_TRACE {
            A::trace(field, tracer);
        }
    }

    #[inline(always)]
    fn prune(field: &mut F, live: &Liveness<'_>) {
        A::prune(field, live);
    }

    #[inline]
    fn owned_bytes(field: &F) -> usize {
        if A::OWNS { A::owned_bytes(field) } else { 0 }
    }

    fn inspect(field: &F, name: &'static str, inspector: &mut Inspector<'_>) {
        if A::HOLDS_HANDLES {
            inspector.field_with(name, |inspector| A::inspect(field, inspector));
        }
    }

    #[inline]
    fn relink(field: &mut F, links: &mut Links<'_>) {
        if A::HOLDS_HANDLES {
            A::relink(field, links);
        }
    }

    fn relinks_edges(_: &mut Components) -> bool {
        !A::HOLDS_HANDLES
    }
}
