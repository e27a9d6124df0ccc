//! Several pieces of one stage's work beside each other, answers in the order they were asked for.
//!
//! A small network gains little from a second thread inside a call: its layers are so short that the threads mostly wait
//! for each other. Two calls beside each other, one thread each, use two cores fully.

use std::{collections::VecDeque, thread::JoinHandle, time::Duration};

use crossbeam_channel::{Receiver, Sender, TryRecvError, bounded};
use tempograph_core::{Error, ErrorKind, Result};

use super::{
    clock::{Cost, Stopwatch},
    panics::caught,
};

/// What a lane does with each piece.
pub(crate) type Work<Job, Answer> = Box<dyn FnMut(Job) -> Result<Answer> + Send>;

/// What came out, and what it cost.
type Reply<Answer> = (Result<Answer>, Cost);

/// Threads that work beside each other. Dropping it waits for what they have begun.
pub(crate) struct Lanes<Job, Answer> {
    stage: &'static str,
    jobs: Option<Sender<(Job, Sender<Reply<Answer>>)>>,
    asked: VecDeque<Receiver<Reply<Answer>>>,
    threads: Vec<JoinHandle<()>>,
    cpu: Duration,
}

impl<Job: Send + 'static, Answer: Send + 'static> Lanes<Job, Answer> {
    /// A thread for each of `works`, for the stage `stage`.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(crate) fn new(stage: &'static str, works: Vec<Work<Job, Answer>>) -> Result<Self> {
        // Nothing waits between asker and lanes: the asker is held back while all are busy.
        let (sender, receiver) = bounded::<(Job, Sender<Reply<Answer>>)>(0);
        let mut lanes =
            Self { stage, jobs: Some(sender), asked: VecDeque::new(), threads: Vec::new(), cpu: Duration::ZERO };
        for mut work in works {
            let receiver = receiver.clone();
            let lane = move || {
                for (job, reply) in receiver {
                    let (watch, mut cost) = (Stopwatch::start(), Cost::default());
                    let answer = caught(stage, || work(job));
                    watch.add_to(&mut cost);
                    // Nobody listens any more once the stage has failed.
                    drop(reply.send((answer, cost)));
                }
            };
            let thread = std::thread::Builder::new().name(stage.to_owned()).spawn(lane).map_err(|e| {
                Error::new(ErrorKind::StageFailed, format!("the system gives no thread to the stage `{stage}`: {e}"))
                    .with_hint("set `threads` lower, or allow more threads")
            })?;
            lanes.threads.push(thread);
        }
        Ok(lanes)
    }

    /// Asks for `job`; waits while every lane is busy.
    ///
    /// # Errors
    /// When there is no lane.
    pub(crate) fn ask(&mut self, job: Job) -> Result<()> {
        let (reply, answer) = bounded(1);
        match self.jobs.as_ref().map(|jobs| jobs.send((job, reply))) {
            Some(Ok(())) => {
                self.asked.push_back(answer);
                Ok(())
            }
            _ => Err(self.ended()),
        }
    }

    /// The answer to the oldest question, if it is there; `None` too when there is no question.
    ///
    /// # Errors
    /// The work's own; a panic inside it is one.
    pub(crate) fn ready(&mut self) -> Result<Option<Answer>> {
        let Some(oldest) = self.asked.front() else { return Ok(None) };
        match oldest.try_recv() {
            Err(TryRecvError::Empty) => Ok(None),
            Err(TryRecvError::Disconnected) => Err(self.ended()),
            Ok(reply) => {
                self.asked.pop_front();
                self.taken(reply).map(Some)
            }
        }
    }

    /// The answer to the oldest question, waited for; `None` when there is no question.
    ///
    /// # Errors
    /// As [`Self::ready`].
    pub(crate) fn wait(&mut self) -> Result<Option<Answer>> {
        let Some(oldest) = self.asked.pop_front() else { return Ok(None) };
        match oldest.recv() {
            Ok(reply) => self.taken(reply).map(Some),
            Err(_) => Err(self.ended()),
        }
    }

    /// Processor time of the answers so far.
    pub(crate) fn cpu(&self) -> Duration {
        self.cpu
    }

    fn taken(&mut self, (answer, cost): Reply<Answer>) -> Result<Answer> {
        self.cpu += cost.cpu;
        answer
    }

    fn ended(&self) -> Error {
        Error::new(ErrorKind::StageFailed, format!("the stage `{}` has no thread left", self.stage))
    }
}

