//! The error for an object that is gone.

use core::error::Error;
use core::fmt;

use crate::handle::{RawHandle, ShortName};

/// The object behind a handle is gone. What Python's `weakref.proxy` raises as `ReferenceError`.
///
/// # Examples
/// ```
/// use slotgc::{Dead, Heap};
///
/// let mut heap = Heap::new();
/// let bear = heap.alloc("Teddy".to_string());
/// heap.collect();
/// let dead: Dead = heap.try_get(bear.downgrade()).unwrap_err();
/// assert_eq!(dead.to_string(), format!("weakly-referenced object no longer exists: String({bear})"));
/// // A `Gc` suggests more: the text explains how it can die.
/// assert!(heap.try_get(bear).unwrap_err().to_string().contains("nothing kept it alive"));
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Dead {
    type_name: &'static str,
    handle: RawHandle,
    cause: Cause,
    obituary: Obituary,
}

/// When the object died: known only in zeal mode, otherwise zero-sized.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Obituary {
    #[cfg(gc_zeal)]
    pub(crate) death: Option<Death>,
}

/// When an object died.
#[cfg(gc_zeal)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Death {
    /// In the collection with this number, counted from one.
    Collected(u64),
    /// Destroyed, after this many collections.
    Destroyed(u64),
}

impl fmt::Display for Obituary {
    fn fmt(&self, _f: &mut fmt::Formatter<'_>) -> fmt::Result {
        #[cfg(gc_zeal)]
        match self.death {
            None => {}
            Some(Death::Collected(number)) => write!(_f, "; it died in collection {number}")?,
            Some(Death::Destroyed(after)) => write!(_f, "; it was destroyed after {after} collections")?,
        }
        Ok(())
    }
}

/// Why a handle resolves to nothing.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    /// A weak handle or a root, of an object that is gone.
    Gone,
    /// A strong handle: the object was expected to be there.
    NotKept,
    /// A root of another heap.
    OtherHeap,
}

impl Dead {
    #[cold]
    pub(crate) fn new<T: ?Sized>(handle: RawHandle, cause: Cause, obituary: Obituary) -> Self {
        Self { type_name: core::any::type_name::<T>(), handle, cause, obituary }
    }
}

impl Dead {
    /// The cause for a weak collection, which is not expected to keep anything alive: without the explanation
    /// for strong handles.
    pub(crate) fn of_collection(self) -> Self {
        let cause = if self.cause == Cause::NotKept { Cause::Gone } else { self.cause };
        Self { cause, ..self }
    }
}

impl fmt::Debug for Dead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Dead({}({}))", ShortName(self.type_name), self.handle)
    }
}

impl fmt::Display for Dead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = ShortName(self.type_name);
        write!(f, "weakly-referenced object no longer exists: {name}({})", self.handle)?;
        match self.cause {
            Cause::NotKept if !self.handle.is_null() => f.write_str(
                " (it was destroyed, or nothing kept it alive when a collection ran: a `Gc` does so only inside a reachable \
                 object; elsewhere hold a `Root`, or report the handle in a root source)",
            ),
            Cause::Gone | Cause::NotKept => Ok(()),
            Cause::OtherHeap => f.write_str(" (a root of another heap)"),
        }?;
        self.obituary.fmt(f)
    }
}

impl Error for Dead {}
