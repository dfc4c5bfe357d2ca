//! A `Cell` in a field.

use std::cell::Cell;

use slotgc::Trace;

#[derive(Trace)]
struct Mob {
    name: String,
    health: Cell<u32>,
}

fn main() {}
