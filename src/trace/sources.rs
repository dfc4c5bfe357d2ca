//! [`RootSource`]: roots that live outside of the heap, and what is one.

use alloc::vec::Vec;

use crate::trace::{Inspector, Trace, Tracer};

/// Roots that live outside of the heap: in a VM's stack, in the components of an ECS world.
///
/// Asked by [`collect_with`](crate::Heap::collect_with) at the beginning of marking. Implemented for closures
/// (see [`roots`]), for slices, arrays, `Vec` and `Option` of anything that implements [`Trace`], for tuples
/// of references to sources, and for `()`, which has none. A slice goes in as `&&v[..]`.
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

    /// Names every handle, for people: see [`Inspector`]. By default those that `trace_roots` reports, without names.
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
        self.iter().for_each(|item| item.trace(tracer));
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
