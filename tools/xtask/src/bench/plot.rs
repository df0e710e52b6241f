//! The plots, as SVG.

use anyhow::{Result, anyhow};
use plotters::coord::ranged1d::SegmentValue;
use plotters::prelude::*;

use super::ledger::Point;
use super::record::Record;

const FONT: &str = "sans-serif";
const OURS: RGBColor = RGBColor(0x3f, 0x7f, 0xbf);
const OTHER: RGBColor = RGBColor(0xd9, 0x82, 0x2b);
const GOOD: RGBColor = RGBColor(0x2e, 0x9d, 0x57);
const BAD: RGBColor = RGBColor(0xd3, 0x20, 0x2a);
const INK: RGBColor = RGBColor(0x1d, 0x27, 0x33);
const GRID: RGBColor = RGBColor(0xe4, 0xe8, 0xed);

/// A series of round trips over the size of the message.
struct Series {
    prefix: &'static str,
    title: &'static str,
    colour: RGBColor,
}

const SERIES: [Series; 2] = [
    Series { prefix: "round_trip_", title: "MsgSend, MsgReplyReceive", colour: OURS },
    Series {
        prefix: "round_trip_separate_",
        title: "MsgSend, MsgReply, MsgReceive",
        colour: OTHER,
    },
];

/// Round trips over the size of the message, and where copying costs more than all else.
///
/// # Errors
/// When the picture cannot be drawn.
pub(super) fn round_trips(records: &[Record]) -> Result<String> {
    let series = SERIES.map(|series| (points(records, series.prefix), series));
    let all = series.iter().flat_map(|(points, _)| points).map(|(_, value)| *value);
    let top = all.fold(1000.0, f64::max) * 1.3;
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, (760, 420)).into_drawing_area();
        root.fill(&WHITE).map_err(failed)?;
        let mut chart = ChartBuilder::on(&root)
            .caption("Message round trip", (FONT, 18, &INK))
            .margin(12)
            .x_label_area_size(44)
            .y_label_area_size(64)
            .build_cartesian_2d(
                (4.0..131_072.0_f64).log_scale().base(2.0),
                (400.0..top).log_scale(),
            )
            .map_err(failed)?;
        chart
            .configure_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(GRID)
            .x_desc("bytes each way")
            .y_desc("instructions")
            .label_style((FONT, 12, &INK))
            .x_label_formatter(&|bytes| format!("{bytes}"))
            .y_label_formatter(&|value| format!("{value}"))
            .draw()
            .map_err(failed)?;
        for (points, Series { title, colour, .. }) in &series {
            let line = points.iter().filter(|(bytes, _)| *bytes > 0.0).copied();
            let style = colour.stroke_width(2);
            chart
                .draw_series(LineSeries::new(line.clone(), style))
                .map_err(failed)?
                .label(*title)
                .legend(move |(x, y)| PathElement::new([(x, y), (x + 20, y)], style));
            let dots = line.map(|point| Circle::new(point, 3, colour.filled()));
            chart.draw_series(dots).map_err(failed)?;
        }
        if let Some(bytes) = series.first().and_then(|(points, _)| crossing(points)) {
            let style = BAD.stroke_width(1);
            let line = DashedLineSeries::new([(bytes, 400.0), (bytes, top)], 5, 4, style);
            chart
                .draw_series(line)
                .map_err(failed)?
                .label(format!(
                    "from {bytes:.0} bytes on, copying costs more than the empty message"
                ))
                .legend(move |(x, y)| PathElement::new([(x, y), (x + 20, y)], style));
        }
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::UpperLeft)
            .border_style(GRID)
            .background_style(WHITE.filled())
            .label_font((FONT, 12, &INK))
            .draw()
            .map_err(failed)?;
        root.present().map_err(failed)?;
    }
    Ok(svg)
}

/// The measures `PREFIX BYTES`, by size.
fn points(records: &[Record], prefix: &str) -> Vec<(f64, f64)> {
    let point = |record: &Record| {
        let bytes: u32 = record.measure.strip_prefix(prefix)?.parse().ok()?;
        Some((f64::from(bytes), record.value?))
    };
    records.iter().filter_map(point).collect()
}

/// The size from which on a message costs twice what an empty one does, between measured sizes by a straight line.
fn crossing(points: &[(f64, f64)]) -> Option<f64> {
    let twice = points.iter().find(|(bytes, _)| *bytes == 0.0)?.1 * 2.0;
    points.windows(2).find_map(|pair| match pair {
        [(from, low), (to, high)] if *low < twice && *high >= twice => {
            Some(from + (to - from) * (twice - low) / (high - low))
        }
        _ => None,
    })
}

