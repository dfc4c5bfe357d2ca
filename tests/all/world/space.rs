//! Address space: many heaps in one process, and processes with little address space.
#![cfg(all(
    any(unix, all(windows, target_arch = "x86_64")),
    feature = "std",
    target_pointer_width = "64",
    not(any(gc_zeal, slotgc_table))
))]

use std::env::current_exe;
use std::process::Command;

use slotgc::{Heap, HeapConfig};

/// Runs an ignored test of this file in a process of its own.
fn run_alone(test: &str) {
    run(&mut Command::new(current_exe().expect("a test has a path")), test);
}

/// The same under limits, which a shell sets.
#[cfg(unix)]
fn run_under(limit: &str, test: &str) {
    let this = current_exe().expect("a test has a path");
    run(Command::new("sh").args(["-c", &format!("{limit} && exec \"$0\" \"$@\"")]).arg(this), test);
}

fn run(command: &mut Command, test: &str) {
    let name = format!("world::space::{test}");
    command.args(["--exact", &name, "--ignored", "--test-threads", "1"]);
    let output = command.env("RUST_BACKTRACE", "0").output().expect("a program that runs");
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains("1 passed"), "{text}{errors}");
}

#[test]
fn many_heaps_fit_in_a_process() {
    run_alone("many_heaps");
}

#[test]
#[ignore = "run by the one above, in a process of its own"]
fn many_heaps() {
    // Windows counts the tags of each as memory in use, 4 MiB.
    let len = if cfg!(windows) { 500 } else { 10_000 };
    let mut heaps: Vec<_> = (0..len).map(|_| Heap::new()).collect();
    let roots: Vec<_> = heaps.iter_mut().enumerate().map(|(number, heap)| heap.alloc_root(number)).collect();
    let memory = vec![1_u8; 1 << 30];
    for (number, (heap, root)) in heaps.iter_mut().zip(&roots).enumerate() {
        heap.collect();
        assert_eq!(heap[root], number);
    }
    assert_eq!(memory[memory.len() - 1], 1);
    // Each heap has room for more than a few objects.
    let last = heaps.last_mut().expect("there are many");
    (0..200_000_u64).for_each(|number| _ = last.alloc([number; 8]));
}

#[cfg(unix)]
#[test]
fn six_heaps_fit_in_a_process_of_one_gibibyte() {
    run_under("ulimit -v 1048576", "six_heaps");
}

#[cfg(unix)]
#[test]
#[ignore = "run by the one above, in a process of its own"]
fn six_heaps() {
    let mut heaps: Vec<_> = (0..6).map(|_| Heap::new()).collect();
    for heap in &mut heaps {
        let objects: Vec<_> = (0..200_000_u64).map(|number| heap.alloc_root(number)).collect();
        heap.collect();
        assert!(objects.iter().enumerate().all(|(number, object)| heap[object] == number as u64));
    }
    assert_eq!(vec![1_u8; 100 << 20].len(), 100 << 20, "memory is left for others");
}

#[cfg(unix)]
#[test]
fn a_heap_that_is_refused_its_look_ahead_takes_what_it_needs() {
    run_under("ulimit -d 307200", "nearly_all_of_the_memory");
}

#[cfg(unix)]
#[test]
#[ignore = "run by the one above, in a process of its own"]
fn nearly_all_of_the_memory() {
    // A collector needs some memory of its own.
    let spare = vec![1_u8; 16 << 20];
    let mut heap = Heap::new();
    let mut objects = 0_u64;
    let refused = loop {
        match heap.try_alloc([objects; 128]) {
            Ok(_) => objects += 1,
            Err(refused) => break refused,
        }
    };
    assert!(objects * 1024 > 250 << 20, "{objects} objects of 1 KiB in 300 MiB: {refused}");
    drop(spare);
    heap.collect();
    assert!(heap.is_empty());
    // Memory that one type used is available to others. The lists of pages are made while memory is left for
    // them.
    heap.shrink_to_fit();
    (0..100_000_u64).for_each(|number| _ = heap.alloc([number; 60]));
    heap.verify();
}

#[test]
fn an_address_range_that_is_used_up_says_how_large_it_was() {
    let mut heap = Heap::with_config(HeapConfig::default().max_bytes(1 << 20));
    // Large objects: each is a few bytes larger than one page.
    let refused = (0..).find_map(|_| heap.try_alloc([0_u8; 65_600]).err()).expect("there is a limit");
    assert!(refused.to_string().contains("max_bytes of 1048576 bytes"), "{refused}");
}

/// As many types as there are numbers.
#[cfg(all(target_os = "linux", not(slotgc_few_types)))]
#[derive(slotgc::Trace)]
struct Sparse<const NUMBER: usize>([u64; 6]);

#[cfg(all(target_os = "linux", not(slotgc_few_types)))]
#[test]
fn a_type_with_one_object_takes_the_memory_that_it_touches() {
    run_alone("a_hundred_types");
}

#[cfg(all(target_os = "linux", not(slotgc_few_types)))]
#[test]
#[ignore = "run by the one above, in a process of its own"]
fn a_hundred_types() {
    /// KiB of memory, without the program's code.
    fn resident() -> usize {
        let rollup = std::fs::read_to_string("/proc/self/smaps_rollup").expect("Linux has this file");
        let line = rollup.lines().find(|line| line.starts_with("Anonymous:")).expect("a line for it");
        line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).expect("a number of KiB")
    }
    fn alloc_all<const A: usize, const B: usize, const C: usize, const D: usize>(heap: &mut Heap) {
        heap.alloc(Sparse::<A>([1; 6]));
        heap.alloc(Sparse::<B>([1; 6]));
        heap.alloc(Sparse::<C>([1; 6]));
        heap.alloc(Sparse::<D>([1; 6]));
    }
    macro_rules! alloc_types {
        ($heap:ident: $($number:literal)*) => {
            $(alloc_all::<$number, { $number + 100 }, { $number + 200 }, { $number + 300 }>(&mut $heap);)*
        };
    }
    let mut heap = Heap::new();
    heap.alloc(Sparse::<99>([1; 6]));
    let before = resident();
    alloc_types!(heap: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25);
    // One system page for the slot, one for its bitmaps, and what the heap's tables take.
    let each = (resident() - before) / 100;
    assert!(each < 16, "{each} KiB for a type with one object");
    assert_eq!((heap.len(), heap.census().count()), (101, 101));
}
