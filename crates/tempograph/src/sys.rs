//! What the operating system says about this process, and what is asked of it.

#![cfg_attr(unix, expect(unsafe_code, reason = "getrusage and mallopt have no safe wrapper among our dependencies"))]

/// Lets the allocator keep one heap a core instead of eight: each of our many threads would fill one of its own and give
/// little back. On two cores an analysis peaks at 530 MiB instead of 610 and takes as long. Without glibc it does nothing.
pub(crate) fn share_heaps() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        // SAFETY: called before there are other threads; it only sets a limit.
        let _ = unsafe { libc::mallopt(libc::M_ARENA_MAX, i32::try_from(cores.max(2)).unwrap_or(i32::MAX)) };
    }
}

/// Processor seconds used so far, all threads.
#[cfg(unix)]
pub(crate) fn process_cpu() -> f64 {
    let usage = usage();
    let seconds = |t: libc::timeval| t.tv_sec as f64 + t.tv_usec as f64 / 1e6;
    seconds(usage.ru_utime) + seconds(usage.ru_stime)
}

/// Largest resident set so far.
#[cfg(unix)]
pub(crate) fn peak_rss_bytes() -> u64 {
    // Kilobytes on Linux, bytes on macOS.
    let unit = if cfg!(target_os = "macos") { 1 } else { 1024 };
    usage().ru_maxrss.max(0) as u64 * unit
}

#[cfg(unix)]
fn usage() -> libc::rusage {
    let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: `usage` is valid for writes, and an all-zero `rusage` is a valid value should the
    // call fail.
    unsafe {
        libc::getrusage(libc::RUSAGE_SELF, usage.as_mut_ptr());
        usage.assume_init()
    }
}

/// Unknown on this platform.
#[cfg(not(unix))]
pub(crate) fn process_cpu() -> f64 {
    0.0
}

/// Unknown on this platform.
#[cfg(not(unix))]
pub(crate) fn peak_rss_bytes() -> u64 {
    0
}

#[cfg(all(test, unix))]
mod tests {
    #[test]
    fn this_process_uses_memory_and_time() {
        let before = super::process_cpu();
        let mut x = 0u64;
        for i in 0..20_000_000u64 {
            x = std::hint::black_box(x ^ i);
        }
        assert!(super::process_cpu() > before || x == 1);
        assert!(super::peak_rss_bytes() > 1 << 20);
    }
}
