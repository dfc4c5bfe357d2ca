//! A headless Bevy world of 300,000 entities whose minds are in the heap: blackboards with plans, in cycles,
//! and graphs of dialogue with cycles of their own. Each frame some think, some talk, a thousand despawn and
//! as many spawn, and thousands of short-lived objects are made. How long does the world stand still for the
//! collector?
//!
//! ```text
//! cargo run --release --example bevy_world                              # from crates/bevy_slotgc
//! cargo run --release --example bevy_world -- --entities 20000 --frames 200
//! ```
//!
//! The same game runs twice: with [`bevy_slotgc::GcPlugin`], and without it with `Arc`, where each cycle is
//! taken apart by hand when its entity despawns. Both must think the same thoughts (a checksum of each
//! frame), every mind in both is compared with a plain model, and at the end nothing may be left. The pause
//! of the Arc world is the time to take cycles apart and drop them; the pause of the other is the system
//! `pace`.
//!
//! Time in which other programs had the core is subtracted, as far as Linux reports it.

mod arc_world;
mod game;
mod gc_world;
mod stopwatch;

use std::time::Duration;

use game::{Outcome, Size};

fn main() {
    let size = Size::from_arguments();
    let Size { entities, spawned, temporaries, frames, budget } = size;
    println!(
        "{entities} entities, {spawned} spawned and despawned, {temporaries} temporary objects a frame;"
    );
    println!("{frames} frames, a budget of {budget:?}\n");
    let (gc, arc) = (gc_world::play(&size), arc_world::play(&size));
    assert_eq!(gc.checksums, arc.checksums, "both worlds think the same thoughts");

    println!("{:<24}{:>12}{:>12}", "", "GcPlugin", "Arc");
    let row = |name: &str, value: fn(&Outcome) -> Duration| {
        println!("{name:<24}{:>12}{:>12}", millis(value(&gc)), millis(value(&arc)));
    };
    row("pause p50", |outcome| quantile(&outcome.pauses, 500));
    row("      p99", |outcome| quantile(&outcome.pauses, 990));
    row("      p99.9", |outcome| quantile(&outcome.pauses, 999));
    row("      max", |outcome| quantile(&outcome.pauses, 1000));
    row("frame p50", |outcome| quantile(&outcome.frames, 500));
    row("      p99", |outcome| quantile(&outcome.frames, 990));
    row("      p99.9", |outcome| quantile(&outcome.frames, 999));
    row("all pauses", |outcome| outcome.pauses.iter().sum());
    println!("{:<24}{:>12}{:>12}", "cycles broken by hand", gc.broken, arc.broken);
    println!("\n{}", gc.notes);
}

/// The duration that this part of a thousand does not exceed.
fn quantile(times: &[Duration], permille: usize) -> Duration {
    let mut times = times.to_vec();
    times.sort_unstable();
    times[(times.len() * permille).div_ceil(1000).max(1) - 1]
}

fn millis(time: Duration) -> String {
    format!("{:.2} ms", time.as_secs_f64() * 1e3)
}
