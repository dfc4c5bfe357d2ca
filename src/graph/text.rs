//! Handles in serde's formats.
//!
//! `Gc` and `Weak` in slotmap's dense form, which does not depend on the size of the type: a field may come
//! or go between saving and loading. `AnyGc`, whose type is not known, by its bits. In human-readable formats
//! both are a text, `12v3` or `null`; elsewhere a `u64`. A deserialized handle means nothing until
//! `Heap::load` or `Relinked::apply` has replaced it: it resolves to nothing, or to any live object of its
//! type.

use core::fmt;

use serde::de::{Error, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use slotmap::{Key, KeyData};

use crate::handle::{AnyGc, Gc, Weak};
use crate::root::Root;

/// The two numbers of a handle: which slot, and which tenancy. `None` for the null handle.
type Numbers = Option<(u32, u32)>;

fn of_key(key: KeyData) -> Numbers {
    let ffi = key.as_ffi();
    (key != KeyData::default()).then_some((ffi as u32, (ffi >> 32) as u32))
}

fn of_any(any: AnyGc) -> Numbers {
    let bits = any.to_bits();
    (any != AnyGc::default()).then_some(((bits >> 32) as u32, bits as u32))
}

/// The text form of a handle, `12v3`.
struct Text(Numbers);

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some((slot, generation)) => write!(f, "{slot}v{generation}"),
            None => f.write_str("null"),
        }
    }
}

/// Inlined, since most formats know at compile time which of the two they are.
#[inline(always)]
fn serialize<S: Serializer>(
    numbers: impl FnOnce() -> Numbers,
    word: u64,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    if serializer.is_human_readable() {
        serializer.collect_str(&Text(numbers()))
    } else {
        serializer.serialize_u64(word)
    }
}

/// What was read: either form.
enum Read {
    Word(u64),
    Numbers(Numbers),
}

struct ReadVisitor;

impl Visitor<'_> for ReadVisitor {
    type Value = Read;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a handle, as `12v3` or `null`, or a number")
    }

    fn visit_u64<E: Error>(self, word: u64) -> Result<Read, E> {
        Ok(Read::Word(word))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Read, E> {
        if text == "null" {
            return Ok(Read::Numbers(None));
        }
        let numbers = text.split_once('v').and_then(|(slot, generation)| {
            let generation = generation.parse().ok().filter(|generation| generation % 2 == 1)?;
            Some((slot.parse().ok()?, generation))
        });
        match numbers {
            Some(numbers) => Ok(Read::Numbers(Some(numbers))),
            None => Err(E::invalid_value(Unexpected::Str(text), &self)),
        }
    }
}

fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Read, D::Error> {
    if deserializer.is_human_readable() {
        deserializer.deserialize_str(ReadVisitor)
    } else {
        deserializer.deserialize_u64(ReadVisitor)
    }
}

macro_rules! typed {
    ($($handle:ident),*) => {$(
        impl<T> Serialize for $handle<T> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let key = self.data();
                serialize(|| of_key(key), key.as_ffi(), serializer)
            }
        }

        impl<'de, T> Deserialize<'de> for $handle<T> {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Ok(match deserialize(deserializer)? {
                    Read::Word(ffi) => Self::from(KeyData::from_ffi(ffi)),
                    Read::Numbers(Some((slot, generation))) => {
                        Self::from(KeyData::from_ffi(u64::from(generation) << 32 | u64::from(slot)))
                    }
                    Read::Numbers(None) => Self::default(),
                })
            }
        }
    )*};
}

typed!(Gc, Weak);

impl Serialize for AnyGc {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serialize(|| of_any(*self), self.to_bits(), serializer)
    }
}

impl<'de> Deserialize<'de> for AnyGc {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match deserialize(deserializer)? {
            Read::Word(bits) => Self::from_bits(bits),
            Read::Numbers(Some((slot, generation))) => {
                Self::from_bits(u64::from(slot) << 32 | u64::from(generation))
            }
            Read::Numbers(None) => Self::default(),
        })
    }
}

/// Serialized as its handle. It cannot be deserialized: load, and root the new handle.
impl<T> Serialize for Root<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.gc().serialize(serializer)
    }
}
