//! One round of questions: a reader hands out windows with their frames, as many threads ask as the model takes calls.
//!
//! Frames of at most one window a thread, and two more, are held at any time.

use std::{
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use crossbeam_channel::{Receiver, Sender, bounded};
use tempograph_core::{
    Cancel, Claim, Error, ErrorKind, Issue, MediaTime, Observation, Result, Span, WindowTold,
    vlm::{Part, TimedImage, VideoPart, Vlm},
};

use crate::{
    ask::{self, Asking, Edges, Plan, Question, Unanswered, Wanted, WindowAnswer},
    run::{Progress, Request},
    threads::panics::caught,
};

/// Windows in a row that nobody answered after which asking is given up: each went through the retries of its back
/// end, so the others would fare no better.
const GIVE_UP: u32 = 3;

/// Questions that are put together.
pub(super) struct Round<'a> {
    path: &'a Path,
    cancel: &'a Cancel,
    asking: &'a Asking,
    model: &'a dyn Vlm,
    plan: &'a Plan,
    /// Windows that are to be asked about, in order.
    open: &'a [usize],
    edges: &'a Edges,
    /// Raised when no further window is to be asked about.
    stop: AtomicBool,
}

/// A window whose frames are there.
struct Ready {
    number: usize,
    images: Vec<TimedImage>,
}

/// Windows without an answer.
#[derive(Default)]
pub(super) struct Failures {
    /// Failures that may pass, and what the first was.
    passing: u32,
    first: Option<Issue>,
    in_row: u32,
    /// Why asking was given up, and how many windows are left.
    stopped: Option<Error>,
    left: usize,
}

impl Failures {
    /// Whether a window lacks an answer that another run may get.
    pub(super) fn any(&self) -> bool {
        self.passing > 0 || self.stopped.is_some()
    }

    pub(super) fn into_issues(self) -> Vec<Issue> {
        let mut issues = Vec::new();
        if let Some(error) = &self.stopped {
            let mut issue = Issue::from_error("ask", error);
            issue.message = format!("asking stopped with {} windows left: {}", self.left, issue.message);
            issues.push(issue);
        } else if let Some(mut issue) = self.first {
            if self.passing > 1 {
                issue.message = format!("{} windows have no answer, the first: {}", self.passing, issue.message);
            }
            issues.push(issue);
        }
        issues
    }
}

impl<'a> Round<'a> {
    pub(super) fn new(
        request: &Request<'a>,
        asking: &'a Asking,
        model: &'a dyn Vlm,
        plan: &'a Plan,
        open: &'a [usize],
        edges: &'a Edges,
    ) -> Self {
        let (path, cancel) = (request.path, request.cancel);
        Self { path, cancel, asking, model, plan, open, edges, stop: AtomicBool::new(false) }
    }

    /// Puts every open window to the model; answers and lasting failures go to `keep` as they come.
    ///
    /// # Errors
    /// When `keep` fails or somebody asked to stop. Anything else is among the failures.
    pub(super) fn run(
        &self,
        progress: &dyn Progress,
        keep: &mut dyn FnMut(usize, Vec<Observation>) -> Result<()>,
    ) -> Result<Failures> {
        let threads = (self.model.limits().concurrency.max(1) as usize).min(self.open.len());
        let (to_askers, ready) = bounded::<Ready>(1);
        let (to_us, answers) = bounded(threads.max(1));
        let mut failures = Failures::default();
        let (mut fatal, mut done) = (None, 0);
        thread::scope(|scope| {
            let reader = scope.spawn(move || self.hand_out(&to_askers));
            for _ in 0..threads {
                let (ready, to_us) = (ready.clone(), to_us.clone());
                scope.spawn(move || self.answer(&ready, &to_us));
            }
            drop((ready, to_us));
            for (number, answer) in answers {
                done += 1;
                progress.asking(done, self.open.len());
                if let Err(error) = self.settle(number, answer, &mut failures, keep) {
                    fatal.get_or_insert(error);
                }
                if fatal.is_some() || failures.stopped.is_some() {
                    self.stop.store(true, Ordering::Relaxed);
                }
            }
            let ended = || Err(Error::new(ErrorKind::Internal, "the reader ended unexpectedly"));
            match reader.join().unwrap_or_else(|_| ended()) {
                // What is damaged in the file was said after the first read.
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::Cancelled => {
                    fatal.get_or_insert(error);
                }
                Err(error) => {
                    failures.stopped.get_or_insert(error);
                }
            }
        });
        failures.left = self.open.len() - done;
        fatal.map_or(Ok(failures), Err)
    }

