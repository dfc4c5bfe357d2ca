//! Lists: they hold handles if their items do, and otherwise are not walked.

use alloc::collections::{LinkedList, VecDeque};
use alloc::vec::Vec;

use crate::trace::impls::owned;
use crate::trace::{Components, Inspector, Links, Liveness, Trace, Tracer};

/// Containers of one type that can iterate over their items by shared and mutable reference, and what they
/// own: whether it is more than their items own, and how much.
macro_rules! sequences {
    ($([$($generics:tt)*] $ty:ty: owns $owns:expr, |$value:ident| $owned:expr;)*) => {$(
        impl<T: Trace, $($generics)*> Trace for $ty {
            const NEEDS_TRACE: bool = T::NEEDS_TRACE;
            const HOLDS_HANDLES: bool = T::HOLDS_HANDLES;
            const OWNS: bool = $owns;

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
                let $value = self;
                $owned
            }

            fn inspect(&self, inspector: &mut Inspector<'_>) {
                self.iter().enumerate().for_each(|(index, item)| inspector.item(index, item));
            }

            #[inline]
            fn relink(&mut self, links: &mut Links<'_>) {
                if T::HOLDS_HANDLES {
                    self.iter_mut().for_each(|item| item.relink(links));
                }
            }

            fn relinks_edges(components: &mut Components) -> bool {
                components.relink_edges::<T>()
            }
        }
    )*};
}
#[allow(unused_imports, reason = "for the types of other crates, behind features")]
pub(super) use sequences;

/// What the links to an item's neighbours take.
const NEIGHBOURS: usize = 2 * size_of::<usize>();

sequences! {
    [] Vec<T>: owns true, |list| owned::sum([list.capacity() * size_of::<T>(), owned::by_slice(list)]);
    [] VecDeque<T>: owns true, |list| {
        owned::sum([list.capacity() * size_of::<T>(), owned::by_items(list.len(), list.iter())])
    };
    [] LinkedList<T>: owns true, |list| {
        owned::sum([list.len() * (NEIGHBOURS + size_of::<T>()), owned::by_items(list.len(), list.iter())])
    };
    [] [T]: owns T::OWNS, |list| owned::by_slice(list);
    [const N: usize] [T; N]: owns T::OWNS, |list| owned::by_slice(list);
}
