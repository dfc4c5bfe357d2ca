//! Weak collections in serde's formats: inside `Heap::save` only the entries that are saved, elsewhere all.

use core::fmt;
use core::hash::{BuildHasher, Hash};
use core::marker::PhantomData;

use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::graph::save::is_saved;
use crate::handle::Weak;
use crate::trace::Trace;
use crate::weak::{Interner, WeakKeyMap, WeakSet, WeakValueMap};

/// Sets of objects: sequences of handles. Filled by `insert`.
macro_rules! sets {
    ($([$($generics:tt)*] [$($bounds:tt)*] $set:ty: $expected:literal, |$own:ident, $weak:ident| $insert:expr;)*) => {$(
        impl<T, $($generics)*> Serialize for $set {
            fn serialize<Z: Serializer>(&self, serializer: Z) -> Result<Z::Ok, Z::Error> {
                let saved = || self.iter().filter(|weak| is_saved(*weak));
                let mut seq = serializer.serialize_seq(Some(saved().count()))?;
                saved().try_for_each(|weak| seq.serialize_element(&weak))?;
                seq.end()
            }
        }

        impl<'de, T: Trace, $($bounds)*> Deserialize<'de> for $set {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Elements<C>(PhantomData<C>);

                impl<'de, T: Trace, $($bounds)*> Visitor<'de> for Elements<$set> {
                    type Value = $set;

                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str($expected)
                    }

                    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<$set, A::Error> {
                        let mut $own = <$set>::default();
                        while let Some($weak) = seq.next_element::<Weak<T>>()? {
                            $insert;
                        }
                        Ok($own)
                    }
                }

                deserializer.deserialize_seq(Elements::<$set>(PhantomData))
            }
        }
    )*};
}

sets! {
    [] [] WeakSet<T>: "a sequence of handles", |set, weak| set.insert(weak);
    // The values' hashes are computed when the table is relinked.
    [S] [S: Default] Interner<T, S>: "a sequence of handles", |table, weak| table.file_unhashed(weak);
}

/// Maps with their entries. `is_saved` checks the object of an entry.
macro_rules! maps {
    ($([$($generics:ident),*] [$($bounds:tt)*] [$($read_bounds:tt)*] $map:ty: $key:ty => $value:ty, of $weak:ident in ($k:ident, $v:ident);)*) => {$(
        impl<$($bounds)*> Serialize for $map {
            fn serialize<Z: Serializer>(&self, serializer: Z) -> Result<Z::Ok, Z::Error> {
                let saved = || self.iter().filter(|($k, $v)| is_saved(*$weak));
                let mut map = serializer.serialize_map(Some(saved().count()))?;
                saved().try_for_each(|(key, value)| map.serialize_entry(&key, &value))?;
                map.end()
            }
        }

        impl<'de, $($read_bounds)*> Deserialize<'de> for $map {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Entries<C>(PhantomData<C>);

                impl<'de, $($read_bounds)*> Visitor<'de> for Entries<$map> {
                    type Value = $map;

                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str("a map of handles")
                    }

                    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<$map, A::Error> {
                        let mut own = <$map>::default();
                        while let Some((key, value)) = map.next_entry::<$key, $value>()? {
                            own.insert(key, value);
                        }
                        Ok(own)
                    }
                }

                deserializer.deserialize_map(Entries::<$map>(PhantomData))
            }
        }
    )*};
}

maps! {
    [K, V] [K, V: Serialize] [K: Trace, V: Deserialize<'de>]
        WeakKeyMap<K, V>: Weak<K> => V, of key in (key, _value);
    [K, V, S] [K: Serialize, V, S]
        [K: Deserialize<'de> + Eq + Hash, V: Trace, S: BuildHasher + Default]
        WeakValueMap<K, V, S>: K => Weak<V>, of value in (_key, value);
}
