//! What the tests of several stages look at.

use std::sync::Arc;

use tempograph_core::{Picture, Result, Rgb, RgbRequest, Size};

struct Grey {
    level: u8,
    size: Size,
}

impl Picture for Grey {
    fn size(&self) -> Size {
        self.size
    }
    fn rgb(&self, request: RgbRequest) -> Result<Arc<Rgb>> {
        Ok(Arc::new(Rgb { size: request.size, data: vec![self.level; 3 * request.size.area() as usize] }))
    }
}

/// A picture of one level, 0 to 255.
pub(super) fn grey(level: u8, size: Size) -> Arc<dyn Picture> {
    Arc::new(Grey { level, size })
}
