//! `analysis.json`: the timeline itself, indented, fields in the order of their types.

use std::io::Write;

use tempograph_core::{Error, ErrorKind, Result};

use crate::{Export, write_failed};

pub(crate) fn write(export: &Export<'_>, out: &mut dyn Write) -> Result<()> {
    pretty(export.timeline, out)
}

/// `value` indented by two spaces, with a line end.
pub(crate) fn pretty(value: &impl serde::Serialize, out: &mut dyn Write) -> Result<()> {
    serde_json::to_writer_pretty(&mut *out, value).map_err(failed)?;
    out.write_all(b"\n").map_err(write_failed)
}

/// `value` on one line, with a line end.
pub(crate) fn line(value: &impl serde::Serialize, out: &mut dyn Write) -> Result<()> {
    serde_json::to_writer(&mut *out, value).map_err(failed)?;
    out.write_all(b"\n").map_err(write_failed)
}

fn failed(error: serde_json::Error) -> Error {
    if error.is_io() {
        write_failed(error.into())
    } else {
        Error::new(ErrorKind::Internal, format!("cannot express the analysis as JSON: {error}")).with_source(error)
    }
}
