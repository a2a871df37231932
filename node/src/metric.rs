//! The names of all metrics: docs/surface/metrics.txt is made from here.
//!
//! No label holds a tenant, a subject, a name or a secret.

use metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use tessera_engine::EngineUsage;
use tessera_transport::Figures;

/// gauge, `version`: 1 while the process runs.
pub(crate) const INFO: &str = "tessera_info";
/// gauge: seconds since the process started.
pub(crate) const UPTIME_SECONDS: &str = "tessera_uptime_seconds";
/// gauge: resident memory of the process, bytes.
pub(crate) const RESIDENT_BYTES: &str = "tessera_resident_bytes";
/// gauge: open files of the process.
pub(crate) const OPEN_FILES: &str = "tessera_open_files";
/// gauge: threads of the process.
pub(crate) const THREADS: &str = "tessera_threads";
/// gauge: 1 while the node takes requests, 0 while it starts or drains.
pub(crate) const READY: &str = "tessera_ready";
/// gauge: how far the wall clock is ahead of the node's clock, seconds; beyond 5 it is not followed.
pub(crate) const CLOCK_DRIFT_SECONDS: &str = "tessera_clock_drift_seconds";
/// counter: comparisons in which the wall clock was too far off.
pub(crate) const CLOCK_ALARMS_TOTAL: &str = "tessera_clock_alarms_total";
/// counter: certificates loaded again.
pub(crate) const CERTIFICATE_RELOADS_TOTAL: &str = "tessera_certificate_reloads_total";
/// counter: certificates on the disk that did not hold, so that the old one stayed.
pub(crate) const CERTIFICATE_RELOADS_FAILED_TOTAL: &str = "tessera_certificate_reloads_failed_total";
/// histogram: seconds from the signal to the end of the drain.
pub(crate) const DRAIN_SECONDS: &str = "tessera_drain_seconds";
/// gauge: tenants in memory.
pub(crate) const TENANTS_AWAKE: &str = "tessera_tenants_awake";
/// gauge: about how many bytes the tenants in memory take.
pub(crate) const TENANTS_AWAKE_BYTES: &str = "tessera_tenants_awake_bytes";
/// counter: tenants that were loaded.
pub(crate) const TENANTS_WOKEN_TOTAL: &str = "tessera_tenants_woken_total";
/// counter: tenants that were put to sleep.
pub(crate) const TENANTS_SLEPT_TOTAL: &str = "tessera_tenants_slept_total";
/// counter: of these, because all tenants took more memory than `tenants.memory_bytes_max`.
pub(crate) const TENANTS_SLEPT_FOR_MEMORY_TOTAL: &str = "tessera_tenants_slept_for_memory_total";
/// gauge: tenants whose stored data is damaged.
pub(crate) const TENANTS_FAILED: &str = "tessera_tenants_failed";
/// gauge: tenants of which something read wrong when it was asked for, and that go on otherwise.
pub(crate) const TENANTS_DAMAGED: &str = "tessera_tenants_damaged";
/// gauge: commands that wait in intakes.
pub(crate) const COMMANDS_WAITING: &str = "tessera_commands_waiting";
/// gauge: bytes of all session tables.
pub(crate) const TABLE_BYTES: &str = "tessera_table_bytes";
/// gauge: how far the journal's time is ahead of the node's clock, seconds; beyond 3600 writes wait.
pub(crate) const JOURNAL_AHEAD_SECONDS: &str = "tessera_journal_ahead_seconds";
/// counter: bytes of the checkpoint that were looked at again.
pub(crate) const SCRUB_BYTES_TOTAL: &str = "tessera_scrub_bytes_total";
/// counter: passes over the whole checkpoint that ended.
pub(crate) const SCRUB_PASSES_TOTAL: &str = "tessera_scrub_passes_total";
/// gauge: entries of the checkpoint that read wrong in the last pass.
pub(crate) const SCRUB_DAMAGE: &str = "tessera_scrub_damage";
/// gauge: passwords that wait to be hashed.
pub(crate) const PASSWORDS_WAITING: &str = "tessera_passwords_waiting";
pub(crate) const SIGN_INS_FAILED: &str = "tessera_sign_ins_failed_total";
pub(crate) const SIGN_INS_WAIT: &str = "tessera_sign_ins_told_to_wait_total";
/// gauge: frames newer than the checkpoint.
pub(crate) const TAIL_FRAMES: &str = "tessera_tail_frames";
/// gauge: bytes of the frames newer than the checkpoint.
pub(crate) const TAIL_BYTES: &str = "tessera_tail_bytes";
/// gauge: journal files that exist.
pub(crate) const JOURNAL_FILES: &str = "tessera_journal_files";
/// gauge: bytes of the checkpoint's file.
pub(crate) const CHECKPOINT_BYTES: &str = "tessera_checkpoint_bytes";
/// gauge: 1 while the disk has no space for a journal file or a checkpoint.
pub(crate) const STORAGE_FULL: &str = "tessera_storage_full";
/// counter: groups synced to the journal.
pub(crate) const GROUPS_TOTAL: &str = "tessera_groups_total";
/// counter: frames committed.
pub(crate) const FRAMES_TOTAL: &str = "tessera_frames_total";
/// counter: checkpoints finished.
pub(crate) const CHECKPOINTS_TOTAL: &str = "tessera_checkpoints_total";
/// counter: times that the journal went on in another file.
pub(crate) const JOURNAL_SWITCHES_TOTAL: &str = "tessera_journal_switches_total";
/// gauge: connections that stand now.
pub(crate) const CONNECTIONS_OPEN: &str = "tessera_connections_open";
/// gauge: connections that no Hello has bound to a tenant, of those that stand now.
pub(crate) const STRANGERS_OPEN: &str = "tessera_strangers_open";
/// counter: strangers that were turned away, or made room for another.
pub(crate) const STRANGERS_REFUSED_TOTAL: &str = "tessera_strangers_refused_total";
/// gauge: bytes that the buffers of streams hold.
pub(crate) const BUFFER_BYTES: &str = "tessera_buffer_bytes";
/// counter: connections that were made.
pub(crate) const CONNECTIONS_TOTAL: &str = "tessera_connections_total";
/// counter: connections that were refused at the limit.
pub(crate) const CONNECTIONS_REFUSED_TOTAL: &str = "tessera_connections_refused_total";
/// counter: handshakes that had to prove their address first.
pub(crate) const RETRIES_TOTAL: &str = "tessera_retries_total";
/// counter: handshakes that failed or took too long.
pub(crate) const HANDSHAKES_FAILED_TOTAL: &str = "tessera_handshakes_failed_total";
/// counter: Hellos that opened something.
pub(crate) const HELLOS_TOTAL: &str = "tessera_hellos_total";
/// counter: Hellos that were turned down.
pub(crate) const HELLOS_REFUSED_TOTAL: &str = "tessera_hellos_refused_total";
/// counter: reads that were drained, each answered in one write.
pub(crate) const DRAINS_TOTAL: &str = "tessera_drains_total";
/// counter: checks that were answered, those of batches included.
pub(crate) const CHECKS_TOTAL: &str = "tessera_checks_total";
/// counter: other questions that were answered.
pub(crate) const QUESTIONS_TOTAL: &str = "tessera_questions_total";
/// counter: commands and lists that were taken.
pub(crate) const COMMANDS_TOTAL: &str = "tessera_commands_total";
/// counter: error replies.
pub(crate) const FAULTS_TOTAL: &str = "tessera_faults_total";
/// counter: connections that the node closed with a code.
pub(crate) const CONNECTIONS_CLOSED_TOTAL: &str = "tessera_connections_closed_total";
/// gauge: connections of the HTTP door that stand now.
pub(crate) const HTTP_CONNECTIONS_OPEN: &str = "tessera_http_connections_open";
/// counter: connections of the HTTP door that were made.
pub(crate) const HTTP_CONNECTIONS_TOTAL: &str = "tessera_http_connections_total";
/// counter: connections of the HTTP door that were refused at a limit.
pub(crate) const HTTP_CONNECTIONS_REFUSED_TOTAL: &str = "tessera_http_connections_refused_total";
/// counter: TLS handshakes of the HTTP door that failed or took too long.
pub(crate) const HTTP_HANDSHAKES_FAILED_TOTAL: &str = "tessera_http_handshakes_failed_total";
/// counter: requests over HTTP that were answered.
pub(crate) const HTTP_REQUESTS_TOTAL: &str = "tessera_http_requests_total";
/// counter: requests over HTTP that were answered with 400 to 499.
pub(crate) const HTTP_REFUSED_TOTAL: &str = "tessera_http_refused_total";
/// counter: requests over HTTP that were answered with 500 or above.
pub(crate) const HTTP_FAILED_TOTAL: &str = "tessera_http_failed_total";
/// counter: requests over HTTP without a credential that opens something.
pub(crate) const HTTP_UNAUTHENTICATED_TOTAL: &str = "tessera_http_unauthenticated_total";
/// counter: requests over HTTP beyond a budget.
pub(crate) const HTTP_OVER_BUDGET_TOTAL: &str = "tessera_http_over_budget_total";

