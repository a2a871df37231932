//! The report as one HTML page that needs nothing beside itself: no script, no font, no picture from elsewhere.
//!
//! Every number of a chart stands in a table as well. A chart is drawn for a wide page and for a narrow one, of which the
//! style shows one; colours follow what the reader's system prefers, and no line is told from another by colour alone.
use crate::chart::{Axis, Chart, SIZES, Series, escape, micros, number};
use crate::page_fleet;
use crate::report::{Latency, Report};
use crate::timeline::{Event, Mark, Point};

const STYLE: &str = include_str!("page.css");
/// Lines of the chart of percentiles; kinds beyond share the last.
const KINDS: [&str; 8] = ["k0", "k1", "k2", "k3", "k4", "k5", "k6", "k7"];
/// Latencies over time: class, name, and where the point has it.
type Over = (&'static str, &'static str, fn(&Point) -> u64);
const OVER_TIME: [Over; 4] = [
    ("p50", "median", |point| point.p50_us),
    ("p90", "90 %", |point| point.p90_us),
    ("p99", "99 %", |point| point.p99_us),
    ("p999", "99.9 %", |point| point.p999_us),
];

/// The page.
#[must_use]
pub fn page(report: &Report) -> String {
    let verdict = if report.is_clean() { "nothing wrong" } else { "something is wrong" };
    let title = format!("Load test: {verdict}, {} operations/s", number(report.per_second));
    let title = escape(&title);
    let mut out = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n<meta name=\"color-scheme\" content=\"light dark\"/>\n<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\"/>\n<title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n<h1>{title}</h1>\n"
    );
    out.push_str(&summary(report));
    let marks = signs(&report.marks);
    out.push_str(&throughput(report, &marks));
    out.push_str(&by_node(report, &marks));
    out.push_str(&over_time(report, &marks));
    out.push_str(&percentiles(report));
    out.push_str(&events(report, &marks));
    out.push_str(&page_fleet::nodes(&report.cells));
    out.push_str(&page_fleet::moves(&report.moves));
    out.push_str(&audited(report));
    out.push_str(&course(report));
    out.push_str("<footer><p>Latencies count from the intended start of an operation (open loop), so that what had to wait is counted too; quantiles are those of HDR histograms.</p></footer>\n</main>\n</body>\n</html>\n");
    out
}

/// Events with their place and their sign: K1, R1, M1.
fn signs(marks: &[Mark]) -> Vec<(f64, Event, String)> {
    let mut counts = [0; 3];
    let sign = |mark: &Mark| {
        let (nth, letter) = match mark.event {
            Event::Kill => (0, 'K'),
            Event::Restart => (1, 'R'),
            Event::Move => (2, 'M'),
        };
        let count: &mut u32 = counts.get_mut(nth)?;
        *count += 1;
        Some((mark.at_s, mark.event, format!("{letter}{count}")))
    };
    marks.iter().filter_map(sign).collect()
}

fn summary(report: &Report) -> String {
    let audited = &report.audited;
    let (class, words) = if report.is_clean() {
        ("verdict", "Every answer was right, and every acknowledged write is there.")
    } else {
        (
            "verdict found",
            "Answers were wrong, or acknowledged writes are missing: see what the auditor found.",
        )
    };
    let mut out = format!("<p class=\"{class}\">{words}</p>\n<dl class=\"facts\">\n");
    let of_fleet = page_fleet::facts(report);
    let facts = [
        ("Load", report.mode.clone()),
        ("Duration", format!("{:.1} s", report.seconds)),
        ("Answered", format!("{}/s", number(report.per_second))),
        ("Refused", number(report.refused as f64)),
        ("Unanswered", number(report.unanswered as f64)),
        ("Kills", format!("{}, longest restart {:.2} s", report.kills, report.restart_seconds_max)),
        ("Tenants", format!("{} of {} subjects", report.tenants, report.subjects)),
        ("Checks audited", number(audited.checks as f64)),
        ("Seed", report.seed.to_string()),
    ];
    for (name, value) in facts.into_iter().chain(of_fleet) {
        out.push_str(&format!("<div><dt>{name}</dt><dd>{}</dd></div>\n", escape(&value)));
    }
    out.push_str("</dl>\n");
    out
}

