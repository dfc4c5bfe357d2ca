//! The numbers, modes side by side.

use std::time::Duration;

use hdrhistogram::Histogram;
use slotgc::{CollectStats, HeapStats, StepReport};

use crate::arguments::Arguments;
use crate::game::{LEVELS, Size, Work};
use crate::run::{End, Pause, Run, Sample};

/// Columns of the drawing of memory over time.
const SPARKS: usize = 20;

pub(crate) fn print_world(arguments: &Arguments) {
    let Arguments { objects, frames, seed, .. } = arguments;
    let size = Size::of(*objects, *frames);
    println!(
        "{objects} objects in {LEVELS} levels, {} entities each; a level is exchanged every {} frames.",
        size.entities_per_level, size.level_frames
    );
    println!(
        "In each of {frames} frames {} short-lived objects, {} changed edges, {} scripts (seed {seed}).",
        size.events,
        size.retargets + size.goals + 2 * size.trades,
        size.scripts
    );
    println!(
        "Frames run back to back. A frame is what the game and freeing memory take, a pause is the latter;\n\
         time in which other programs had the core is taken off.\n"
    );
}

pub(crate) fn print(runs: &[Run]) {
    row(runs, "", |run| run.mode.name().to_owned());
    for (name, of) in [("frame", frames as fn(&Run) -> &Histogram<u64>), ("pause", pauses)] {
        row(runs, &format!("{name} p50"), |run| millis(of(run).value_at_quantile(0.5)));
        row(runs, "      p99", |run| millis(of(run).value_at_quantile(0.99)));
        row(runs, "      p99.9", |run| millis(of(run).value_at_quantile(0.999)));
        row(runs, "      max", |run| millis(of(run).max()));
    }
    row(runs, "all pauses", |run| {
        let pauses: Duration = run.samples.iter().map(|sample| sample.pause).sum();
        format!("{:.1} %", 100.0 * pauses.as_secs_f64() / run.time.as_secs_f64())
    });
    row(runs, "waits for a core", |run| duration(run.waited));
    row(runs, "memory mean", |run| {
        mebibytes(run.samples.iter().map(|sample| sample.bytes).sum::<usize>() / run.samples.len())
    });
    row(runs, "       max", |run| mebibytes(bytes(run).max().unwrap_or(0)));
    row(runs, "       at the end", |run| mebibytes(bytes(run).last().unwrap_or(0)));
    row(runs, "collections", |run| gc(run, |from, to| (to.collections - from.collections).to_string()));
    row(runs, "        full ones", |run| gc(run, |_, _| run.full_cycles.to_string()));
    row(runs, "steps", |run| gc(run, |from, to| (to.steps - from.steps).to_string()));
    // By the heap's clock, which includes waits.
    row(runs, "over budget with waits", |run| {
        gc(run, |from, to| (to.overshoots - from.overshoots).to_string())
    });
    row(runs, "mark", |run| gc(run, |from, to| duration(to.times.mark - from.times.mark)));
    row(runs, "prune", |run| gc(run, |from, to| duration(to.times.prune - from.times.prune)));
    row(runs, "sweep", |run| gc(run, |from, to| duration(to.times.sweep - from.times.sweep)));
    row(runs, "drop", |run| gc(run, |from, to| duration(to.times.drop - from.times.drop)));
    row(runs, "freed", |run| gc(run, |from, to| (to.freed - from.freed).to_string()));
    row(runs, "cycles broken by hand", |run| match run.end {
        End::Gc { .. } => "0".into(),
        End::Arc { broken, .. } => broken.to_string(),
    });
    println!("\nMemory over time, from nothing to the most of all modes:");
    let most = runs.iter().flat_map(bytes).max().unwrap_or(0);
    for run in runs {
        println!("  {:<6}{}", run.mode.name(), sparkline(&run.samples, most));
    }
}

fn row(runs: &[Run], name: &str, value: impl Fn(&Run) -> String) {
    print!("{name:<24}");
    runs.iter().for_each(|run| print!("{:>12}", value(run)));
    println!();
}

