//! [`RootSource`]: roots that live outside the heap, and its implementations.

use alloc::vec::Vec;
use core::ops::Range;

use crate::handle::Gc;
use crate::sync::{HeapNumber as LogWord, LogFlag as AtomicBool, Ordering};
use crate::trace::{Inspector, Trace, Tracer};

/// Roots that live outside the heap: in a VM's stack, in the components of an ECS world.
///
/// A full cycle asks for all of them when it begins, and again whenever nothing is left to trace, until the
/// source reports nothing new; a minor collection asks once. After the first report in an
/// [`Epoch`](crate::Epoch) it calls [`trace_changed_roots`](Self::trace_changed_roots), so that a source that
/// knows what changed pays only for that. A call of the source is one piece of work: about 2 ns for each
/// handle that it reports, whatever the budget.
///
/// Implemented for closures (see [`roots`]), for slices, arrays, `Vec` and `Option` of anything that
/// implements [`Trace`], for tuples of references to sources, and for `()`, which has none. A slice is passed
/// as `&&v[..]`.
///
/// # Examples
/// A VM that owns its heap:
/// ```
/// use slotgc::{Gc, Heap, RootSource, Tracer};
///
/// #[derive(Default)]
/// struct State { stack: Vec<Gc<String>> }
///
/// impl RootSource for State {
///     fn trace_roots(&self, tracer: &mut Tracer<'_>) {
///         tracer.edges(self.stack.iter().copied());
///     }
/// }
///
/// #[derive(Default)]
/// struct Vm { heap: Heap, state: State }
///
/// let mut vm = Vm::default();
/// let text = vm.heap.alloc("kept by the stack".to_string());
/// vm.state.stack.push(text);
/// vm.heap.collect_with(&vm.state);
/// assert!(vm.heap.is_alive(text));
/// ```
pub trait RootSource {
    /// Reports every handle whose object must live on.
    fn trace_roots(&self, tracer: &mut Tracer<'_>);

    /// Reports at least the handles that are new since the source's last report (by either method) in this
    /// [`epoch`](Tracer::epoch); all of them if that report was in another epoch, or if there is none. By
    /// default it reports all. [`RootLog`] does the bookkeeping.
    fn trace_changed_roots(&self, tracer: &mut Tracer<'_>) {
        self.trace_roots(tracer);
    }

    /// Names every handle, for people: see [`Inspector`]. By default those that `trace_roots` reports,
    /// without names.
    ///
    /// # Examples
    /// ```
    /// use slotgc::{Gc, Heap, Inspector, RootSource, Tracer};
    ///
    /// struct State { stack: Vec<Gc<String>> }
    ///
    /// impl RootSource for State {
    ///     fn trace_roots(&self, tracer: &mut Tracer<'_>) {
    ///         tracer.edges(self.stack.iter().copied());
    ///     }
    ///     fn inspect_roots(&self, inspector: &mut Inspector<'_>) {
    ///         inspector.field("stack", &self.stack);
    ///     }
    /// }
    ///
    /// let mut heap = Heap::new();
    /// let text = heap.alloc("text".to_string());
    /// let state = State { stack: vec![text] };
    /// # #[cfg(feature = "inspect")]
    /// let path = heap.why_alive_with(text, &state).unwrap();
    /// # #[cfg(feature = "inspect")]
    /// assert_eq!(path.to_string(), format!("source .stack[0] -> String {text} \"text\""));
    /// ```
    fn inspect_roots(&self, inspector: &mut Inspector<'_>) {
        inspector.anonymous_with(|tracer| self.trace_roots(tracer));
    }
}

/// The bookkeeping of a root source that knows what changed: in which epoch it last reported.
///
/// # Examples
/// ```
/// use slotgc::{Budget, Gc, Heap, RootLog, RootSource, Tracer};
///
/// /// Handles in components. `changed` has those stored since the collector last asked.
/// #[derive(Default)]
/// struct World { all: Vec<Gc<String>>, changed: Vec<Gc<String>>, log: RootLog }
///
/// impl RootSource for World {
///     fn trace_roots(&self, tracer: &mut Tracer<'_>) {
///         self.log.report(tracer, self.all.iter().copied(), self.changed.iter().copied());
///     }
///     fn trace_changed_roots(&self, tracer: &mut Tracer<'_>) {
///         self.trace_roots(tracer);
///     }
/// }
///
/// let (mut heap, mut world) = (Heap::new(), World::default());
/// for frame in 0..100 {
///     let name = heap.alloc(format!("spawned in frame {frame}"));
///     world.all.push(name);
///     world.changed.push(name);
///     heap.pace_with(Budget::Objects(100), &world);
///     world.log.forget_reported(&mut world.changed); // what the collector has seen
/// }
/// heap.collect_with(&world);
/// assert_eq!(heap.len(), 100);
/// ```
#[derive(Debug, Default)]
pub struct RootLog {
    /// Heap and cycle of the last report; zero if there was none.
    heap: LogWord,
    cycle: LogWord,
    /// Whether there was a report since [`take_reported`](Self::take_reported) was last called.
    reported: AtomicBool,
    /// How many changes the last report covered.
    reported_len: LogWord,
    /// Rows that the last report of everything left for later: those below this one.
    left: LogWord,
    /// How many rows its parts had.
    part: LogWord,
}

impl RootLog {
    /// A log without reports.
    pub fn new() -> Self {
        Self::default()
    }