fn sample(class: &str, name: &str) -> String {
    format!(
        "<span><svg viewBox=\"0 0 36 12\" aria-hidden=\"true\"><path class=\"line {class}\" d=\"M1 6L35 6\"/></svg>{}</span>",
        escape(name)
    )
}

fn event_samples(marks: &[(f64, Event, String)]) -> String {
    let mut kinds: Vec<Event> = marks.iter().map(|(_, event, _)| *event).collect();
    kinds.sort_unstable();
    kinds.dedup();
    let sample = |event: &Event| {
        let name = event.name();
        format!(
            "<span class=\"mark {name}\"><svg viewBox=\"0 0 36 12\" aria-hidden=\"true\"><line x1=\"1\" y1=\"6\" x2=\"35\" y2=\"6\"/></svg>{name}</span>"
        )
    };
    kinds.iter().map(sample).collect()
}

fn figure(heading: &str, chart: &Chart<'_>, legend: &str) -> String {
    let drawn: String = SIZES.iter().map(|size| chart.svg(*size)).collect();
    format!("<h2>{}</h2>\n<figure>\n{drawn}<figcaption>{legend}</figcaption>\n</figure>\n", escape(heading))
}

/// How long the course is, for the axis of time.
fn whole(report: &Report) -> f64 {
    report.course.last().map_or(report.seconds, |last| last.at_s + last.seconds).max(1.0)
}

fn throughput(report: &Report, marks: &[(f64, Event, String)]) -> String {
    let lost = |point: &Point| (point.refused + point.unanswered) as f64 / point.seconds;
    let middle = |point: &Point| point.at_s + point.seconds / 2.0;
    let most = report.course.iter().map(|point| point.per_second.max(lost(point))).fold(1.0, f64::max);
    let least = report.course.iter().map(|point| point.per_second).fold(f64::INFINITY, f64::min);
    let least = if least.is_finite() { least } else { 0.0 };
    let (x, y) = (Axis::linear("seconds", whole(report), 10), Axis::linear("operations/s", most, 5));
    let line = |class, of: &dyn Fn(&Point) -> f64| Series {
        class,
        points: report.course.iter().map(|point| (middle(point), of(point))).collect(),
    };
    let series = [line("rate", &|point| point.per_second), line("lost", &lost)];
    let chart = Chart {
        id: "throughput",
        title: "Throughput over time",
        told: format!(
            "Answered operations per second lie between {} and {}, {} over the whole run; {} events are marked. The numbers stand in the table at the end.",
            number(least),
            number(most),
            number(report.per_second),
            marks.len()
        ),
        x: &x,
        y: &y,
        series: &series,
        marks,
    };
    let legend =
        [sample("rate", "answered"), sample("lost", "refused or unanswered"), event_samples(marks)].concat();
    figure("Throughput", &chart, &legend)
}

/// What the tenants of each node were answered; nothing without a fleet.
fn by_node(report: &Report, marks: &[(f64, Event, String)]) -> String {
    if report.cells.is_empty() {
        return String::new();
    }
    let of = |point: &Point, nth: usize| point.cells.get(nth).copied().unwrap_or_default();
    let most = report.course.iter().flat_map(|point| &point.cells).fold(1.0, |most, of| of.max(most));
    let (x, y) = (Axis::linear("seconds", whole(report), 10), Axis::linear("operations/s", most, 5));
    let class = |nth: usize| KINDS.get(nth).copied().unwrap_or("k7");
    let line = |nth| Series {
        class: class(nth),
        points: report
            .course
            .iter()
            .map(|point| (point.at_s + point.seconds / 2.0, of(point, nth)))
            .collect(),
    };
    let series: Vec<Series> = (0..report.cells.len()).map(line).collect();
    let told = "Answered operations per second of the tenants of each node, up to";
    let chart = Chart {
        id: "nodes",
        title: "Throughput by node",
        told: format!("{told} {}. The numbers stand in the table at the end.", number(most)),
        x: &x,
        y: &y,
        series: &series,
        marks,
    };
    let names = report.cells.iter().enumerate();
    let lines: String =
        names.map(|(nth, cell)| sample(class(nth), &format!("tenants of node {}", cell.name))).collect();
    figure("Throughput by node", &chart, &[lines, event_samples(marks)].concat())
}

