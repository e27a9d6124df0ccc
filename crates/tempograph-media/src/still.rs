//! Single pictures as files.

use std::{io::Cursor, path::Path};

use image::{
    ExtendedColorType, ImageEncoder as _, ImageFormat, ImageReader, Limits, codecs::jpeg::JpegEncoder,
    codecs::png::PngEncoder,
};
use tempograph_core::{Error, ErrorKind, Result, Rgb, Size};

/// Pixels a side of a JPEG that is decoded at most.
const MAX_JPEG_SIDE: u32 = 8192;

fn failed(e: image::ImageError) -> Error {
    Error::new(ErrorKind::Encode, format!("a picture cannot be encoded: {e}")).with_source(e)
}

/// `picture` as a JPEG of `quality` 1 to 100.
///
/// # Errors
/// [`ErrorKind::Encode`] for an empty picture or one of more than 65535 pixels a side.
pub fn encode_jpeg(picture: &Rgb, quality: u8) -> Result<Vec<u8>> {
    let mut bytes = Cursor::new(Vec::new());
    JpegEncoder::new_with_quality(&mut bytes, quality.clamp(1, 100))
        .write_image(&picture.data, picture.size.width, picture.size.height, ExtendedColorType::Rgb8)
        .map_err(failed)?;
    Ok(bytes.into_inner())
}

/// The pixels of a JPEG.
///
/// # Errors
/// [`ErrorKind::InvalidData`] for bytes that are none, or of more than 8192 pixels a side.
pub fn decode_jpeg(bytes: &[u8]) -> Result<Rgb> {
    let mut reader = ImageReader::with_format(Cursor::new(bytes), ImageFormat::Jpeg);
    let mut limits = Limits::default();
    (limits.max_image_width, limits.max_image_height) = (Some(MAX_JPEG_SIDE), Some(MAX_JPEG_SIDE));
    reader.limits(limits);
    let picture = reader
        .decode()
        .map_err(|e| Error::new(ErrorKind::InvalidData, format!("a picture cannot be decoded: {e}")).with_source(e))?
        .into_rgb8();
    Ok(Rgb { size: Size::new(picture.width(), picture.height()), data: picture.into_raw() })
}

/// Writes `picture` as a JPEG of `quality` 1 to 100.
///
/// # Errors
/// As [`encode_jpeg`], and when the file cannot be written.
pub fn write_jpeg(picture: &Rgb, path: &Path, quality: u8) -> Result<()> {
    std::fs::write(path, encode_jpeg(picture, quality)?).map_err(|e| Error::io("write a picture", path, e))
}

/// Writes `picture` as a PNG.
///
/// # Errors
/// [`ErrorKind::Encode`] for an empty picture, and when the file cannot be written.
pub fn write_png(picture: &Rgb, path: &Path) -> Result<()> {
    let mut bytes = Cursor::new(Vec::new());
    PngEncoder::new(&mut bytes)
        .write_image(&picture.data, picture.size.width, picture.size.height, ExtendedColorType::Rgb8)
        .map_err(failed)?;
    std::fs::write(path, bytes.into_inner()).map_err(|e| Error::io("write a picture", path, e))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_jpeg_decodes_to_nearly_the_same() {
        let picture = Rgb { size: Size::new(16, 8), data: [200, 40, 90].repeat(128) };
        let jpeg = encode_jpeg(&picture, 90).unwrap();
        let back = decode_jpeg(&jpeg).unwrap();
        assert_eq!(back.size, picture.size);
        assert!(back.data.iter().zip(&picture.data).all(|(a, b)| a.abs_diff(*b) < 12));
    }

    #[test]
    fn damaged_jpegs_are_errors() {
        let jpeg = encode_jpeg(&Rgb { size: Size::new(16, 8), data: [9, 40, 90].repeat(128) }, 90).unwrap();
        assert_eq!(decode_jpeg(&jpeg[..40]).unwrap_err().kind(), ErrorKind::InvalidData);
        assert_eq!(decode_jpeg(b"").unwrap_err().kind(), ErrorKind::InvalidData);
    }

    #[test]
    fn an_empty_picture_is_an_error() {
        let picture = Rgb { size: Size::new(0, 0), data: Vec::new() };
        assert_eq!(encode_jpeg(&picture, 90).unwrap_err().kind(), ErrorKind::Encode);
    }
}
