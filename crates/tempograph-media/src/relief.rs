//! Maps of one number a pixel as files: kept compactly, and coloured for people.

use std::io::Cursor;

use image::{
    ExtendedColorType, ImageDecoder as _, ImageEncoder as _, codecs::png::PngDecoder, codecs::png::PngEncoder,
};
use tempograph_core::{Error, ErrorKind, Result, Rgb, Size};

/// No map that is read back is larger: a guard against a damaged store.
const MAX_PIXELS: u64 = 1 << 26;

/// `values` of a map of `size` as a 16-bit grey PNG: 0 is `low`, 65535 is `high`. What is told apart is 1/65535 of that
/// range.
///
/// # Errors
/// [`ErrorKind::Encode`] for an empty map or one whose values do not fill its size.
pub fn encode_map(values: &[f32], size: Size, (low, high): (f32, f32)) -> Result<Vec<u8>> {
    if values.len() as u64 != size.area() {
        let message = format!("{} values do not fill a map of {}x{}", values.len(), size.width, size.height);
        return Err(Error::new(ErrorKind::Encode, message));
    }
    let scale = if high > low { 65535.0 / (high - low) } else { 0.0 };
    let level = |v: f32| ((v - low) * scale).round().clamp(0.0, 65535.0) as u16;
    // The encoder takes samples in the machine's order.
    let bytes: Vec<u8> = values.iter().flat_map(|&v| level(v).to_ne_bytes()).collect();
    let mut out = Cursor::new(Vec::new());
    PngEncoder::new(&mut out)
        .write_image(&bytes, size.width, size.height, ExtendedColorType::L16)
        .map_err(|e| Error::new(ErrorKind::Encode, format!("a map cannot be encoded: {e}")).with_source(e))?;
    Ok(out.into_inner())
}

/// The map that [`encode_map`] made, with its size.
///
/// # Errors
/// [`ErrorKind::InvalidData`] when `bytes` are no such map.
pub fn decode_map(bytes: &[u8], (low, high): (f32, f32)) -> Result<(Size, Vec<f32>)> {
    let wrong = |what: String| Error::new(ErrorKind::InvalidData, format!("a stored map cannot be read: {what}"));
    let decoder = PngDecoder::new(Cursor::new(bytes)).map_err(|e| wrong(e.to_string()))?;
    let size = Size::new(decoder.dimensions().0, decoder.dimensions().1);
    if decoder.color_type() != image::ColorType::L16 || size.area() > MAX_PIXELS {
        return Err(wrong(format!("{}x{} of another kind", size.width, size.height)));
    }
    let mut levels = vec![0; decoder.total_bytes() as usize];
    decoder.read_image(&mut levels).map_err(|e| wrong(e.to_string()))?;
    let scale = (high - low) / 65535.0;
    let values = levels.as_chunks::<2>().0.iter().map(|&b| f32::from(u16::from_ne_bytes(b)).mul_add(scale, low));
    Ok((size, values.collect()))
}

/// A map coloured with Matplotlib's inferno: `low` is nearly black, `high` pale yellow.
pub fn inferno(values: &[f32], size: Size, (low, high): (f32, f32)) -> Rgb {
    let scale = if high > low { 255.0 / (high - low) } else { 0.0 };
    let digit = |i: usize| (INFERNO.as_bytes()[i] as char).to_digit(16).unwrap_or_default() as u8;
    let colours: Vec<[u8; 3]> =
        (0..256).map(|i| std::array::from_fn(|c| digit(6 * i + 2 * c) << 4 | digit(6 * i + 2 * c + 1))).collect();
    let colour = |&v: &f32| colours[((v - low) * scale).round().clamp(0.0, 255.0) as usize];
    Rgb { size, data: values.iter().flat_map(colour).collect() }
}

