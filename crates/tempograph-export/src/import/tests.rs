use tempograph_core::{BoxXyxy, MediaTime};

use super::*;

fn boxes(bytes: &[u8], format: ImportFormat) -> BTreeMap<u64, FrameBoxes> {
    match read(bytes, format, "a").expect("it can be read") {
        Imported::Boxes(boxes) => boxes,
        other => panic!("{other:?}"),
    }
}

#[test]
fn mot_counts_from_one_and_keeps_ids() {
    let text = "\u{feff}# a comment\n2,7,11,21,30,40,0.5,3,1\n2,7,1,1,2,2,0.25,-1\n2 -1 1 1 2 2\n1,3,1,1,5,5,0,1,1\n";
    let frames = boxes(text.as_bytes(), ImportFormat::Mot);
    assert_eq!(frames.keys().copied().collect::<Vec<_>>(), [1], "a confidence of 0 does not count");
    let d = &frames[&1].detections;
    assert_eq!(d.labels(), ["car", "person", "person"]);
    assert_eq!(d.boxes()[0], BoxXyxy::new(10.0, 20.0, 40.0, 60.0));
    let ids: Vec<_> = d.iter().map(|r| r.track).collect();
    assert_eq!(ids, [Some(7), None, None], "one track, one box a frame");
    assert_eq!(d.scores(), [0.5, 0.25, 1.0]);
}

#[test]
fn mot_confidences_beyond_one_are_scaled() {
    let frames = boxes(b"1,-1,1,1,5,5,64\n1,-1,9,9,5,5,32\n", ImportFormat::Mot);
    assert_eq!(frames[&0].detections.scores(), [1.0, 0.5]);
}

#[test]
fn mot_raw_scores_keep_their_order() {
    let scores = |confidences: &[&str]| -> Vec<f32> {
        let rows: Vec<String> = confidences.iter().map(|c| format!("1,-1,1,1,5,5,{c}\n")).collect();
        let frames = boxes(rows.concat().as_bytes(), ImportFormat::Mot);
        frames[&0].detections.scores().to_vec()
    };
    assert_eq!(scores(&["0.5", "-0.5", "0", "1.5", "-0.25"]), [0.5, 0.0, 0.25, 1.0, 0.125]);
    assert_eq!(scores(&["-1", "-0.5", "-2", "0"]), [0.5, 0.75, 0.0, 1.0], "here -1 is a score like the others");
    assert_eq!(scores(&["-0.4", "-0.4"]), [1.0, 1.0], "nothing to tell them apart by");
    assert_eq!(scores(&["-0.5", "", "0.5"]), [0.0, 1.0, 1.0], "without a confidence nothing is doubted");
    assert_eq!(scores(&["-1", "-1"]), [1.0, 1.0], "not known");
    assert_eq!(scores(&["-1", "0.25", "0"]), [1.0, 0.25], "not known, beside confidences");
    assert_eq!(scores(&["-1", "64", "32"]), [1.0, 1.0, 0.5], "not known is no share of the largest");
}

#[test]
fn coco_finds_frames_by_field_or_name() {
    let text = br#"{"images":[{"id":9,"file_name":"x/frame_000003.jpg","width":64,"height":32},{"id":4,"frame":7}],
        "categories":[{"id":1,"name":"cat\n"}],
        "annotations":[{"image_id":9,"category_id":1,"bbox":[1,2,3,4],"track_id":5},
                       {"image_id":9,"category_id":1,"bbox":[1,2,3,4],"iscrowd":1}]}"#;
    let frames = boxes(text, ImportFormat::Coco);
    assert_eq!(frames.keys().copied().collect::<Vec<_>>(), [2, 7]);
    assert_eq!((frames[&2].size, frames[&2].detections.len()), (Some(Size::new(64, 32)), 1));
    assert_eq!(frames[&2].detections.get(0).track, Some(5));
    assert_eq!(frames[&2].detections.labels(), ["cat"]);
    assert!(frames[&7].detections.is_empty(), "looked at, nothing seen");
}

#[test]
fn turns_of_the_recording_in_order() {
    let text = "SPKR-INFO a 1 <NA> <NA> <NA> unknown bob <NA>\nSPEAKER b 1 0 1 <NA> <NA> eve <NA> <NA>\n\
                SPEAKER a 1 2.5 0.5 <NA> <NA> bob <NA> <NA>\nSPEAKER a 1 1 2 <NA> <NA> al <NA> <NA>\n";
    let Imported::Turns(turns) = read(text.as_bytes(), ImportFormat::Rttm, "a").expect("it can be read") else {
        panic!("turns")
    };
    assert_eq!(turns.iter().map(|t| t.speaker.as_str()).collect::<Vec<_>>(), ["al", "bob"]);
    assert_eq!(turns[1].span.end, MediaTime::from_millis(3000));
    let err = read(text.as_bytes(), ImportFormat::Rttm, "c").expect_err("which recording?");
    assert!(err.hint().is_some());
}

#[test]
fn what_is_wrong_is_named_with_its_line() {
    for (text, format, what) in [
        ("1,2,3\n", ImportFormat::Mot, "line 1: expected"),
        ("1,1,1,1,1,1\n0,1,1,1,1,1\n", ImportFormat::Mot, "line 2: frames count from 1"),
        ("1,1,NaN,1,1,1\n", ImportFormat::Mot, "line 1: field 3 is not a number"),
        ("SPEAKER a 1 -1 2 <NA> <NA> x\n", ImportFormat::Rttm, "line 1: field 4 is not a time"),
        ("", ImportFormat::Rttm, "no `SPEAKER` line"),
        ("[]", ImportFormat::Coco, "not a COCO data set"),
        (r#"{"images":[{"id":1,"file_name":"cat.jpg"}]}"#, ImportFormat::Coco, "which frame is image 1?"),
    ] {
        let error = read(text.as_bytes(), format, "a").expect_err(text);
        assert_eq!(error.kind(), ErrorKind::InvalidData);
        assert!(error.to_string().contains(what), "{error}");
    }
}

#[test]
fn formats_by_name_and_by_file() {
    for (name, format) in ImportFormat::ALL {
        assert_eq!(name.parse::<ImportFormat>().expect("known"), format);
        assert_eq!(format.to_string(), name);
    }
    assert_eq!(ImportFormat::from_file_name("a/b.JSON"), Some(ImportFormat::Coco));
    assert_eq!(ImportFormat::from_file_name("det.txt"), Some(ImportFormat::Mot));
    assert_eq!(ImportFormat::from_file_name("a.mp4"), None);
    assert!("xml".parse::<ImportFormat>().is_err());
}
