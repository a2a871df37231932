//! What the door counts, for metrics. No tenant and no secret in it.

use tessera_accept::figures;

figures! {
    /// Connections that stand now.
    connections_open,
    /// Connections that no Hello has bound, of those that stand now.
    strangers,
    /// Connections that were made.
    connections,
    /// Connections that were refused at the limit.
    connections_refused,
    /// Strangers that were turned away, or made room for another.
    strangers_refused,
    /// Handshakes that had to prove their address first.
    retries,
    /// Handshakes that failed or took too long.
    handshakes_failed,
    /// Hellos that opened something.
    hellos,
    /// Hellos that were turned down.
    hellos_refused,
    /// Reads that were drained, each answered in one write.
    drains,
    /// Checks that were answered, those of batches included.
    checks,
    /// Other questions that were answered.
    questions,
    /// Commands and lists that were taken.
    commands,
    /// Error replies.
    faults,
    /// Connections that we closed with a code.
    closed,
    /// Turns of runtimes that stay awake; 0 unless they are told to.
    idle_turns,
    /// Bytes that receive and send buffers of streams hold now.
    buffer_bytes,
}
