//! Where analyses live: one SQLite database and one folder of objects under the data folder.
//!
//! ```text
//! <data>/library.db     videos, runs, stages, units; answers of models and what they cost
//! <data>/objects/ab/…   bytes under the hash of their content
//! <data>/vectors/…      what texts mean and what frames look like, for search
//! <data>/locks/…        one lock file a video: two processes never analyse the same one at once
//! ```

mod books;
mod chat;
mod library;
mod lock;
mod objects;
pub mod search;
mod stages;

pub use books::ModelBooks;
pub use library::{Library, RunRecord, VideoRecord};
pub use lock::VideoLock;
pub use objects::FileObjects;
