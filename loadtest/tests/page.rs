//! The report's page: well-formed, whole in itself, and with every number and event that it stands for.

use loadtest::fleet::CellTold;
use loadtest::moves::Moved;
use loadtest::page::page;
use loadtest::report::{Audited, Kind, Report, Tally, latencies};
use loadtest::timeline::{Event, Timeline};

const SECOND: u64 = 1_000_000_000;

/// A run of 90 seconds with two kills and a move, in which nothing is answered for a while; over so many nodes.
fn report(wrong: u64, nodes: usize) -> Report {
    let (timeline, mut tally) = (Timeline::of(nodes), Tally::default());
    timeline.begin(SECOND);
    let mut dice = 7_u64;
    for second in 0..90_u64 {
        if (30..33).contains(&second) {
            timeline.unanswered((1 + second) * SECOND);
            continue;
        }
        for _ in 0..200 {
            dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let nanos = 40_000 + (dice >> 40) * (dice >> 56 & 15) / 8;
            let kind = [Kind::Check, Kind::Batch, Kind::SignIn, Kind::Open, Kind::Revoke, Kind::Refresh]
                [usize::try_from(dice >> 33).expect("small") % 6];
            tally.record(kind, nanos);
            timeline.answered(
                (1 + second) * SECOND + dice % SECOND,
                nanos,
                usize::try_from(dice >> 20).expect("small") % 3,
            );
        }
    }
    timeline.refused(50 * SECOND);
    for (at, event, text) in [
        (31, Event::Kill, "kill -9"),
        (34, Event::Restart, "3 s after the kill"),
        (61, Event::Kill, "kill -9 <again> & \"again\""),
        (62, Event::Restart, "1 s after the kill"),
        (76, Event::Move, "tenant load-1 to cell 2"),
    ] {
        timeline.mark(at * SECOND, event, text.to_owned());
    }
    let (course, marks) = timeline.course(91 * SECOND);
    let names = ["a", "b", "c"].into_iter().take(nodes);
    let cells = names.clone().map(|name| CellTold {
        name: name.to_owned(),
        kills: u64::from(name == "b") * 2,
        restart_seconds_max: 3.0,
        tenants: 2,
    });
    let moves = names.skip(1).map(|name| Moved {
        tenant: "load-<1>".to_owned(),
        from: "a".to_owned(),
        to: name.to_owned(),
        at_s: 75.0,
        seconds: 0.25,
        sessions: 31,
        tries: 1,
        interrupted: name == "c",
        gap_ms: Some(12),
        seen_ms: Some(15.5),
        asked_behind: 8,
        done: true,
        trouble: None,
    });
    let (cells, moves): (Vec<_>, Vec<_>) = (cells.collect(), moves.collect());
    Report {
        seed: 1,
        mode: "open loop, 200 operations/s".to_owned(),
        seconds: 90.0,
        tenants: 8,
        subjects: 50,
        kills: 2,
        restart_seconds_max: 3.0,
        per_second: tally.answered() as f64 / 90.0,
        refused: 1,
        unanswered: 3,
        latencies: latencies(&tally),
        audited: Audited {
            checks: 12_345,
            certain: 12_000,
            writes: 700,
            revocations: 60,
            refreshes: 50,
            rereads: 40,
            wrong,
            stale: 0,
            lost: 0,
            unknown: 1,
            unread: 0,
            examples: vec!["tenant <1>: \"permit\" & not deny".to_owned()],
        },
        cells: Vec::new(),
        moves: Vec::new(),
        gaps: None,
        course,
        marks,
    }
    .over(cells, moves)
}

/// The elements of a page that reads as XML: each name with its attributes, in their order.
fn elements(page: &str) -> Vec<(String, String)> {
    let mut rest = page.strip_prefix("<!DOCTYPE html>").expect("a type");
    let (mut found, mut open): (Vec<(String, String)>, Vec<String>) = (Vec::new(), Vec::new());
    while let Some(at) = rest.find('<') {
        let (text, tail) = rest.split_at(at);
        assert!(!text.contains('>') || open.last().is_some_and(|name| name == "style"), "{text}");
        // Style is text: it ends at its own end.
        let (tag, behind) = tail[1..].split_once('>').expect("an end");
        rest = behind;
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop().as_deref(), Some(name), "{tag}");
            continue;
        }
        let (name, attributes) = tag.split_once(' ').unwrap_or((tag, ""));
        let (whole, attributes) = match attributes.strip_suffix('/') {
            Some(attributes) => (true, attributes),
            None => (name.ends_with('/'), attributes),
        };
        assert_eq!(attributes.matches('"').count() % 2, 0, "{tag}");
        found.push((name.trim_end_matches('/').to_owned(), attributes.to_owned()));
        if !whole {
            open.push(name.to_owned());
        }
    }
    assert_eq!(open, Vec::<String>::new());
    found
}

fn attribute<'a>(attributes: &'a str, name: &str) -> Option<&'a str> {
    attributes.split_once(&format!("{name}=\""))?.1.split_once('"').map(|(value, _)| value)
}

