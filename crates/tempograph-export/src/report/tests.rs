use tempograph_core::{BoxXyxy, Claim, Detections, MediaTime, Span, timeline::Video};

use super::*;

const HOSTILE: &str =
    "</script><script>alert(1)</script><!-- <img src=x onerror=alert(2)> {{script}} \u{2028}\u{2029} & \"'";

fn sample() -> (Timeline, Graph) {
    let timeline = serde_json::from_str(include_str!("../../tests/data/citymix.analysis.json")).unwrap();
    let graph = serde_json::from_str(include_str!("../../tests/data/citymix.graph.json")).unwrap();
    (timeline, graph)
}

fn data(page: &str) -> serde_json::Value {
    let (_, rest) = page.split_once("id=\"data\">").unwrap();
    serde_json::from_str(rest.split_once("</script>").unwrap().0).unwrap()
}

#[test]
fn the_page_names_no_other_place() {
    let (timeline, graph) = sample();
    let page = html(&timeline, &graph, [], &ReportOptions::default()).unwrap();
    // The namespace of SVG is a name, not an address.
    let page = page.replace("http://www.w3.org/2000/svg", "");
    for needle in ["http:", "https:", "src=\"//", "@import", "url(", "fetch(", "XMLHttpRequest", "innerHTML", "eval("] {
        assert!(!page.contains(needle), "{needle}");
    }
    assert!(page.contains("default-src 'none'"));
}

#[test]
fn the_policy_holds_the_hashes_of_what_stands_in_the_page() {
    let (timeline, graph) = sample();
    let page = html(&timeline, &graph, [], &ReportOptions::default()).unwrap();
    let inside = |open: &str, close: &str| page.rsplit_once(open).unwrap().1.split_once(close).unwrap().0;
    for text in [inside("<script>", "</script>"), inside("<style>", "</style>")] {
        let hash = base64::engine::general_purpose::STANDARD.encode(sha2::Sha256::digest(text.as_bytes()));
        assert!(page.contains(&format!("'sha256-{hash}'")));
    }
}

#[test]
fn hostile_text_stays_data() {
    let (mut timeline, mut graph) = sample();
    timeline.video.uri = format!("x/{HOSTILE}");
    timeline.summary.text = HOSTILE.to_owned();
    timeline.issues[0].message = HOSTILE.to_owned();
    for event in &mut timeline.audio_events {
        event.text = Some(HOSTILE.to_owned());
        event.speaker = Some(HOSTILE.to_owned());
    }
    graph.nodes[0].label = HOSTILE.to_owned();
    let options = ReportOptions { video_src: Some(HOSTILE.to_owned()), ..ReportOptions::default() };
    let page = html(&timeline, &graph, [], &options).unwrap();
    assert_eq!(page.matches("<script").count(), 2, "the data and the script, nothing else");
    assert_eq!(page.matches("</script").count(), 2);
    for needle in ["<img src=x", "<!-- ", "\u{2028}", "\u{2029}", "alert(1)</"] {
        assert!(!page.contains(needle), "{needle}");
    }
    let data = data(&page);
    assert_eq!(data["timeline"]["summary"]["text"], HOSTILE);
    assert_eq!(data["graph"]["nodes"][0]["label"], HOSTILE);
}

#[test]
fn boxes_are_packed_from_the_first_frame_and_thinned() {
    let mut timeline = sample().0;
    timeline.video = Video { start_s: MediaTime::from_millis(3_601_400), ..timeline.video };
    let observations: Vec<Observation> = (0..10)
        .map(|i| {
            let mut detections = Detections::default();
            detections.push(BoxXyxy::new(1.26, 2.0, 30.0, 40.0), 0.876, "cat");
            let detections = detections.with_tracks(vec![Some(7)]).unwrap();
            let time = MediaTime::from_millis(3_601_400 + 200 * i);
            Observation { span: Span::new(time, time), claim: Claim::Detections { frame: i as u64, detections } }
        })
        .collect();
    let options = ReportOptions { max_boxes: 5, ..ReportOptions::default() };
    let page = html(&timeline, &Graph::default(), &observations, &options).unwrap();
    let boxes = &data(&page)["boxes"];
    assert_eq!(boxes["labels"], serde_json::json!(["cat"]));
    assert_eq!(boxes["frames"].as_array().unwrap().len(), 5);
    assert_eq!(boxes["frames"][1], serde_json::json!([400, 7, 0, 88, 13, 20, 300, 400]));
}

#[test]
fn an_empty_timeline_has_a_page() {
    let page = html(&Timeline::empty(Video::default()), &Graph::default(), [], &ReportOptions::default()).unwrap();
    assert!(page.ends_with("</html>\n"));
    assert!(!page.contains("{{"), "every place was filled");
}
