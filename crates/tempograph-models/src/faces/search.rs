//! The search for faces in a picture: propose on the whole, decide on each.

use tempograph_core::{Picture, Result, Rgb, RgbRequest, ScaleFilter, Size};

use super::{
    BlazeFace, Emotions, Face,
    sample::{Square, square},
    suppress::weighted,
};

/// What counts as a face.
#[derive(Clone, Debug, PartialEq)]
pub struct FaceOptions {
    /// Score of a proposal at least.
    pub propose: f32,
    /// Score of the second look at least.
    pub decide: f32,
    /// Side of the cut-out for the second look, in sides of the proposal.
    pub margin: f32,
    /// How far the second look's box may lie from the proposal, IoU.
    pub agree: f32,
    /// Faces a picture at most.
    pub most: usize,
}

impl Default for FaceOptions {
    /// Chosen on the public photos and videos: all faces of at least 30 pixels that people mark score 0.80 or more at
    /// the second look, everything else 0.73 or less.
    fn default() -> Self {
        Self { propose: 0.5, decide: 0.76, margin: 1.8, agree: 0.3, most: 30 }
    }
}

/// A picture's longer side is brought down to this for the second look and for expressions, which need no more.
const LONGEST: u32 = 1280;
/// Width of a face in displayed pixels from which its expression is judged: FER2013's pictures, which the network learned
/// from, have 48, and what has fewer shows less than any of them.
const LEGIBLE: f32 = 48.0;
/// A picture whose shorter side has at least this many pixels is also looked at in square tiles: below, a face that only
/// a tile shows has too few pixels to be told from chance.
const TILED_FROM: u32 = 480;
/// The tiles along the longer side overlap so that a face of a fifth of their side lies whole in one; larger ones show on the whole picture.
const TILE_STEP: f32 = 0.8;
/// Tiles at most, for panoramas.
const MOST_TILES: u32 = 5;

/// Finds faces and what they express.
pub struct FaceSearch {
    far: BlazeFace,
    near: BlazeFace,
    emotions: Option<Emotions>,
    options: FaceOptions,
}

impl FaceSearch {
    /// Proposes with `far` (full range), decides with `near` (short range).
    pub fn new(far: BlazeFace, near: BlazeFace, emotions: Option<Emotions>, options: FaceOptions) -> Self {
        Self { far, near, emotions, options }
    }

    /// The faces of `picture` in displayed pixels, best first, each with the scores of
    /// [`tempograph_core::FACE_EMOTIONS`] (none without an emotion network, and none for a face of less than 48 pixels). Small faces are found only in `tiles`, which
    /// cost as much again as the whole picture, each.
    ///
    /// # Errors
    /// When the picture cannot be converted or a network fails.
    pub fn find(&mut self, picture: &dyn Picture, tiles: bool) -> Result<Vec<(Face, Vec<f32>)>> {
        let size = picture.size();
        if size.area() == 0 {
            return Ok(Vec::new());
        }
        let proposals = self.proposals(picture, tiles)?;
        if proposals.is_empty() {
            return Ok(Vec::new());
        }
        let longer = size.width.max(size.height);
        let shrink = (LONGEST as f32 / longer as f32).min(1.0);
        let part = |side: u32| ((side as f32 * shrink).round() as u32).max(1);
        let small = Size::new(part(size.width), part(size.height));
        let rgb = picture.rgb(RgbRequest { size: small, filter: ScaleFilter::Area })?;
        let inside = proposals.into_iter().map(|f| f.placed(shrink, (0.0, 0.0))).collect::<Vec<_>>();
        let faces = self.decide(&rgb, &inside)?;
        let mut emotions = vec![Vec::new(); faces.len()];
        if let Some(network) = &mut self.emotions {
            let legible: Vec<usize> = (0..faces.len()).filter(|&i| faces[i].bbox.width() >= LEGIBLE * shrink).collect();
            let chosen: Vec<Face> = legible.iter().map(|&i| faces[i]).collect();
            for (i, scores) in legible.into_iter().zip(network.judge(&rgb, &chosen)?) {
                emotions[i] = scores;
            }
        }
        let back = faces.into_iter().map(|mut f| {
            f = f.placed(shrink.recip(), (0.0, 0.0));
            f.bbox = f.bbox.clip(size);
            f
        });
        Ok(back.zip(emotions).collect())
    }

    /// What may be a face, in displayed pixels.
    fn proposals(&mut self, picture: &dyn Picture, tiles: bool) -> Result<Vec<Face>> {
        let size = picture.size();
        let mut views = views(size, self.far.side() as u32);
        views.truncate(if tiles { views.len() } else { 1 });
        let mut input = Vec::new();
        for view in &views {
            let rgb = picture.rgb(RgbRequest { size: view.shown, filter: ScaleFilter::Area })?;
            cut(&rgb, view.origin, self.far.side(), &mut input);
        }
        let found = self.far.detect(input, self.options.propose)?;
        let placed = found.into_iter().zip(&views).flat_map(|(faces, view)| {
            let scale = size.width as f32 / view.shown.width as f32;
            let offset = (view.origin.0 as f32 * scale, view.origin.1 as f32 * scale);
            faces.into_iter().map(move |f| f.placed(scale, offset))
        });
        let mut faces = weighted(placed.collect());
        faces.truncate(self.options.most);
        Ok(faces)
    }

