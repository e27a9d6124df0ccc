//! Who a model means: tracks by their id, else by label, time and position, else somebody new with evidence.

use std::collections::{BTreeMap, BTreeSet};

use tempograph_core::{
    MediaTime, Span, Timeline, ToldEntity, WindowTold,
    timeline::{Entity, Told},
};

use super::Refused;
use crate::ask::{context::Places, windows};

/// What models say of one entity at most: later windows add little.
const MAX_TOLD: usize = 4;
/// Entities that only models speak of, in all.
const MAX_NEW: usize = 200;
/// Share of words that two descriptions have in common when they mean the same.
const SAME_WORDS: f64 = 0.3;
/// How long an entity that only models speak of may be out of sight.
const OUT_OF_SIGHT: MediaTime = MediaTime::from_millis(10_000);

/// Who the names of one window mean: ids of entities.
pub(super) type Names = BTreeMap<String, String>;

/// Entities that only models speak of, over all windows.
#[derive(Debug, Default)]
pub(super) struct Cast {
    /// Positions in the timeline's entities.
    new: Vec<usize>,
    /// What the names of each window mean, for windows that were answered with another's answer.
    names: BTreeMap<u32, Names>,
}

/// The number of a track that `id` names: `T7`, `t7` or `7`.
pub(super) fn track_id(id: &str) -> Option<u32> {
    id.trim().trim_start_matches(['T', 't']).parse().ok()
}

impl Cast {
    /// Takes the entities of one window into `timeline`; says who its names mean.
    pub(super) fn take(
        &mut self,
        timeline: &mut Timeline,
        span: Span,
        told: &WindowTold,
        places: &Places,
        refused: &mut Refused,
    ) -> Names {
        let mut names = Names::new();
        let carried = told.same_as.is_some();
        let here: Vec<(u32, Span, String, String)> = timeline
            .tracks
            .iter()
            .filter(|t| t.span.intersect(span).is_some() || span.contains(t.span.start))
            .filter_map(|t| Some((t.id, t.span, t.label.clone(), t.entity.clone()?)))
            .collect();
        if !carried {
            // Ids of tracks hold within the window that was asked about.
            for (id, _, _, entity) in &here {
                names.insert(format!("T{id}"), entity.clone());
            }
        }
        let mut open: Vec<&ToldEntity> = Vec::new();
        let mut meant: BTreeSet<String> = BTreeSet::new();
        for entity in &told.entities {
            let known = track_id(&entity.id).and_then(|id| names.get(&format!("T{id}"))).cloned();
            match known {
                Some(id) => {
                    names.insert(entity.id.clone(), id.clone());
                    describe(timeline, &id, entity, told);
                    meant.insert(id);
                }
                None => open.push(entity),
            }
        }
        let mut pairs: Vec<(f64, usize, usize)> = Vec::new();
        for (e, entity) in open.iter().enumerate() {
            for (t, (id, at, label, _)) in here.iter().enumerate() {
                pairs.extend(likeness(entity, *id, *at, label, span, places).map(|score| (score, e, t)));
            }
        }
        pairs.sort_by(|a, b| b.0.total_cmp(&a.0).then((a.1, a.2).cmp(&(b.1, b.2))));
        let mut matched: BTreeMap<usize, String> = BTreeMap::new();
        for (_, e, t) in pairs {
            let id = &here[t].3;
            if !matched.contains_key(&e) && !meant.contains(id) {
                matched.insert(e, id.clone());
                meant.insert(id.clone());
            }
        }
        for (e, entity) in open.iter().enumerate() {
            let id = match matched.remove(&e) {
                Some(id) => {
                    describe(timeline, &id, entity, told);
                    Some(id)
                }
                None if carried => self.still_there(timeline, span, told, entity),
                None => self.newcomer(timeline, span, told, entity, refused),
            };
            if let Some(id) = id {
                names.insert(entity.id.clone(), id);
            }
        }
        self.names.insert(told.window, names.clone());
        names
    }

    /// Somebody no track covers, if there is evidence: frames that the model was shown.
    fn newcomer(
        &mut self,
        timeline: &mut Timeline,
        span: Span,
        told: &WindowTold,
        entity: &ToldEntity,
        refused: &mut Refused,
    ) -> Option<String> {
        // A number of a track that is not there is made up, whatever is said of it.
        if told.frames_s.is_empty() || entity.label.trim().is_empty() || track_id(&entity.id).is_some() {
            refused.ids.push(format!("{} ({})", entity.id, windows::id(told.window)));
            return None;
        }
        let seen = Span::new(
            told.frames_s.first().copied().unwrap_or(span.start).clamp(span.start, span.end),
            told.frames_s.last().copied().unwrap_or(span.end).clamp(span.start, span.end),
        );
        let same = self.new.iter().copied().find(|&i| {
            let known = &timeline.entities[i];
            known.kind == entity.label
                && Span::new(known.first_seen_s, known.last_seen_s).gap(span) <= OUT_OF_SIGHT
                && known.told.first().is_none_or(|t| t.window != windows::id(told.window))
                && known.told.last().is_none_or(|t| t.window != windows::id(told.window))
                && alike(&known.description, &entity.description)
        });
        if let Some(i) = same {
            let known = &mut timeline.entities[i];
            known.first_seen_s = known.first_seen_s.min(seen.start);
            known.last_seen_s = known.last_seen_s.max(seen.end);
            let id = known.id.clone();
            tell(known, entity, told);
            return Some(id);
        }
        if self.new.len() >= MAX_NEW {
            refused.crowd.push(entity.label.clone());
            return None;
        }
        let id = free_id(timeline);
        let described = !entity.description.trim().is_empty();
        let mut new = Entity {
            id: id.clone(),
            kind: entity.label.clone(),
            description: if described { entity.description.clone() } else { entity.label.clone() },
            first_seen_s: seen.start,
            last_seen_s: seen.end,
            tracks: Vec::new(),
            speakers: Vec::new(),
            origin: "vlm".to_owned(),
            told: Vec::new(),
        };
        tell(&mut new, entity, told);
        self.new.push(timeline.entities.len());
        timeline.entities.push(new);
        Some(id)
    }