    fn settle(
        &self,
        number: usize,
        answer: Result<WindowTold, Unanswered>,
        failures: &mut Failures,
        keep: &mut dyn FnMut(usize, Vec<Observation>) -> Result<()>,
    ) -> Result<()> {
        let window = &self.plan.windows[number].window;
        let claim = |claim| vec![Observation { span: window.span, claim }];
        let failed = match answer {
            Ok(told) => {
                failures.in_row = 0;
                return keep(number, claim(Claim::Window(Box::new(told))));
            }
            Err(failed) => failed,
        };
        let kind = failed.error.kind();
        if kind == ErrorKind::Cancelled {
            return Err(*failed.error);
        }
        if ends_asking(kind) {
            failures.stopped.get_or_insert(*failed.error);
            return Ok(());
        }
        let mut issue = failed.issue("ask");
        issue.message = format!("{} ({}): {}", window.id(), clock(window.span), issue.message);
        if !may_pass(kind) {
            return keep(number, claim(Claim::Issue(issue)));
        }
        failures.passing += 1;
        failures.in_row += 1;
        failures.first.get_or_insert(issue);
        if failures.in_row >= GIVE_UP {
            failures.stopped.get_or_insert(*failed.error);
        }
        Ok(())
    }

    /// Asks about window after window until none comes or asking is stopped.
    fn answer(&self, ready: &Receiver<Ready>, to_us: &Sender<(usize, Result<WindowTold, Unanswered>)>) {
        for Ready { number, images } in ready {
            if self.stop.load(Ordering::Relaxed) {
                return;
            }
            let answer = caught("ask", || Ok(self.put(number, images)));
            let answer = answer.unwrap_or_else(|panic| Err(panic.into()));
            if to_us.send((number, answer)).is_err() {
                return;
            }
        }
    }

    fn put(&self, number: usize, images: Vec<TimedImage>) -> Result<WindowTold, Unanswered> {
        let planned = &self.plan.windows[number];
        let prompts = &self.asking.prompts;
        let times: Vec<MediaTime> = match self.plan.video {
            Some(_) => planned.moments.iter().map(|m| m.time).collect(),
            None => images.iter().map(|i| i.time).collect(),
        };
        // What is the same for every window comes first, then what differs.
        let mut parts = vec![
            Part::Text(prompts.window().to_owned()),
            Part::Text(format!("Evidence:\n{}\n", planned.evidence.text)),
        ];
        if let Some(video) = &self.plan.video {
            parts.push(Part::Video(VideoPart { span: planned.window.span, ..video.clone() }));
        } else if !images.is_empty() {
            parts.push(Part::Frames(images));
        }
        let max_tokens = self.asking.answer_tokens;
        let question = Question { purpose: "window", system: prompts.system(), parts, max_tokens };
        let answer: WindowAnswer = ask::put(self.model, question, self.cancel)?;
        Ok(answer.told(&planned.window, times, &self.model.limits().model, self.edges))
    }

    /// Hands out windows with their frames, in order; reads the file only if frames are wanted.
    fn hand_out(&self, to_askers: &Sender<Ready>) -> Result<()> {
        let times = |&i: &usize| self.plan.windows[i].moments.iter().map(|m| m.time).collect();
        let wanted: Vec<Wanted> = self.open.iter().map(|i| Wanted { times: times(i) }).collect();
        let mut give = |i: usize, images| {
            let number = self.open[i];
            !self.stop.load(Ordering::Relaxed) && to_askers.send(Ready { number, images }).is_ok()
        };
        match self.plan.size {
            Some(size) if wanted.iter().any(|w| !w.times.is_empty()) => {
                ask::read(self.path, size, &wanted, self.cancel, &mut give)
            }
            _ => {
                let _all = (0..wanted.len()).all(|i| give(i, Vec::new()));
                Ok(())
            }
        }
    }
}

/// Failures after which no other window would fare better: not by asking again, and not in this run.
fn ends_asking(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::CostLimit
            | ErrorKind::BackendRefused
            | ErrorKind::ModelMissing
            | ErrorKind::ModelInvalid
            | ErrorKind::RuntimeMissing
            | ErrorKind::DiskFull
            | ErrorKind::Config
    )
}

/// Failures that another run may be spared.
fn may_pass(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::BackendUnavailable
            | ErrorKind::RateLimited
            | ErrorKind::TimedOut
            | ErrorKind::Inference
            | ErrorKind::StageFailed
            | ErrorKind::Io
    )
}

fn clock(span: Span) -> String {
    format!("{:.1}–{:.1} s", span.start.as_secs_f64(), span.end.as_secs_f64())
}
