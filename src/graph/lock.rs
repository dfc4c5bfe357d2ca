//! The crate's lock in serde's formats: as its value, like a lock of std.

use std::sync::TryLockError;

use serde::{Deserialize, Deserializer, Serialize, Serializer, ser};

use crate::trace::GcRwLock;

impl<T: Serialize> Serialize for GcRwLock<T> {
    fn serialize<Z: Serializer>(&self, serializer: Z) -> Result<Z::Ok, Z::Error> {
        match self.try_read() {
            Ok(value) => value.serialize(serializer),
            Err(TryLockError::Poisoned(value)) => value.into_inner().serialize(serializer),
            Err(TryLockError::WouldBlock) => Err(ser::Error::custom("the lock is held for writing")),
        }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for GcRwLock<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::deserialize(deserializer).map(Self::new)
    }
}
