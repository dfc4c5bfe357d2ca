//! The pauses and the memory of all modes side by side, as an SVG file.

use std::error::Error;
use std::fs;
use std::path::Path;
use std::time::Duration;

use plotters::prelude::*;

use crate::run::{Run, Sample};

const WIDTH: u32 = 420;
const HEIGHT: u32 = 640;
/// The maximum of points in a chart.
const MOST_COLUMNS: usize = 2000;
/// The start of the logarithmic scale; shorter pauses are drawn at the bottom.
const SHORTEST_MS: f64 = 0.001;
/// The time of a frame at 60 Hz.
const FRAME_MS: f64 = 1000.0 / 60.0;

/// Draws one column for each mode: pauses above, memory below.
pub(crate) fn draw(path: &Path, runs: &[Run], budget: Duration) -> Result<(), Box<dyn Error>> {
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory)?;
    }
    let mut text = String::new();
    draw_all(&mut text, runs, budget)?;
    fs::write(path, text)?;
    Ok(())
}

fn draw_all(text: &mut String, runs: &[Run], budget: Duration) -> Result<(), Box<dyn Error>> {
    let root = SVGBackend::with_string(text, (WIDTH * runs.len() as u32, HEIGHT)).into_drawing_area();
    root.fill(&WHITE)?;
    let samples = || runs.iter().flat_map(|run| &run.samples);
    let longest = samples().map(|sample| millis(sample.pause)).fold(FRAME_MS, f64::max) * 1.5;
    let most = samples().map(|sample| mebibytes(sample.bytes)).fold(1.0, f64::max) * 1.05;
    for (area, run) in root.split_evenly((1, runs.len())).iter().zip(runs) {
        let (above, below) = area.split_vertically(HEIGHT * 3 / 5);
        let frames = 0..run.samples.len();

        let caption = format!("{} (green: budget, red: a frame)", run.mode.name());
        let mut chart = ChartBuilder::on(&above)
            .caption(caption, ("sans-serif", 15))
            .margin(8)
            .x_label_area_size(36)
            .y_label_area_size(56)
            .build_cartesian_2d(frames.clone(), (SHORTEST_MS..longest).log_scale())?;
        chart
            .configure_mesh()
            .light_line_style(TRANSPARENT)
            .x_labels(5)
            .x_desc("frame")
            .y_desc("pause (ms)")
            .draw()?;
        for (limit, color) in [(millis(budget), GREEN.mix(0.8)), (FRAME_MS, RED.mix(0.6))] {
            chart.draw_series(LineSeries::new([(frames.start, limit), (frames.end, limit)], color))?;
        }
        let pauses = columns(run, |sample| millis(sample.pause).max(SHORTEST_MS));
        chart.draw_series(pauses.map(|point| Circle::new(point, 1, BLUE.filled())))?;

        let mut chart = ChartBuilder::on(&below)
            .margin(8)
            .x_label_area_size(36)
            .y_label_area_size(56)
            .build_cartesian_2d(frames, 0.0..most)?;
        chart
            .configure_mesh()
            .light_line_style(TRANSPARENT)
            .x_labels(5)
            .x_desc("frame")
            .y_desc("memory (MiB)")
            .draw()?;
        let bytes = columns(run, |sample| mebibytes(sample.bytes));
        chart.draw_series(LineSeries::new(bytes, BLACK.mix(0.8)))?;
    }
    root.present()?;
    Ok(())
}

/// Points for the samples of a run; if a point covers several frames, their largest value.
fn columns(run: &Run, value: impl Fn(&Sample) -> f64) -> impl Iterator<Item = (usize, f64)> {
    let frames = run.samples.len().div_ceil(MOST_COLUMNS).max(1);
    run.samples
        .chunks(frames)
        .enumerate()
        .map(move |(column, samples)| (column * frames, samples.iter().map(&value).fold(0.0, f64::max)))
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn mebibytes(bytes: usize) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}
