//! Which classes have events, and which of those that rival for one sound stay.

use std::cmp::Ordering;

use tempograph_models::sounds::{Class, Kind};

use super::{SoundOptions, Window, support};

/// Consecutive windows in which a class is heard.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Candidate {
    pub(super) class: Class,
    /// First window.
    pub(super) first: usize,
    /// Last window.
    pub(super) last: usize,
    /// Mean score over them.
    pub(super) support: f32,
}

impl Candidate {
    /// Sum of its scores: how much it is heard on the whole.
    fn mass(&self) -> f32 {
        self.support * self.windows() as f32
    }

    fn windows(&self) -> usize {
        self.last + 1 - self.first
    }

    /// The windows it has in common with `other`, as first and last.
    fn common(&self, other: &Self) -> Option<(usize, usize)> {
        let (first, last) = (self.first.max(other.first), self.last.min(other.last));
        (first <= last).then_some((first, last))
    }
}

/// The events of every concept and of every container, by hysteresis: a window that reaches `on`, and all around it that
/// keep `off`.
pub(super) fn candidates(windows: &[Window], options: &SoundOptions) -> Vec<Candidate> {
    let mut classes: Vec<Class> = windows.iter().flat_map(|w| w.scores.iter().map(|s| s.0)).collect();
    classes.sort_unstable();
    classes.dedup();
    let concepts = classes.into_iter().filter(|c| c.ancestors().all(|a| a.kind() == Kind::Container));
    concepts.flat_map(|class| runs(class, windows, options)).collect()
}

fn runs(class: Class, windows: &[Window], options: &SoundOptions) -> Vec<Candidate> {
    let mut found = Vec::new();
    // First and last window of the run so far, and whether one of them reached `on`.
    let mut run: Option<(usize, usize, bool)> = None;
    let mut close = |run: Option<(usize, usize, bool)>| {
        if let Some((first, last, true)) = run {
            found.push(Candidate { class, first, last, support: support(class, &windows[first..=last]) });
        }
    };
    for (i, window) in windows.iter().enumerate() {
        let score = window.score(class);
        if score < options.off {
            continue;
        }
        let on = if window.voice >= options.voice_share { options.on_over_voice } else { options.on };
        run = match run {
            Some((first, last, reached)) if i - last <= options.bridge + 1 => Some((first, i, reached || score >= on)),
            other => {
                close(other);
                Some((i, i, score >= on))
            }
        };
    }
    close(run);
    found
}

/// The candidates that no other outdoes.
pub(super) fn settle(candidates: Vec<Candidate>, windows: &[Window], options: &SoundOptions) -> Vec<Candidate> {
    let (mut containers, mut sources): (Vec<_>, Vec<_>) =
        candidates.into_iter().partition(|c| c.class.kind() == Kind::Container);
    // The most heard first, so that what is outdone cannot itself outdo; ties by class and time for a fixed order.
    sources.sort_by(|a, b| {
        let manner = |c: &Candidate| c.class.kind() == Kind::Manner;
        let ties = || (a.class, a.first).cmp(&(b.class, b.first));
        manner(a).cmp(&manner(b)).then(b.mass().total_cmp(&a.mass())).then_with(ties)
    });
    let mut kept: Vec<Candidate> = Vec::new();
    for candidate in sources {
        if !kept.iter().any(|k| outdoes(k, &candidate, windows, options)) {
            kept.push(candidate);
        }
    }
    grow(&mut kept, &containers, windows, options);
    // A container says nothing beside a source that may be what it holds; of two within each other the inner says most.
    containers.sort_by_key(|c| std::cmp::Reverse(c.class));
    for container in containers {
        let said = |i: usize| {
            let says = |k: &Candidate| k.class.rivals(container.class) || container.class.contains(k.class);
            kept.iter().any(|k| k.first <= i && i <= k.last && says(k))
        };
        let covered = (container.first..=container.last).filter(|&i| said(i)).count();
        if (covered as f64) < options.covered * container.windows() as f64 {
            kept.push(container);
        }
    }
    kept.sort_by_key(|c| (c.first, c.last, c.class));
    kept
}

/// Lets each source take the windows beside it in which its container is plain and no other source is: the network is
/// often sure of the animal before it is sure which.
fn grow(kept: &mut [Candidate], containers: &[Candidate], windows: &[Window], options: &SoundOptions) {
    for at in 0..kept.len() {
        let held = |i: usize| {
            let class = kept[at].class;
            let plain = |c: &&Candidate| c.class.contains(class) && c.first <= i && i <= c.last;
            let free =
                !kept.iter().enumerate().any(|(n, k)| n != at && k.first <= i && i <= k.last && k.class.rivals(class));
            free && containers.iter().filter(plain).any(|c| windows[i].score(c.class) >= options.on)
        };
        let (first, last) = (kept[at].first, kept[at].last);
        let earlier = (1..=options.grow).take_while(|n| first.checked_sub(*n).is_some_and(held)).count();
        let later = (1..=options.grow).take_while(|n| last + n < windows.len() && held(last + n)).count();
        (kept[at].first, kept[at].last) = (first - earlier, last + later);
    }
}

/// Whether `strong` says better what `weak` says.
fn outdoes(strong: &Candidate, weak: &Candidate, windows: &[Window], options: &SoundOptions) -> bool {
    let Some((first, last)) = strong.common(weak) else { return false };
    if ((last + 1 - first) as f64) < options.rival * weak.windows() as f64 {
        return false;
    }
    let there = &windows[first..=last];
    let (ours, theirs) = (support(strong.class, there), support(weak.class, there));
    match weak.class.kind() {
        Kind::Manner if strong.class.kind() != Kind::Manner => ours >= options.manner * theirs,
        Kind::Manner => ours.total_cmp(&theirs) != Ordering::Less,
        // What is heard less on the whole has to be much plainer where it is heard.
        _ => strong.class.rivals(weak.class) && ours >= options.rival_share * theirs,
    }
}

/// The most specific class within `class` that is nearly as well supported, and its support.
pub(super) fn name(class: Class, windows: &[Window], options: &SoundOptions) -> (Class, f32) {
    let mut at = (class, support(class, windows));
    loop {
        let best =
            at.0.children().map(|c| (c, support(c, windows))).max_by(|a, b| a.1.total_cmp(&b.1).then(b.0.cmp(&a.0)));
        match best {
            Some(inner) if inner.1 > 0.0 && inner.1 >= options.specific * at.1 && at.0.kind() != Kind::Container => {
                at = inner
            }
            _ => return at,
        }
    }
}
