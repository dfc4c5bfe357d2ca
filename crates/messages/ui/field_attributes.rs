//! Attributes on fields whose types do not support them.

use slotgc::{Gc, Trace};

/// Without `Display`.
#[derive(Trace)]
struct Name(u32);

#[derive(Trace)]
struct Mob {
    #[trace(label)]
    name: Name,
}

/// Of another crate, say.
struct Grid(Vec<Gc<String>>);

/// Not a `TraceWith<Grid>`.
enum Cells {}

#[derive(Trace)]
struct Level {
    #[trace(with = Cells)]
    grid: Grid,
}

fn main() {}