fn over_time(report: &Report, marks: &[(f64, Event, String)]) -> String {
    let middle = |point: &Point| point.at_s + point.seconds / 2.0;
    let values = || {
        let each = |point| OVER_TIME.iter().map(move |(_, _, of)| of(point));
        report.course.iter().flat_map(each).filter(|value| *value > 0)
    };
    let (least, most) = (values().min().unwrap_or(1), values().max().unwrap_or(10));
    let x = Axis::linear("seconds", whole(report), 10);
    let y = Axis::decades("latency", (least as f64, most as f64), micros);
    // Where nothing was answered there is a gap.
    let height = |value: u64| if value == 0 { f64::NAN } else { (value as f64).log10() };
    let series = OVER_TIME.map(|(class, _, of)| Series {
        class,
        points: report.course.iter().map(|point| (middle(point), height(of(point)))).collect(),
    });
    let chart = Chart {
        id: "latency",
        title: "Latency over time",
        told: format!(
            "Median, 90, 99 and 99.9 % quantiles of all answers lie between {} and {}, on a logarithmic scale. The numbers stand in the table at the end.",
            micros(least as f64),
            micros(most as f64)
        ),
        x: &x,
        y: &y,
        series: &series,
        marks,
    };
    let lines: String = OVER_TIME.iter().map(|(class, name, _)| sample(class, name)).collect();
    figure("Latency over time", &chart, &[lines, event_samples(marks)].concat())
}

/// Where a quantile stands: each further nine is as far as the one before.
fn nines(quantile: f64) -> f64 {
    -(1.0 - quantile).max(1e-6).log10()
}

fn percent(quantile: f64) -> String {
    let text = format!("{:.4}", quantile * 100.0);
    format!("{} %", text.trim_end_matches('0').trim_end_matches('.'))
}

fn percentiles(report: &Report) -> String {
    let values = || report.latencies.iter().flat_map(|row| row.quantiles.iter().map(|of| of.us.max(1.0)));
    let (least, most) = (values().fold(f64::INFINITY, f64::min), values().fold(1.0, f64::max));
    let reach = |row: &Latency| row.quantiles.iter().map(|of| nines(of.quantile)).fold(1.0, f64::max);
    let end = (report.latencies.iter().map(reach).fold(1.0, f64::max) - 1e-6).ceil();
    let ticks = [0.0, 0.9, 0.99, 0.999, 0.9999, 0.99999, 0.999_999];
    let ticks = ticks.into_iter().filter(|of| nines(*of) <= end + 1e-6).map(|of| (nines(of), percent(of)));
    let x = Axis { label: "percentile", min: 0.0, max: end, ticks: ticks.collect() };
    let y = Axis::decades("latency", (least.min(most), most), micros);
    let class = |nth: usize| KINDS.get(nth).copied().unwrap_or("k7");
    let series: Vec<Series> = report
        .latencies
        .iter()
        .enumerate()
        .map(|(nth, row)| Series {
            class: class(nth),
            points: row.quantiles.iter().map(|of| (nines(of.quantile), of.us.max(1.0).log10())).collect(),
        })
        .collect();
    let chart = Chart {
        id: "percentiles",
        title: "Latency by percentile",
        told: "Latency of each kind of operation over its percentiles, both on logarithmic scales. The numbers stand in the table below.".to_owned(),
        x: &x,
        y: &y,
        series: &series,
        marks: &[],
    };
    let legend: String =
        report.latencies.iter().enumerate().map(|(nth, row)| sample(class(nth), row.kind)).collect();
    let mut out = figure("Latency by percentile", &chart, &legend);
    out.push_str(&percentile_table(&report.latencies));
    out
}

pub(crate) fn table(label: &str, caption: &str, heads: &[String], rows: &str) -> String {
    let heads: String = heads.iter().map(|head| format!("<th scope=\"col\">{}</th>", escape(head))).collect();
    format!(
        "<div class=\"scroll\" role=\"region\" aria-label=\"{}\" tabindex=\"0\">\n<table>\n<caption>{}</caption>\n<thead><tr>{heads}</tr></thead>\n<tbody>\n{rows}</tbody>\n</table>\n</div>\n",
        escape(label),
        escape(caption)
    )
}

