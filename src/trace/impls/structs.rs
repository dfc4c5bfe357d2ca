//! Values made of a fixed number of others: boxes, options, tuples, ranges.

use alloc::boxed::Box;
use core::cmp::Reverse;
use core::num::{Saturating, Wrapping};
use core::ops::{Bound, ControlFlow, Range, RangeFrom, RangeInclusive, RangeTo};

use crate::trace::impls::{owned, visit};
use crate::trace::{Components, Inspector, Links, Liveness, Trace, Tracer};

impl<T: Trace + ?Sized> Trace for Box<T> {
    const NEEDS_TRACE: bool = T::NEEDS_TRACE;
    const HOLDS_HANDLES: bool = T::HOLDS_HANDLES;
    const OWNS: bool = true;

    #[inline]
    fn trace(&self, tracer: &mut Tracer<'_>) {
        visit(&**self, tracer);
    }

    #[inline]
    fn prune(&mut self, live: &Liveness<'_>) {
        (**self).prune(live);
    }

    fn owned_bytes(&self) -> usize {
        owned::sum([size_of_val(&**self), (**self).owned_bytes()])
    }

    fn inspect(&self, inspector: &mut Inspector<'_>) {
        (**self).inspect(inspector);
    }

    #[inline]
    fn relink(&mut self, links: &mut Links<'_>) {
        (**self).relink(links);
    }

    fn relinks_edges(components: &mut Components) -> bool {
        components.relink_edges::<T>()
    }
}

/// In paths an option is not a step of its own.
impl<T: Trace> Trace for Option<T> {
    const NEEDS_TRACE: bool = T::NEEDS_TRACE;
    const HOLDS_HANDLES: bool = T::HOLDS_HANDLES;
    const OWNS: bool = T::OWNS;

    #[inline]
    fn trace(&self, tracer: &mut Tracer<'_>) {
        if T::NEEDS_TRACE {
            self.iter().for_each(|item| item.trace(tracer));
        }
    }

    #[inline]
    fn prune(&mut self, live: &Liveness<'_>) {
        if T::NEEDS_TRACE {
            self.iter_mut().for_each(|item| item.prune(live));
        }
    }

    fn owned_bytes(&self) -> usize {
        self.as_ref().map_or(0, T::owned_bytes)
    }

    fn inspect(&self, inspector: &mut Inspector<'_>) {
        if let Some(value) = self {
            value.inspect(inspector);
        }
    }

    #[inline]
    fn relink(&mut self, links: &mut Links<'_>) {
        if let Some(value) = self {
            links.field(value);
        }
    }

    fn relinks_edges(components: &mut Components) -> bool {
        components.relink_edges::<T>()
    }
}

/// Structs of values of one type.
macro_rules! structs {
    ($($ty:ident { $($field:tt),* }),* $(,)?) => {$(
        impl<T: Trace> Trace for $ty<T> {
            const NEEDS_TRACE: bool = T::NEEDS_TRACE;
            const HOLDS_HANDLES: bool = T::HOLDS_HANDLES;
            const OWNS: bool = T::OWNS;

            #[inline]
            fn trace(&self, tracer: &mut Tracer<'_>) {
                $(visit(&self.$field, tracer);)*
            }

            #[inline]
            fn prune(&mut self, live: &Liveness<'_>) {
                $(self.$field.prune(live);)*
            }

            fn owned_bytes(&self) -> usize {
                owned::sum([$(self.$field.owned_bytes()),*])
            }

            fn inspect(&self, inspector: &mut Inspector<'_>) {
                $(inspector.field(stringify!($field), &self.$field);)*
            }

            #[inline]
            fn relink(&mut self, links: &mut Links<'_>) {
                $(links.field(&mut self.$field);)*
            }

            fn relinks_edges(components: &mut Components) -> bool {
                components.relink_edges::<T>()
            }
        }
    )*};
}

structs! {
    Range { start, end }, RangeFrom { start }, RangeTo { end }, Reverse { 0 }, Wrapping { 0 }, Saturating { 0 },
}

impl<T: Trace> Trace for RangeInclusive<T> {
    const NEEDS_TRACE: bool = T::NEEDS_TRACE;
    const HOLDS_HANDLES: bool = T::HOLDS_HANDLES;
    const OWNS: bool = T::OWNS;

    #[inline]
    fn trace(&self, tracer: &mut Tracer<'_>) {
        visit(self.start(), tracer);
        visit(self.end(), tracer);
    }

    fn owned_bytes(&self) -> usize {
        owned::sum([self.start().owned_bytes(), self.end().owned_bytes()])
    }

    fn inspect(&self, inspector: &mut Inspector<'_>) {
        inspector.field("start", self.start());
        inspector.field("end", self.end());
    }

    /// Its ends cannot be changed in place, nor taken out without a replacement.
    fn relink(&mut self, links: &mut Links<'_>) {
        if T::HOLDS_HANDLES {
            links.unsupported::<Self>();
        }
    }
}