/// A gauge with its meaning: it is there from the start, as 0.
fn level(name: &'static str, meaning: &'static str) {
    describe_gauge!(name, meaning);
    gauge!(name).set(0.0);
}

/// A counter with its meaning: it is there from the start, as 0.
fn count(name: &'static str, meaning: &'static str) {
    describe_counter!(name, meaning);
    counter!(name).absolute(0);
}

/// Tells the recorder what each metric means.
pub(crate) fn describe() {
    describe_gauge!(INFO, "1 while the process runs");
    level(UPTIME_SECONDS, "seconds since the process started");
    level(RESIDENT_BYTES, "resident memory of the process, bytes");
    level(OPEN_FILES, "open files of the process");
    level(THREADS, "threads of the process");
    level(READY, "1 while the node takes requests");
    level(CLOCK_DRIFT_SECONDS, "how far the wall clock is ahead of the node's clock");
    count(CLOCK_ALARMS_TOTAL, "comparisons in which the wall clock was too far off");
    count(CERTIFICATE_RELOADS_TOTAL, "certificates loaded again");
    count(CERTIFICATE_RELOADS_FAILED_TOTAL, "certificates on the disk that did not hold");
    level(TENANTS_AWAKE, "tenants in memory");
    level(TENANTS_AWAKE_BYTES, "about how many bytes the tenants in memory take");
    count(TENANTS_WOKEN_TOTAL, "tenants that were loaded");
    count(TENANTS_SLEPT_TOTAL, "tenants that were put to sleep");
    count(TENANTS_SLEPT_FOR_MEMORY_TOTAL, "tenants that were put to sleep for their memory");
    level(TENANTS_FAILED, "tenants whose stored data is damaged");
    level(TENANTS_DAMAGED, "tenants of which something read wrong when it was asked for");
    level(COMMANDS_WAITING, "commands that wait in intakes");
    level(TABLE_BYTES, "bytes of all session tables");
    level(JOURNAL_AHEAD_SECONDS, "how far the journal's time is ahead of the node's clock");
    count(SCRUB_BYTES_TOTAL, "bytes of the checkpoint that were looked at again");
    count(SCRUB_PASSES_TOTAL, "passes over the whole checkpoint that ended");
    level(SCRUB_DAMAGE, "entries of the checkpoint that read wrong in the last pass");
    level(PASSWORDS_WAITING, "passwords that wait to be hashed");
    count(SIGN_INS_FAILED, "sign-ins with an identifier and password that do not fit");
    count(SIGN_INS_WAIT, "sign-ins that were told to wait after too many failures");
    level(TAIL_FRAMES, "frames newer than the checkpoint");
    level(TAIL_BYTES, "bytes of the frames newer than the checkpoint");
    level(JOURNAL_FILES, "journal files that exist");
    level(CHECKPOINT_BYTES, "bytes of the checkpoint's file");
    level(STORAGE_FULL, "1 while the disk has no space for a journal file or a checkpoint");
    count(GROUPS_TOTAL, "groups synced to the journal");
    count(FRAMES_TOTAL, "frames committed");
    count(CHECKPOINTS_TOTAL, "checkpoints finished");
    count(JOURNAL_SWITCHES_TOTAL, "times that the journal went on in another file");
    level(CONNECTIONS_OPEN, "connections that stand now");
    level(STRANGERS_OPEN, "connections that no Hello has bound, of those that stand now");
    count(STRANGERS_REFUSED_TOTAL, "strangers that were turned away, or made room for another");
    level(BUFFER_BYTES, "bytes that the buffers of streams hold");
    count(CONNECTIONS_TOTAL, "connections that were made");
    count(CONNECTIONS_REFUSED_TOTAL, "connections that were refused at the limit");
    count(RETRIES_TOTAL, "handshakes that had to prove their address first");
    count(HANDSHAKES_FAILED_TOTAL, "handshakes that failed or took too long");
    count(HELLOS_TOTAL, "Hellos that opened something");
    count(HELLOS_REFUSED_TOTAL, "Hellos that were turned down");
    count(DRAINS_TOTAL, "reads that were drained, each answered in one write");
    count(CHECKS_TOTAL, "checks that were answered, those of batches included");
    count(QUESTIONS_TOTAL, "other questions that were answered");
    count(COMMANDS_TOTAL, "commands and lists that were taken");
    count(FAULTS_TOTAL, "error replies");
    count(CONNECTIONS_CLOSED_TOTAL, "connections that the node closed with a code");
    describe_histogram!(DRAIN_SECONDS, "seconds from the signal to the end of the drain");
    drop(histogram!(DRAIN_SECONDS));
    describe_http();
}