/// The 256 colours of Matplotlib's `inferno` (van der Walt and Smith, CC0), red, green and blue in hexadecimal.
const INFERNO: &str = "00000401000501010601010802010a02020c02020e03021004031204031405041706041907051b08051d09061f0a0722\
     0b07240c08260d08290e092b10092d110a30120a32140b34150b37160b39180c3c190c3e1b0c411c0c431e0c451f0c48\
     210c4a230c4c240c4f260c51280b53290b552b0b572d0b592f0a5b310a5c320a5e340a5f3609613809623909633b0964\
     3d09653e0966400a67420a68440a68450a69470b6a490b6a4a0c6b4c0c6b4d0d6c4f0d6c510e6c520e6d540f6d550f6d\
     57106e59106e5a116e5c126e5d126e5f136e61136e62146e64156e65156e67166e69166e6a176e6c186e6d186e6f196e\
     71196e721a6e741a6e751b6e771c6d781c6d7a1d6d7c1d6d7d1e6d7f1e6c801f6c82206c84206b85216b87216b88226a\
     8a226a8c23698d23698f24699025689225689326679526679727669827669a28659b29649d29649f2a63a02a63a22b62\
     a32c61a52c60a62d60a82e5fa92e5eab2f5ead305dae305cb0315bb1325ab3325ab43359b63458b73557b93556ba3655\
     bc3754bd3853bf3952c03a51c13a50c33b4fc43c4ec63d4dc73e4cc83f4bca404acb4149cc4248ce4347cf4446d04545\
     d24644d34743d44842d54a41d74b3fd84c3ed94d3dda4e3cdb503bdd513ade5238df5337e05536e15635e25734e35933\
     e45a31e55c30e65d2fe75e2ee8602de9612bea632aeb6429eb6628ec6726ed6925ee6a24ef6c23ef6e21f06f20f1711f\
     f1731df2741cf3761bf37819f47918f57b17f57d15f67e14f68013f78212f78410f8850ff8870ef8890cf98b0bf98c0a\
     f98e09fa9008fa9207fa9407fb9606fb9706fb9906fb9b06fb9d07fc9f07fca108fca309fca50afca60cfca80dfcaa0f\
     fcac11fcae12fcb014fcb216fcb418fbb61afbb81dfbba1ffbbc21fbbe23fac026fac228fac42afac62df9c72ff9c932\
     f9cb35f8cd37f8cf3af7d13df7d340f6d543f6d746f5d949f5db4cf4dd4ff4df53f4e156f3e35af3e55df2e661f2e865\
     f2ea69f1ec6df1ed71f1ef75f1f179f2f27df2f482f3f586f3f68af4f88ef5f992f6fa96f8fb9af9fc9dfafda1fcffa4";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn maps_come_back_within_a_level(w in 1u32..9, h in 1u32..9, seed in any::<u32>(), range in 0.001f32..1000.0) {
            let size = Size::new(w, h);
            let values: Vec<f32> =
                (0..w * h).map(|i| (i.wrapping_mul(seed) % 1000) as f32 / 999.0 * range - range / 3.0).collect();
            let ends = values.iter().fold((f32::MAX, f32::MIN), |(a, b), &v| (a.min(v), b.max(v)));
            let (back, got) = decode_map(&encode_map(&values, size, ends).expect("it encodes"), ends).expect("it decodes");
            prop_assert_eq!(back, size);
            prop_assert!(values.iter().zip(&got).all(|(a, b)| (a - b).abs() <= range / 65535.0 + range * 1e-6));
        }
    }

    #[test]
    fn the_ends_have_the_ends_colours_and_rubbish_is_refused() {
        let picture = inferno(&[-1.0, 3.0, 99.0], Size::new(3, 1), (-1.0, 3.0));
        assert_eq!(picture.data, [0, 0, 4, 252, 255, 164, 252, 255, 164]);
        assert_eq!(inferno(&[5.0], Size::new(1, 1), (5.0, 5.0)).data, [0, 0, 4]);
        assert_eq!(decode_map(b"no map", (0.0, 1.0)).unwrap_err().kind(), ErrorKind::InvalidData);
        assert_eq!(encode_map(&[1.0], Size::new(2, 1), (0.0, 1.0)).unwrap_err().kind(), ErrorKind::Encode);
    }
}
