//! Many types in one heap. They take long to compile, so builds with `slotgc_few_types` leave them out.

use slotgc::{AnyGc, Gc, Heap, Trace, Tracer};

use crate::objects::Dice;

/// One of a hundred types, of different sizes, some with a destructor.
struct Numbered<const N: usize> {
    me: AnyGc,
    edges: Vec<AnyGc>,
    filler: [u8; N],
}

impl<const N: usize> Trace for Numbered<N> {
    fn trace(&self, tracer: &mut Tracer<'_>) {
        self.edges.iter().for_each(|edge| tracer.edge_any(*edge));
    }
}

/// What the test does with one type.
struct Acts {
    make: fn(&mut Heap, Vec<AnyGc>) -> AnyGc,
    /// Whether the object is what `make` made, and an object of this type.
    is_intact: fn(&Heap, AnyGc) -> bool,
    len: fn(&Heap) -> usize,
}

fn acts<const N: usize>() -> Acts {
    Acts {
        make: |heap, edges| {
            let make =
                |_: &mut Heap, me: Gc<Numbered<N>>| Numbered { me: me.erase(), edges, filler: [N as u8; N] };
            heap.alloc_cyclic(make).erase()
        },
        is_intact: |heap, any| {
            let found = heap.downcast::<Numbered<N>>(any).and_then(|gc| heap.get(gc));
            found.is_some_and(|object| object.me == any && object.filler == [N as u8; N])
        },
        len: |heap| {
            assert_eq!(heap.iter::<Numbered<N>>().count(), heap.len_of::<Numbered<N>>());
            heap.len_of::<Numbered<N>>()
        },
    }
}

macro_rules! a_hundred {
    ($($tens:literal)*) => { [$(a_hundred!(@ones $tens 0 1 2 3 4 5 6 7 8 9)),*] };
    (@ones $ten:literal $($ones:literal)*) => { [$(acts::<{ $ten * 10 + $ones }>()),*] };
}

#[test]
fn a_hundred_types_live_in_one_heap() {
    let types: Vec<Acts> = a_hundred!(0 1 2 3 4 5 6 7 8 9).into_iter().flatten().collect();
    assert_eq!(types.len(), 100);
    let mut heap = Heap::new();
    let mut dice = Dice::new(100);
    let mut made: Vec<(usize, AnyGc)> = Vec::new();
    for number in 0..6000 {
        let edges = (0..2).filter_map(|_| Some(made.get(dice.below(number + 1))?.1)).collect();
        let kind = dice.below(100);
        made.push((kind, (types[kind].make)(&mut heap, edges)));
    }
    assert!(made.iter().all(|(kind, any)| (types[*kind].is_intact)(&heap, *any)));
    // An object of one type is none of the next, whatever its size.
    assert!(made.iter().all(|(kind, any)| !(types[(*kind + 1) % 100].is_intact)(&heap, *any)));

    let roots = &[made[5999].1, made[5000].1];
    let stats = heap.collect_with(&roots[..].to_vec());
    assert!(stats.kept > 2 && stats.freed > 2 && stats.kept + stats.freed == 6000);
    let alive = made.iter().filter(|(_, any)| heap.is_alive_any(*any));
    assert_eq!(alive.clone().count(), stats.kept);
    assert!(alive.clone().all(|(kind, any)| (types[*kind].is_intact)(&heap, *any)));
    assert_eq!(types.iter().map(|ty| (ty.len)(&heap)).sum::<usize>(), stats.kept);
}