impl<T: Trace> Trace for Bound<T> {
    const NEEDS_TRACE: bool = T::NEEDS_TRACE;
    const HOLDS_HANDLES: bool = T::HOLDS_HANDLES;
    const OWNS: bool = T::OWNS;

    #[inline]
    fn trace(&self, tracer: &mut Tracer<'_>) {
        if let Bound::Included(bound) | Bound::Excluded(bound) = self {
            visit(bound, tracer);
        }
    }

    #[inline]
    fn prune(&mut self, live: &Liveness<'_>) {
        if let Bound::Included(bound) | Bound::Excluded(bound) = self {
            bound.prune(live);
        }
    }

    fn owned_bytes(&self) -> usize {
        match self {
            Bound::Included(bound) | Bound::Excluded(bound) => bound.owned_bytes(),
            Bound::Unbounded => 0,
        }
    }

    fn inspect(&self, inspector: &mut Inspector<'_>) {
        match self {
            Bound::Included(bound) => inspector.field("Included.0", bound),
            Bound::Excluded(bound) => inspector.field("Excluded.0", bound),
            Bound::Unbounded => {}
        }
    }

    fn relink(&mut self, links: &mut Links<'_>) {
        if let Bound::Included(bound) | Bound::Excluded(bound) = self {
            links.field(bound);
        }
    }

    fn relinks_edges(components: &mut Components) -> bool {
        components.relink_edges::<T>()
    }
}

/// Enums of two types.
macro_rules! either {
    ($($ty:ident { $first:ident, $second:ident }),* $(,)?) => {$(
        impl<A: Trace, B: Trace> Trace for $ty<A, B> {
            const NEEDS_TRACE: bool = A::NEEDS_TRACE || B::NEEDS_TRACE;
            const HOLDS_HANDLES: bool = A::HOLDS_HANDLES || B::HOLDS_HANDLES;
            const OWNS: bool = A::OWNS || B::OWNS;

            #[inline]
            fn trace(&self, tracer: &mut Tracer<'_>) {
                match self {
                    $ty::$first(value) => visit(value, tracer),
                    $ty::$second(value) => visit(value, tracer),
                }
            }

            #[inline]
            fn prune(&mut self, live: &Liveness<'_>) {
                match self {
                    $ty::$first(value) => value.prune(live),
                    $ty::$second(value) => value.prune(live),
                }
            }

            fn owned_bytes(&self) -> usize {
                match self {
                    $ty::$first(value) => value.owned_bytes(),
                    $ty::$second(value) => value.owned_bytes(),
                }
            }

            fn inspect(&self, inspector: &mut Inspector<'_>) {
                match self {
                    $ty::$first(value) => inspector.field(concat!(stringify!($first), ".0"), value),
                    $ty::$second(value) => inspector.field(concat!(stringify!($second), ".0"), value),
                }
            }

            #[inline]
            fn relink(&mut self, links: &mut Links<'_>) {
                match self {
                    $ty::$first(value) => links.field(value),
                    $ty::$second(value) => links.field(value),
                }
            }

            fn relinks_edges(components: &mut Components) -> bool {
                components.relink_edges::<A>() && components.relink_edges::<B>()
            }
        }
    )*};
}

either! { Result { Ok, Err }, ControlFlow { Continue, Break } }

/// Tuples of up to twelve.
macro_rules! tuples {
    ($($name:ident $index:tt)*) => {
        impl<$($name: Trace),*> Trace for ($($name,)*) {
            const NEEDS_TRACE: bool = false $(|| $name::NEEDS_TRACE)*;
            const HOLDS_HANDLES: bool = false $(|| $name::HOLDS_HANDLES)*;
            const OWNS: bool = false $(|| $name::OWNS)*;

            #[inline]
            fn trace(&self, tracer: &mut Tracer<'_>) {
                $(visit(&self.$index, tracer);)*
            }

            #[inline]
            fn prune(&mut self, live: &Liveness<'_>) {
                $(self.$index.prune(live);)*
            }

            fn owned_bytes(&self) -> usize {
                owned::sum([$(self.$index.owned_bytes()),*])
            }

            fn inspect(&self, inspector: &mut Inspector<'_>) {
                $(inspector.field(stringify!($index), &self.$index);)*
            }

            #[inline]
            fn relink(&mut self, links: &mut Links<'_>) {
                $(links.field(&mut self.$index);)*
            }

            fn relinks_edges(components: &mut Components) -> bool {
                true $(&& components.relink_edges::<$name>())*
            }
        }
    };
}

tuples!(A 0);
tuples!(A 0 B 1);
tuples!(A 0 B 1 C 2);
tuples!(A 0 B 1 C 2 D 3);
tuples!(A 0 B 1 C 2 D 3 E 4);
tuples!(A 0 B 1 C 2 D 3 E 4 F 5);
tuples!(A 0 B 1 C 2 D 3 E 4 F 5 G 6);
tuples!(A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7);
tuples!(A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7 I 8);
tuples!(A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7 I 8 J 9);
tuples!(A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7 I 8 J 9 K 10);
tuples!(A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7 I 8 J 9 K 10 L 11);
