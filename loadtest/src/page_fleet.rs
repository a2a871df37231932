//! What a page tells of a fleet: its nodes, and the tenants that were moved.

use crate::chart::escape;
use crate::fleet::CellTold;
use crate::moves::Moved;
use crate::page::table;
use crate::report::Report;

/// Facts for the head of the page; none without a fleet.
pub(crate) fn facts(report: &Report) -> Vec<(&'static str, String)> {
    if report.cells.is_empty() {
        return Vec::new();
    }
    let mut facts = vec![("Nodes", report.cells.len().to_string())];
    if !report.moves.is_empty() {
        let done = report.moves.iter().filter(|moved| moved.done).count();
        facts.push(("Moves", format!("{done} of {} done", report.moves.len())));
    }
    if let Some(gaps) = &report.gaps {
        facts.push(("Gap in writes", format!("{:.0} ms median, {:.0} ms most", gaps.p50_ms, gaps.max_ms)));
    }
    facts
}

/// The nodes as a table; nothing without a fleet.
pub(crate) fn nodes(cells: &[CellTold]) -> String {
    if cells.is_empty() {
        return String::new();
    }
    let row = |cell: &CellTold| {
        let longest =
            if cell.kills == 0 { "none".to_owned() } else { format!("{:.2} s", cell.restart_seconds_max) };
        format!(
            "<tr><th scope=\"row\">{}</th><td>{}</td><td>{longest}</td><td>{}</td></tr>\n",
            escape(&cell.name),
            cell.kills,
            cell.tenants
        )
    };
    let rows: String = cells.iter().map(row).collect();
    let heads = ["node", "kills", "longest restart", "tenants at the end"].map(str::to_owned);
    let caption = "Each node has a store of its own; a tenant lives in one of them.";
    format!("<h2>Nodes</h2>\n{}", table("Nodes, as a table", caption, &heads, &rows))
}

/// The moves as a table; nothing where none was asked for.
pub(crate) fn moves(moves: &[Moved]) -> String {
    if moves.is_empty() {
        return String::new();
    }
    let rows: String = (1..).zip(moves).map(row).collect();
    let heads = [
        "sign",
        "tenant",
        "at",
        "from",
        "to",
        "took",
        "no commands",
        "between two writes",
        "sessions",
        "how it went",
    ];
    let words = "No commands: as the node says. Between two writes: the longest time between two acknowledged writes of one writer, who rests 1 ms after each.";
    let heads = heads.map(str::to_owned);
    let caption = "Tenants that went from node to node, with the signs of the charts.";
    format!("<h2>Moves</h2>\n<p>{words}</p>\n{}", table("Moves, as a table", caption, &heads, &rows))
}

fn row((nth, moved): (u32, &Moved)) -> String {
    let ms = |of: Option<f64>| of.map_or_else(|| "none".to_owned(), |ms| format!("{ms:.1} ms"));
    let went = match (moved.done, moved.interrupted) {
        (false, _) => {
            format!("not done: {}", moved.trouble.as_deref().unwrap_or("it does not come to an end"))
        }
        (true, true) => format!("done, hit by a kill, ordered {} times", moved.tries),
        (true, false) => "done".to_owned(),
    };
    format!(
        "<tr><th scope=\"row\">M{nth}</th><td>{}</td><td>{:.1} s</td><td>{}</td><td>{}</td><td>{:.2} s</td><td>{}</td><td>{}</td><td>{}</td><td class=\"text\">{}</td></tr>\n",
        escape(&moved.tenant),
        moved.at_s,
        escape(&moved.from),
        escape(&moved.to),
        moved.seconds,
        ms(moved.gap_ms.map(|ms| ms as f64)),
        ms(moved.seen_ms),
        moved.sessions,
        escape(&went)
    )
}
