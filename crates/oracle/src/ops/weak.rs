//! What may be done with weak collections and with finalizers.

use arbitrary::{Arbitrary, Result, Unstructured};

use crate::ops::{Pick, mostly_live, small};

/// Half of the time an insertion, so that there is something to prune.
pub(super) fn values_edit(u: &mut Unstructured<'_>) -> Result<ValuesEdit> {
    if u8::arbitrary(u)? % 2 == 1 {
        return ValuesEdit::arbitrary(u);
    }
    Ok(ValuesEdit::PutValue { key: small(u)?, edge: Option::arbitrary(u)?, to: mostly_live(u)? })
}

/// As [`values_edit`].
pub(super) fn keys_edit(u: &mut Unstructured<'_>) -> Result<KeysEdit> {
    if u8::arbitrary(u)? % 2 == 1 {
        return KeysEdit::arbitrary(u);
    }
    let inner = if u8::arbitrary(u)? % 2 == 1 { Some(mostly_live(u)?) } else { None };
    Ok(KeysEdit::EntryKey { key: mostly_live(u)?, to: Goal::arbitrary(u)?, inner })
}

/// As [`values_edit`].
pub(super) fn set_edit(u: &mut Unstructured<'_>) -> Result<SetEdit> {
    if u8::arbitrary(u)? % 2 == 1 {
        return SetEdit::arbitrary(u);
    }
    Ok(SetEdit::PutElement(mostly_live(u)?))
}

/// An edit of a `WeakValueMap`.
#[derive(Arbitrary, Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValuesEdit {
    /// Inserts, with a strong edge in the key.
    PutValue {
        #[arbitrary(with = small)]
        key: u8,
        edge: Option<Pick>,
        #[arbitrary(with = mostly_live)]
        to: Pick,
    },
    /// By the entry, where there is none.
    EntryValue {
        #[arbitrary(with = small)]
        key: u8,
        #[arbitrary(with = mostly_live)]
        to: Pick,
    },
    /// In place, where there is one.
    SwapValue {
        #[arbitrary(with = small)]
        key: u8,
        #[arbitrary(with = mostly_live)]
        to: Pick,
    },
    TakeValue(#[arbitrary(with = small)] u8),
    RetainValues(u8),
    ClearValues,
    DrainValues,
    ShrinkValues,
}

/// An edit of a `WeakKeyMap`. With `inner` the handle goes into a map in the value, behind that key.
#[derive(Arbitrary, Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeysEdit {
    /// Inserts a new value.
    PutKey {
        #[arbitrary(with = mostly_live)]
        key: Pick,
        to: Goal,
        inner: Option<Pick>,
    },
    /// Adds to the existing value.
    AddToKey {
        #[arbitrary(with = mostly_live)]
        key: Pick,
        to: Goal,
        inner: Option<Pick>,
    },
    /// Adds to the value, by the entry.
    EntryKey {
        #[arbitrary(with = mostly_live)]
        key: Pick,
        to: Goal,
        inner: Option<Pick>,
    },
    TakeKey(#[arbitrary(with = mostly_live)] Pick),
    RetainKeys(u8),
    ClearKeys,
    DrainKeys,
}

/// What a value of a `WeakKeyMap` refers to.
#[derive(Arbitrary, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Goal {
    /// Its own key.
    ToKey,
    /// The object that the map is in.
    ToOwner,
    To(#[arbitrary(with = mostly_live)] Pick),
}

/// An edit of a `WeakSet`.
#[derive(Arbitrary, Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetEdit {
    PutElement(Pick),
    TakeElement(#[arbitrary(with = mostly_live)] Pick),
    RetainElements(u8),
    ClearElements,
    DrainElements,
}

/// How two sets are combined.
#[derive(Arbitrary, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Combine {
    Union,
    Intersection,
    Difference,
    Symmetric,
}

/// How a name is interned.
#[derive(Arbitrary, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interning {
    /// `intern`.
    ByValue,
    /// `try_intern`.
    ByTrying,
    /// `intern_with`, where what is made may have another name.
    ByMaking(#[arbitrary(with = small)] u8),
    /// `interned`.
    Looking,
}

/// What a factory that can fail does.
#[derive(Arbitrary, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gives {
    /// It returns a handle that it has.
    Found(#[arbitrary(with = mostly_live)] Pick),
    /// It returns an error.
    Nothing,
    /// It panics.
    Breaks,
}

/// A sort of weak collection.
#[derive(Arbitrary, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    OfValues,
    OfKeys,
    OfElements,
    OfNames,
}

/// What is done with a finalizer.
#[derive(Arbitrary, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Using {
    Calling,
    Detaching,
    Peeking,
    AtExit(bool),
}
