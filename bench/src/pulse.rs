//! A clock that ticks at a fixed rate: the kernel's own timer, precise to some microseconds, awaited beside a connection.

use crate::figure::Why;
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};
use std::io;
use tokio::net::unix::pipe::Receiver;

/// The clock. A timer's descriptor reads as a pipe's does: when it has ticked, eight bytes tell how often.
pub(crate) struct Pulse(Receiver);

impl Pulse {
    /// Ticks so often in a second from now on. Within a runtime.
    ///
    /// # Errors
    /// When the system refuses, or the rate is zero.
    pub(crate) fn at(rate: u32) -> Result<Self, Why> {
        let nanos = 1_000_000_000_u32.checked_div(rate).ok_or("no rate")?;
        let every =
            Timespec { tv_sec: i64::from(nanos / 1_000_000_000), tv_nsec: i64::from(nanos % 1_000_000_000) };
        let timer =
            timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)?;
        let spec = Itimerspec { it_interval: every, it_value: every };
        timerfd_settime(&timer, TimerfdTimerFlags::empty(), &spec)?;
        Ok(Self(Receiver::from_owned_fd_unchecked(timer)?))
    }

    /// Waits for the next tick: how many there were since the last wait.
    ///
    /// # Errors
    /// When the system refuses.
    pub(crate) async fn ticks(&self) -> io::Result<u64> {
        let mut ticks = [0; 8];
        loop {
            self.0.readable().await?;
            match self.0.try_read(&mut ticks) {
                Ok(_) => return Ok(u64::from_ne_bytes(ticks)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// PROPERTY: no tick is lost, whenever one looks: as many are told as the time that passed has room for.
    #[test]
    fn ticks_are_counted() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let started = std::time::Instant::now();
            let pulse = Pulse::at(10_000).expect("a timer");
            // Nobody looks for a while: what passed meanwhile is told.
            let begun = std::time::Instant::now();
            std::thread::sleep(std::time::Duration::from_millis(20));
            let (mut ticks, mut passed) = (0, begun.elapsed());
            while ticks < 400 {
                passed = begun.elapsed();
                ticks += pulse.ticks().await.expect("a tick");
            }
            assert!(ticks as f64 >= passed.as_secs_f64() * 10_000.0 - 1.0, "{ticks} in {passed:?}");
            assert!(ticks as f64 <= started.elapsed().as_secs_f64() * 10_000.0 + 1.0);
        });
    }
}
