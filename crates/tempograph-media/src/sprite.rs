//! Small pictures in a grid, for a player that shows where a click will lead.

use std::fmt::Write as _;

use tempograph_core::{Error, ErrorKind, MediaTime, Result, Rgb, Size};

/// Largest side of a sheet that browsers and JPEG take without complaint.
const MAX_SIDE: u32 = 16_384;

/// Grids of equally large pictures, and the WebVTT file that says which is when.
#[derive(Clone, Debug)]
pub struct SpriteSheet {
    tile: Size,
    columns: u32,
    rows: u32,
    times: Vec<MediaTime>,
    sheets: Vec<Rgb>,
}

impl SpriteSheet {
    /// Sheets of `columns` × `rows` pictures of size `tile`.
    ///
    /// # Errors
    /// When there is no room for a picture, or a sheet would be wider or higher than 16384 pixels.
    pub fn new(tile: Size, columns: u32, rows: u32) -> Result<Self> {
        let fits = |n: u32, side: u32| n.checked_mul(side).is_some_and(|all| (1..=MAX_SIDE).contains(&all));
        if !fits(columns, tile.width) || !fits(rows, tile.height) {
            let message = format!("cannot make a sheet of {columns}x{rows} pictures of {}x{}", tile.width, tile.height);
            return Err(Error::new(ErrorKind::Usage, message));
        }
        Ok(Self { tile, columns, rows, times: Vec::new(), sheets: Vec::new() })
    }

    /// Adds the picture shown from `time` on. Times come in order.
    ///
    /// # Errors
    /// When the picture has another size than the tiles.
    pub fn push(&mut self, time: MediaTime, picture: &Rgb) -> Result<()> {
        if picture.size != self.tile {
            let Size { width, height } = picture.size;
            return Err(Error::new(
                ErrorKind::Usage,
                format!("a picture of this size does not fit the sheet: {width}x{height}"),
            ));
        }
        let (_, column, row) = self.place(self.times.len());
        let width = self.columns * self.tile.width;
        if (column, row) == (0, 0) {
            self.sheets.push(Rgb { size: Size::new(width, 0), data: Vec::new() });
        }
        let Some(sheet) = self.sheets.last_mut() else { return Ok(()) };
        let stride = 3 * width as usize;
        if column == 0 {
            sheet.size.height += self.tile.height;
            sheet.data.resize(stride * sheet.size.height as usize, 0);
        }
        let line = 3 * self.tile.width as usize;
        let corner = stride * (row * self.tile.height) as usize + line * column as usize;
        for (y, pixels) in picture.data.chunks_exact(line).enumerate() {
            let at = corner + y * stride;
            sheet.data[at..at + line].copy_from_slice(pixels);
        }
        self.times.push(time);
        Ok(())
    }

    /// The sheets; the last is only as high as its pictures need.
    pub fn sheets(&self) -> &[Rgb] {
        &self.sheets
    }

    /// Sheet, column and row of picture `index`.
    fn place(&self, index: usize) -> (usize, u32, u32) {
        let per_sheet = (self.columns * self.rows) as usize;
        let within = (index % per_sheet) as u32;
        (index / per_sheet, within % self.columns, within / self.columns)
    }

    /// WebVTT cues that point into the sheets (`name(0)#xywh=0,0,160,90`), as players expect.
    ///
    /// Times count from `origin`, the start of the video; the last cue ends at `end`.
    pub fn vtt(&self, origin: MediaTime, end: MediaTime, name: impl Fn(usize) -> String) -> String {
        let mut out = String::from("WEBVTT\n");
        for (i, &start) in self.times.iter().enumerate() {
            let until = self.times.get(i + 1).copied().unwrap_or(end).max(start);
            let (sheet, column, row) = self.place(i);
            let Size { width, height } = self.tile;
            let (x, y) = (column * width, row * height);
            let file = name(sheet);
            // Writing to a string cannot fail.
            let _ok = write!(
                out,
                "\n{} --> {}\n{file}#xywh={x},{y},{width},{height}\n",
                (start - origin).max(MediaTime::ZERO),
                (until - origin).max(MediaTime::ZERO)
            );
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_land_in_their_cells() {
        let tile = Size::new(2, 1);
        let mut sheet = SpriteSheet::new(tile, 2, 2).unwrap();
        for i in 0..5u8 {
            let picture = Rgb { size: tile, data: vec![i + 1; 6] };
            sheet.push(MediaTime::from_millis(1000 + 500 * i64::from(i)), &picture).unwrap();
        }
        let [first, second] = sheet.sheets() else { panic!("two sheets") };
        let row = |a: u8, b: u8| [[a; 6], [b; 6]].concat();
        assert_eq!(first.size, Size::new(4, 2));
        assert_eq!(first.data, [row(1, 2), row(3, 4)].concat());
        assert_eq!((second.size, second.data.clone()), (Size::new(4, 1), row(5, 0)));
        let vtt = sheet.vtt(MediaTime::from_millis(1000), MediaTime::from_millis(4000), |n| format!("s{n}.jpg"));
        assert!(vtt.starts_with("WEBVTT\n\n00:00:00.000 --> 00:00:00.500\ns0.jpg#xywh=0,0,2,1\n"), "{vtt}");
        assert!(vtt.ends_with("\n00:00:02.000 --> 00:00:03.000\ns1.jpg#xywh=0,0,2,1\n"), "{vtt}");
    }

    #[test]
    fn impossible_sheets_are_refused() {
        for (w, h, columns, rows) in [(0, 1, 1, 1), (1, 1, 0, 1), (200, 1, 100, 1), (u32::MAX, 1, 2, 1)] {
            assert!(SpriteSheet::new(Size::new(w, h), columns, rows).is_err());
        }
        let mut sheet = SpriteSheet::new(Size::new(2, 1), 2, 2).unwrap();
        assert!(sheet.push(MediaTime::ZERO, &Rgb { size: Size::new(1, 1), data: vec![0; 3] }).is_err());
    }
}
