//! A `Root` in a container in a field.

use slotgc::{Root, Trace};

#[derive(Trace)]
enum Seats {
    Empty,
    Taken { by: Vec<Option<Root<String>>> },
}

fn main() {}
