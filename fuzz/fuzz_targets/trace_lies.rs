//! `Trace` implementations that report too little, too much, foreign, stale and made-up edges, with steps and
//! minor collections in between.
#![no_main]
use libfuzzer_sys::fuzz_target;
use slotgc::{AnyGc, Budget, Gc, Heap, Trace, Tracer, Weak};
use std::sync::{Arc, atomic::AtomicUsize, atomic::Ordering::Relaxed};
/// Its own bits, what it reports and how, and a turn counter: another part each time.
struct Liar(u64, Vec<(u8, u64)>, AtomicUsize, #[expect(dead_code, reason = "counts the living")] Arc<()>);
impl Trace for Liar {
    fn trace(&self, tracer: &mut Tracer<'_>) {
        for (how, bits) in self.1.iter().skip(self.2.fetch_add(1, Relaxed) % 3) {
            match how % 5 {
                0 => _ = tracer.interior_mutability(),
                1 => tracer.ephemeron(Weak::<Liar>::from_bits(*bits), &Gc::<Liar>::from_bits(self.0 ^ 2)),
                2 => tracer.ephemeron(Weak::<Liar>::from_bits(self.0), &[AnyGc::from_bits(*bits)]),
                3 => tracer.edge(Gc::<Vec<u8>>::from_bits(*bits)),
                _ => tracer.edge_any(AnyGc::from_bits(*bits)),
            }
        }
    }
}
fuzz_target!(|ops: Vec<(u8, u8, [(u8, u8, u8); 3])>| {
    let (mut heap, mut other, mut roots, count) = (Heap::new(), Heap::new(), vec![], Arc::new(()));
    let mut made: Vec<u64> = (0..9).map(|len| other.alloc(vec![len; 3]).to_bits()).collect();
    for (act, number, lies) in ops {
        let lie = |by: u8| [0, 0, 0, 2, 4, 1 << 33, 1 << 45, u64::MAX][usize::from(by % 8)];
        let bits = |at: u8, by| made[made.len() - 1 - usize::from(at) % made.len()] ^ lie(by);
        let (gc, lies) = (Gc::from_bits(bits(number, 0)), lies.map(|(how, at, by)| (how, bits(at, by))).to_vec());
        let liar = |me: Gc<Liar>| Liar(me.to_bits(), lies.clone(), AtomicUsize::new(0), count.clone());
        match act % 8 {
            0..4 => made.push(heap.alloc_cyclic(|_, me| liar(me)).to_bits()),
            4 => _ = (heap.get_mut(gc).map(|liar: &mut Liar| liar.1 = lies), roots.extend(heap.root(gc))),
            5 => _ = (heap.collect_minor(), roots.truncate(number.into())),
            _ => _ = heap.step_with(Budget::Objects(number.into()), &[AnyGc::from_bits(lies[0].1)]),
        }
        heap.verify();
        assert!(made.iter().all(|bits| heap.get(Gc::from_bits(*bits)).is_none_or(|liar: &Liar| liar.0 == *bits)));
        assert!(roots.iter().all(|root| heap.is_alive(root)) && Arc::strong_count(&count) > heap.len());
    }
    assert_eq!((drop(heap), Arc::strong_count(&count)), ((), 1), "every destructor runs once");
});
