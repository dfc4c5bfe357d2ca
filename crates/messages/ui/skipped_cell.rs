//! `#[trace(skip)]` does not make a type `Sync`.

use std::cell::Cell;

use slotgc::Trace;

#[derive(Trace)]
struct Mob {
    #[trace(skip)]
    health: Cell<u32>,
}

fn main() {}
