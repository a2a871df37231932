//! The names of all metrics: docs/surface/metrics.txt is made from here.
//!
//! No label holds a tenant, a subject, a name or a secret.

use metrics::{describe_counter, describe_gauge, describe_histogram};

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
/// histogram: seconds from the signal to the end of the drain.
pub(crate) const DRAIN_SECONDS: &str = "tessera_drain_seconds";

/// Tells the recorder what each metric means.
pub(crate) fn describe() {
    describe_gauge!(INFO, "1 while the process runs");
    describe_gauge!(UPTIME_SECONDS, "seconds since the process started");
    describe_gauge!(RESIDENT_BYTES, "resident memory of the process, bytes");
    describe_gauge!(OPEN_FILES, "open files of the process");
    describe_gauge!(THREADS, "threads of the process");
    describe_gauge!(READY, "1 while the node takes requests");
    describe_gauge!(CLOCK_DRIFT_SECONDS, "how far the wall clock is ahead of the node's clock");
    describe_counter!(CLOCK_ALARMS_TOTAL, "comparisons in which the wall clock was too far off");
    describe_counter!(CERTIFICATE_RELOADS_TOTAL, "certificates loaded again");
    describe_histogram!(DRAIN_SECONDS, "seconds from the signal to the end of the drain");
}
