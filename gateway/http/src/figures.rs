//! What the door counts, for metrics. No tenant and no secret in it.

use tessera_accept::figures;

figures! {
    /// Connections that stand now.
    connections_open,
    /// Connections that were made.
    connections,
    /// Connections that were refused at a limit.
    connections_refused,
    /// TLS handshakes that failed or took too long.
    handshakes_failed,
    /// Requests that were answered, whatever the answer.
    requests,
    /// Requests that were answered with a status of 400 to 499.
    refused,
    /// Requests that were answered with a status of 500 or above.
    failed,
    /// Requests that showed no credential, or one that opens nothing.
    unauthenticated,
    /// Requests over a budget.
    over_budget,
}
