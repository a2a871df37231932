//! `tessera usage`: how much of what it may have a tenant uses, and its node.

use crate::answer::Answer;
use crate::error::CtlError;
use crate::link::Link;
use crate::reach::{Reach, TenantRef};
use crate::table::Table;
use serde_json::{Value, json};
use tessera_client::wire::{Request, UsageRow};
use tessera_model::grouped;

/// Cells of a bar.
const BAR_CELLS: u64 = 20;

/// Of whom.
#[derive(Clone, clap::Args)]
pub(crate) struct Usage {
    /// With an operator's key: the tenant, by name or id. Without it that of --tenant or the profile, else the
    /// system tenant with the figures of the whole node.
    tenant: Option<TenantRef>,
}

/// How much of the bound is used, drawn; nothing without one.
fn bar(used: u64, bound: u64) -> String {
    if bound == 0 {
        return String::new();
    }
    let (used, bound) = (u128::from(used), u128::from(bound));
    // What is there is seen, however little it is; full is only what is.
    let cells = (used * u128::from(BAR_CELLS)).div_ceil(bound).min(u128::from(BAR_CELLS));
    let cells = usize::try_from(cells).unwrap_or_default();
    let rest = usize::try_from(BAR_CELLS).unwrap_or_default() - cells;
    let per_mille = used * 1_000 / bound;
    let (whole, part) = (per_mille / 10, per_mille % 10);
    format!("[{}{}] {whole:>3}.{part} %", "#".repeat(cells), " ".repeat(rest))
}

impl Usage {
    pub(crate) async fn run(self, reach: &Reach) -> Result<Answer, CtlError> {
        let link = reach.tenant_or_system(self.tenant).await?;
        let answer = ask(&link).await;
        link.close().await;
        answer
    }
}

async fn ask(link: &Link) -> Result<Answer, CtlError> {
    let rows = link.page::<UsageRow>(&Request::ReadUsage {}).await?.rows;
    let mut table = Table::new(&["FIGURE", "NOW", "USED", "LIMIT", "OF THE LIMIT"]);
    let mut listed: Vec<Value> = Vec::new();
    for UsageRow { name, count, used, bound } in &rows {
        let (of, limit) = match bound {
            0 => (String::new(), "-".to_owned()),
            bound => (grouped(*used), grouped(*bound)),
        };
        table.row([name.to_string(), grouped(*count), of, limit, bar(*used, *bound)]);
        let limit = (*bound > 0).then_some(*bound);
        listed.push(json!({ "name": name.as_str(), "count": count, "used": used, "bound": limit }));
    }
    let answer = Answer::said(table.to_string()).with("tenant", link.client.hello().tenant.to_string());
    Ok(answer.with("usage", listed))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// PROPERTY: a bar is as long as its share; what is there is seen, and full is only what is.
    #[test]
    fn bars_are_shares() {
        assert_eq!(bar(5, 0), "");
        for (used, bound, cells, share) in [
            (0, 10, 0, "  0.0 %"),
            (1, 67_108_863, 1, "  0.0 %"),
            (5, 10, 10, " 50.0 %"),
            (999, 1_000, 20, " 99.9 %"),
            (10, 10, 20, "100.0 %"),
            (u64::MAX, 1, 20, " %"),
        ] {
            let drawn = bar(used, bound);
            assert_eq!(drawn.matches('#').count(), cells, "{drawn}");
            assert!(drawn.ends_with(share) && drawn.find(']') == Some(21), "{drawn}");
        }
    }
}
