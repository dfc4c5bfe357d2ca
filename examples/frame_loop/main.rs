//! A game world at 60 Hz: 200 000 long-lived objects with weak targets, goals, inventories, event listeners
//! in cycles; each frame 5000 short-lived objects and 2000 changed edges between old ones; a texture cache in
//! a `WeakValueMap`, the state of scripts in a `WeakKeyMap`; levels that load and unload. How long does the
//! game stand still while memory is freed?
//!
//! ```text
//! cargo run --release --example frame_loop                       # all modes side by side
//! cargo run --release --example frame_loop -- --mode step        # 1 ms a frame for `Heap::pace`
//! cargo run --release --example frame_loop -- --mode shared      # and a worker marks while a frame is drawn
//! cargo run --release --example frame_loop -- --objects 1000000
//! cargo run --release --example frame_loop -- --world ecs        # handles in components: a root source
//! ```
//!
//! The game is in `game.rs`, and does the same in all modes. `gc_world.rs` is its world in a heap of slotgc,
//! `arc_world.rs` is the same with `Arc` and `Mutex`, where every cycle must be broken by hand; `ecs.rs` is
//! another world. `audit.rs`
//! checks that nothing reachable is lost and that nothing unreachable outlives two cycles; if not, the
//! program panics.

mod arc_world;
mod arguments;
mod audit;
mod chart;
mod ecs;
mod game;
mod gc_world;
mod progress;
mod run;
mod stopwatch;
mod table;

use std::error::Error;
use std::process::ExitCode;

use crate::arguments::{Arguments, HELP, Kind};
use crate::progress::Progress;
use crate::run::Run;

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> ExitCode {
    let arguments = match Arguments::parse(std::env::args().skip(1)) {
        Ok(Some(arguments)) => arguments,
        Ok(None) => {
            println!("{HELP}");
            return ExitCode::SUCCESS;
        }
        Err(why) => {
            eprintln!("frame_loop: {why}\n\n{HELP}");
            return ExitCode::from(2);
        }
    };
    if arguments.world == Kind::Ecs {
        ecs::play(&arguments);
        return ExitCode::SUCCESS;
    }
    match run_all(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("frame_loop: {why}");
            ExitCode::from(2)
        }
    }
}

fn run_all(arguments: &Arguments) -> Outcome<()> {
    table::print_world(arguments);
    let runs = play_all(arguments, &|runs| draw(arguments, runs))?;
    table::print(&runs);
    table::print_worst(&runs);
    table::print_checks(&runs);
    println!("Chart: {}", arguments.out.display());
    Ok(())
}

fn draw(arguments: &Arguments, runs: &[Run]) -> Outcome<()> {
    let out = arguments.out.display();
    let drawn = chart::draw(&arguments.out, runs, arguments.budget);
    Ok(drawn.map_err(|why| format!("the chart cannot be written to {out}: {why}"))?)
}

/// Frames of the first chart, which is there before all modes have played all frames.
const FIRST_FRAMES: usize = 200;

/// Plays the game in each mode; all must end in the same state. Draws after each mode, and once before, after
/// a few frames of the first.
fn play_all(arguments: &Arguments, draw: &dyn Fn(&[Run]) -> Outcome<()>) -> Outcome<Vec<Run>> {
    let progress = Progress::new(arguments.frames * arguments.modes.len());
    if arguments.frames > FIRST_FRAMES {
        let few = Arguments { frames: FIRST_FRAMES, ..arguments.clone() };
        draw(&[run::play(few.modes[0], &few, &progress)])?;
        progress.restart();
        let (mode, out) = (few.modes[0].name(), few.out.display());
        println!("First chart, of {FIRST_FRAMES} frames of {mode}: {out}");
    }
    let mut runs: Vec<Run> = Vec::new();
    for mode in &arguments.modes {
        let run = run::play(*mode, arguments, &progress);
        if let Some(first) = runs.first() {
            let (name, other) = (run.mode.name(), first.mode.name());
            assert_eq!(run.digest, first.digest, "the worlds of {name} and {other} are not the same");
            assert_eq!(run.seen, first.seen, "{name} and {other} do not show the same");
        }
        runs.push(run);
        draw(&runs)?;
    }
    progress.finish();
    Ok(runs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::End;

    fn tiny(seed: u64) -> Arguments {
        Arguments { frames: 120, objects: 2000, check: true, seed, ..Arguments::default() }
    }

    #[test]
    fn all_modes_end_in_the_same_world_and_nothing_leaks() {
        for seed in 1..4 {
            let runs = play_all(&tiny(seed), &|_| Ok(())).unwrap();
            for run in &runs {
                match run.end {
                    End::Gc { walked, condemned, .. } => assert!(walked > 10_000 && condemned > 1000),
                    End::Arc { broken, leaked } => assert!(broken > 1000 && leaked == 0),
                }
            }
        }
    }

    #[test]
    fn components_keep_what_they_hold_whether_changes_are_reported_or_all() {
        ecs::play(&Arguments { objects: 3000, ..tiny(1) });
    }

    #[test]
    fn a_chart_is_drawn_for_any_number_of_modes() {
        let mut runs = play_all(&Arguments { frames: 1, ..tiny(1) }, &|_| Ok(())).unwrap();
        let path = std::env::temp_dir().join(format!("frame_loop-{}.svg", std::process::id()));
        while runs.pop().is_some() && !runs.is_empty() {
            chart::draw(&path, &runs, arguments::Arguments::default().budget).unwrap();
            assert!(std::fs::read_to_string(&path).unwrap().ends_with("</svg>\n"));
        }
        std::fs::remove_file(&path).unwrap();
    }
}
