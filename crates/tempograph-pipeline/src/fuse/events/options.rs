//! Every threshold of the event rules, by name.

/// When movement is an event.
///
/// Nothing here is in pixels. Lengths are in *body lengths*: the diagonal of an object's box, for
/// a pair the mean of both diagonals. Speeds are body lengths a second; somebody walking across
/// the picture does about 0.75, somebody running 1.6 or more. Where two values are given, an
/// interval begins at the first and ends at the second, so that noise around one value does not
/// break it up. The values follow from body proportions and from walking speeds, not from any
/// one video.
#[derive(Clone, Debug, PartialEq)]
pub struct EventOptions {
    /// Seconds between two points of the common time grid.
    pub step_s: f64,
    /// Position and speed at a grid point come from a line through the boxes this near in time.
    pub smooth_s: f64,
    /// Longest time without a box that is bridged.
    pub bridge_s: f64,
    /// Objects seen for less are passed over.
    pub min_seen_s: f64,
    /// Objects whose detections have a lower mean confidence are passed over.
    pub min_score: f64,
    /// Image height counts this many times image width in distances, since the ground is seen at
    /// a low angle.
    pub foreshortening: f64,
    /// Two of one class whose diagonals differ by more are at different depths, so never near.
    pub max_size_ratio: f64,
    /// Two whose measured nearness (0 to 1 within a frame) differs by more are not near. In Middlebury's "motorcycle"
    /// the solid parts of the machine differ by 0.15, and it from the bench behind it by 0.28.
    pub max_depth_gap: f64,
    /// From this difference on one stands in front of the other.
    pub front_gap: f64,
    /// Longest time between two measurements of depth that is bridged, and beyond one that it still holds.
    pub depth_bridge_s: f64,
    /// What depth that agrees adds to the margin of an approach or departure.
    pub depth_margin: f64,
    /// Classes that act of their own will.
    pub beings: Vec<String>,
    /// Classes that somebody drives.
    pub vehicles: Vec<String>,

    /// Share of the objects that must move alike for the camera to count as moving.
    pub camera_share: f64,
    /// Fewest objects that can show it.
    pub camera_objects: usize,
    /// Common speed from which on it does; also how far one may differ from the median.
    pub camera_speed: f64,

    /// Distance at which two are near: enter, leave.
    pub near: [f64; 2],
    /// Shortest time near that counts.
    pub near_s: f64,
    /// Relative speed below which two that are near are together rather than passing.
    pub together_speed: f64,
    /// Time that two must be near and together after an approach or before a departure.
    pub linger_s: f64,

    /// Speed at which distance must change in an approach or departure: enter, leave.
    pub closing_speed: [f64; 2],
    /// Distance that an approach or departure must make up in all.
    pub closing_change: f64,
    /// Shortest approach or departure.
    pub closing_s: f64,

    /// Distance at which two touch: enter, leave.
    pub touch: [f64; 2],
    /// Relative speed of two that interact: enter, leave.
    pub touch_speed: [f64; 2],
    /// Shortest interaction.
    pub interact_s: f64,

    /// Speed of one that stays: enter, leave.
    pub idle_speed: [f64; 2],
    /// Farthest it may get from its mean position.
    pub idle_drift: f64,
    /// Shortest stay.
    pub idle_s: f64,

    /// Speed of both when one follows: enter, leave.
    pub follow_speed: [f64; 2],
    /// Distance of the follower from where the leader has been: enter, leave.
    pub follow_path: [f64; 2],
    /// Cosine between their headings at the same place: enter, leave.
    pub follow_heading: [f64; 2],
    /// How long before the leader was there: least, most seconds.
    pub follow_lag_s: [f64; 2],
    /// How far ahead the leader is: least, most.
    pub follow_ahead: [f64; 2],
    /// Shortest time of following.
    pub follow_s: f64,
    /// Speed of both when one chases: enter, leave.
    pub chase_speed: [f64; 2],
    /// Shortest chase.
    pub chase_s: f64,

