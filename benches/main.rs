//! What the operations of a heap cost. `README.md` says how to measure, and lists the questions.
//!
//! A file is a question, a case in it an answer. All objects are exactly 64 bytes with four edges, and there
//! are 100 thousand of them (7 MB, which fits in a last-level cache) and a million (72 MB, which does not);
//! in `sources` also 10 and 300 thousand. A case checks its own result in every round, and times only its
//! work: setup is done before the clock starts. Comparisons with other crates are in `crates/versus`.

mod access;
mod alloc;
mod frame;
mod graph;
mod heaps;
mod inspect;
mod locks;
mod mark;
mod pause;
mod sources;
mod sweep;
mod weak;

use std::env;
use std::time::{Duration, Instant};

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, BenchmarkId, Criterion, SamplingMode, Throughput};

fn main() {
    let mut criterion = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(3))
        .configure_from_args();
    let questions: [(&str, &[usize], Ask); 11] = [
        ("alloc", &SIZES, alloc::ask),
        ("access", &SIZES, access::ask),
        ("mark", &SIZES, mark::ask),
        ("sweep", &SIZES, sweep::ask),
        ("weak", &SIZES, weak::ask),
        ("pause", &SIZES, pause::ask),
        ("locks", &SIZES, locks::ask),
        ("sources", &sources::SIZES, sources::ask),
        ("frame", &SIZES, frame::ask),
        ("inspect", &SIZES, inspect::ask),
        ("graph", &SIZES, graph::ask),
    ];
    for (name, sizes, ask) in questions {
        let mut group = criterion.benchmark_group(name);
        group.sampling_mode(SamplingMode::Flat);
        let mut question = Question { group, objects: 0 };
        for objects in asked(sizes) {
            question.objects = *objects;
            ask(&mut question);
        }
        question.group.finish();
    }
    criterion.final_summary();
}

/// How many objects a heap has.
const SIZES: [usize; 2] = [100_000, 1_000_000];

/// The sizes to run. The first one is enough for a test.
fn asked(sizes: &[usize]) -> &[usize] {
    let has = |flag| env::args().any(|arg| arg == flag);
    // How Criterion distinguishes a test from a measurement.
    if has("--test") || !has("--bench") { &sizes[..1] } else { sizes }
}

/// Runs the cases of a question.
type Ask = fn(&mut Question<'_>);

/// The cases of one question, for one number of objects.
struct Question<'a> {
    group: BenchmarkGroup<'a, WallTime>,
    objects: usize,
}

impl Question<'_> {
    /// A case that works on `items` objects a round. `make` makes what it works on: it is called once, and
    /// only if the case is selected. `run` is one round; it returns the part of its time that counts.
    fn case<S>(
        &mut self,
        name: &str,
        items: usize,
        make: impl FnOnce() -> S,
        mut run: impl FnMut(&mut S) -> Duration,
    ) {
        self.group.throughput(Throughput::Elements(items as u64));
        let (mut make, mut made) = (Some(make), None);
        self.group.bench_function(BenchmarkId::new(name, self.objects), |bencher| {
            // Criterion calls this once per sample.
            let state = made.get_or_insert_with(|| make.take().expect("made only once")());
            bencher.iter_custom(|rounds| (0..rounds).map(|_| run(state)).sum());
        });
    }
}

/// How long `work` takes, and what it returns.
fn timed<R>(work: impl FnOnce() -> R) -> (Duration, R) {
    let start = Instant::now();
    let result = work();
    (start.elapsed(), result)
}
