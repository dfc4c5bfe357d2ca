//! Maps and sets. Their keys cannot be changed in place: a weak collection in a key or an element is not
//! pruned, and a container whose keys hold handles is rebuilt when it is relinked.

use alloc::collections::{BTreeMap, BTreeSet, BinaryHeap};
use alloc::vec::Vec;
use core::hash::{BuildHasher, Hash};
use core::mem;

use crate::trace::impls::owned;
use crate::trace::{Components, Inspector, Links, Liveness, Trace, Tracer};

/// Ordered and hashed collections, how many bytes one owns, and how it is relinked.
macro_rules! sets {
    ($([$($bounds:tt)*] [$($generics:tt)*] $ty:ty: |$value:ident, $links:ident| owns $owned:expr, relinks $relink:expr;)*) => {$(
        impl<T: Trace + $($bounds)*, $($generics)*> Trace for $ty {
            const NEEDS_TRACE: bool = T::NEEDS_TRACE;
            const HOLDS_HANDLES: bool = T::HOLDS_HANDLES;
            const OWNS: bool = true;

            #[inline]
            fn trace(&self, tracer: &mut Tracer<'_>) {
                if T::NEEDS_TRACE {
                    self.iter().for_each(|item| item.trace(tracer));
                }
            }

            fn owned_bytes(&self) -> usize {
                let $value = self;
                owned::sum([$owned, owned::by_items(self.len(), self.iter())])
            }

            fn inspect(&self, inspector: &mut Inspector<'_>) {
                self.iter().enumerate().for_each(|(index, item)| inspector.item(index, item));
            }

            fn relink(&mut self, $links: &mut Links<'_>) {
                if T::HOLDS_HANDLES {
                    let $value = self;
                    $relink;
                }
            }

            fn relinks_edges(components: &mut Components) -> bool {
                components.relink_edges::<T>()
            }
        }
    )*};
}
#[allow(unused_imports, reason = "for the types of other crates, behind features")]
pub(super) use sets;

/// Puts items back into the set that they come from; of equal items the first stays.
pub(super) fn refile<T: Trace>(
    items: impl IntoIterator<Item = T>,
    links: &mut Links<'_>,
    mut insert: impl FnMut(T) -> bool,
) {
    for mut item in items {
        item.relink(links);
        if !insert(item) {
            links.merged();
        }
    }
}