    /// Fewest that are a group.
    pub group_size: usize,
    /// Shortest time of a group.
    pub group_s: f64,

    /// A collision is expected when straight on leads to within this distance.
    pub avoid_expected: f64,
    /// How far ahead collisions are looked for: least, most seconds.
    pub avoid_ahead_s: [f64; 2],
    /// Speed at which the other must come nearer, and the avoider move.
    pub avoid_speed: f64,
    /// How long the collision must have been expected.
    pub avoid_s: f64,
    /// Degrees that the avoider turns.
    pub avoid_turn_deg: f64,
    /// Distance that is kept in the end.
    pub avoid_kept: f64,

    /// Distance of one that is observed: least, most.
    pub observe_distance: [f64; 2],
    /// Speed of one that is observed.
    pub observe_speed: f64,
    /// Shortest time of observing.
    pub observe_s: f64,
    /// Confidence is held at this: boxes do not show where somebody looks.
    pub observe_max_confidence: f32,

    /// Events of one kind and the same participants that are no further apart are one.
    pub merge_s: f64,
    /// Events of one kind that one pair may have in a scene; the surest stay.
    pub max_per_pair: usize,
    /// Events of one kind that one entity may take part in in a scene; the surest stay.
    pub max_per_entity: usize,
    /// Events below this confidence are dropped.
    pub min_confidence: f32,
}

impl Default for EventOptions {
    fn default() -> Self {
        let names = |list: &[&str]| list.iter().map(|&s| s.to_owned()).collect();
        Self {
            step_s: 0.2,
            smooth_s: 0.5,
            bridge_s: 1.0,
            min_seen_s: 1.0,
            min_score: 0.3,
            foreshortening: 2.0,
            max_size_ratio: 1.8,
            max_depth_gap: 0.25,
            front_gap: 0.08,
            depth_bridge_s: 2.5,
            depth_margin: 0.25,
            beings: names(&[
                "person",
                "pedestrian",
                "man",
                "woman",
                "child",
                "boy",
                "girl",
                "rider",
                "bird",
                "cat",
                "dog",
                "horse",
                "sheep",
                "cow",
                "elephant",
                "bear",
                "zebra",
                "giraffe",
            ]),
            vehicles: names(&[
                "bicycle",
                "car",
                "motorcycle",
                "airplane",
                "bus",
                "train",
                "truck",
                "boat",
                "van",
                "vehicle",
            ]),
            camera_share: 0.8,
            camera_objects: 3,
            camera_speed: 0.15,
            near: [0.6, 0.9],
            near_s: 1.0,
            together_speed: 0.4,
            linger_s: 1.0,
            closing_speed: [0.3, 0.08],
            closing_change: 1.0,
            closing_s: 0.8,
            touch: [0.15, 0.35],
            touch_speed: [0.35, 0.5],
            interact_s: 1.5,
            idle_speed: [0.12, 0.25],
            idle_drift: 0.5,
            idle_s: 3.0,
            follow_speed: [0.3, 0.2],
            follow_path: [0.35, 0.5],
            follow_heading: [0.8, 0.6],
            follow_lag_s: [0.4, 4.0],
            follow_ahead: [0.5, 5.0],
            follow_s: 2.0,
            chase_speed: [1.3, 1.0],
            chase_s: 1.5,
            group_size: 3,
            group_s: 2.0,
            avoid_expected: 0.3,
            avoid_ahead_s: [0.5, 4.0],
            avoid_speed: 0.3,
            avoid_s: 0.6,
            avoid_turn_deg: 30.0,
            avoid_kept: 0.7,
            observe_distance: [1.0, 6.0],
            observe_speed: 0.3,
            observe_s: 3.0,
            observe_max_confidence: 0.4,
            merge_s: 2.0,
            max_per_pair: 3,
            max_per_entity: 6,
            min_confidence: 0.1,
        }
    }
}