fn describe_http() {
    level(HTTP_CONNECTIONS_OPEN, "connections of the HTTP door that stand now");
    count(HTTP_CONNECTIONS_TOTAL, "connections of the HTTP door that were made");
    count(HTTP_CONNECTIONS_REFUSED_TOTAL, "connections of the HTTP door that were refused at a limit");
    count(HTTP_HANDSHAKES_FAILED_TOTAL, "TLS handshakes of the HTTP door that failed or took too long");
    count(HTTP_REQUESTS_TOTAL, "requests over HTTP that were answered");
    count(HTTP_REFUSED_TOTAL, "requests over HTTP that were answered with 400 to 499");
    count(HTTP_FAILED_TOTAL, "requests over HTTP that were answered with 500 or above");
    count(HTTP_UNAUTHENTICATED_TOTAL, "requests over HTTP without a credential that opens something");
    count(HTTP_OVER_BUDGET_TOTAL, "requests over HTTP beyond a budget");
}

/// Takes over what the engine and its store say of themselves.
pub(crate) fn record(usage: &EngineUsage) {
    gauge!(TENANTS_AWAKE).set(usage.awake as f64);
    gauge!(TENANTS_AWAKE_BYTES).set(usage.awake_bytes as f64);
    counter!(TENANTS_WOKEN_TOTAL).absolute(usage.woken);
    counter!(TENANTS_SLEPT_TOTAL).absolute(usage.slept);
    counter!(TENANTS_SLEPT_FOR_MEMORY_TOTAL).absolute(usage.slept_for_memory);
    gauge!(TENANTS_FAILED).set(usage.failed as f64);
    gauge!(TENANTS_DAMAGED).set(usage.damaged as f64);
    gauge!(COMMANDS_WAITING).set(usage.waiting as f64);
    gauge!(TABLE_BYTES).set(usage.table_bytes as f64);
    gauge!(JOURNAL_AHEAD_SECONDS).set(usage.journal_ahead_ms as f64 / 1000.0);
    gauge!(PASSWORDS_WAITING).set(usage.hashing as f64);
    counter!(SIGN_INS_FAILED).absolute(usage.failed_sign_ins);
    counter!(SIGN_INS_WAIT).absolute(usage.told_to_wait);
    let store = &usage.store;
    gauge!(TAIL_FRAMES).set(store.tail_frames as f64);
    gauge!(TAIL_BYTES).set(store.tail_bytes as f64);
    gauge!(JOURNAL_FILES).set(store.journal_files as f64);
    gauge!(CHECKPOINT_BYTES).set(store.checkpoint_bytes as f64);
    gauge!(STORAGE_FULL).set(if store.full { 1.0 } else { 0.0 });
    counter!(GROUPS_TOTAL).absolute(store.groups);
    counter!(FRAMES_TOTAL).absolute(store.frames);
    counter!(CHECKPOINTS_TOTAL).absolute(store.checkpoints);
    counter!(JOURNAL_SWITCHES_TOTAL).absolute(store.switches);
}

