//! The objects that the tests allocate, and helpers that check the result.
//!
//! `Trace` is implemented by hand here, so that these tests do not depend on the derive; `derive.rs` tests
//! that.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};

use slotgc::{Gc, Trace, Tracer};

/// How many steps, seeds or sizes the longest tests skip for each one that they try. None where they are
/// compiled as users have them; in zeal mode, under a sanitizer and on an emulated machine each try takes
/// many times as long.
pub(crate) const APART: usize = if cfg!(any(gc_zeal, slotgc_table)) { 4 } else { 1 };

/// Maps and sets keyed by handles: those of the crate, or what its docs recommend without std.
#[cfg(feature = "std")]
pub(crate) use slotgc::{GcMap, GcSet};
#[cfg(not(feature = "std"))]
pub(crate) type GcMap<K, V> = hashbrown::HashMap<K, V, std::hash::BuildHasherDefault<slotgc::HandleHasher>>;
#[cfg(not(feature = "std"))]
pub(crate) type GcSet<K> = hashbrown::HashSet<K, std::hash::BuildHasherDefault<slotgc::HandleHasher>>;

/// Implements `Trace` field by field.
macro_rules! traced {
    ($ty:ty {}) => {
        impl slotgc::Trace for $ty {
            fn trace(&self, _: &mut slotgc::Tracer<'_>) {}
        }
    };
    ($ty:ty { $($field:tt),* $(,)? }) => {
        impl slotgc::Trace for $ty {
            fn trace(&self, tracer: &mut slotgc::Tracer<'_>) {
                $(slotgc::Trace::trace(&self.$field, tracer);)*
            }

            fn prune(&mut self, live: &slotgc::Liveness<'_>) {
                $(slotgc::Trace::prune(&mut self.$field, live);)*
            }
        }
    };
}
pub(crate) use traced;

/// The size of an object in a heap, on any platform: a header of 8 bytes and the value, in granules of 8.
pub(crate) const fn slot_bytes<T>() -> usize {
    (8 + size_of::<T>()).next_multiple_of(8)
}

/// A value and any number of strong edges; has a destructor that nobody observes.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) value: u64,
    pub(crate) edges: Vec<Gc<Node>>,
}

traced!(Node { edges });

impl Node {
    pub(crate) fn leaf(value: u64) -> Self {
        Self { value, edges: Vec::new() }
    }

    pub(crate) fn with(edges: impl Into<Vec<Gc<Node>>>) -> Self {
        Self { value: 0, edges: edges.into() }
    }
}

/// An edge and no destructor: pages of these are closed as a whole.
#[derive(Debug, Default)]
pub(crate) struct Link {
    pub(crate) value: u64,
    pub(crate) next: Option<Gc<Link>>,
}

traced!(Link { next });

/// The numbers that destructors wrote, in the order in which they ran.
#[derive(Clone, Debug, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<u32>>>);

impl Log {
    pub(crate) fn write(&self, number: u32) {
        self.0.lock().expect("nobody panics while writing").push(number);
    }

    /// What was written since the last call.
    pub(crate) fn take(&self) -> Vec<u32> {
        std::mem::take(&mut self.0.lock().expect("nobody panics while writing"))
    }
}

/// Writes its number to a log when it is dropped.
#[derive(Debug)]
pub(crate) struct Noisy {
    pub(crate) number: u32,
    log: Log,
}

impl Noisy {
    pub(crate) fn new(number: u32, log: &Log) -> Self {
        Self { number, log: log.clone() }
    }
}

impl Drop for Noisy {
    fn drop(&mut self) {
        self.log.write(self.number);
    }
}

impl Trace for Noisy {
    const NEEDS_TRACE: bool = false;

    fn trace(&self, _: &mut Tracer<'_>) {}
}

/// A destructor that writes to a log and then panics.
#[derive(Debug)]
pub(crate) struct Bomb(pub(crate) Noisy);

impl Drop for Bomb {
    fn drop(&mut self) {
        // `Noisy` writes after this body, even if it panics.
        panic!("bomb {}", self.0.number);
    }
}

impl Trace for Bomb {
    const NEEDS_TRACE: bool = false;

    fn trace(&self, _: &mut Tracer<'_>) {}
}

/// Keeps a value until the process ends: its destructor never runs, and yet no leak checker complains.
pub(crate) fn forget(value: impl Send + 'static) {
    static FORGOTTEN: Mutex<Vec<Box<dyn Any + Send>>> = Mutex::new(Vec::new());
    FORGOTTEN.lock().expect("nobody panics while forgetting").push(Box::new(value));
}

/// Calls `f`, which must panic, and returns the panic's message.
#[track_caller]
pub(crate) fn panic_text<R>(f: impl FnOnce() -> R) -> String {
    match catch_unwind(AssertUnwindSafe(f)) {
        Ok(_) => panic!("there was no panic"),
        Err(payload) => text_of(&*payload),
    }
}

pub(crate) fn text_of(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<String>().cloned();
    text.or_else(|| payload.downcast_ref::<&str>().map(ToString::to_string)).expect("a panic with a message")
}

/// Runs `f` on a stack of 256 KiB, where recursion over data soon overflows.
pub(crate) fn on_small_stack<R: Send>(f: impl FnOnce() -> R + Send) -> R {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(256 << 10).spawn_scoped(scope, f);
        thread.expect("a thread can be started").join().expect("the thread did not panic")
    })
}

/// Numbers that look random and are the same in every run.
#[derive(Clone, Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn word(&mut self) -> u64 {
        // xorshift64*.
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A number below `bound`.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        (((self.word() >> 32) * bound as u64) >> 32) as usize
    }

    pub(crate) fn one_in(&mut self, chance: usize) -> bool {
        self.below(chance) == 0
    }

    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }
}

/// Claims to own all memory.
#[allow(dead_code, reason = "not every set of tests uses it")]
pub(crate) struct Claim;

impl Trace for Claim {
    const NEEDS_TRACE: bool = false;
    const OWNS: bool = true;

    fn trace(&self, _: &mut Tracer<'_>) {}

    fn owned_bytes(&self) -> usize {
        usize::MAX
    }
}
