//! What can go wrong when a graph is copied, saved or loaded.

use alloc::string::String;
use core::error::Error;
use core::fmt;

use crate::config::{AllocError, Dead};

/// Why a graph could not be copied, saved or loaded. The heap is as it was.
#[derive(Debug)]
#[non_exhaustive]
pub enum GraphError {
    /// The graph has an object whose type the [`Schema`](crate::Schema) does not list.
    NotInSchema {
        /// The type.
        type_name: &'static str,
        /// How the object is reached, as `Level 3v1 .mobs[0] -> Mob 4v1`.
        path: String,
    },
    /// A type's hand-written `Trace` has no [`relink`](crate::Trace::relink).
    NotRelinkable {
        /// The type.
        type_name: &'static str,
    },
    /// A lock in an object is held, so its handles cannot be read.
    Locked {
        /// How the object is reached.
        path: String,
    },
    /// An object is under construction: the call came from inside the `make` of
    /// [`alloc_cyclic`](crate::Heap::alloc_cyclic).
    BeingMade,
    /// The object to copy is dead.
    Dead(Dead),
    /// The copies exceed the heap's limits.
    Limit(AllocError<()>),
}

impl fmt::Display for GraphError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotInSchema { type_name, path } => {
                write!(f, "the schema does not list the type {type_name} of {path}")
            }
            Self::NotRelinkable { type_name } => {
                write!(f, "{type_name} cannot be relinked: its hand-written `Trace` has no `relink`")
            }
            Self::Locked { path } => write!(f, "a lock in {path} is held"),
            Self::BeingMade => f.write_str("an object is being made by `alloc_cyclic`"),
            Self::Dead(dead) => fmt::Display::fmt(dead, f),
            Self::Limit(refused) => fmt::Display::fmt(refused, f),
        }
    }
}

impl Error for GraphError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Dead(dead) => Some(dead),
            Self::Limit(refused) => Some(refused),
            _ => None,
        }
    }
}

/// Why [`Heap::load`](crate::Heap::load) failed. The heap is as it was.
#[cfg(feature = "serde")]
#[derive(Debug)]
#[non_exhaustive]
pub enum LoadError<E> {
    /// The data is not what the format or a type expects: truncated, of a wrong type, two objects with one
    /// handle.
    Format(E),
    /// The data has objects of a type that the [`Schema`](crate::Schema) has no name for.
    UnknownType(String),
    /// The objects cannot be made in the heap.
    Graph(GraphError),
}

#[cfg(feature = "serde")]
impl<E: fmt::Display> fmt::Display for LoadError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Format(error) => fmt::Display::fmt(error, f),
            Self::UnknownType(name) => write!(f, "the schema has no type named {name:?}"),
            Self::Graph(error) => fmt::Display::fmt(error, f),
        }
    }
}

#[cfg(feature = "serde")]
impl<E: Error + 'static> Error for LoadError<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Format(error) => Some(error),
            Self::UnknownType(_) => None,
            Self::Graph(error) => Some(error),
        }
    }
}
