//! Whether this processor runs the build of llama.cpp that is linked in.

use tempograph_core::{Error, ErrorKind, Result};

/// What a processor must have for the static build (ggml's `GGML_NATIVE=OFF` defaults on x86-64: AVX2, FMA, F16C and
/// BMI2), and whether it does.
#[cfg(target_arch = "x86_64")]
fn needs() -> [(&'static str, bool); 5] {
    [
        ("AVX", is_x86_feature_detected!("avx")),
        ("AVX2", is_x86_feature_detected!("avx2")),
        ("FMA", is_x86_feature_detected!("fma")),
        ("F16C", is_x86_feature_detected!("f16c")),
        ("BMI2", is_x86_feature_detected!("bmi2")),
    ]
}

/// On other processors the build uses what every one of their kind has.
#[cfg(not(target_arch = "x86_64"))]
fn needs() -> [(&'static str, bool); 0] {
    []
}

/// # Errors
/// [`ErrorKind::RuntimeMissing`] with what the processor lacks, in place of an illegal instruction.
pub(crate) fn check() -> Result<()> {
    verdict(&needs())
}

fn verdict(needs: &[(&str, bool)]) -> Result<()> {
    let lacking: Vec<_> = needs.iter().filter(|(_, here)| !here).map(|(name, _)| *name).collect();
    if lacking.is_empty() {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::RuntimeMissing,
        format!("local language models need a processor with {}", lacking.join(", ")),
    )
    .with_hint("ask a model on another machine with `--backend`, or build from source for this processor"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_processor_that_lacks_something_is_told_what() {
        assert!(verdict(&[("AVX2", true), ("FMA", true)]).is_ok());
        let error = verdict(&[("AVX2", false), ("FMA", true), ("BMI2", false)]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::RuntimeMissing);
        assert!(error.to_string().ends_with("AVX2, BMI2") && error.hint().is_some());
    }
}
