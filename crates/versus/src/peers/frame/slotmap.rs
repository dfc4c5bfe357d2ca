//! slotmap: freed by hand, by a program that knows what died. So are the entries of its cache and its table.

use hashbrown::HashMap;
use slotgc_graphs::DEGREE;
use slotmap::{DefaultKey, SlotMap};

use crate::needs::NODE_BYTES;
use crate::needs::frame::{HOOK, Plan, Playable, Played, Start, World, number_of};
use crate::needs::weak::SameHash;

#[repr(C)]
struct Node {
    id: u64,
    edges: [Option<DefaultKey>; DEGREE],
    fill: [u64; 3],
}

const _: () = assert!(size_of::<Node>() == NODE_BYTES);

/// A world.
pub(crate) struct Objects {
    map: SlotMap<DefaultKey, Node>,
    old: Vec<DefaultKey>,
    cache: HashMap<u64, DefaultKey, SameHash>,
    numbers: HashMap<DefaultKey, u64, SameHash>,
}

/// For the harness.
pub(crate) type SlotMapWorld = Played<Objects>;

impl World for Objects {
    type Young = DefaultKey;

    fn read(&self, old: u32) -> u64 {
        self.map[self.old[old as usize]].id
    }

    fn make(&mut self, id: u64, of: [u32; 2], previous: Option<&DefaultKey>) -> DefaultKey {
        let [first, second] = of.map(|old| Some(self.old[old as usize]));
        self.map.insert(Node { id, edges: [first, second, previous.copied(), None], fill: [0; 3] })
    }

    fn rewire(&mut self, from: u32, edge: usize, to: u32) {
        self.map[self.old[from as usize]].edges[edge] = Some(self.old[to as usize]);
    }

    fn hang(&mut self, old: u32, young: &DefaultKey, is_cached: bool) {
        let Some(dead) = self.map[self.old[old as usize]].edges[HOOK].replace(*young) else { return };
        let node = self.map.remove(dead).expect("a living object");
        if is_cached {
            self.cache.remove(&node.id);
            self.numbers.remove(&dead);
        }
    }

    fn cache(&mut self, id: u64, young: &DefaultKey) {
        self.cache.insert(id, *young);
        self.numbers.insert(*young, number_of(id));
    }

    fn look_up(&self, id: u64) -> u64 {
        let key = self.cache[&id];
        self.map[key].id + self.numbers[&key]
    }

    fn end_frame(&mut self, young: &mut Vec<DefaultKey>, plan: &Plan) {
        for (number, key) in young.drain(..).enumerate() {
            if !plan.is_hung(number) {
                self.map.remove(key);
            }
        }
    }

    fn hung_on(&self, old: u32) -> Option<u64> {
        Some(self.map[self.map[self.old[old as usize]].edges[HOOK]?].id)
    }
}

impl Playable for Objects {
    fn build(start: &Start) -> Self {
        let mut map = SlotMap::new();
        let node = |id| Node { id, edges: [None; DEGREE], fill: [0; 3] };
        let old: Vec<_> = (0..start.0.len() as u64).map(|id| map.insert(node(id))).collect();
        for (node, edges) in old.iter().zip(&start.0) {
            let [first, second, third] = edges.map(|edge| Some(old[edge as usize]));
            map[*node].edges = [first, second, third, None];
        }
        Self { map, old, cache: HashMap::default(), numbers: HashMap::default() }
    }

    fn living(&mut self) -> Option<usize> {
        assert_eq!(self.cache.len(), self.numbers.len());
        Some(self.map.len())
    }
}
