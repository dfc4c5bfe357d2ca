//! An `Arc` of what holds handles, strong or weak, however deep.

use std::sync::Arc;

use slotgc::{Gc, Trace, Weak};

#[derive(Trace)]
struct Squad {
    plan: Arc<[Gc<String>]>,
}

#[derive(Trace)]
struct Plan {
    leader: Weak<String>,
}

type Shared = Arc<Plan>;

#[derive(Trace)]
enum Army {
    None,
    Led(u32, Vec<Option<Shared>>),
}

fn main() {}
