//! Logs: to standard error, as text or JSON lines.

use tempograph_core::{Error, ErrorKind, Result};
use tracing_subscriber::EnvFilter;

use crate::settings::{LogFormat, Settings};

/// Starts logging and sends panics there, so that nobody is shown a backtrace.
///
/// # Errors
/// When the filter is malformed.
pub(crate) fn start(settings: &Settings) -> Result<()> {
    let filter = EnvFilter::try_new(&settings.log_level).map_err(|e| {
        Error::new(ErrorKind::Config, format!("setting `log.level` is not a filter: {e}: {}", settings.log_level))
            .with_hint("write a level such as `info`, or `tempograph_pipeline=debug`")
    })?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // An embedding test harness may have set one up already.
    let _already = match settings.log_format {
        LogFormat::Text => builder.with_target(false).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    std::panic::set_hook(Box::new(|info| {
        let place = info.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(place, "panic");
    }));
    Ok(())
}
