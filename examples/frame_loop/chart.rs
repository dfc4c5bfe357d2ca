//! What the chart shows of each run.

use std::error::Error;
use std::path::Path;
use std::time::Duration;

use slotgc_chart::Run as Column;

use crate::run::Run;

/// Draws one column for each mode: pauses above, memory below.
pub(crate) fn draw(path: &Path, runs: &[Run], budget: Duration) -> Result<(), Box<dyn Error>> {
    let columns: Vec<_> = runs.iter().map(column).collect();
    slotgc_chart::draw(path, &columns, millis(budget))
}

fn column(run: &Run) -> Column {
    Column {
        name: run.mode.name().to_owned(),
        pauses: run.samples.iter().map(|sample| millis(sample.pause)).collect(),
        memory: run.samples.iter().map(|sample| mebibytes(sample.bytes)).collect(),
    }
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn mebibytes(bytes: usize) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}
