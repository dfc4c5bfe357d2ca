//! How long the collector held up the program: a histogram, worst cases, totals.

use alloc::boxed::Box;
use core::time::Duration;

use crate::stats::{CollectStats, PhaseTimes};

/// Steps that take longer than their budget by more than this are counted.
pub(super) const MARGIN: Duration = Duration::from_micros(200);

/// What a heap remembers of its pauses.
#[derive(Default)]
pub(super) struct Telemetry {
    pub(super) pauses: u64,
    pub(super) steps: u64,
    pub(super) overshoots: u64,
    pub(super) worst: Duration,
    pub(super) worst_overshoot: Duration,
    /// Steps of the current cycle, and of the last finished one.
    pub(super) steps_in_cycle: u64,
    pub(super) cycle_steps: u64,
    pub(super) times: PhaseTimes,
    pub(super) peak_objects: usize,
    pub(super) peak_bytes: usize,
    histogram: Histogram,
}

impl Telemetry {
    /// The program was held up for this long.
    pub(super) fn note_pause(&mut self, time: Duration) {
        self.pauses += 1;
        self.worst = self.worst.max(time);
        self.histogram.record(time);
    }

    /// The pause was a step, which exceeded its budget by this much.
    pub(super) fn note_step(&mut self, time: Duration, over: Duration) {
        self.note_pause(time);
        self.steps += 1;
        self.steps_in_cycle += 1;
        self.worst_overshoot = self.worst_overshoot.max(over);
        self.overshoots += u64::from(over > MARGIN);
    }

    /// A cycle ended.
    pub(super) fn note_cycle(&mut self, stats: &CollectStats) {
        self.times.add(stats);
    }

    /// The step that ended a cycle was noted.
    pub(super) fn end_cycle(&mut self, is_minor: bool) {
        let steps = core::mem::take(&mut self.steps_in_cycle);
        if !is_minor {
            self.cycle_steps = steps;
        }
    }

    /// The pause that this part of a thousand of all pauses does not exceed.
    pub(super) fn quantile(&self, permille: u64) -> Duration {
        self.histogram.quantile(permille).min(self.worst)
    }
}

/// Buckets for each power of two: an error of 6 % at most.
const PARTS: usize = 16;
/// Powers of two of nanoseconds: up to some minutes.
const POWERS: usize = 40;

/// Durations, counted in buckets whose width grows with them.
#[derive(Default)]
struct Histogram {
    /// Made when the first duration is recorded.
    buckets: Option<Box<[u64; PARTS * POWERS]>>,
    len: u64,
}

fn bucket(time: Duration) -> usize {
    let ns = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
    if ns < PARTS as u64 {
        return ns as usize;
    }
    let power = ns.ilog2() - PARTS.ilog2();
    let part = (ns >> power) as usize - PARTS;
    ((power as usize + 1) * PARTS + part).min(PARTS * POWERS - 1)
}

/// The longest duration of a bucket.
fn upper(bucket: usize) -> Duration {
    let (power, part) = (bucket / PARTS, (bucket % PARTS) as u64);
    match power {
        0 => Duration::from_nanos(part),
        _ => Duration::from_nanos(((PARTS as u64 + part + 1) << (power - 1)) - 1),
    }
}

impl Histogram {
    fn record(&mut self, time: Duration) {
        let buckets = self.buckets.get_or_insert_with(|| Box::new([0; PARTS * POWERS]));
        buckets[bucket(time)] += 1;
        self.len += 1;
    }

    fn quantile(&self, permille: u64) -> Duration {
        let Some(buckets) = &self.buckets else {
            return Duration::ZERO;
        };
        let rank = (self.len * permille).div_ceil(1000).max(1);
        let mut seen = 0;
        let found = buckets.iter().position(|len| {
            seen += len;
            seen >= rank
        });
        upper(found.unwrap_or(PARTS * POWERS - 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_off_by_a_sixteenth_at_most() {
        let mut histogram = Histogram::default();
        assert_eq!(histogram.quantile(990), Duration::ZERO);
        for micros in 1..=1000 {
            histogram.record(Duration::from_micros(micros));
        }
        for (permille, exact) in [(1, 1), (500, 500), (990, 990), (999, 999), (1000, 1000)] {
            let found = histogram.quantile(permille).as_nanos() as f64;
            let exact = f64::from(exact) * 1e3;
            assert!((exact..=exact * 1.07).contains(&found), "{permille}: {found}, not {exact}");
        }
    }

    #[test]
    fn every_duration_lies_below_the_upper_end_of_its_bucket_and_above_that_of_the_one_before() {
        for ns in (0..2000).chain([123_456, 7_654_321, 1 << 36]) {
            let (time, bucket) = (Duration::from_nanos(ns), bucket(Duration::from_nanos(ns)));
            assert!(time <= upper(bucket) && (bucket == 0 || time > upper(bucket - 1)), "{ns}");
        }
        assert_eq!(bucket(Duration::MAX), PARTS * POWERS - 1);
    }
}