fn percentile_table(latencies: &[Latency]) -> String {
    let mut heads = vec!["operation".to_owned(), "answered".to_owned()];
    let quantiles = latencies.first().map(|row| row.quantiles.as_slice()).unwrap_or_default();
    heads.extend(quantiles.iter().map(|of| percent(of.quantile)));
    heads.push("slowest".to_owned());
    let rows: String = latencies
        .iter()
        .map(|row| {
            let cells: String =
                row.quantiles.iter().map(|of| format!("<td>{}</td>", micros(of.us))).collect();
            format!(
                "<tr><th scope=\"row\">{}</th><td>{}</td>{cells}<td>{}</td></tr>\n",
                escape(row.kind),
                number(row.count as f64),
                micros(row.max_us)
            )
        })
        .collect();
    table(
        "Latency by percentile, as a table",
        "So many percent of the answers were at least as fast.",
        &heads,
        &rows,
    )
}

fn events(report: &Report, marks: &[(f64, Event, String)]) -> String {
    if report.marks.is_empty() {
        return "<h2>Events</h2>\n<p>Nothing was killed or moved meanwhile.</p>\n".to_owned();
    }
    let rows: String = report
        .marks
        .iter()
        .zip(marks)
        .map(|(mark, (_, event, sign))| {
            format!(
                "<tr><th scope=\"row\">{}</th><td>{:.1} s</td><td>{}</td><td class=\"text\">{}</td></tr>\n",
                escape(sign),
                mark.at_s,
                event.name(),
                escape(&mark.text)
            )
        })
        .collect();
    let heads = ["sign", "at", "event", "what happened"].map(str::to_owned);
    let caption = "What was done meanwhile, with the signs of the charts.";
    format!("<h2>Events</h2>\n{}", table("Events, as a table", caption, &heads, &rows))
}

fn audited(report: &Report) -> String {
    let audited = &report.audited;
    let rows: String = [
        ("checks compared", audited.checks),
        ("of these with one right answer", audited.certain),
        ("writes acknowledged", audited.writes),
        ("of these revocations", audited.revocations),
        ("refreshes compared", audited.refreshes),
        ("lists read again", audited.rereads),
        ("wrong answers", audited.wrong),
        ("stale answers", audited.stale),
        ("lost writes", audited.lost),
        ("outcomes that stayed unknown", audited.unknown),
        ("subjects that could not be read again", audited.unread),
    ]
    .iter()
    .map(|(name, count)| {
        format!("<tr><th scope=\"row\">{name}</th><td>{}</td></tr>\n", number(*count as f64))
    })
    .collect();
    let heads = ["what".to_owned(), "count".to_owned()];
    let mut out = format!(
        "<h2>What the auditor saw</h2>\n{}",
        table(
            "What the auditor saw, as a table",
            "The auditor knows the right answer of every check.",
            &heads,
            &rows
        )
    );
    if !audited.examples.is_empty() {
        let items: String =
            audited.examples.iter().map(|text| format!("<li>{}</li>\n", escape(text))).collect();
        out.push_str(&format!("<ul>\n{items}</ul>\n"));
    }
    out
}

fn course(report: &Report) -> String {
    let points = &report.course;
    let rows: String = points
        .iter()
        .map(|point| {
            let cells: String = point.cells.iter().map(|of| format!("<td>{}</td>", number(of.round()))).collect();
            let latencies: String =
                OVER_TIME.iter().map(|(_, _, of)| format!("<td>{}</td>", micros(of(point) as f64))).collect();
            format!(
                "<tr><th scope=\"row\">{:.0} s</th><td>{}</td>{cells}<td>{}</td><td>{}</td>{latencies}<td>{}</td></tr>\n",
                point.at_s,
                number(point.per_second),
                point.refused,
                point.unanswered,
                micros(point.max_us as f64)
            )
        })
        .collect();
    let mut heads = vec!["from".to_owned(), "answered/s".to_owned()];
    heads.extend(report.cells.iter().map(|cell| format!("of node {}", cell.name)));
    heads.extend(["refused", "unanswered"].map(str::to_owned));
    heads.extend(OVER_TIME.iter().map(|(_, name, _)| (*name).to_owned()));
    heads.push("slowest".to_owned());
    let caption = "The numbers of the charts over time.";
    let table = table("The whole course, as a table", caption, &heads, &rows);
    format!(
        "<h2>The whole course</h2>\n<details>\n<summary>{} rows</summary>\n{table}</details>\n",
        points.len()
    )
}
