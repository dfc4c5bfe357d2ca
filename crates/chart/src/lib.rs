//! The pauses and the memory of programs side by side, frame by frame, as an SVG file.

use std::error::Error;
use std::fs;
use std::path::Path;

use plotters::prelude::*;

const WIDTH: u32 = 420;
const HEIGHT: u32 = 640;
/// The maximum of points in a chart.
const MOST_COLUMNS: usize = 2000;
/// The start of the logarithmic scale; shorter pauses are drawn at the bottom.
const SHORTEST_MS: f64 = 0.001;
/// The time of a frame at 60 Hz.
const FRAME_MS: f64 = 1000.0 / 60.0;

/// What a column shows.
#[derive(Clone, Debug)]
pub struct Run {
    /// Its heading.
    pub name: String,
    /// The pause of each frame, in milliseconds.
    pub pauses: Vec<f64>,
    /// The memory after each frame, in MiB.
    pub memory: Vec<f64>,
}

/// Draws one column for each run: pauses above, memory below. A green line shows the budget, a red one a frame
/// at 60 Hz.
///
/// # Errors
/// The file cannot be written, or the library cannot draw.
pub fn draw(path: &Path, runs: &[Run], budget_ms: f64) -> Result<(), Box<dyn Error>> {
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory)?;
    }
    let mut text = String::new();
    draw_all(&mut text, runs, budget_ms)?;
    fs::write(path, text)?;
    Ok(())
}

fn draw_all(text: &mut String, runs: &[Run], budget_ms: f64) -> Result<(), Box<dyn Error>> {
    let root = SVGBackend::with_string(text, (WIDTH * runs.len() as u32, HEIGHT)).into_drawing_area();
    root.fill(&WHITE)?;
    let longest = runs.iter().flat_map(|run| &run.pauses).copied().fold(FRAME_MS, f64::max) * 1.5;
    let most = runs.iter().flat_map(|run| &run.memory).copied().fold(1.0, f64::max) * 1.05;
    for (area, run) in root.split_evenly((1, runs.len())).iter().zip(runs) {
        let (above, below) = area.split_vertically(HEIGHT * 3 / 5);
        let frames = 0..run.pauses.len();

        let caption = format!("{} (green: budget, red: a frame)", run.name);
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
        for (limit, color) in [(budget_ms, GREEN.mix(0.8)), (FRAME_MS, RED.mix(0.6))] {
            chart.draw_series(LineSeries::new([(frames.start, limit), (frames.end, limit)], color))?;
        }
        let pauses = columns(&run.pauses, SHORTEST_MS);
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
        let bytes = columns(&run.memory, 0.0);
        chart.draw_series(LineSeries::new(bytes, BLACK.mix(0.8)))?;
    }
    root.present()?;
    Ok(())
}

/// Points for these values, of which none is below `least`; if a point covers several frames, their largest
/// value.
fn columns(values: &[f64], least: f64) -> impl Iterator<Item = (usize, f64)> {
    let frames = values.len().div_ceil(MOST_COLUMNS).max(1);
    let largest = move |values: &[f64]| values.iter().copied().fold(least, f64::max);
    values.chunks(frames).enumerate().map(move |(column, values)| (column * frames, largest(values)))
}
