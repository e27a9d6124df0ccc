//! What every remote back end does with a question before it is sent.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use image::{ExtendedColorType, codecs::jpeg::JpegEncoder};
use tempograph_core::{
    Error, ErrorKind, MediaTime, Result, Rgb,
    vlm::{AnswerSchema, Ask, CallError, Limits, Part, VideoPart},
};

/// Bytes of text that are more than one token for certain: the longest common tokens, runs of blanks aside, are
/// shorter.
const BYTES_A_TOKEN_AT_MOST: u64 = 16;

/// JPEG quality where nothing is set: artefacts below it begin to cost small text.
pub(crate) const JPEG_QUALITY: u8 = 85;

/// Refuses what cannot be answered before anything is sent.
///
/// # Errors
/// [`ErrorKind::InvalidData`] for a question without content, [`ErrorKind::OverBudget`] for more than the model
/// takes, [`ErrorKind::Unsupported`] for a video to a model that takes none.
pub(crate) fn check(ask: &Ask, limits: &Limits) -> Result<(), CallError> {
    let (mut images, mut bytes, mut videos) = (0_usize, 0_u64, 0);
    for part in ask.messages.iter().flat_map(|m| &m.parts) {
        match part {
            Part::Text(text) => bytes += text.trim().len() as u64,
            Part::Image(_) => images += 1,
            Part::Frames(frames) => images += frames.len(),
            Part::Video(_) => videos += 1,
        }
    }
    if bytes == 0 && images == 0 && videos == 0 {
        return Err(Error::new(ErrorKind::InvalidData, "the question is empty").into());
    }
    if images > limits.images as usize {
        return Err(Error::new(
            ErrorKind::OverBudget,
            format!("`{}` takes {} pictures in one question, not {images}", limits.model, limits.images),
        )
        .with_hint(if limits.images == 0 {
            "use a model that sees"
        } else {
            "send fewer frames, or raise the limit of this back end"
        })
        .into());
    }
    if videos > 0 && !limits.video {
        return Err(Error::new(ErrorKind::Unsupported, format!("`{}` takes no video files", limits.model)).into());
    }
    if bytes / BYTES_A_TOKEN_AT_MOST > limits.context_tokens {
        return Err(Error::new(
            ErrorKind::OverBudget,
            format!("`{}` takes {} tokens: {bytes} bytes of text are more", limits.model, limits.context_tokens),
        )
        .with_hint("ask about shorter windows, or use a model with a longer context")
        .into());
    }
    Ok(())
}

/// What is said to a model that cannot be held to a schema otherwise.
pub(crate) fn instruction(schema: &AnswerSchema) -> String {
    format!("Answer with one JSON value and nothing else. It must fit this JSON Schema:\n{}", schema.schema)
}

/// The time before a frame, e.g. `[12.400 s]`.
pub(crate) fn label(time: MediaTime) -> String {
    format!("[{:.3} s]", time.as_secs_f64())
}

/// The stretch of a video that is asked about, for back ends that cannot be given it otherwise.
pub(crate) fn stretch(video: &VideoPart) -> String {
    let (start, end) = (video.span.start.as_secs_f64(), video.span.end.as_secs_f64());
    format!("The question is about {start:.3} s to {end:.3} s of this video.")
}

/// A picture as JPEG in Base64.
///
/// # Errors
/// When its pixels are not of its size.
pub(crate) fn jpeg(rgb: &Rgb, quality: u8) -> Result<String> {
    let mut bytes = Vec::new();
    let (width, height) = (rgb.size.width, rgb.size.height);
    if width == 0 || height == 0 || rgb.data.len() as u64 != 3 * u64::from(width) * u64::from(height) {
        return Err(Error::new(ErrorKind::InvalidData, "a picture whose pixels are not of its size"));
    }
    JpegEncoder::new_with_quality(&mut bytes, quality.clamp(1, 100))
        .encode(&rgb.data, width, height, ExtendedColorType::Rgb8)
        .map_err(|e| Error::new(ErrorKind::InvalidData, format!("a picture cannot be written as JPEG: {e}")))?;
    Ok(base64(&bytes))
}

/// `0.2_f32` as `0.2`, not as the nearest double of the nearest float.
pub(crate) fn decimal(value: f32) -> serde_json::Value {
    value.to_string().parse::<f64>().map_or(serde_json::Value::Null, serde_json::Value::from)
}

/// Bytes as they go into JSON.
pub(crate) fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tempograph_core::{
        Size,
        vlm::{Message, Role, Structured},
    };

    use super::*;

    fn limits() -> Limits {
        Limits {
            model: "m".to_owned(),
            context_tokens: 100,
            images: 1,
            image_factor: 28,
            video: false,
            structured: Structured::Prompt,
            concurrency: 1,
            remote: true,
        }
    }

    fn kind(parts: Vec<Part>) -> Option<ErrorKind> {
        let ask = Ask { messages: vec![Message { role: Role::User, parts }], ..Ask::default() };
        check(&ask, &limits()).err().map(|e| e.error.kind())
    }

    #[test]
    fn what_cannot_be_answered_is_not_sent() {
        let rgb = Arc::new(Rgb { size: Size { width: 2, height: 1 }, data: vec![0; 6] });
        assert_eq!(kind(vec![]), Some(ErrorKind::InvalidData));
        assert_eq!(kind(vec![Part::Text(" \n".to_owned())]), Some(ErrorKind::InvalidData));
        assert_eq!(kind(vec![Part::Image(rgb.clone())]), None);
        assert_eq!(kind(vec![Part::Image(rgb.clone()), Part::Image(rgb)]), Some(ErrorKind::OverBudget));
        assert_eq!(kind(vec![Part::Text("a ".repeat(1000))]), Some(ErrorKind::OverBudget));
    }

    #[test]
    fn pictures_are_written_whole_or_refused() {
        let good = Rgb { size: Size { width: 16, height: 8 }, data: vec![128; 384] };
        let bytes = STANDARD.decode(jpeg(&good, 85).unwrap()).unwrap();
        assert_eq!(image::load_from_memory(&bytes).unwrap().to_rgb8().dimensions(), (16, 8));
        let short = Rgb { size: good.size, data: vec![0; 383] };
        assert!(jpeg(&short, 85).is_err());
    }
}