    /// The proposals that a second look confirms, with its boxes.
    fn decide(&mut self, rgb: &Rgb, proposals: &[Face]) -> Result<Vec<Face>> {
        let to = self.near.side();
        let mut input = vec![0f32; proposals.len() * 3 * to * to];
        let region = |f: &Face| Square {
            centre: f.bbox.center(),
            side: f.bbox.width().max(f.bbox.height()) * self.options.margin,
            roll: 0.0,
        };
        for (face, image) in proposals.iter().zip(input.chunks_exact_mut(3 * to * to)) {
            square(rgb, region(face), to, |i, pixel| {
                for (c, value) in pixel.into_iter().enumerate() {
                    image[c * to * to + i] = value / 127.5 - 1.0;
                }
            });
        }
        let seen = self.near.detect(input, self.options.decide)?;
        let confirmed = proposals.iter().zip(seen).filter_map(|(proposal, seen)| {
            let Square { centre, side, .. } = region(proposal);
            let offset = (centre.0 - side / 2.0, centre.1 - side / 2.0);
            let placed = seen.into_iter().map(|f| f.placed(side / to as f32, offset)).collect();
            weighted(placed).into_iter().find(|f| f.bbox.iou(proposal.bbox) >= self.options.agree)
        });
        Ok(weighted(confirmed.collect()))
    }
}

/// A square part of the picture as the far-sighted network sees it.
#[derive(Clone, Copy, Debug, PartialEq)]
struct View {
    /// Size the picture is brought to.
    shown: Size,
    /// Top left corner of the square in it; negative where the square reaches beyond.
    origin: (i32, i32),
}

/// The whole picture with borders, and square tiles along its longer side where it has the pixels for them.
fn views(size: Size, side: u32) -> Vec<View> {
    let (longer, shorter) = (size.width.max(size.height), size.width.min(size.height));
    let fit = |to: u32, of: u32| {
        let part = |v: u32| ((f64::from(v) * f64::from(to) / f64::from(of)).round() as u32).max(1);
        Size::new(part(size.width), part(size.height))
    };
    let whole = fit(side, longer);
    let border = |v: u32| -((side - v.min(side)) as i32 / 2);
    let mut views = vec![View { shown: whole, origin: (border(whole.width), border(whole.height)) }];
    let ratio = longer as f32 / shorter as f32;
    if shorter >= TILED_FROM && ratio > 1.2 {
        let shown = fit(side, shorter);
        let beyond = shown.width.max(shown.height) - side;
        let count = (((ratio - 1.0) / TILE_STEP).ceil() as u32 + 1).clamp(2, MOST_TILES);
        views.extend((0..count).map(|i| {
            let at = (beyond * i / (count - 1)) as i32;
            View { shown, origin: if size.width >= size.height { (at, 0) } else { (0, at) } }
        }));
    }
    views
}

/// Appends the square of `side` pixels at `origin` of `rgb`, planar in −1..1, black beyond its edges.
fn cut(rgb: &Rgb, origin: (i32, i32), side: usize, out: &mut Vec<f32>) {
    let start = out.len();
    out.resize(start + 3 * side * side, -1.0);
    let image = &mut out[start..];
    let (width, height) = (rgb.size.width as i32, rgb.size.height as i32);
    for y in 0..side as i32 {
        let from = origin.1 + y;
        if !(0..height).contains(&from) {
            continue;
        }
        let columns = (-origin.0).max(0)..(width - origin.0).min(side as i32);
        for x in columns {
            let pixel = ((from * width + origin.0 + x) * 3) as usize;
            let Some(rgb) = rgb.data.get(pixel..pixel + 3) else { continue };
            for (c, &value) in rgb.iter().enumerate() {
                image[c * side * side + y as usize * side + x as usize] = f32::from(value) / 127.5 - 1.0;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_wide_picture_is_seen_whole_and_in_tiles() {
        let seen = views(Size::new(1920, 1080), 192);
        assert_eq!(seen[0], View { shown: Size::new(192, 108), origin: (0, -42) });
        assert_eq!(seen[1..].iter().map(|v| v.origin).collect::<Vec<_>>(), [(0, 0), (149, 0)]);
        let tall = views(Size::new(600, 1800), 192);
        assert_eq!(tall[1..].iter().map(|v| v.origin).collect::<Vec<_>>(), [(0, 0), (0, 128), (0, 256), (0, 384)]);
        assert_eq!(views(Size::new(512, 512), 192).len(), 1);
        assert_eq!(views(Size::new(640, 360), 192).len(), 1, "too few pixels");
    }

    #[test]
    fn borders_are_black() {
        let rgb = Rgb { size: Size::new(4, 2), data: vec![255; 24] };
        let mut out = Vec::new();
        cut(&rgb, (0, -1), 4, &mut out);
        assert_eq!(out.len(), 48);
        assert_eq!(out[..16], [[-1.0; 4], [1.0; 4], [1.0; 4], [-1.0; 4]].concat());
    }

    proptest! {
        #[test]
        fn views_lie_within_the_picture(w in 1u32..5000, h in 1u32..5000) {
            for (i, view) in views(Size::new(w, h), 192).into_iter().enumerate() {
                prop_assert!(view.shown.area() > 0);
                let (x, y) = view.origin;
                if i > 0 {
                    prop_assert!(x >= 0 && y >= 0);
                    prop_assert!(x as u32 + 192 <= view.shown.width.max(192) && y as u32 + 192 <= view.shown.height.max(192));
                }
            }
        }
    }
}
