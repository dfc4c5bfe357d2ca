//! Types that own each other in a circle, without `#[trace(recursive)]` on one of them.

use slotgc::Trace;

#[derive(Trace)]
struct Block {
    last: Box<Statement>,
}

#[derive(Trace)]
enum Statement {
    Loop(Block),
    Print(String),
}

fn main() {}