/// PROPERTY: the page is well-formed, needs nothing from elsewhere and runs nothing; ids are there once, and whatever is
/// named by an id is there; every chart has its words.
#[test]
fn the_page_is_whole_in_itself() {
    for (wrong, nodes) in [(0, 0), (2, 0), (0, 3)] {
        let page = page(&report(wrong, nodes));
        let elements = elements(&page);
        for word in ["http://", "https://", "//", "url(", "@import", "javascript:", "data:"] {
            assert!(!page.contains(word), "{word}");
        }
        let mut ids: Vec<&str> = Vec::new();
        for (name, attributes) in &elements {
            assert!(
                !["script", "link", "img", "iframe", "object", "base", "form"].contains(&name.as_str()),
                "{name}"
            );
            for outward in [" src=", " href=", " srcset=", " action=", " onload", " onclick"] {
                assert!(!format!(" {attributes}").contains(outward), "{name} {attributes}");
            }
            ids.extend(attribute(attributes, " id").or(attribute(attributes, "id")));
        }
        let mut once = ids.clone();
        once.sort_unstable();
        once.dedup();
        assert_eq!(once.len(), ids.len(), "{ids:?}");
        let charts: Vec<&str> = elements
            .iter()
            .filter(|(name, _)| name == "svg")
            .filter_map(|(_, attributes)| attribute(attributes, "aria-labelledby"))
            .collect();
        assert_eq!(charts.len(), if nodes == 0 { 6 } else { 8 });
        assert!(
            charts.iter().flat_map(|names| names.split(' ')).all(|name| ids.contains(&name)),
            "{charts:?}"
        );
        assert!(elements.iter().any(|(name, of)| name == "html" && of.contains("lang=\"en\"")));
        assert_eq!(page.contains("nothing wrong"), wrong == 0);
        assert!(page.contains("prefers-color-scheme: dark") && page.contains("max-width: 40rem"));
        // What comes from outside stays text.
        assert!(page.contains("kill -9 &lt;again&gt; &amp; &quot;again&quot;") && !page.contains("<again>"));
    }
}

/// PROPERTY: every percentile of every kind, every event with its sign in both charts, and every slot of the course stand in
/// the page; where nothing was answered, lines have a gap.
#[test]
fn the_page_has_every_number() {
    let report = report(0, 0);
    let page = page(&report);
    for row in &report.latencies {
        let line = page.lines().find(|line| line.contains(&format!("<th scope=\"row\">{}</th>", row.kind)));
        let line = line.expect(row.kind);
        assert_eq!(line.matches("<td>").count(), 2 + row.quantiles.len(), "{line}");
    }
    for percent in ["50 %", "90 %", "99 %", "99.9 %", "99.99 %", "99.999 %"] {
        assert!(page.contains(&format!("<th scope=\"col\">{percent}</th>")), "{percent}");
    }
    for (mark, sign) in report.marks.iter().zip(["K1", "R1", "K2", "R2", "M1"]) {
        let event = mark.event.name();
        assert_eq!(
            page.matches(&format!(">{sign}</text></g>")).count(),
            4,
            "two charts in two sizes: {sign}"
        );
        assert!(
            page.contains(&format!(
                "<th scope=\"row\">{sign}</th><td>{:.1} s</td><td>{event}</td>",
                mark.at_s
            ))
        );
    }
    assert_eq!(report.course.len(), 90);
    for point in &report.course {
        assert!(page.contains(&format!("<tr><th scope=\"row\">{:.0} s</th>", point.at_s)), "{}", point.at_s);
    }
    let median = page.lines().find(|line| line.contains("class=\"line p50\" d=")).expect("a line");
    assert_eq!(median.matches('M').count(), 2, "{median}");
}

/// PROPERTY: the page of a fleet has a line for each node, with its numbers in the table, each node, and each move with its
/// sign and its gaps; that of one node has nothing of it.
#[test]
fn the_page_of_a_fleet_has_nodes_and_moves() {
    let (one, report) = (page(&report(0, 0)), report(0, 3));
    let text = page(&report);
    for name in ["a", "b", "c"] {
        assert!(text.contains(&format!("tenants of node {name}</span>")), "{name}");
        assert!(text.contains(&format!("<th scope=\"col\">of node {name}</th>")), "{name}");
        assert!(text.contains(&format!("<tr><th scope=\"row\">{name}</th>")), "{name}");
    }
    for (sign, gap) in [("M1", "12.0 ms</td><td>15.5 ms"), ("M2", "12.0 ms</td><td>15.5 ms")] {
        let row = format!("<tr><th scope=\"row\">{sign}</th><td>load-&lt;1&gt;</td>");
        let line = text.lines().find(|line| line.contains(&row)).expect(sign);
        assert!(line.contains(gap), "{line}");
    }
    assert!(text.contains("12 ms median, 12 ms most") && text.contains("2 of 2 done"));
    let point = &report.course[3];
    assert_eq!(point.cells.iter().sum::<f64>(), point.per_second);
    assert!(!one.contains("node a") && !one.contains("<h2>Moves</h2>") && !one.contains("<h2>Nodes</h2>"));
    if let Ok(path) = std::env::var("TESSERA_LOAD_PAGE") {
        std::fs::write(path, text).expect("written");
    }
}
