//! How saved data is laid out: the whole, the types in it, the objects of each. Fields come in order where
//! the format has only values, otherwise by name.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::marker::PhantomData;

use serde::Deserializer;
use serde::de::{DeserializeSeed, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::graph::{Schema, VERSION};
use crate::handle::AnyGc;
use crate::heap::saved::{LoadTypes, Loading, Refused};

/// The whole. Fields come in order, or by name in any order, except that the name of a type comes first.
pub(super) struct SaveVisitor<'s, 'l, 'h, L> {
    pub(super) schema: &'s Schema<L>,
    pub(super) loading: &'l mut Loading<'h>,
}

impl<'de, L: LoadTypes> Visitor<'de> for SaveVisitor<'_, '_, '_, L> {
    type Value = Vec<AnyGc>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a saved graph of objects")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let Self { schema, loading } = self;
        check_version(seq.next_element()?.ok_or_else(|| A::Error::missing_field("version"))?)?;
        let types = TypesSeed { schema, loading };
        seq.next_element_seed(types)?.ok_or_else(|| A::Error::missing_field("types"))?;
        seq.next_element()?.ok_or_else(|| A::Error::missing_field("roots"))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let Self { schema, loading } = self;
        let (mut has_version, mut has_types, mut roots) = (false, false, None);
        while let Some(field) = map.next_key::<SaveField>()? {
            match field {
                SaveField::Version => {
                    check_version(map.next_value()?)?;
                    has_version = true;
                }
                SaveField::Types if has_types => return Err(A::Error::duplicate_field("types")),
                SaveField::Types => {
                    map.next_value_seed(TypesSeed { schema, loading })?;
                    has_types = true;
                }
                SaveField::Roots => roots = Some(map.next_value()?),
                SaveField::Other => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        if !has_version {
            return Err(A::Error::missing_field("version"));
        }
        if !has_types {
            return Err(A::Error::missing_field("types"));
        }
        roots.ok_or_else(|| A::Error::missing_field("roots"))
    }
}

fn check_version<E: Error>(version: u32) -> Result<(), E> {
    match version {
        VERSION => Ok(()),
        _ => Err(E::custom(format_args!("a graph saved in version {version}, not {VERSION}"))),
    }
}

/// Names of fields.
macro_rules! fields {
    ($($fields:ident { $($name:literal => $field:ident),* })*) => {$(
        enum $fields {
            $($field,)*
            Other,
        }

        impl<'de> serde::Deserialize<'de> for $fields {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Name;

                impl Visitor<'_> for Name {
                    type Value = $fields;

                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str("the name of a field")
                    }

                    fn visit_str<E: Error>(self, name: &str) -> Result<$fields, E> {
                        Ok(match name {
                            $($name => $fields::$field,)*
                            _ => $fields::Other,
                        })
                    }
                }

                deserializer.deserialize_identifier(Name)
            }
        }
    )*};
}

fields! {
    SaveField { "version" => Version, "types" => Types, "roots" => Roots }
    TypeField { "name" => Name, "stride" => Stride, "objects" => Objects }
}

struct TypesSeed<'s, 'l, 'h, L> {
    schema: &'s Schema<L>,
    loading: &'l mut Loading<'h>,
}

impl<'de, L: LoadTypes> DeserializeSeed<'de> for TypesSeed<'_, '_, '_, L> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_seq(self)
    }
}

impl<'de, L: LoadTypes> Visitor<'de> for TypesSeed<'_, '_, '_, L> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a sequence of types with their objects")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let Self { schema, loading } = self;
        while seq.next_element_seed(TypeSeed { schema, loading })?.is_some() {}
        Ok(())
    }
}

struct TypeSeed<'s, 'l, 'h, L> {
    schema: &'s Schema<L>,
    loading: &'l mut Loading<'h>,
}

impl<'h, L: LoadTypes> TypeSeed<'_, '_, 'h, L> {
    fn index_of<E: Error>(&mut self, name: String) -> Result<usize, E> {
        self.schema.index_of(&name).ok_or_else(|| {
            let error = E::custom(format_args!("no type named {name:?}"));
            self.loading.refused = Some(Refused::Name(name));
            error
        })
    }

    fn objects(&mut self, index: usize) -> ObjectsSeed<'_, 'h, L> {
        ObjectsSeed { loading: self.loading, index, list: PhantomData }
    }
}

impl<'de, L: LoadTypes> DeserializeSeed<'de> for TypeSeed<'_, '_, '_, L> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_struct("Type", &["name", "stride", "objects"], self)
    }
}

impl<'de, L: LoadTypes> Visitor<'de> for TypeSeed<'_, '_, '_, L> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a type with its objects")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut seq: A) -> Result<(), A::Error> {
        let name = seq.next_element()?.ok_or_else(|| A::Error::missing_field("name"))?;
        let index = self.index_of(name)?;
        let stride = seq.next_element()?.ok_or_else(|| A::Error::missing_field("stride"))?;
        self.loading.set_stride(index, stride)?;
        seq.next_element_seed(self.objects(index))?.ok_or_else(|| A::Error::missing_field("objects"))
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        let (mut index, mut has_stride) = (None, false);
        while let Some(field) = map.next_key::<TypeField>()? {
            match (field, index) {
                (TypeField::Name, _) => index = Some(self.index_of(map.next_value()?)?),
                (TypeField::Stride, Some(index)) => {
                    self.loading.set_stride(index, map.next_value()?)?;
                    has_stride = true;
                }
                (TypeField::Objects, Some(index)) => map.next_value_seed(self.objects(index))?,
                (TypeField::Stride | TypeField::Objects, None) => {
                    return Err(A::Error::missing_field("name"));
                }
                (TypeField::Other, _) => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        if !has_stride {
            return Err(A::Error::missing_field(if index.is_some() { "stride" } else { "name" }));
        }
        Ok(())
    }
}

struct ObjectsSeed<'l, 'h, L> {
    loading: &'l mut Loading<'h>,
    index: usize,
    list: PhantomData<L>,
}

impl<'de, L: LoadTypes> DeserializeSeed<'de> for ObjectsSeed<'_, '_, L> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        L::read(self.index, self.loading, from)
    }
}