impl<Job, Answer> Drop for Lanes<Job, Answer> {
    fn drop(&mut self) {
        self.jobs = None;
        for thread in self.threads.drain(..) {
            // Panics inside are caught; there is nothing to learn from the end of a lane.
            drop(thread.join());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc, Barrier,
        atomic::{AtomicUsize, Ordering},
    };

    use super::*;

    fn lanes<Answer: Send + 'static>(
        count: usize,
        work: impl Fn(u64) -> Result<Answer> + Clone + Send + 'static,
    ) -> Lanes<u64, Answer> {
        let works = (0..count).map(|_| Box::new(work.clone()) as Work<_, _>).collect();
        Lanes::new("test", works).expect("threads are to be had")
    }

    #[test]
    fn answers_come_in_the_order_of_the_questions_however_long_each_takes() {
        for count in 1..=4 {
            // Of four questions in a row the first takes longest.
            let mut lanes = lanes(count, |job| {
                std::thread::sleep(Duration::from_millis(8 - 2 * (job % 4)));
                Ok(job)
            });
            let mut answers = Vec::new();
            for job in 0..40 {
                lanes.ask(job).expect("lanes are there");
                answers.extend(std::iter::from_fn(|| lanes.ready().expect("it works")));
            }
            answers.extend(std::iter::from_fn(|| lanes.wait().expect("it works")));
            assert_eq!(answers, (0..40).collect::<Vec<_>>(), "{count} lanes");
        }
    }

    #[test]
    fn as_many_questions_are_worked_on_at_once_as_there_are_lanes() {
        // Each waits for the two others: with fewer at once this never ends.
        let meeting = Arc::new(Barrier::new(3));
        let mut lanes = lanes(3, move |job| {
            meeting.wait();
            Ok(job)
        });
        for job in 0..6 {
            lanes.ask(job).expect("lanes are there");
        }
        assert_eq!(std::iter::from_fn(|| lanes.wait().expect("it works")).count(), 6);
    }

    #[test]
    fn a_failure_is_told_in_its_turn_and_the_others_stand() {
        let mut lanes = lanes(2, |job| match job {
            1 => Err(Error::new(ErrorKind::Inference, "refused")),
            2 => panic!("boom"),
            job => Ok(job),
        });
        for job in 0..4 {
            lanes.ask(job).expect("a panic ends no lane");
        }
        assert_eq!(lanes.wait().expect("the first stands"), Some(0));
        assert_eq!(lanes.wait().expect_err("it refused").kind(), ErrorKind::Inference);
        assert!(lanes.wait().expect_err("it panicked").to_string().contains("boom"));
        assert_eq!(lanes.wait().expect("the last stands"), Some(3));
        assert_eq!(lanes.wait().expect("nothing is left"), None);
    }

    #[test]
    fn what_was_begun_ends_before_the_lanes_are_gone() {
        let ended = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&ended);
        let mut lanes = lanes(2, move |job| {
            std::thread::sleep(Duration::from_millis(20));
            counted.fetch_add(1, Ordering::SeqCst);
            Ok(job)
        });
        lanes.ask(1).expect("lanes are there");
        lanes.ask(2).expect("lanes are there");
        drop(lanes);
        assert_eq!(ended.load(Ordering::SeqCst), 2);
    }

    #[test]
    fn the_time_of_every_lane_is_counted() {
        let mut lanes = lanes(2, |job| Ok((0..20_000_000 + job).fold(0u64, |x, i| std::hint::black_box(x ^ i))));
        for job in 0..4 {
            lanes.ask(job).expect("lanes are there");
        }
        while lanes.wait().expect("it works").is_some() {}
        assert!(lanes.cpu() > Duration::from_millis(4), "{:?}", lanes.cpu());
    }
}
