//! What the operating system says about this process.

#![cfg_attr(unix, expect(unsafe_code, reason = "getrusage has no safe wrapper among our dependencies"))]

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
