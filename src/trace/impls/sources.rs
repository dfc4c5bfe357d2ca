//! Root sources.

use alloc::vec::Vec;

use crate::trace::{RootSource, Trace, Tracer};

impl<F: Fn(&mut Tracer<'_>)> RootSource for F {
    fn trace_roots(&self, tracer: &mut Tracer<'_>) {
        self(tracer);
    }
}

/// No roots besides those of the heap.
impl RootSource for () {
    fn trace_roots(&self, _: &mut Tracer<'_>) {}
}

impl<T: Trace> RootSource for [T] {
    fn trace_roots(&self, tracer: &mut Tracer<'_>) {
        self.iter().for_each(|item| item.trace(tracer));
    }
}

impl<T: Trace> RootSource for &[T] {
    fn trace_roots(&self, tracer: &mut Tracer<'_>) {
        (**self).trace_roots(tracer);
    }
}

impl<T: Trace, const N: usize> RootSource for [T; N] {
    fn trace_roots(&self, tracer: &mut Tracer<'_>) {
        self.as_slice().trace_roots(tracer);
    }
}

impl<T: Trace> RootSource for Vec<T> {
    fn trace_roots(&self, tracer: &mut Tracer<'_>) {
        self.as_slice().trace_roots(tracer);
    }
}

impl<T: Trace> RootSource for Option<T> {
    fn trace_roots(&self, tracer: &mut Tracer<'_>) {
        self.as_slice().trace_roots(tracer);
    }
}

/// Any number of sources.
impl<const N: usize> RootSource for [&dyn RootSource; N] {
    fn trace_roots(&self, tracer: &mut Tracer<'_>) {
        self.iter().for_each(|source| source.trace_roots(tracer));
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
        }
    };
}

tuples!(A);
tuples!(A B);
tuples!(A B C);
tuples!(A B C D);
tuples!(A B C D E);
tuples!(A B C D E F);
