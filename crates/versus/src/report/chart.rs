//! The ratios as bars, in an SVG file: for each work the times of the peers as multiples of slotgc's.
//!
//! The scale is logarithmic, so that twice as fast and twice as slow are equally far from 1, where bars
//! begin: a bar to the right is a peer that takes longer, one to the left a peer that takes less.

use std::error::Error;
use std::fs;
use std::path::Path;

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::harness::Measured;
use crate::machine;
use crate::report::ns as digits;
use crate::work::OURS;

const WIDTH: u32 = 1000;
/// Width left of the bars, for names, and right of them, for figures.
const NAMES: u32 = 170;
const FIGURES: u32 = 20;
const LINE: u32 = 18;
const HEAD_LINE: u32 = 17;
const AXIS: u32 = 46;

/// The most characters in a line of the heading, and in a work's description.
const LETTERS: usize = 140;
const ABOUT_LETTERS: usize = 118;

/// A line of the picture: a work's name, or a peer's bar.
enum Line<'a> {
    Work { work: &'a Measured, ours: String },
    Bar { peer: &'static str, times: f64, label: String },
    Space,
}

/// Draws all works in which slotgc is compared with something.
pub(crate) fn draw(path: &Path, works: &[Measured], method: &str) -> Result<(), Box<dyn Error>> {
    let lines: Vec<_> = works.iter().flat_map(lines).collect();
    if lines.is_empty() {
        return Err("there is nothing to compare: no work with slotgc and a peer was run".into());
    }
    let mut text = String::new();
    draw_lines(&mut text, &lines, &heading(method))?;
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory)?;
    }
    Ok(fs::write(path, text)?)
}

/// The lines of a work.
fn lines(work: &Measured) -> Vec<Line<'_>> {
    let bar = |peer: &'static str, median: f64| {
        let times = 1.0 / work.ratio(peer).filter(|_| peer != OURS)?;
        let label = format!("{} ({})", multiple(times), time(median));
        Some(Line::Bar { peer, times, label })
    };
    let bars: Vec<_> = work.peers.iter().filter_map(|times| bar(times.peer, times.spread()[1])).collect();
    if bars.is_empty() {
        return bars;
    }
    let ours = work.peers.iter().find(|times| times.peer == OURS).map(|times| time(times.spread()[1]));
    let title = Line::Work { work, ours: ours.unwrap_or_default() };
    [title].into_iter().chain(bars).chain([Line::Space]).collect()
}

/// Formats a multiple with its significant digits.
fn multiple(value: f64) -> String {
    match value {
        value if value < 0.01 => format!("{value:.4}"),
        value if value < 0.1 => format!("{value:.3}"),
        value if value < 10.0 => format!("{value:.2}"),
        value => format!("{value:.0}"),
    }
}

/// A time in the unit that suits it.
fn time(ns: f64) -> String {
    match ns {
        ns if ns < 1e3 => format!("{} ns", digits(ns)),
        ns if ns < 1e6 => format!("{} µs", digits(ns / 1e3)),
        ns => format!("{} ms", digits(ns / 1e6)),
    }
}

/// What the picture shows, and how to draw it again.
fn heading(method: &str) -> Vec<String> {
    let command = format!("slotgc-versus {}", machine::arguments());
    let texts = [
        machine::describe(),
        machine::versions(),
        format!("{}: {command}", machine::date()),
        format!("{method}; medians of the rounds; of an object, if nothing else is said"),
        "Blue: takes longer than slotgc. Orange: takes less. Gray: a limit. Green: slotgc in another way."
            .to_owned(),
    ];
    texts.iter().flat_map(|text| wrapped(text, LETTERS)).collect()
}

/// Lines of at most `letters` characters, broken between words.
fn wrapped(text: &str, letters: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_inclusive([' ', ',']) {
        let last = lines.last_mut().expect("one at least");
        if !last.is_empty() && last.chars().count() + word.chars().count() > letters {
            lines.push(word.to_owned());
        } else {
            last.push_str(word);
        }
    }
    lines
}

/// The color of a peer's bar: limits and slotgc's further cases are not peers.
fn color(peer: &str, times: f64) -> RGBColor {
    match peer {
        peer if peer.starts_with("limit:") => RGBColor(150, 150, 150),
        peer if peer.starts_with("slotgc:") => RGBColor(110, 170, 120),
        _ if times < 1.0 => RGBColor(214, 120, 60),
        _ => RGBColor(70, 120, 180),
    }
}

