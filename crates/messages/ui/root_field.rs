//! A `Root` in a field.

use slotgc::{Root, Trace};

#[derive(Trace)]
struct Mob {
    name: String,
    target: Root<Mob>,
}

fn main() {}
