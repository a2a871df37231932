//! Which cores the runtimes' threads are bound to.

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// The first of `cores` that this process may not run on, if there is one.
pub(crate) fn unreachable(cores: &[usize]) -> Option<usize> {
    // Where the system does not say, binding itself will.
    let allowed = sched_getaffinity(None).ok()?;
    cores.iter().copied().find(|core| *core >= CpuSet::MAX_CPU || !allowed.is_set(*core))
}

/// Binds the calling thread to `core`.
///
/// # Errors
/// What the operating system said; a core beyond its largest set is invalid input.
pub(crate) fn bind(core: usize) -> std::io::Result<()> {
    if core >= CpuSet::MAX_CPU {
        return Err(std::io::ErrorKind::InvalidInput.into());
    }
    let mut one = CpuSet::new();
    one.set(core);
    Ok(sched_setaffinity(None, &one)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// PROPERTY: a core that the process has not is named, one that it has binds the calling thread and no
    /// other. METHOD: the first core of this process's set, and numbers beyond every set.
    #[test]
    fn cores_are_bound_one_thread_each() {
        let before = sched_getaffinity(None).expect("a set");
        let core = (0..CpuSet::MAX_CPU).find(|core| before.is_set(*core)).expect("a core");
        assert_eq!(unreachable(&[core, core]), None);
        assert_eq!(unreachable(&[core, CpuSet::MAX_CPU]), Some(CpuSet::MAX_CPU));
        assert_eq!(unreachable(&[usize::MAX]), Some(usize::MAX));
        assert!(bind(usize::MAX).is_err());
        let bound = std::thread::spawn(move || {
            bind(core).expect("bound");
            sched_getaffinity(None).expect("a set")
        });
        let bound = bound.join().expect("the thread");
        assert!(bound.count() == 1 && bound.is_set(core));
        assert_eq!(sched_getaffinity(None).expect("a set").count(), before.count());
    }
}
