//! A `RefCell` in a container in a field.

use slotgc::{Gc, Trace};

#[derive(Trace)]
struct Mob {
    goals: Option<std::cell::RefCell<Vec<Gc<Mob>>>>,
}

fn main() {}
