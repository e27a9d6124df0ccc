//! What an object looks like, as numbers that are close when it is the same one.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// A unit vector in 8 bits a number; empty where nobody looked.
///
/// JSON form: two hexadecimal digits a number, so that an hour of them stays small.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Appearance(Vec<i8>);

/// No model gives longer vectors: a guard against damaged claims.
const MAX_DIMS: usize = 8192;

impl Appearance {
    /// From a vector of any length but zero; numbers that are not finite count as 0.
    pub fn of(vector: &[f32]) -> Self {
        let largest = vector.iter().filter(|v| v.is_finite()).fold(0.0f32, |a, v| a.max(v.abs()));
        if largest <= 0.0 {
            return Self::default();
        }
        Self(vector.iter().map(|v| (v / largest * 127.0).round() as i8).collect())
    }

    /// Whether nobody looked.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The direction it points in: a unit vector.
    pub fn unit(&self) -> Vec<f32> {
        let norm = self.0.iter().map(|&v| f32::from(v).powi(2)).sum::<f32>().sqrt().max(f32::MIN_POSITIVE);
        self.0.iter().map(|&v| f32::from(v) / norm).collect()
    }
}

impl Serialize for Appearance {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let digits = |v: &i8| {
            let byte = *v as u8;
            [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]].map(char::from)
        };
        serializer.serialize_str(&self.0.iter().flat_map(digits).collect::<String>())
    }
}

impl<'de> Deserialize<'de> for Appearance {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text.len() % 2 != 0 || text.len() > 2 * MAX_DIMS {
            return Err(D::Error::custom("an appearance is not of whole numbers"));
        }
        let digit = |b: u8| char::from(b).to_digit(16);
        let number = |pair: &[u8; 2]| Some((digit(pair[0])? * 16 + digit(pair[1])?) as u8 as i8);
        let numbers = text.as_bytes().as_chunks::<2>().0.iter().map(number).collect::<Option<_>>();
        numbers.map(Self).ok_or_else(|| D::Error::custom("an appearance is not hexadecimal"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_comes_back_from_json_and_keeps_its_direction() {
        let looks = Appearance::of(&[0.6, -0.8, 0.0]);
        let json = serde_json::to_string(&looks).unwrap();
        assert_eq!(json, "\"5f8100\"");
        assert_eq!(serde_json::from_str::<Appearance>(&json).unwrap(), looks);
        let unit = looks.unit();
        assert!((unit[0] - 0.6).abs() < 0.01 && (unit[1] + 0.8).abs() < 0.01, "{unit:?}");
        assert!(Appearance::of(&[0.0, f32::NAN]).is_empty());
        for wrong in ["\"5\"", "\"5g\"", "\"é\"", "3"] {
            assert!(serde_json::from_str::<Appearance>(wrong).is_err(), "{wrong}");
        }
    }
}