/// Takes over what the door counted.
pub(crate) fn record_door(door: &Figures) {
    gauge!(CONNECTIONS_OPEN).set(door.connections_open as f64);
    gauge!(STRANGERS_OPEN).set(door.strangers as f64);
    counter!(STRANGERS_REFUSED_TOTAL).absolute(door.strangers_refused);
    gauge!(BUFFER_BYTES).set(door.buffer_bytes as f64);
    counter!(CONNECTIONS_TOTAL).absolute(door.connections);
    counter!(CONNECTIONS_REFUSED_TOTAL).absolute(door.connections_refused);
    counter!(RETRIES_TOTAL).absolute(door.retries);
    counter!(HANDSHAKES_FAILED_TOTAL).absolute(door.handshakes_failed);
    counter!(HELLOS_TOTAL).absolute(door.hellos);
    counter!(HELLOS_REFUSED_TOTAL).absolute(door.hellos_refused);
    counter!(DRAINS_TOTAL).absolute(door.drains);
    counter!(CHECKS_TOTAL).absolute(door.checks);
    counter!(QUESTIONS_TOTAL).absolute(door.questions);
    counter!(COMMANDS_TOTAL).absolute(door.commands);
    counter!(FAULTS_TOTAL).absolute(door.faults);
    counter!(CONNECTIONS_CLOSED_TOTAL).absolute(door.closed);
}

/// Takes over what the HTTP door counted.
pub(crate) fn record_http(http: &tessera_gateway_http::Figures) {
    gauge!(HTTP_CONNECTIONS_OPEN).set(http.connections_open as f64);
    counter!(HTTP_CONNECTIONS_TOTAL).absolute(http.connections);
    counter!(HTTP_CONNECTIONS_REFUSED_TOTAL).absolute(http.connections_refused);
    counter!(HTTP_HANDSHAKES_FAILED_TOTAL).absolute(http.handshakes_failed);
    counter!(HTTP_REQUESTS_TOTAL).absolute(http.requests);
    counter!(HTTP_REFUSED_TOTAL).absolute(http.refused);
    counter!(HTTP_FAILED_TOTAL).absolute(http.failed);
    counter!(HTTP_UNAUTHENTICATED_TOTAL).absolute(http.unauthenticated);
    counter!(HTTP_OVER_BUDGET_TOTAL).absolute(http.over_budget);
}
