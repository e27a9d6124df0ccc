//! Allen's thirteen interval relations (J. F. Allen, "Maintaining knowledge about temporal
//! intervals", CACM 26(11), 1983).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Span;

/// How one interval lies to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Relation {
    /// Ends before the other starts.
    Before,
    /// Starts after the other ends.
    After,
    /// Ends where the other starts.
    Meets,
    /// Starts where the other ends.
    MetBy,
    /// Starts first, ends inside.
    Overlaps,
    /// Starts inside, ends last.
    OverlappedBy,
    /// Starts together, ends first.
    Starts,
    /// Starts together, ends last.
    StartedBy,
    /// Lies strictly inside.
    During,
    /// Holds the other strictly inside.
    Contains,
    /// Ends together, starts last.
    Finishes,
    /// Ends together, starts first.
    FinishedBy,
    /// The same interval.
    Equals,
}

impl Relation {
    /// The relation of `a` to `b`. Every pair has exactly one.
    pub fn between(a: Span, b: Span) -> Self {
        use std::cmp::Ordering::{Equal, Greater, Less};
        match (a.start.cmp(&b.start), a.end.cmp(&b.end)) {
            (Equal, Equal) => Self::Equals,
            _ if a.end < b.start => Self::Before,
            _ if b.end < a.start => Self::After,
            _ if a.end == b.start => Self::Meets,
            _ if b.end == a.start => Self::MetBy,
            (Equal, Less) => Self::Starts,
            (Equal, Greater) => Self::StartedBy,
            (Greater, Equal) => Self::Finishes,
            (Less, Equal) => Self::FinishedBy,
            (Greater, Less) => Self::During,
            (Less, Greater) => Self::Contains,
            (Less, Less) => Self::Overlaps,
            (Greater, Greater) => Self::OverlappedBy,
        }
    }

    /// The relation of `b` to `a` when this is that of `a` to `b`.
    pub fn inverse(self) -> Self {
        match self {
            Self::Before => Self::After,
            Self::After => Self::Before,
            Self::Meets => Self::MetBy,
            Self::MetBy => Self::Meets,
            Self::Overlaps => Self::OverlappedBy,
            Self::OverlappedBy => Self::Overlaps,
            Self::Starts => Self::StartedBy,
            Self::StartedBy => Self::Starts,
            Self::During => Self::Contains,
            Self::Contains => Self::During,
            Self::Finishes => Self::FinishedBy,
            Self::FinishedBy => Self::Finishes,
            Self::Equals => Self::Equals,
        }
    }

    /// The name as in JSON, e.g. `overlapped_by`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Before => "before",
            Self::After => "after",
            Self::Meets => "meets",
            Self::MetBy => "met_by",
            Self::Overlaps => "overlaps",
            Self::OverlappedBy => "overlapped_by",
            Self::Starts => "starts",
            Self::StartedBy => "started_by",
            Self::During => "during",
            Self::Contains => "contains",
            Self::Finishes => "finishes",
            Self::FinishedBy => "finished_by",
            Self::Equals => "equals",
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::MediaTime;

    fn span(a: i64, b: i64) -> Span {
        Span::new(MediaTime::from_nanos(a), MediaTime::from_nanos(b))
    }

    #[test]
    fn the_thirteen_by_example() {
        use Relation::*;
        let b = span(10, 20);
        for (a, want) in [
            (span(1, 5), Before),
            (span(1, 10), Meets),
            (span(5, 15), Overlaps),
            (span(10, 15), Starts),
            (span(12, 18), During),
            (span(15, 20), Finishes),
            (span(10, 20), Equals),
        ] {
            assert_eq!(Relation::between(a, b), want);
            assert_eq!(Relation::between(b, a), want.inverse());
        }
    }

    proptest! {
        #[test]
        fn swapping_gives_the_inverse(a in 0i64..9, b in 0i64..9, c in 0i64..9, d in 0i64..9) {
            let (x, y) = (span(a, a + b + 1), span(c, c + d + 1));
            prop_assert_eq!(Relation::between(x, y).inverse(), Relation::between(y, x));
        }
    }
}