fn draw_lines(text: &mut String, lines: &[Line<'_>], heading: &[String]) -> Result<(), Box<dyn Error>> {
    let head = 40 + HEAD_LINE * heading.len() as u32 + 10;
    let height = head + 2 * AXIS + LINE * lines.len() as u32;
    let root = SVGBackend::with_string(text, (WIDTH, height)).into_drawing_area();
    root.fill(&WHITE)?;
    let dark = RGBColor(40, 40, 40);
    let gray = RGBColor(100, 100, 100);
    // The library takes a font's height, a quarter more than its size.
    let font = |size: u32| ("sans-serif", f64::from(size) * 1.24).into_font();
    root.draw_text(
        "slotgc and its peers: how long they take for the same work",
        &font(18).color(&dark),
        (12, 12),
    )?;
    for (number, line) in heading.iter().enumerate() {
        root.draw_text(line, &font(12).color(&gray), (12, (40 + HEAD_LINE * number as u32) as i32))?;
    }

    let (_, below) = root.split_vertically(head);
    let mut chart = ChartBuilder::on(&below)
        .set_label_area_size(LabelAreaPosition::Left, NAMES)
        .set_label_area_size(LabelAreaPosition::Top, AXIS)
        .set_label_area_size(LabelAreaPosition::Bottom, AXIS)
        .margin_right(FIGURES)
        .build_cartesian_2d(scale(lines).log_scale(), lines.len() as f64..0.0)?;
    chart
        .configure_mesh()
        .disable_y_mesh()
        .disable_y_axis()
        .y_labels(0)
        .light_line_style(TRANSPARENT)
        .bold_line_style(RGBColor(225, 225, 225))
        .label_style(font(12).color(&dark))
        .x_label_formatter(&|times| format!("{times}"))
        .x_desc("the peer's time as a multiple of slotgc's, logarithmic: right of 1 slotgc is faster")
        .draw()?;

    let left_of = |size| font(size).color(&dark).pos(Pos::new(HPos::Right, VPos::Center));
    let right_of = |size, color: RGBColor| font(size).color(&color).pos(Pos::new(HPos::Left, VPos::Center));
    for (number, line) in lines.iter().enumerate() {
        let (top, middle) = (number as f64, number as f64 + 0.5);
        let (one, y) = chart.backend_coord(&(1.0, middle));
        match line {
            Line::Work { work, ours } => {
                root.draw_text(&work.name, &right_of(15, dark), (12, y))?;
                // The unit is with the time.
                let about = work.about.strip_prefix("ns ").unwrap_or(&work.about);
                let about = format!("slotgc {ours}: {}", shortened(about));
                root.draw_text(&about, &right_of(13, gray), (NAMES as i32, y))?;
            }
            Line::Bar { peer, times, label } => {
                root.draw_text(peer, &left_of(13), (NAMES as i32 - 6, y))?;
                let bar = [(1.0, top + 0.12), (*times, top + 0.88)];
                chart.draw_series([Rectangle::new(bar, color(peer, *times).filled())])?;
                // At the bar's end, or to the right of 1 if the bar goes left.
                let (end, _) = chart.backend_coord(&(times.max(1.0), middle));
                root.draw_text(label, &right_of(13, dark), (end.max(one) + 5, y))?;
            }
            Line::Space => {}
        }
    }
    let foot = lines.len() as f64;
    chart.draw_series([PathElement::new([(1.0, 0.0), (1.0, foot)], dark)])?;
    root.present()?;
    Ok(())
}

/// The multiples that the axis shows: all bars, and room for the figure of the longest.
fn scale(lines: &[Line<'_>]) -> std::ops::Range<f64> {
    let times = || {
        lines.iter().filter_map(|line| match line {
            Line::Bar { times, .. } => Some(*times),
            Line::Work { .. } | Line::Space => None,
        })
    };
    let least = times().fold(0.5, f64::min);
    let most = times().fold(2.0, f64::max);
    let room = (most / least).powf(0.2);
    least * 0.9..most * room.max(1.5)
}

fn shortened(text: &str) -> String {
    if text.chars().count() <= ABOUT_LETTERS {
        return text.to_owned();
    }
    let end: String = text.chars().take(ABOUT_LETTERS - 2).collect();
    format!("{}..", end.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::harness::Times;

    #[test]
    fn the_picture_names_each_work_and_peer() {
        let times = |peer, ns: &[f64]| Times { peer, ns: ns.to_vec() };
        let measured = Measured {
            name: "get/random".into(),
            about: "looking up".into(),
            peers: vec![times(OURS, &[2.0]), times("slotmap", &[5.0]), times("limit:index", &[1.0])],
            absent: Vec::new(),
            targets: Vec::new(),
            notes: Vec::new(),
        };
        let mut text = String::new();
        draw_lines(&mut text, &lines(&measured), &["a machine".to_owned()]).expect("a picture");
        for word in ["get/random", "slotmap", "2.50 (5.00 ns)", "limit:index", "0.50 (1.00 ns)", "a machine"]
        {
            assert!(text.contains(word), "{word} in {text}");
        }
    }

    #[test]
    fn long_lines_are_broken_between_words() {
        assert_eq!(wrapped("one two three", 8), ["one two ", "three"]);
        assert_eq!(wrapped("--only a,b,c", 9), ["--only a,", "b,c"]);
    }
}
