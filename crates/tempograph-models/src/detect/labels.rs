//! Class names.

use tempograph_core::Session;

use super::DetectorOptions;

/// The 80 classes of the COCO detection challenge in their order without gaps.
pub const COCO_80: [&str; 80] = [
    "person",
    "bicycle",
    "car",
    "motorcycle",
    "airplane",
    "bus",
    "train",
    "truck",
    "boat",
    "traffic light",
    "fire hydrant",
    "stop sign",
    "parking meter",
    "bench",
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
    "backpack",
    "umbrella",
    "handbag",
    "tie",
    "suitcase",
    "frisbee",
    "skis",
    "snowboard",
    "sports ball",
    "kite",
    "baseball bat",
    "baseball glove",
    "skateboard",
    "surfboard",
    "tennis racket",
    "bottle",
    "wine glass",
    "cup",
    "fork",
    "knife",
    "spoon",
    "bowl",
    "banana",
    "apple",
    "sandwich",
    "orange",
    "broccoli",
    "carrot",
    "hot dog",
    "pizza",
    "donut",
    "cake",
    "chair",
    "couch",
    "potted plant",
    "bed",
    "dining table",
    "toilet",
    "tv",
    "laptop",
    "mouse",
    "remote",
    "keyboard",
    "cell phone",
    "microwave",
    "oven",
    "toaster",
    "sink",
    "refrigerator",
    "book",
    "clock",
    "vase",
    "scissors",
    "teddy bear",
    "hair drier",
    "toothbrush",
];

/// Names for `classes` classes: what the caller gives, else what the model file holds, else COCO's where the number
/// fits; places without a name get `class N`.
pub(super) fn labels(session: &dyn Session, options: &DetectorOptions, classes: usize) -> Vec<String> {
    let named = options.labels.clone().or_else(|| session.metadata("names").map(|text| parse(&text)));
    let mut names = match named {
        Some(names) if !names.is_empty() => names,
        _ if classes == COCO_80.len() => COCO_80.map(str::to_owned).to_vec(),
        _ => Vec::new(),
    };
    names.truncate(classes);
    names.extend((names.len()..classes).map(|i| format!("class {i}")));
    names
}

/// Category numbers of COCO that no class of the challenge has.
const COCO_GAPS: [usize; 11] = [0, 12, 26, 29, 30, 45, 66, 68, 69, 71, 83];

/// Names by COCO's own category numbers, 1 to 90 with gaps; those without a class get `class N`.
pub(super) fn with_gaps(categories: usize) -> Vec<String> {
    let mut names = COCO_80.iter();
    let name = |i| if COCO_GAPS.contains(&i) { None } else { names.next() };
    (0..categories).map(name).enumerate().map(|(i, n)| n.map_or(format!("class {i}"), |n| (*n).to_owned())).collect()
}

/// The names the caller gives or the model file holds, where either does.
pub(super) fn given(session: &dyn Session, options: &DetectorOptions) -> Option<usize> {
    let named = options.labels.clone().or_else(|| session.metadata("names").map(|text| parse(&text)));
    named.map(|n| n.len()).filter(|&n| n > 0)
}

/// The quoted texts of a list (`["a", "b"]`) or of a Python dictionary in order (`{0: 'a', 1: "b's"}`).
fn parse(text: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut chars = text.chars();
    while let Some(quote) = chars.find(|c| matches!(c, '\'' | '"')) {
        let mut name = String::new();
        while let Some(c) = chars.next().filter(|&c| c != quote) {
            name.extend(if c == '\\' { chars.next() } else { Some(c) });
        }
        names.push(name);
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::FakeSession;

    #[test]
    fn names_come_from_the_caller_the_file_or_coco() {
        let file = FakeSession::new(&[], vec![]).with_metadata("names", r#"{0: 'a b', 1: "c's", 2: 'd\'e'}"#);
        let none = FakeSession::new(&[], vec![]);
        let plain = DetectorOptions::default();
        assert_eq!(labels(&file, &plain, 4), ["a b", "c's", "d'e", "class 3"]);
        let own = DetectorOptions { labels: Some(vec!["x".into()]), ..plain.clone() };
        assert_eq!(labels(&file, &own, 1), ["x"]);
        assert_eq!(labels(&none, &plain, 80)[79], "toothbrush");
        assert_eq!(labels(&none, &plain, 2), ["class 0", "class 1"]);
        let categories = with_gaps(91);
        assert_eq!([1, 13, 44, 90].map(|i| categories[i].as_str()), ["person", "stop sign", "bottle", "toothbrush"]);
        assert_eq!(parse("'unclosed"), ["unclosed"]);
        assert_eq!((given(&file, &plain), given(&none, &plain)), (Some(3), None));
    }
}
