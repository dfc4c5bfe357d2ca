//! Rollback netcode: two heaps run the same game in lockstep, one of them with rollbacks.
//!
//! Every eight frames one heap learns that it guessed the inputs of the other player wrong. It goes back to
//! its checkpoint and runs the frames again. Both compare checksums each frame: handles, values, even
//! garbage. That works because the collector's budget is in objects. A budget of time depends on the
//! machine's clock; the last line shows the effect.
//!
//! `cargo run --release --example rollback`

use std::time::Duration;

use slotgc::{Budget, Gc, Heap, Root, Schema, Trace, Weak};

#[derive(Trace, Clone)]
struct Mob {
    hp: i32,
    target: Weak<Mob>,
    next: Option<Gc<Mob>>,
}

struct Game {
    heap: Heap,
    /// The latest mob, which leads to the others.
    first: Root<Mob>,
    frame: u64,
    budget: Budget,
}

impl Game {
    fn new(budget: Budget) -> Self {
        let mut heap = Heap::new();
        let first = heap.alloc_root(Mob { hp: 1, target: Weak::dangling(), next: None });
        Self { heap, first, frame: 0, budget }
    }

    /// Depends only on the state and the input.
    fn run(&mut self, input: u64) {
        self.frame += 1;
        for n in 0..20 {
            // Arrows, which soon become garbage.
            let target = self.first.downgrade();
            let arrow = self.heap.alloc(Mob { hp: (input % 7) as i32, target, next: None });
            if (self.frame + n + input) % 19 == 0 {
                // One that stays for a while, at the head of the list.
                let behind = self.heap[&self.first].next.replace(arrow);
                self.heap[arrow].next = behind;
            }
        }
        if self.frame % 40 == 0 {
            self.heap[&self.first].next = None;
        }
        self.heap.step(self.budget);
    }

    fn checksum(&self) -> u64 {
        let mix = |sum: u64, bits: u64| (sum ^ bits).wrapping_mul(0x0000_0100_0000_01b3).rotate_left(23);
        self.heap.iter::<Mob>().fold(self.frame, |sum, (gc, mob)| {
            let next = mob.next.map_or(0, Gc::to_bits);
            [gc.to_bits(), mob.hp as u64, mob.target.to_bits(), next].into_iter().fold(sum, mix)
        })
    }
}

/// In how many frames two runs differ, one of them with rollbacks.
fn differing(frames: u64, budget: Budget) -> u64 {
    let schema = Schema::new().with::<Mob>("mob");
    let (mut plain, mut rolled) = (Game::new(budget), Game::new(budget));
    let mut differing = 0;
    for first in (0..frames).step_by(8) {
        let checkpoint = rolled.heap.checkpoint(&schema).expect("all types are in the schema");
        let frame = rolled.frame;
        (first..first + 8).for_each(|input| rolled.run(input ^ 5)); // guessed wrong
        rolled.heap.roll_back(&checkpoint);
        rolled.frame = frame;
        for input in first..first + 8 {
            plain.run(input);
            rolled.run(input);
            differing += u64::from(plain.checksum() != rolled.checksum());
        }
    }
    plain.heap.verify();
    rolled.heap.verify();
    differing
}

fn main() {
    const FRAMES: u64 = 4000;
    let by_objects = differing(FRAMES, Budget::Objects(30));
    println!("budgets in objects: {by_objects} of {FRAMES} frames differ");
    assert_eq!(by_objects, 0, "the same calls give the same heap");
    let by_time = differing(FRAMES, Budget::Time(Duration::from_micros(2)));
    println!("budgets of time:    {by_time} of {FRAMES} frames differ: not for lockstep");
}
