//! An `Arc` of what holds handles.

use std::sync::Arc;

use slotgc::{Gc, Trace};

#[derive(Trace)]
struct Squad {
    plan: Arc<[Gc<String>]>,
}

fn main() {}
