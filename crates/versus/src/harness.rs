//! Rounds: each runs every case once, the peers of a work one right after the other in a new random order.
//!
//! The ratio of two peers is that of two neighbours in time, one per round; the median is reported. A machine
//! that slows down for a while changes both sides of most ratios.

use std::io::{IsTerminal, Write};

use slotgc_graphs::Random;

use crate::malloc;
use crate::options::Options;
use crate::work::{Absent, Note, OURS, Rounds, Target, Work};

/// A work with the times of its cases.
#[derive(Debug)]
pub(crate) struct Measured {
    /// The work's name.
    pub(crate) name: String,
    /// What was timed.
    pub(crate) about: String,
    /// The peers in the order of their registration.
    pub(crate) peers: Vec<Times>,
    /// Those that took no part.
    pub(crate) absent: Vec<Absent>,
    /// What slotgc is to reach.
    pub(crate) targets: Vec<Target>,
    /// Footnotes.
    pub(crate) notes: Vec<Note>,
}

/// A peer's nanoseconds per object, one for each round.
#[derive(Clone, Debug)]
pub(crate) struct Times {
    /// The peer.
    pub(crate) peer: &'static str,
    /// By round; only the first, where one is enough.
    pub(crate) ns: Vec<f64>,
}

impl Times {
    fn in_round(&self, round: usize) -> f64 {
        if self.ns.len() == 1 { self.ns[0] } else { self.ns[round] }
    }

    /// The minimum, the median and the maximum.
    pub(crate) fn spread(&self) -> [f64; 3] {
        let sorted = sorted(self.ns.clone());
        [sorted[0], median(self.ns.clone()), sorted[sorted.len() - 1]]
    }
}

impl Measured {
    /// The median over the rounds of slotgc's time divided by the peer's.
    pub(crate) fn ratio(&self, peer: &str) -> Option<f64> {
        self.ratio_of(OURS, peer)
    }

    /// The median over the rounds of the quotients of two cases. The time of a case that was run once stands
    /// for all rounds.
    pub(crate) fn ratio_of(&self, ours: &str, peer: &str) -> Option<f64> {
        let of = |name: &str| self.peers.iter().find(|times| times.peer == name);
        let (ours, theirs) = (of(ours)?, of(peer)?);
        let rounds = ours.ns.len().max(theirs.ns.len());
        Some(median((0..rounds).map(|round| ours.in_round(round) / theirs.in_round(round)).collect()))
    }
}

fn sorted(mut numbers: Vec<f64>) -> Vec<f64> {
    numbers.sort_by(f64::total_cmp);
    numbers
}

/// The middle one, or the mean of the two in the middle.
fn median(numbers: Vec<f64>) -> f64 {
    let sorted = sorted(numbers);
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 { sorted[middle] } else { (sorted[middle - 1] + sorted[middle]) / 2.0 }
}

/// Runs all rounds.
pub(crate) fn run(works: Vec<Work>, options: &Options) -> Vec<Measured> {
    let mut random = Random::new(4);
    let mut times: Vec<Vec<Vec<f64>>> =
        works.iter().map(|work| work.cases.iter().map(|_| Vec::new()).collect()).collect();
    let uncounted = usize::from(options.warm_up);
    for round in 0..uncounted + options.rounds {
        for (work, times) in works.iter().zip(&mut times) {
            for index in random.order(work.cases.len()) {
                let case = &work.cases[index as usize];
                if case.rounds == Rounds::First && round != uncounted {
                    continue;
                }
                progress(&format!("round {round}: {} {}", work.name, case.peer));
                malloc::trim();
                let ns = (case.run)();
                if round >= uncounted {
                    times[index as usize].push(ns);
                }
            }
        }
    }
    progress("");
    works.into_iter().zip(times).map(|(work, times)| measured(work, times)).collect()
}

fn measured(work: Work, times: Vec<Vec<f64>>) -> Measured {
    let peers = work.cases.iter().zip(times).map(|(case, ns)| Times { peer: case.peer, ns }).collect();
    let Work { name, about, absent, targets, notes, .. } = work;
    Measured { name, about, peers, absent, targets, notes }
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
        let times = |peer, ns: &[f64]| Times { peer, ns: ns.to_vec() };
        let peers =
            vec![times(OURS, &[1.0, 10.0, 3.0]), times("peer", &[2.0, 20.0, 2.0]), times("once", &[6.0])];
        let measured = Measured {
            name: String::new(),
            about: String::new(),
            peers,
            absent: Vec::new(),
            targets: Vec::new(),
            notes: Vec::new(),
        };
        assert_eq!(measured.ratio("peer"), Some(0.5));
        assert_eq!(measured.ratio("once"), Some(0.5));
        assert_eq!(measured.ratio("nobody"), None);
        assert_eq!(measured.peers[0].spread(), [1.0, 3.0, 10.0]);
    }

    #[test]
    fn median_of_an_even_number_lies_between() {
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), 2.5);
    }
}