    /// Whoever only a model spoke of in the window that looks like this one is still there.
    fn still_there(
        &self,
        timeline: &mut Timeline,
        span: Span,
        told: &WindowTold,
        entity: &ToldEntity,
    ) -> Option<String> {
        let id = self.names.get(&told.same_as?)?.get(&entity.id)?.clone();
        let known = self.new.iter().map(|&i| &timeline.entities[i]).find(|e| e.id == id)?;
        // Long gone, it is not known to be the same.
        if Span::new(known.first_seen_s, known.last_seen_s).gap(span) > OUT_OF_SIGHT {
            return None;
        }
        let known = timeline.entities.iter_mut().find(|e| e.id == id)?;
        known.last_seen_s = known.last_seen_s.max(span.end);
        Some(id)
    }
}

/// How well what is told fits a track, when it may: label, the time they share, and the third of the picture.
fn likeness(told: &ToldEntity, track: u32, at: Span, label: &str, window: Span, places: &Places) -> Option<f64> {
    if !same_label(&told.label, label) {
        return None;
    }
    let span = told.span.intersect(window).unwrap_or(window);
    let both = at.intersect(span).map_or(0.0, |s| s.duration().as_secs_f64());
    let time = both / span.duration().as_secs_f64().max(1e-9);
    let thirds = places.thirds(track, span);
    let place = match told.position {
        Some(_) if thirds.is_empty() => 0.5,
        Some(third) if thirds.contains(&third) => 1.0,
        Some(_) => return None,
        None => 0.5,
    };
    Some(time + place)
}

/// Words for people that detectors call `person`.
const PEOPLE: [&str; 10] = ["man", "woman", "boy", "girl", "child", "pedestrian", "people", "men", "women", "human"];

/// Whether two labels name one class.
pub(super) fn same_label(a: &str, b: &str) -> bool {
    let class = |label: &str| {
        let label = label.trim().to_lowercase();
        let label = label.rsplit(' ').next().unwrap_or_default().to_owned();
        if PEOPLE.contains(&label.as_str()) || label == "persons" { "person".to_owned() } else { label }
    };
    let (a, b) = (class(a), class(b));
    !a.is_empty() && (a == b || a.strip_suffix('s') == Some(&b) || b.strip_suffix('s') == Some(&a))
}

/// Adds a model's words to an entity that was measured.
fn describe(timeline: &mut Timeline, id: &str, told: &ToldEntity, window: &WindowTold) {
    if let Some(entity) = timeline.entities.iter_mut().find(|e| e.id == id) {
        let differs = !told.label.is_empty() && !same_label(&told.label, &entity.kind);
        if window.same_as.is_none() && (differs || !told.description.trim().is_empty()) {
            tell(entity, told, window);
        }
    }
}

fn tell(entity: &mut Entity, told: &ToldEntity, window: &WindowTold) {
    let news = |t: &Told| !same_label(&t.label, &told.label) || !alike(&t.description, &told.description);
    if entity.told.len() < MAX_TOLD && entity.told.iter().all(news) {
        entity.told.push(Told {
            label: told.label.clone(),
            description: told.description.clone(),
            origin: window.model.clone(),
            window: windows::id(window.window),
        });
    }
}

/// Whether two descriptions may mean the same: one says nothing, or they share words.
fn alike(a: &str, b: &str) -> bool {
    let words = |text: &str| -> BTreeSet<String> {
        let lower = text.to_lowercase();
        lower.split(|c: char| !c.is_alphanumeric()).filter(|w| w.len() > 2).map(str::to_owned).collect()
    };
    let (a, b) = (words(a), words(b));
    if a.is_empty() || b.is_empty() {
        return true;
    }
    a.intersection(&b).count() as f64 >= SAME_WORDS * a.union(&b).count() as f64
}

/// The next id that no entity has.
fn free_id(timeline: &Timeline) -> String {
    let last = timeline.entities.iter().filter_map(|e| e.id.strip_prefix('E')?.parse::<u64>().ok()).max();
    format!("E{}", last.unwrap_or(0).saturating_add(1))
}
