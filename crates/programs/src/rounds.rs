//! Rounds: each runs every program on every substrate, the substrates of a program one right after the other
//! in a new random order, each run in a process of its own.
//!
//! A ratio is taken between neighbours in time, one per round; the median is reported.

use std::io::{IsTerminal, Write};
use std::process::Command;

use slotgc_graphs::Random;

use crate::program::{Program, Substrate};

/// A part of a program with its times.
pub(crate) struct Measured {
    pub(crate) name: String,
    /// By substrate, in milliseconds, one per round.
    pub(crate) ms: [Vec<f64>; Substrate::ALL.len()],
}

impl Measured {
    pub(crate) fn median(&self, substrate: Substrate) -> f64 {
        median(self.ms[substrate as usize].clone())
    }

    /// slotgc's time divided by another's.
    pub(crate) fn ratio(&self, substrate: Substrate) -> f64 {
        let ours = &self.ms[Substrate::Slotgc as usize];
        median(ours.iter().zip(&self.ms[substrate as usize]).map(|(ours, theirs)| ours / theirs).collect())
    }
}

/// The middle one, or the mean of the two in the middle.
fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    let middle = numbers.len() / 2;
    if numbers.len() % 2 == 1 { numbers[middle] } else { (numbers[middle - 1] + numbers[middle]) / 2.0 }
}

/// Runs all rounds.
///
/// # Panics
/// When a run fails or its answer differs from the others'.
pub(crate) fn run(programs: &[&Program], rounds: usize) -> Vec<Measured> {
    let mut random = Random::new(4);
    let mut measured: Vec<Vec<Measured>> = programs.iter().map(|program| of_parts(program)).collect();
    for round in 0..rounds {
        for (program, measured) in programs.iter().zip(&mut measured) {
            let mut answer = None;
            for index in random.order(Substrate::ALL.len()) {
                let substrate = Substrate::ALL[index as usize];
                progress(&format!("round {round}: {} {}", program.name, substrate.name()));
                let (times, own) = in_a_process(program, substrate);
                let answer = answer.get_or_insert_with(|| own.clone());
                assert_eq!(*answer, own, "{} on {}", program.name, substrate.name());
                assert_eq!(times.len(), measured.len(), "a time for each part");
                for (ms, measured) in times.into_iter().zip(measured.iter_mut()) {
                    measured.ms[substrate as usize].push(ms);
                }
            }
        }
    }
    progress("");
    measured.into_iter().flatten().collect()
}

fn of_parts(program: &Program) -> Vec<Measured> {
    let name = |part: &&str| format!("{} {part}", program.name).trim_end().to_owned();
    program.parts.iter().map(|part| Measured { name: name(part), ms: Default::default() }).collect()
}

/// Milliseconds of the parts, and the answer.
fn in_a_process(program: &Program, substrate: Substrate) -> (Vec<f64>, String) {
    let own = std::env::current_exe().expect("a path of this program");
    let output = Command::new(own).args(["--run", program.name, substrate.name()]).output();
    let output = output.expect("this program can be started");
    assert!(output.status.success(), "{} on {}: {output:?}", program.name, substrate.name());
    let text = String::from_utf8(output.stdout).expect("text");
    let (times, answer) = text.split_once('\n').expect("a line of times");
    (times.split_whitespace().map(|ms| ms.parse().expect("a number")).collect(), answer.to_owned())
}

/// Prints a line on a terminal that the next one replaces.
fn progress(text: &str) {
    let mut stderr = std::io::stderr();
    if stderr.is_terminal() {
        let _ = write!(stderr, "\r\x1b[K{text}");
        let _ = stderr.flush();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_taken_round_by_round() {
        let ms = [vec![1.0, 10.0, 3.0], vec![2.0, 20.0, 2.0], vec![1.0; 3], vec![1.0; 3]];
        let measured = Measured { name: String::new(), ms };
        assert_eq!(measured.ratio(Substrate::GcArena), 0.5);
        assert_eq!(measured.median(Substrate::Slotgc), 3.0);
    }
}
