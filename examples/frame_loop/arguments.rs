//! The command line.

use std::path::PathBuf;
use std::time::Duration;

pub(crate) const HELP: &str = "\
A game world at 60 Hz, with slotgc in four ways and with Arc: how long are the pauses?

usage: frame_loop [options]

  --world WORLD    game: the one described above
                   ecs: handles in 300000 components of an ECS, which is a root source; no other modes
  --mode MODE      step: a bounded piece of work each frame
                   shared: the same, while another thread marks when a frame is drawn
                   minor: a minor collection each frame, a full one when the heap grew by half
                   full: a full collection when the heap grew by half
                   arc: the same world with Arc and Mutex, cycles taken apart by hand
                   By default all five, one after the other
  --frames N       frames to play (1200: twenty seconds of a game)
  --objects N      long-lived objects, or components, at least 1000 (200000, of ecs 300000)
  --budget MICROS  what step may take in a frame (1000)
  --seed N         seed of the game's random decisions (1)
  --out PATH       where to draw the chart (target/frame_loop.svg)
  --keep-new       objects survive the cycle during which they are allocated, reachable or not
  --check          compare what is reachable with what is there every 10 frames, not every 150
  --worst N        list the N longest pauses of each mode
  --help           this text";

/// What frees memory, and when.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Mode {
    Step,
    Shared,
    Minor,
    Full,
    Arc,
}

impl Mode {
    pub(crate) const ALL: [Mode; 5] = [Mode::Step, Mode::Shared, Mode::Minor, Mode::Full, Mode::Arc];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Mode::Step => "step",
            Mode::Shared => "shared",
            Mode::Minor => "minor",
            Mode::Full => "full",
            Mode::Arc => "arc",
        }
    }
}

/// Which world is played.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Game,
    Ecs,
}

#[derive(Clone, Debug)]
pub(crate) struct Arguments {
    pub(crate) world: Kind,
    pub(crate) modes: Vec<Mode>,
    pub(crate) frames: usize,
    pub(crate) objects: usize,
    pub(crate) budget: Duration,
    pub(crate) seed: u64,
    pub(crate) out: PathBuf,
    pub(crate) keep_new: bool,
    pub(crate) check: bool,
    pub(crate) worst: usize,
}

impl Default for Arguments {
    fn default() -> Self {
        Self {
            world: Kind::Game,
            modes: Mode::ALL.to_vec(),
            frames: 1200,
            objects: 200_000,
            budget: Duration::from_millis(1),
            seed: 1,
            out: "target/frame_loop.svg".into(),
            keep_new: false,
            check: false,
            worst: 0,
        }
    }
}

impl Arguments {
    /// `None` if help is requested.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub(crate) fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Option<Self>, String> {
        let mut parsed = Self::default();
        let mut objects = None;
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or_else(|| format!("{argument} needs a value"));
            match argument.as_str() {
                "--help" | "-h" => return Ok(None),
                "--world" => {
                    parsed.world = match value()?.as_str() {
                        "game" => Kind::Game,
                        "ecs" => Kind::Ecs,
                        other => return Err(format!("--world {other:?}: game or ecs")),
                    };
                }
                "--mode" => {
                    let name = value()?;
                    let mode = Mode::ALL.into_iter().find(|mode| mode.name() == name);
                    parsed.modes = vec![
                        mode.ok_or_else(|| format!("--mode {name:?}: step, shared, minor, full or arc"))?,
                    ];
                }
                "--frames" => parsed.frames = number(&argument, &value()?, 1..=10_000_000)?,
                "--objects" => objects = Some(number(&argument, &value()?, 1000..=50_000_000)?),
                "--budget" => {
                    let micros: u32 = number(&argument, &value()?, 1..=1_000_000)?;
                    parsed.budget = Duration::from_micros(micros.into());
                }
                "--seed" => parsed.seed = number(&argument, &value()?, 0..=u64::MAX)?,
                "--out" => parsed.out = value()?.into(),
                "--keep-new" => parsed.keep_new = true,
                "--check" => parsed.check = true,
                "--worst" => parsed.worst = number(&argument, &value()?, 0..=10_000)?,
                _ => return Err(format!("{argument} is not an option")),
            }
        }
        if parsed.world == Kind::Ecs && parsed.modes.len() == 1 {
            return Err("--mode is for the game; --world ecs plays both ways of its own".into());
        }
        parsed.objects = objects.unwrap_or(if parsed.world == Kind::Ecs { 300_000 } else { parsed.objects });
        Ok(Some(parsed))
    }
}

fn number<N>(option: &str, text: &str, range: std::ops::RangeInclusive<N>) -> Result<N, String>
where
    N: std::str::FromStr + PartialOrd + std::fmt::Display,
{
    let number = text.parse().map_err(|_| format!("{option} {text:?} is not a number"))?;
    if range.contains(&number) {
        Ok(number)
    } else {
        Err(format!("{option} {text}: at least {} and at most {}", range.start(), range.end()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Option<Arguments>, String> {
        Arguments::parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn options_may_come_in_any_order() {
        let parsed = parse("--check --out a.svg --mode full --budget 500 --objects 5000").unwrap().unwrap();
        assert_eq!((parsed.modes, parsed.objects, parsed.check), (vec![Mode::Full], 5000, true));
        assert_eq!((parsed.budget, parsed.out), (Duration::from_micros(500), "a.svg".into()));
        assert!(parse("--check --help").unwrap().is_none());
        assert_eq!(parse("").unwrap().unwrap().modes, Mode::ALL);
        let ecs = parse("--world ecs --frames 7").unwrap().unwrap();
        assert_eq!((ecs.world, ecs.objects, ecs.frames), (Kind::Ecs, 300_000, 7));
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (line, message) in [
            ("now", "now is not an option"),
            ("--mode", "--mode needs a value"),
            ("--mode steps", "--mode \"steps\": step, shared, minor, full or arc"),
            ("--world sea", "--world \"sea\": game or ecs"),
            ("--world ecs --mode step", "--mode is for the game; --world ecs plays both ways of its own"),
            ("--frames x", "--frames \"x\" is not a number"),
            ("--frames 0", "--frames 0: at least 1 and at most 10000000"),
        ] {
            assert_eq!(parse(line).unwrap_err(), message);
        }
    }
}
