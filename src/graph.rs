//! Graphs of objects: what is reachable, copied or saved.
//!
//! A [`Schema`] lists the types, by stable names. A walk finds what some handles reach, through `&` and
//! without changing the heap. Copies are made, by cloning or by deserializing, and their handles are replaced
//! ([`Links`](crate::trace::Links)) according to [`Relinked`]. What needs the heap itself is in
//! `heap/graph.rs`.
//!
//! No recursion over objects, and nothing here trusts a handle before it resolves.

mod error;
#[cfg(all(feature = "serde", feature = "std"))]
mod lock;
mod marks;
mod path;
mod relinked;
#[cfg(feature = "serde")]
mod save;
#[cfg(feature = "serde")]
mod saved;
mod schema;
#[cfg(feature = "serde")]
mod stack;
#[cfg(feature = "serde")]
mod text;
mod walk;
#[cfg(feature = "serde")]
mod weak;

pub use error::GraphError;
#[cfg(feature = "serde")]
pub use error::LoadError;
pub(crate) use path::path_to;
#[cfg(feature = "serde")]
pub(crate) use relinked::Column;
pub use relinked::Relinked;
pub(crate) use relinked::{Map, Relinking};
#[cfg(feature = "serde")]
pub(crate) use save::VERSION;
#[cfg(feature = "serde")]
pub use save::{Save, SaveTypes};
pub(crate) use schema::TypeOps;
pub use schema::{Schema, TypeList};
#[cfg(feature = "serde")]
pub(crate) use stack::Stack;
pub(crate) use walk::{Ahead, Care, LeaveOut, Stop, Walk};
