//! A list through the client library: row by row, page by page, and behind an error.

use crate::support;

use support::{House, name};
use tessera_client::ClientError;
use tessera_client::wire::{PermissionRow, Request};

fn names(limit: u32) -> Request {
    Request::ListPermissionNames { after: None, limit }
}

/// PROPERTY: rows and pages of a list may be asked for in turn: nothing comes twice or out of order, what is left of
/// a page that was begun is passed over; and an error leaves the list where it stood.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_and_pages_are_asked_for_in_turn() {
    let house = House::open().await;
    let operator = house.operator().await;
    let tenant = house.tenant(&operator, "acme").await;
    for number in 0..11 {
        let permission = Request::RegisterPermission { name: name(&format!("orders.p{number:02}")) };
        tenant.client.request(&permission).await.expect("registered");
    }
    let whole: Vec<String> = tenant
        .client
        .pages::<PermissionRow>(names(0))
        .up_to(1_000)
        .await
        .expect("rows")
        .iter()
        .map(|row| row.name.to_string())
        .collect();
    let mut pages = tenant.client.pages::<PermissionRow>(names(4));
    let row =
        |row: Option<Result<PermissionRow, ClientError>>| row.expect("more").expect("a row").name.to_string();
    assert_eq!(row(pages.next().await), whole[0]);
    let page = pages.page().await.expect("more").expect("a page");
    let told: Vec<String> = page.iter().map(|row| row.name.to_string()).collect();
    assert_eq!(told, whole[4..8]);
    assert_eq!(row(pages.next().await), whole[8]);
    assert_eq!(row(pages.next().await), whole[9]);
    let rest = pages.up_to(1_000).await.expect("rows");
    let rest: Vec<String> = rest.iter().map(|row| row.name.to_string()).collect();
    assert_eq!(rest, whole[10..]);
    assert!(pages.next().await.is_none() && pages.cursor().is_none());
    let mut pages = tenant.client.pages::<PermissionRow>(names(4));
    assert_eq!(pages.page().await.expect("more").expect("a page").len(), 4);
    let cursor = pages.cursor().expect("there is more").to_vec();
    operator.request(&Request::SuspendTenant { tenant: tenant.id }).await.expect("suspended");
    for _ in 0..2 {
        assert!(pages.page().await.expect("not the end").is_err());
        assert_eq!(pages.cursor(), Some(cursor.as_slice()));
    }
}
