//! What the threads of a run share: how they work beside each other, what they cost, and how they fail.

pub(crate) mod clock;
pub(crate) mod lanes;
pub(crate) mod panics;
