//! Programs that are seldom made by chance.

use crate::kind::Kind;
use crate::ops::{How, Make, Op, Pick, SetEdit, Setup};

/// Programs of every shape.
pub fn shapes() -> Vec<Vec<Op>> {
    let make = |heap| {
        let make = Make { kind: Kind::Node, value: 1, edges: [Pick::Recent(0), Pick::Recent(0)] };
        Op::Alloc { heap, make, how: How::Unrooted }
    };
    // A handle of another heap, in whose slot here no object was made so far.
    let put = Op::EditSet { heap: 1, table: 0, edit: SetEdit::PutElement(Pick::Stray(0)) };
    // Its generations begin where those of the other do.
    let fresh = Op::Fresh { heap: 1, setup: Setup::default() };
    let ops = [vec![make(0); 4], vec![fresh, make(1), put, Op::PruneOutside { heap: 1 }]].concat();
    vec![ops]
}