sets! {
    [Ord] [] BTreeSet<T>: |set, links| owns owned::tree_bytes::<T>(set.len()),
        relinks refile(mem::take(set), links, |item| set.insert(item));
    // Not a set: equal items stay.
    [Ord] [] BinaryHeap<T>: |heap, links| owns heap.capacity() * size_of::<T>(),
        relinks refile(mem::take(heap).into_vec(), links, |item| { heap.push(item); true });
    [Eq + Hash] [S: BuildHasher + Send + Sync + 'static] hashbrown::HashSet<T, S>: |set, links|
        owns owned::table_bytes::<T>(set.capacity()),
        relinks refile(set.drain().collect::<Vec<_>>(), links, |item| set.insert(item));
}

#[cfg(feature = "std")]
sets! {
    [Eq + Hash] [S: BuildHasher + Send + Sync + 'static] std::collections::HashSet<T, S>: |set, links|
        owns owned::table_bytes::<T>(set.capacity()),
        relinks refile(set.drain().collect::<Vec<_>>(), links, |item| set.insert(item));
}

/// Maps, how many bytes one owns, and how its entries are taken out. Edges from keys and values, weak
/// collections in values.
macro_rules! maps {
    ($([$($bounds:tt)*] [$($generics:tt)*] $ty:ty: |$map:ident| owns $owned:expr, entries $take:expr;)*) => {$(
        impl<K: Trace + $($bounds)*, V: Trace, $($generics)*> Trace for $ty {
            const NEEDS_TRACE: bool = K::NEEDS_TRACE || V::NEEDS_TRACE;
            const HOLDS_HANDLES: bool = K::HOLDS_HANDLES || V::HOLDS_HANDLES;
            const OWNS: bool = true;

            #[inline]
            fn trace(&self, tracer: &mut Tracer<'_>) {
                if K::NEEDS_TRACE || V::NEEDS_TRACE {
                    self.iter().for_each(|(key, value)| {
                        crate::trace::impls::visit(key, tracer);
                        crate::trace::impls::visit(value, tracer);
                    });
                }
            }

            #[inline]
            fn prune(&mut self, live: &Liveness<'_>) {
                if V::NEEDS_TRACE {
                    self.values_mut().for_each(|value| value.prune(live));
                }
            }

            fn owned_bytes(&self) -> usize {
                let $map = self;
                let (keys, values) = (self.keys(), self.values());
                owned::sum([$owned, owned::by_items(self.len(), keys), owned::by_items(self.len(), values)])
            }

            fn inspect(&self, inspector: &mut Inspector<'_>) {
                self.iter().for_each(|(key, value)| inspector.entry(key, value));
            }

            fn relink(&mut self, links: &mut Links<'_>) {
                if V::HOLDS_HANDLES {
                    self.values_mut().for_each(|value| value.relink(links));
                }
                if K::HOLDS_HANDLES {
                    let $map = self;
                    for (mut key, value) in $take {
                        key.relink(links);
                        if $map.contains_key(&key) {
                            links.merged();
                        } else {
                            $map.insert(key, value);
                        }
                    }
                }
            }

            fn relinks_edges(components: &mut Components) -> bool {
                components.relink_edges::<K>() && components.relink_edges::<V>()
            }
        }
    )*};
}
#[allow(unused_imports, reason = "for the types of other crates, behind features")]
pub(super) use maps;

maps! {
    [Ord] [] BTreeMap<K, V>: |map| owns owned::tree_bytes::<(K, V)>(map.len()), entries mem::take(map);
    [Eq + Hash] [S: BuildHasher + Send + Sync + 'static] hashbrown::HashMap<K, V, S>: |map|
        owns owned::table_bytes::<(K, V)>(map.capacity()), entries map.drain().collect::<Vec<_>>();
}

#[cfg(feature = "std")]
maps! {
    [Eq + Hash] [S: BuildHasher + Send + Sync + 'static] std::collections::HashMap<K, V, S>: |map|
        owns owned::table_bytes::<(K, V)>(map.capacity()), entries map.drain().collect::<Vec<_>>();
}

/// slotmap's maps: edges from values. Their keys are not edges: a side table keyed by handles does not keep
/// its keys alive, and is not rebuilt when it is relinked.
macro_rules! slot_maps {
    ($([$($generics:tt)*] $ty:ty: slot $slot:ty;)*) => {$(
        impl<K: slotmap::Key + Send + Sync + 'static, V: Trace, $($generics)*> Trace for $ty {
            const NEEDS_TRACE: bool = V::NEEDS_TRACE;
            const HOLDS_HANDLES: bool = V::HOLDS_HANDLES;
            const OWNS: bool = true;

            #[inline]
            fn trace(&self, tracer: &mut Tracer<'_>) {
                if V::NEEDS_TRACE {
                    self.values().for_each(|value| value.trace(tracer));
                }
            }

            #[inline]
            fn prune(&mut self, live: &Liveness<'_>) {
                if V::NEEDS_TRACE {
                    self.values_mut().for_each(|value| value.prune(live));
                }
            }

            fn owned_bytes(&self) -> usize {
                let slots = self.capacity() * size_of::<$slot>();
                owned::sum([slots, owned::by_items(self.len(), self.values())])
            }

            fn inspect(&self, inspector: &mut Inspector<'_>) {
                self.iter().for_each(|(key, value)| inspector.entry(&key.data(), value));
            }

            fn relink(&mut self, links: &mut Links<'_>) {
                if V::HOLDS_HANDLES {
                    self.values_mut().for_each(|value| value.relink(links));
                }
            }

            fn relinks_edges(components: &mut Components) -> bool {
                components.relink_edges::<V>()
            }
        }
    )*};
}

slot_maps! {
    [] slotmap::SlotMap<K, V>: slot (V, u32);
    [] slotmap::DenseSlotMap<K, V>: slot (V, K, u64);
    [] slotmap::SecondaryMap<K, V>: slot (V, u32);
}

#[cfg(feature = "std")]
slot_maps! {
    [S: BuildHasher + Send + Sync + 'static] slotmap::SparseSecondaryMap<K, V, S>: slot (u32, u32, V);
}
