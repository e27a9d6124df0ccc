//! The stages that ask models: `ask` about each window, `summary` about what was told.
//!
//! Every answer is journaled as soon as it is there: a killed run asks again what was under way and nothing else. A
//! failure that may pass is not journaled, so the next run asks again; one that may not is, as an issue.

mod round;
mod summary;
mod windows;

use tempograph_core::{
    Error, ErrorKind, Issue, MediaTime, Result, Span, Timeline, WindowTold,
    timeline::Chapter,
    vlm::{VideoPart, VideoSource, Vlm},
};

use super::{Request, decide::Decided};
use crate::{
    ask::{self, Asking, Known, Piece, Places, Plan},
    fuse,
};

/// The back end of a summary whose writer has not seen the video.
const TEXT_BACKEND: &str = "text-llm";

/// Asks whoever there is to ask, and takes what they say into `decided`.
pub(super) fn ask(
    request: &Request<'_>,
    asking: &Asking,
    decided: &mut Decided,
    places: &Places,
) -> Result<Vec<Issue>> {
    let mut issues = Vec::new();
    let mut pieces = Vec::new();
    let mut writer = asking.text.as_ref().map(|model| (model, TEXT_BACKEND.to_owned()));
    if let Some(model) = asking.vision.as_ref().filter(|_| asking.ask) {
        let asked = match planned(request, asking, model.as_ref(), decided, places) {
            Ok(plan) => windows::ask(request, asking, model, &plan, &decided.timeline)?,
            Err(error) if error.kind() == ErrorKind::Cancelled => return Err(error),
            Err(error) => windows::Asked::failed(&error),
        };
        let timeline = &mut decided.timeline;
        issues.extend(asked.issues);
        issues.extend(in_circles(&asked.told));
        timeline.run.stages.extend(asked.stage);
        timeline.run.calls_saved += asked.saved;
        if !asked.told.is_empty() {
            issues.extend(ask::merge(timeline, &asked.told, places));
            fuse::recorrelate(timeline, &request.options.fuse);
            // What is told without frames is no vision, whoever tells it.
            let seen = asked.told.iter().any(|(_, told)| !told.frames_s.is_empty());
            let backend = if seen { model.limits().model.clone() } else { TEXT_BACKEND.to_owned() };
            writer = Some((model, backend));
            pieces = asked
                .told
                .into_iter()
                .filter(|(_, told)| !told.summary.is_empty())
                .map(|(span, told)| Piece { span, title: String::new(), text: told.summary })
                .collect();
        }
    }
    if let (true, Some((model, backend))) = (asking.summarise, writer) {
        let measured = pieces.is_empty();
        if measured {
            pieces = facts(&decided.timeline);
        }
        let (stage, more) = summary::write(request, asking, model, pieces, &backend, measured, &mut decided.timeline)?;
        issues.extend(more);
        decided.timeline.run.stages.push(stage);
    }
    Ok(issues)
}

/// Windows of which nothing was told but the same again and again.
fn in_circles(told: &[(Span, WindowTold)]) -> Option<Issue> {
    let mut windows = told.iter().filter(|(_, t)| t.summary.is_empty() && t.same_as.is_none());
    let (_, first) = windows.next()?;
    let message =
        format!("what `{}` wrote of {} window(s) says nothing and is left out", first.model, 1 + windows.count());
    let error = Error::new(ErrorKind::AnswerInvalid, message);
    Some(Issue::from_error("ask", &error.with_hint("a larger model, or one that is shown frames, has more to say")))
}

/// What was measured of each scene, for whoever sums it up without having seen it.
fn facts(timeline: &Timeline) -> Vec<Piece> {
    let piece = |c: &Chapter| Piece { span: c.span, title: c.title.clone(), text: c.text.clone() };
    timeline.summary.chapters.iter().map(piece).collect()
}

/// What will be asked.
pub(super) fn planned(
    request: &Request<'_>,
    asking: &Asking,
    model: &dyn Vlm,
    decided: &Decided,
    places: &Places,
) -> Result<Plan> {
    let known = Known {
        timeline: &decided.timeline,
        places,
        shots: decided.shots(),
        objects: request.objects,
        video: asking.whole_video.then(|| whole(request, model)).flatten(),
    };
    ask::plan(&known, model.limits(), asking)
}

/// The file for a model that takes one. `None` where frames serve better: the model or the service behind it does not
/// take such a file, or its clock, which the model reads off the file, is not the one that everything here is on.
fn whole(request: &Request<'_>, model: &dyn Vlm) -> Option<VideoPart> {
    let info = request.info;
    let on_its_clock = info.start == MediaTime::ZERO;
    let mime = mime(&info.format).filter(|_| model.limits().video && info.video.is_some() && on_its_clock)?;
    Some(VideoPart {
        source: VideoSource::File(request.path.to_owned()),
        mime: mime.to_owned(),
        digest: request.id.to_owned(),
        span: Span::new(info.start, info.start + info.duration),
    })
}

/// The media type of a container, of those that services take. `format` is libav's name for it.
fn mime(format: &str) -> Option<&'static str> {
    let known = [
        ("mp4", "video/mp4"),
        ("webm", "video/webm"),
        ("avi", "video/avi"),
        ("mpeg", "video/mpeg"),
        ("flv", "video/x-flv"),
        ("asf", "video/wmv"),
    ];
    known.into_iter().find(|(name, _)| format.split(',').any(|f| f == *name)).map(|(_, mime)| mime)
}