fn frames(run: &Run) -> &Histogram<u64> {
    &run.frames
}

fn pauses(run: &Run) -> &Histogram<u64> {
    &run.pauses
}

fn bytes(run: &Run) -> impl Iterator<Item = usize> {
    run.samples.iter().map(|sample| sample.bytes)
}

fn gc(run: &Run, value: impl Fn(&HeapStats, &HeapStats) -> String) -> String {
    match &run.end {
        End::Gc { from, to, .. } => value(from, to),
        End::Arc { .. } => "-".into(),
    }
}

fn millis(nanos: u64) -> String {
    duration(Duration::from_nanos(nanos))
}

fn duration(time: Duration) -> String {
    let ms = time.as_secs_f64() * 1e3;
    if ms < 100.0 { format!("{ms:.2} ms") } else { format!("{ms:.0} ms") }
}

fn mebibytes(bytes: usize) -> String {
    format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20))
}

fn sparkline(samples: &[Sample], most: usize) -> String {
    const HEIGHTS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let chunks = samples.chunks(samples.len().div_ceil(SPARKS).max(1));
    let largest = chunks.map(|chunk| chunk.iter().map(|sample| sample.bytes).max().unwrap_or(0));
    largest.map(|bytes| HEIGHTS[(bytes * HEIGHTS.len() / (most + 1)).min(HEIGHTS.len() - 1)]).collect()
}

pub(crate) fn print_worst(runs: &[Run]) {
    for run in runs.iter().filter(|run| !run.worst.is_empty()) {
        println!("\nThe longest pauses of {}:", run.mode.name());
        for pause in &run.worst {
            let Pause { frame, lap, work } = pause;
            let (own, waited) = (duration(lap.own), duration(lap.waited));
            println!("  frame {frame:>6}  {own:>9} (waited {waited})  {}", describe(work));
        }
    }
}

fn describe(work: &Work) -> String {
    match work {
        Work::Nothing => "nothing to do".into(),
        Work::Step(StepReport { rule, phase, work, finished: None, .. }) => {
            format!("{rule:?}: {work} units, then in {phase:?}")
        }
        Work::Step(StepReport { rule, work, finished: Some(stats), .. }) => {
            format!("{rule:?}: {work} units, the end of a cycle that {}", describe_cycle(stats))
        }
        Work::Minor(stats) => format!("a minor collection that {}", describe_cycle(stats)),
        Work::Full(stats) => format!("a full collection that {}", describe_cycle(stats)),
        Work::ByHand(entities) => format!("{entities} entities taken apart"),
    }
}

fn describe_cycle(stats: &CollectStats) -> String {
    let [mark, prune, sweep, drop] =
        [stats.mark_time, stats.prune_time, stats.sweep_time, stats.drop_time].map(duration);
    let CollectStats { marked, freed, .. } = stats;
    format!("marked {marked} in {mark}, pruned in {prune}, swept {freed} in {sweep}, dropped in {drop}")
}

/// What the checks covered; they panic when they fail.
pub(crate) fn print_checks(runs: &[Run]) {
    println!();
    for run in runs {
        let name = run.mode.name();
        match &run.end {
            End::Gc { walked, condemned, .. } => println!(
                "{name}: {walked} times an object was reachable and there; {condemned} times one was not \
                 reachable, and gone two cycles later."
            ),
            End::Arc { leaked, .. } => {
                println!("{name}: {leaked} objects left in memory when the world was gone.");
            }
        }
    }
    if let [first, _, ..] = runs {
        let objects = first.digest.objects;
        println!("The worlds of all modes are the same at the end, {objects} objects each.");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sparkline_goes_from_nothing_to_the_most() {
        let samples: Vec<_> =
            (0..=7).map(|bytes| Sample { pause: Duration::ZERO, bytes: bytes * 100 }).collect();
        assert_eq!(sparkline(&samples, 700), "▁▂▃▄▅▆▇█");
        assert_eq!(sparkline(&samples[..1], 0), "▁");
    }
}
