//! What the node tells its operators: a structured log and a recorder of metrics.
//!
//! The log goes to standard error. Secrets have no printed form anywhere in the house, so no line can hold one.

use crate::config::{Log, LogFormat};
use crate::exit::FatalError;
use crate::metric;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use std::io::IsTerminal as _;
use std::time::Instant;
use tracing_subscriber::EnvFilter;

/// Starts the log.
///
/// # Errors
/// When the filter does not read, or a log was started before.
pub(crate) fn start_log(log: &Log) -> Result<(), FatalError> {
    let filter = EnvFilter::try_new(&log.filter).map_err(|error| {
        FatalError::config(format!("log.filter: {:?} does not read: {error}", log.filter))
    })?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .log_internal_errors(false);
    let builder = builder.with_ansi(std::io::stderr().is_terminal());
    let started = match log.format {
        LogFormat::Text => builder.with_target(false).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    started.map_err(|error| FatalError::unavailable(format!("the log cannot start: {error}")))
}

/// The recorder of metrics, and what it knows about the process.
#[derive(Clone)]
pub(crate) struct Recorder {
    handle: PrometheusHandle,
    started: Instant,
}

impl Recorder {
    /// Installs the recorder for the whole process.
    ///
    /// # Errors
    /// When one was installed before.
    pub(crate) fn install() -> Result<Self, FatalError> {
        let recorder = PrometheusBuilder::new().build_recorder();
        let handle = recorder.handle();
        metrics::set_global_recorder(recorder)
            .map_err(|error| FatalError::unavailable(format!("the metrics cannot start: {error}")))?;
        metric::describe();
        metrics::gauge!(metric::INFO, "version" => env!("CARGO_PKG_VERSION")).set(1.0);
        Ok(Self { handle, started: Instant::now() })
    }

    /// All metrics in Prometheus' text form, those of the process read now.
    pub(crate) fn render(&self) -> String {
        metrics::gauge!(metric::UPTIME_SECONDS).set(self.started.elapsed().as_secs_f64());
        let process = Process::read();
        metrics::gauge!(metric::RESIDENT_BYTES).set(process.resident_bytes);
        metrics::gauge!(metric::OPEN_FILES).set(process.open_files);
        metrics::gauge!(metric::THREADS).set(process.threads);
        self.handle.run_upkeep();
        self.handle.render()
    }
}

/// What the system knows about this process.
#[derive(Clone, Copy, Debug, Default)]
struct Process {
    resident_bytes: f64,
    open_files: f64,
    threads: f64,
}

impl Process {
    fn read() -> Self {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let open_files = std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count);
        Self {
            resident_bytes: field(&status, "VmRSS:") * 1024.0,
            open_files: f64::from(u32::try_from(open_files).unwrap_or(u32::MAX)),
            threads: field(&status, "Threads:"),
        }
    }
}

/// The number behind `name` in the text of /proc/self/status.
fn field(status: &str, name: &str) -> f64 {
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|line| line.split_whitespace().next()).and_then(|number| number.parse().ok()).unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// PROPERTY: every metric with a name has a description, and the process is measured.
    #[test]
    fn the_process_is_measured() {
        let recorder = Recorder::install().expect("the only recorder of this test");
        let text = recorder.render();
        assert!(text.contains(&format!("# HELP {} ", metric::RESIDENT_BYTES)), "{text}");
        let resident = text.lines().find(|line| line.starts_with(metric::RESIDENT_BYTES)).expect("a line");
        let bytes: f64 = resident.rsplit(' ').next().expect("a number").parse().expect("a number");
        assert!(bytes > 100_000.0 && bytes < 1e10, "{bytes}");
        assert!(text.contains("tessera_info{version="), "{text}");
        // Alarms can be written for what has not happened yet.
        let surface = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/surface/metrics.txt");
        let surface = std::fs::read_to_string(surface).expect("the surface");
        let names: Vec<&str> = surface.split('"').skip(1).step_by(2).collect();
        assert!(names.len() > 50, "{names:?}");
        for name in names {
            let there =
                |line: &str| line.starts_with(name) && line[name.len()..].starts_with([' ', '{', '_']);
            assert!(text.lines().any(there), "{name} is not there from the start: {text}");
        }
    }

    /// PROPERTY: a filter that does not read is a fault of the configuration.
    #[test]
    fn a_wrong_filter_is_told() {
        let log = Log { format: LogFormat::Text, filter: "a=b=c".to_owned() };
        let error = start_log(&log).expect_err("wrong");
        assert_eq!(error.code, crate::exit::CONFIG);
    }
}