    /// Removes from a list of changes what the last report covered: the first ones, as many as the report's
    /// `changed` announced ([`Iterator::size_hint`]). What was added since stays. O(changes).
    ///
    /// The list must be the one passed to [`report`](Self::report), and only grow between two calls of this.
    pub fn forget_reported<C>(&self, changed: &mut Vec<C>) {
        let len = usize::try_from(self.reported_len.swap(0, Ordering::Relaxed)).unwrap_or(usize::MAX);
        changed.drain(..len.min(changed.len()));
    }

    /// Whether there was a report since this was last called, in any call of the heap: for bookkeeping that
    /// [`forget_reported`](Self::forget_reported) cannot do. Call it after *every* call of the heap that may
    /// collect; `true` then means that everything the source held as changed was reported and need not be
    /// reported again.
    pub fn take_reported(&self) -> bool {
        self.reported.swap(false, Ordering::Relaxed)
    }

    /// Reports `changed` if the last report was in this epoch, otherwise `all`, by [`Tracer::edges`].
    pub fn report<T: Trace>(
        &self,
        tracer: &mut Tracer<'_>,
        all: impl IntoIterator<Item = Gc<T>>,
        changed: impl IntoIterator<Item = Gc<T>>,
    ) {
        let mut all = Some(all);
        self.report_parts(tracer, 1, changed, |tracer, _| tracer.edges(all.take().into_iter().flatten()));
    }

    /// Reports rows that are numbered from zero, as [`report`](Self::report) does, but in parts: `rows`
    /// returns the handles of a range. An incremental cycle gets 16,384 rows at a time, from the last to the
    /// first, so that no step takes long, however many rows there are.
    ///
    /// The program runs between two parts. So a handle that moves to a row with a higher number must be among
    /// the changed. `push`, `pop`, `truncate`, `swap_remove`, `remove` and `retain` of a `Vec` move none up;
    /// `insert`, `swap` and sorting do. After those call [`start_again`](Self::start_again). A report that
    /// starts again before its end gets parts twice as large, so that it ends even if that is every frame.
    ///
    /// # Examples
    /// ```
    /// use slotgc::{Budget, Gc, Heap, RootLog, RootSource, Tracer};
    ///
    /// #[derive(Default)]
    /// struct World { all: Vec<Gc<u64>>, changed: Vec<Gc<u64>>, log: RootLog }
    ///
    /// impl RootSource for World {
    ///     fn trace_roots(&self, tracer: &mut Tracer<'_>) {
    ///         let changed = self.changed.iter().copied();
    ///         self.log.report_rows(tracer, self.all.len(), |rows| self.all[rows].iter().copied(), changed);
    ///     }
    ///     fn trace_changed_roots(&self, tracer: &mut Tracer<'_>) {
    ///         self.trace_roots(tracer);
    ///     }
    /// }
    ///
    /// let (mut heap, mut world) = (Heap::new(), World::default());
    /// for frame in 0..1000 {
    ///     let number = heap.alloc(frame);
    ///     world.all.push(number);
    ///     world.changed.push(number);
    ///     if frame % 3 == 0 {
    ///         world.all.swap_remove(frame as usize / 2);
    ///     }
    ///     heap.pace_with(Budget::Objects(100), &world);
    ///     world.log.forget_reported(&mut world.changed);
    /// }
    /// assert!(world.all.iter().all(|gc| heap.is_alive(*gc)));
    /// ```
    pub fn report_rows<T: Trace, R: IntoIterator<Item = Gc<T>>>(
        &self,
        tracer: &mut Tracer<'_>,
        len: usize,
        mut rows: impl FnMut(Range<usize>) -> R,
        changed: impl IntoIterator<Item = Gc<T>>,
    ) {
        self.report_parts(tracer, len, changed, |tracer, part| tracer.edges(rows(part)));
    }

