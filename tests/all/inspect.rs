//! Why an object is alive: paths, snapshots, and the files that snapshots are written to.

#[cfg(feature = "std")]
mod files;
mod hostile;
mod paths;
mod roots;
mod snapshots;
mod verify;

use slotgc::{Gc, Trace, Weak};

use crate::objects::slot_bytes;

/// Refers to others in every way that has a name.
#[derive(Trace, Default)]
struct Mob {
    #[trace(label)]
    name: String,
    loot: Option<Gc<Loot>>,
    friends: Vec<Gc<Mob>>,
    target: Weak<Mob>,
}

#[derive(Trace)]
struct Loot(u64);

const VEC_SLOT: usize = slot_bytes::<Vec<u64>>();

fn mob(name: &str) -> Mob {
    Mob { name: name.to_string(), ..Mob::default() }
}
