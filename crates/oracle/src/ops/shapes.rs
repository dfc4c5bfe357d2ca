//! Programs that chance seldom produces.

use crate::kind::Kind;
use crate::ops::{Block, Ending, Gives, How, Make, Op, Pick, SetEdit, Setup};

/// Programs of every shape.
pub fn shapes() -> Vec<Vec<Op>> {
    let make = |heap| {
        let make = Make { kind: Kind::Node, value: 1, edges: [Pick::Recent(0), Pick::Recent(0)] };
        Op::Alloc { heap, make, how: How::Unrooted }
    };
    // A handle of another heap, whose slot in this heap has never held an object.
    let put = Op::EditSet { heap: 1, table: 0, edit: SetEdit::PutElement(Pick::Stray(0)) };
    // Its generations begin where those of the other do.
    let fresh = Op::Fresh { heap: 1, setup: Setup::default() };
    let ops = [vec![make(0); 4], vec![fresh, make(1), put, Op::PruneOutside { heap: 1 }]].concat();
    let mut programs = vec![ops];
    // Two heaps of which each has the other's handles, and a map at the same place.
    let alike = |heap| {
        let map = Make { kind: Kind::ValueMap, value: 0, edges: [Pick::Recent(0); 2] };
        let map = Op::Alloc { heap, make: map, how: How::AtRoot };
        vec![Op::Fresh { heap, setup: Setup::default() }, map, make(heap)]
    };
    for ending in [Ending::Returns, Ending::Panics] {
        let node = Make { kind: Kind::Node, value: 1, edges: [Pick::Recent(0); 2] };
        let (edge, inside) = (Some(Pick::Live(0)), Block::default());
        let made =
            Op::GetOrAlloc { heap: 0, table: 0, key: 1, edge, make: node, inside, swaps: true, ending };
        programs.push([alike(0), alike(1), vec![made; 2]].concat());
    }
    for gives in [Gives::Found(Pick::Live(0)), Gives::Nothing, Gives::Breaks] {
        let inside = Block::default();
        let found = Op::GetOrTry { heap: 0, table: 0, key: 1, inside, swaps: true, gives };
        programs.push([alike(0), alike(1), vec![found; 2]].concat());
    }
    programs
}
