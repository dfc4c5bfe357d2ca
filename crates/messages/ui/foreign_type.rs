//! A field whose type has no `Trace`, and one inside a container.

use std::collections::HashMap;

use slotgc::{Gc, Trace};

/// Of another crate, say.
#[derive(PartialEq, Eq, Hash)]
struct Entity(u32);

#[derive(Trace)]
struct Scripts {
    owner: Entity,
    of: HashMap<Entity, Gc<String>>,
}

fn main() {}
