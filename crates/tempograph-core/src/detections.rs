//! What a detector saw in one frame, as columns.

use serde::{Deserialize, Serialize};

use crate::{Appearance, BoxXyxy, Error, ErrorKind, Result, Size};

/// The detections of one frame, one row per object, one column per property.
///
/// Boxes are in displayed pixels of the frame. Columns always have equal lengths.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Columns")]
pub struct Detections {
    boxes: Vec<BoxXyxy>,
    scores: Vec<f32>,
    labels: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    tracks: Vec<Option<u32>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    appearances: Vec<Appearance>,
}

/// One row of [`Detections`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Detection<'a> {
    /// Box in displayed pixels.
    pub bbox: BoxXyxy,
    /// Confidence, 0 to 1.
    pub score: f32,
    /// Class name.
    pub label: &'a str,
    /// Track id once a tracker has assigned one.
    pub track: Option<u32>,
}

#[derive(Deserialize)]
struct Columns {
    boxes: Vec<BoxXyxy>,
    scores: Vec<f32>,
    labels: Vec<String>,
    #[serde(default)]
    tracks: Vec<Option<u32>>,
    #[serde(default)]
    appearances: Vec<Appearance>,
}

impl TryFrom<Columns> for Detections {
    type Error = Error;
    fn try_from(c: Columns) -> Result<Self> {
        let d = Self::new(c.boxes, c.scores, c.labels)?;
        let d = if c.tracks.is_empty() { d } else { d.with_tracks(c.tracks)? };
        if c.appearances.is_empty() { Ok(d) } else { d.with_appearances(c.appearances) }
    }
}

impl Detections {
    /// Detections from columns of equal length.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidData`] when the lengths differ or a value is not finite.
    pub fn new(boxes: Vec<BoxXyxy>, scores: Vec<f32>, labels: Vec<String>) -> Result<Self> {
        if boxes.len() != scores.len() || boxes.len() != labels.len() {
            return Err(Error::new(
                ErrorKind::InvalidData,
                format!(
                    "detection columns differ in length: {} boxes, {} scores, {} labels",
                    boxes.len(),
                    scores.len(),
                    labels.len()
                ),
            ));
        }
        let finite = |b: &BoxXyxy| <[f32; 4]>::from(*b).iter().all(|v| v.is_finite());
        if !boxes.iter().all(finite) || !scores.iter().all(|s| s.is_finite()) {
            return Err(Error::new(ErrorKind::InvalidData, "a detection holds a value that is not finite"));
        }
        Ok(Self { boxes, scores, labels, ..Self::default() })
    }

    /// The same rows with track ids.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidData`] when there is not one entry per row.
    pub fn with_tracks(mut self, tracks: Vec<Option<u32>>) -> Result<Self> {
        if tracks.len() != self.len() {
            return Err(Error::new(
                ErrorKind::InvalidData,
                format!("{} track ids for {} detections", tracks.len(), self.len()),
            ));
        }
        self.tracks = tracks;
        Ok(self)
    }

    /// The same rows with what each looks like.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidData`] when there is not one entry per row.
    pub fn with_appearances(mut self, appearances: Vec<Appearance>) -> Result<Self> {
        if appearances.len() != self.len() {
            return Err(Error::new(
                ErrorKind::InvalidData,
                format!("{} appearances for {} detections", appearances.len(), self.len()),
            ));
        }
        self.appearances = appearances;
        Ok(self)
    }

    /// The same rows without what they look like: nothing needs it once they are tracked.
    #[must_use]
    pub fn without_appearances(self) -> Self {
        Self { appearances: Vec::new(), ..self }
    }

    /// What row `i` looks like, where somebody looked.
    pub fn appearance(&self, i: usize) -> Option<&Appearance> {
        self.appearances.get(i).filter(|a| !a.is_empty())
    }

    /// Appends a row.
    pub fn push(&mut self, bbox: BoxXyxy, score: f32, label: impl Into<String>) {
        self.boxes.push(bbox);
        self.scores.push(score);
        self.labels.push(label.into());
        if !self.tracks.is_empty() {
            self.tracks.push(None);
        }
        if !self.appearances.is_empty() {
            self.appearances.push(Appearance::default());
        }
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.boxes.len()
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.boxes.is_empty()
    }

    /// Boxes, displayed pixels.
    pub fn boxes(&self) -> &[BoxXyxy] {
        &self.boxes
    }

    /// Confidences, 0 to 1.
    pub fn scores(&self) -> &[f32] {
        &self.scores
    }

    /// Class names.
    pub fn labels(&self) -> &[String] {
        &self.labels
    }

    /// Row `i`.
    ///
    /// # Panics
    /// When `i` is not below [`Self::len`].
    pub fn get(&self, i: usize) -> Detection<'_> {
        Detection {
            bbox: self.boxes[i],
            score: self.scores[i],
            label: &self.labels[i],
            track: self.tracks.get(i).copied().flatten(),
        }
    }

    /// All rows in order.
    pub fn iter(&self) -> impl Iterator<Item = Detection<'_>> {
        (0..self.len()).map(|i| self.get(i))
    }

    /// The rows at `indices`, in that order.
    ///
    /// # Panics
    /// When an index is not below [`Self::len`].
    pub fn select(&self, indices: &[usize]) -> Self {
        Self {
            boxes: indices.iter().map(|&i| self.boxes[i]).collect(),
            scores: indices.iter().map(|&i| self.scores[i]).collect(),
            labels: indices.iter().map(|&i| self.labels[i].clone()).collect(),
            tracks: if self.tracks.is_empty() { Vec::new() } else { indices.iter().map(|&i| self.tracks[i]).collect() },
            appearances: match self.appearances.as_slice() {
                [] => Vec::new(),
                all => indices.iter().map(|&i| all[i].clone()).collect(),
            },
        }
    }

    /// The rows of which something lies in an image of `size`.
    pub fn within(&self, size: Size) -> Self {
        let keep: Vec<usize> = (0..self.len()).filter(|&i| self.boxes[i].clip(size).area() > 0.0).collect();
        self.select(&keep)
    }

    /// The same rows with boxes clipped to an image of `size`; rows left without area are dropped.
    pub fn clip(self, size: Size) -> Self {
        let mut kept = self.within(size);
        for b in &mut kept.boxes {
            *b = b.clip(size);
        }
        kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_of_different_length_are_refused() {
        let err = Detections::new(vec![BoxXyxy::default()], vec![], vec!["a".into()]).expect_err("one box, no score");
        assert_eq!(err.kind(), ErrorKind::InvalidData);
        let json = r#"{"boxes":[[0,0,1,1]],"scores":[],"labels":[]}"#;
        assert!(serde_json::from_str::<Detections>(json).is_err());
    }

    #[test]
    fn clipping_drops_what_lies_outside() {
        let mut d = Detections::default();
        d.push(BoxXyxy::new(-5.0, -5.0, 5.0, 5.0), 0.9, "in");
        d.push(BoxXyxy::new(20.0, 20.0, 30.0, 30.0), 0.9, "out");
        let d = d.clip(Size::new(10, 10));
        assert_eq!(d.labels(), ["in"]);
        assert_eq!(d.boxes(), [BoxXyxy::new(0.0, 0.0, 5.0, 5.0)]);
    }
}
