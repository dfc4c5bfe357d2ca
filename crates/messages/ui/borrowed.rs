//! A type that borrows.

use slotgc::Trace;

#[derive(Trace)]
struct Name<'a> {
    text: &'a str,
}

fn main() {}
