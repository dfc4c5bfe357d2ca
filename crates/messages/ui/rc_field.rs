//! An `Rc` in a field.

use std::rc::Rc;

use slotgc::Trace;

#[derive(Trace)]
struct Mob(Rc<str>);

fn main() {}