/// Bars of the ratios to Linux, best first.
///
/// # Errors
/// When the picture cannot be drawn.
pub(super) fn ratios(records: &[Record]) -> Result<String> {
    let mut bars: Vec<(&str, f64)> = records
        .iter()
        .filter(|record| record.counts())
        .filter_map(|record| Some((record.measure.as_str(), record.ratio(record.peers.linux)?)))
        .collect();
    bars.sort_by(|a, b| b.1.total_cmp(&a.1));
    let most = bars.iter().map(|(_, ratio)| *ratio).fold(2.0, f64::max) * 1.05;
    let height = u32::try_from(bars.len() * 17 + 90)?;
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, (760, height)).into_drawing_area();
        root.fill(&WHITE).map_err(failed)?;
        let mut chart = ChartBuilder::on(&root)
            .caption("Instructions, as a ratio to Linux (left of 1: fewer)", (FONT, 18, &INK))
            .margin(12)
            .x_label_area_size(28)
            .y_label_area_size(170)
            .build_cartesian_2d(0.0..most, (0..bars.len()).into_segmented())
            .map_err(failed)?;
        let name = |at: &SegmentValue<usize>| match at {
            SegmentValue::CenterOf(row) => bars.get(*row).map_or("", |(name, _)| name).to_owned(),
            SegmentValue::Exact(_) | SegmentValue::Last => String::new(),
        };
        chart
            .configure_mesh()
            .disable_y_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(GRID)
            .y_labels(bars.len())
            .y_label_formatter(&name)
            .label_style((FONT, 12, &INK))
            .draw()
            .map_err(failed)?;
        let bar = |(row, (_, ratio)): (usize, &(&str, f64))| {
            let colour = if *ratio <= 1.0 { GOOD } else { BAD };
            let ends = [(0.0, SegmentValue::Exact(row)), (*ratio, SegmentValue::Exact(row + 1))];
            let mut bar = Rectangle::new(ends, colour.mix(0.75).filled());
            bar.set_margin(2, 2, 0, 0);
            bar
        };
        chart.draw_series(bars.iter().enumerate().map(bar)).map_err(failed)?;
        let line = [(1.0, SegmentValue::Exact(0)), (1.0, SegmentValue::Exact(bars.len()))];
        chart.draw_series([PathElement::new(line, INK.stroke_width(1))]).map_err(failed)?;
        root.present().map_err(failed)?;
    }
    Ok(svg)
}

/// One measure from commit to commit.
///
/// # Errors
/// When the picture cannot be drawn.
pub(super) fn history(title: &str, commits: &[&str], points: &[Point]) -> Result<String> {
    let place = |point: &Point| commits.iter().position(|commit| *commit == point.commit);
    let mut steps: Vec<(i32, f64)> = Vec::new();
    for point in points {
        let at = i32::try_from(place(point).unwrap_or(0))?;
        if let Some((_, before)) = steps.last().copied() {
            steps.push((at, before));
        }
        steps.push((at, point.value));
    }
    let end = i32::try_from(commits.len())?.max(2) - 1;
    if let Some((_, last)) = steps.last().copied() {
        steps.push((end, last));
    }
    let top = points.iter().map(|point| point.value).fold(0.0, f64::max) * 1.15;
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, (760, 240)).into_drawing_area();
        root.fill(&WHITE).map_err(failed)?;
        let mut chart = ChartBuilder::on(&root)
            .caption(title, (FONT, 16, &INK))
            .margin(12)
            .x_label_area_size(28)
            .y_label_area_size(64)
            .build_cartesian_2d(0..end, 0.0..top.max(f64::MIN_POSITIVE))
            .map_err(failed)?;
        let name = |at: &i32| {
            let commit = usize::try_from(*at).ok().and_then(|at| commits.get(at));
            commit.map_or(String::new(), |commit| (*commit).to_owned())
        };
        chart
            .configure_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(GRID)
            .x_labels(commits.len().min(9))
            .x_label_formatter(&name)
            .label_style((FONT, 12, &INK))
            .draw()
            .map_err(failed)?;
        chart.draw_series(LineSeries::new(steps, OURS.stroke_width(2))).map_err(failed)?;
        root.present().map_err(failed)?;
    }
    Ok(svg)
}

fn failed(error: impl std::fmt::Display) -> anyhow::Error {
    anyhow!("drawing a plot: {error}")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::bench::record;

    #[test]
    fn copying_takes_over_where_a_message_costs_twice_the_empty_one() {
        let points = [(0.0, 100.0), (64.0, 150.0), (512.0, 250.0), (4096.0, 900.0)];
        assert_eq!(crossing(&points), Some(288.0));
        assert_eq!(crossing(&points[..2]), None);
    }

    #[test]
    fn series_are_told_apart_by_what_follows_their_name() {
        let said = "round_trip_8 5\nround_trip_separate_8 7\nround_trip_words_0 3\n";
        let records = record::read(said, "bench", &BTreeMap::new());
        assert_eq!(points(&records, "round_trip_"), [(8.0, 5.0)]);
        assert_eq!(points(&records, "round_trip_separate_"), [(8.0, 7.0)]);
    }

    #[test]
    fn every_plot_can_be_drawn() {
        let peers = toml::from_str("[stat]\nlinux = 1000\n").unwrap();
        let records =
            record::read("round_trip_0 500\nround_trip_64 1100\nstat 900\n", "bench", &peers);
        let points = [Point { commit: "aaa".into(), value: 5.0 }];
        for svg in [
            round_trips(&records).unwrap(),
            ratios(&records).unwrap(),
            history("stat", &["aaa"], &points).unwrap(),
        ] {
            assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"), "{svg}");
        }
    }
}