    /// Makes the next report one of everything: for when it is not known what changed.
    pub fn start_again(&self) {
        self.heap.store(0, Ordering::Relaxed);
    }

    fn report_parts<T: Trace>(
        &self,
        tracer: &mut Tracer<'_>,
        len: usize,
        changed: impl IntoIterator<Item = Gc<T>>,
        mut part: impl FnMut(&mut Tracer<'_>, Range<usize>),
    ) {
        const PART: u64 = 16 * 1024;
        let Some(epoch) = tracer.epoch() else { return part(tracer, 0..len) };
        // Too few, if the iterator does not know how many there are: then those are reported once more.
        let changed = changed.into_iter();
        let changed_len = changed.size_hint().0 as u64;
        // Relaxed, here and below: whoever reports has the source in hand.
        let load = |word: &LogWord| word.load(Ordering::Relaxed);
        let rest = usize::try_from(load(&self.left)).unwrap_or(usize::MAX);
        let (mut left, part_len) = if (load(&self.heap), load(&self.cycle)) == (epoch.heap, epoch.cycle) {
            tracer.edges(changed);
            (len.min(rest), load(&self.part))
        } else if rest == 0 {
            (len, PART)
        } else {
            // The last report did not reach its end.
            (len, load(&self.part).saturating_mul(2))
        };
        while left > 0 {
            let start = left.saturating_sub(usize::try_from(part_len).unwrap_or(usize::MAX));
            part(tracer, start..left);
            left = start;
            if left > 0 && tracer.leave_rest() {
                break;
            }
        }
        // Last: a report that panics is none, even if the source catches that.
        self.heap.store(epoch.heap, Ordering::Relaxed);
        self.cycle.store(epoch.cycle, Ordering::Relaxed);
        self.left.store(left as u64, Ordering::Relaxed);
        self.part.store(part_len, Ordering::Relaxed);
        self.reported.store(true, Ordering::Relaxed);
        self.reported_len.store(changed_len, Ordering::Relaxed);
    }
}

/// # Reporting in parts
impl Tracer<'_> {
    /// Asks whether a root source may report the rest of its handles later: for a source with so many that
    /// reporting all of them takes long. If this returns `true`, return: marking does not end before the
    /// source has been asked again, by [`trace_changed_roots`](crate::RootSource::trace_changed_roots), where
    /// it must continue. [`step_with`](crate::Heap::step_with) and [`pace_with`](crate::Heap::pace_with)
    /// allow this, so that their budgets hold. If it returns `false`, report the rest now.
    ///
    /// The program runs between two answers. What it changes in the part that was reported must be reported
    /// once more, and so must a handle that moves there from the part that was not. It may also look, by
    /// [`snapshot_with`](crate::Heap::snapshot_with) for example: that reports everything, in no
    /// [`epoch`](Self::epoch), and must not change where the next answer continues.
    /// [`RootLog::report_rows`](crate::RootLog::report_rows) does this for rows that are numbered.
    ///
    /// # Examples
    /// ```
    /// use std::cell::Cell;
    ///
    /// use slotgc::{Budget, Epoch, Gc, Heap, RootSource, Tracer};
    ///
    /// /// Handles that never change.
    /// struct Level { all: Vec<Gc<u64>>, epoch: Cell<Option<Epoch>>, next: Cell<usize> }
    ///
    /// impl RootSource for Level {
    ///     fn trace_roots(&self, tracer: &mut Tracer<'_>) {
    ///         let Some(epoch) = tracer.epoch() else {
    ///             return tracer.edges(self.all.iter().copied()); // this only looks
    ///         };
    ///         if self.epoch.replace(Some(epoch)) != Some(epoch) {
    ///             self.next.set(0);
    ///         }
    ///         for part in self.all[self.next.get()..].chunks(1000) {
    ///             tracer.edges(part.iter().copied());
    ///             self.next.set(self.next.get() + part.len());
    ///             if self.next.get() < self.all.len() && tracer.leave_rest() {
    ///                 return;
    ///             }
    ///         }
    ///     }
    ///     fn trace_changed_roots(&self, tracer: &mut Tracer<'_>) {
    ///         self.trace_roots(tracer);
    ///     }
    /// }
    ///
    /// let mut heap = Heap::new();
    /// let all = (0..10_000).map(|n| heap.alloc(n)).collect();
    /// let level = Level { all, epoch: Cell::new(None), next: Cell::new(0) };
    /// heap.step_with(Budget::Objects(1), &level);
    /// # #[cfg(feature = "inspect")]
    /// assert_eq!(heap.snapshot_with(&level).len(), 10_000);
    /// while heap.step_with(Budget::Objects(100), &level).finished.is_none() {}
    /// assert_eq!(heap.len(), 10_000);
    /// ```
    #[must_use = "where it returns false, the rest must be reported now"]
    pub fn leave_rest(&mut self) -> bool {
        self.side.has_rest |= self.side.may_leave_rest;
        self.side.may_leave_rest
    }
}

/// Lets a closure be a root source without naming its argument's type.
///
/// # Examples
/// ```
/// use slotgc::{Heap, roots};
///
/// let mut heap = Heap::new();
/// let query = [(heap.alloc(1),), (heap.alloc(2),)];
/// heap.collect_with(&roots(|t| t.edges(query.iter().map(|component| component.0))));
/// assert_eq!(heap.len(), 2);
/// ```
pub fn roots<F: Fn(&mut Tracer<'_>)>(f: F) -> F {
    f
}

impl<F: Fn(&mut Tracer<'_>)> RootSource for F {
    fn trace_roots(&self, tracer: &mut Tracer<'_>) {
        self(tracer);
    }
}

/// No roots besides those of the heap.
impl RootSource for () {
    fn trace_roots(&self, _: &mut Tracer<'_>) {}

    fn inspect_roots(&self, _: &mut Inspector<'_>) {}
}

impl<T: Trace> RootSource for [T] {
    fn trace_roots(&self, tracer: &mut Tracer<'_>) {
        if T::NEEDS_TRACE {
            self.iter().for_each(|item| item.trace(tracer));
        }
    }

    fn inspect_roots(&self, inspector: &mut Inspector<'_>) {
        self.inspect(inspector);
    }
}

impl<T: Trace> RootSource for &[T] {
    fn trace_roots(&self, tracer: &mut Tracer<'_>) {
        (**self).trace_roots(tracer);
    }

    fn inspect_roots(&self, inspector: &mut Inspector<'_>) {
        (**self).inspect_roots(inspector);
    }
}

impl<T: Trace, const N: usize> RootSource for [T; N] {
    fn trace_roots(&self, tracer: &mut Tracer<'_>) {
        self.as_slice().trace_roots(tracer);
    }

    fn inspect_roots(&self, inspector: &mut Inspector<'_>) {
        self.inspect(inspector);
    }
}

impl<T: Trace> RootSource for Vec<T> {
    fn trace_roots(&self, tracer: &mut Tracer<'_>) {
        self.as_slice().trace_roots(tracer);
    }

    fn inspect_roots(&self, inspector: &mut Inspector<'_>) {
        self.inspect(inspector);
    }
}

impl<T: Trace> RootSource for Option<T> {
    fn trace_roots(&self, tracer: &mut Tracer<'_>) {
        self.as_slice().trace_roots(tracer);
    }

    fn inspect_roots(&self, inspector: &mut Inspector<'_>) {
        self.inspect(inspector);
    }
}

/// Any number of sources.
impl<const N: usize> RootSource for [&dyn RootSource; N] {
    fn trace_roots(&self, tracer: &mut Tracer<'_>) {
        self.iter().for_each(|source| source.trace_roots(tracer));
    }

    fn trace_changed_roots(&self, tracer: &mut Tracer<'_>) {
        self.iter().for_each(|source| source.trace_changed_roots(tracer));
    }

    fn inspect_roots(&self, inspector: &mut Inspector<'_>) {
        self.iter().for_each(|source| source.inspect_roots(inspector));
    }
}

/// Several sources by reference: `(&state, extra)`.
macro_rules! tuples {
    ($($name:ident)*) => {
        impl<$($name: RootSource + ?Sized),*> RootSource for ($(&$name,)*) {
            fn trace_roots(&self, tracer: &mut Tracer<'_>) {
                #[expect(non_snake_case, reason = "sources are named after their types")]
                let ($($name,)*) = self;
                $($name.trace_roots(tracer);)*
            }

            fn trace_changed_roots(&self, tracer: &mut Tracer<'_>) {
                #[expect(non_snake_case, reason = "sources are named after their types")]
                let ($($name,)*) = self;
                $($name.trace_changed_roots(tracer);)*
            }

            fn inspect_roots(&self, inspector: &mut Inspector<'_>) {
                #[expect(non_snake_case, reason = "sources are named after their types")]
                let ($($name,)*) = self;
                $($name.inspect_roots(inspector);)*
            }
        }
    };
}

tuples!(A);
tuples!(A B);
tuples!(A B C);
tuples!(A B C D);
tuples!(A B C D E);
tuples!(A B C D E F);
