//! Answering: full text and vectors ranked apart, fused, narrowed down, joined into hits.

use std::collections::{HashMap, HashSet};

use rusqlite::{Connection, OptionalExtension as _, params, params_from_iter, types::Value};
use tempograph_core::{Claim, Error, ErrorKind, MediaTime, Observation, Result, Span};

use super::{
    Hit, Kind, Match, Query, QueryVector, Thumbnail,
    frames::Seen,
    index::current,
    moments::{Details, tag},
    rank,
    vectors::VectorFile,
    words::{self, Asked, CLOSE, OPEN},
};
use crate::{Library, VideoRecord, library::store_error};

/// Hits a question may ask for.
const MAX_LIMIT: usize = 1000;
/// Phrases that each way of ranking gives for each hit that is wanted: joining hits of one moment takes some away.
const PHRASES_PER_HIT: usize = 5;
/// And at least so many.
const MIN_PHRASES: usize = 100;
/// Moments of one phrase that are looked at for each hit that is wanted.
const MOMENTS_PER_HIT: usize = 3;
/// Rows that a list without a question reads first for each hit that is wanted.
const ROWS_PER_HIT: usize = 2;
/// As many times more rows it reads where they make too few hits: what was read before is little beside it.
const ROWS_GROW: usize = 4;
/// The pictures of a scene lie half a second apart; one further away shows something else.
const NEAR_PICTURE: MediaTime = MediaTime::from_millis(2_000);
/// Media time of one unit of a stage.
const UNIT: MediaTime = MediaTime::from_millis(10_000);

/// What a frame is called: there are no words for what it shows.
const FRAME: &str = "a frame";

/// What the rankings name.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Item {
    /// The moments of a phrase, by its id.
    Phrase(i64),
    /// A frame, by its rank.
    Frame(usize),
}

/// A moment as it lies in the database.
struct Row {
    video: VideoRecord,
    kind: Kind,
    span: Span,
    confidence: f32,
    text: String,
    details: Details,
}

impl Library {
    /// The moments that answer `query`, best first; `vector` is its text as a vector, where there is a model.
    ///
    /// A text without words finds nothing.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`] when there is neither a text nor a filter; when the database or the file of vectors cannot
    /// be read.
    pub fn search(&self, query: &Query, vector: Option<&QueryVector>) -> Result<Vec<Hit>> {
        let limit = query.limit.clamp(1, MAX_LIMIT);
        let filter = Filter::of(query);
        let connection = self.connection();
        if query.text.trim().is_empty() {
            if filter.sql.is_empty() {
                return Err(Error::new(ErrorKind::Usage, "there is nothing to search for").with_hint(
                    "say what to look for, or narrow down by `--label`, `--speaker`, `--event` or `--kind`",
                ));
            }
            return self.listed(&connection, &filter, limit);
        }
        let Some(asked) = words::asked(&query.text) else { return Ok(Vec::new()) };
        let wanted = (limit * PHRASES_PER_HIT).max(MIN_PHRASES);
        let mut allowed = Allowed::new(&filter, &connection);
        let (worded, exact) = by_words(&connection, &asked, &mut allowed, wanted)?;
        let close = self.by_meaning(&connection, vector, query.min_cosine, &mut allowed, wanted)?;
        let seen = self.by_looks(&connection, query, 2 * limit)?;
        let phrases = |ids: &mut dyn Iterator<Item = i64>| ids.map(Item::Phrase).collect::<Vec<_>>();
        let (worded, close_ids) = (phrases(&mut worded.into_iter()), phrases(&mut close.iter().map(|c| c.0)));
        let frames: Vec<Item> = (0..seen.len()).map(Item::Frame).collect();
        let cosines: HashMap<i64, f32> = close.into_iter().collect();

        let mut hits: Vec<Hit> = Vec::new();
        // Words that stand as they were asked are a reason of their own.
        for (item, score) in rank::fused(&[&worded, &worded[..exact], &close_ids, &frames]) {
            // Ranks only fall: what comes now cannot overtake, though it may join a hit.
            if hits.len() >= 2 * limit {
                break;
            }
            match item {
                Item::Frame(n) => rank::join(&mut hits, shown(&seen[n], score)),
                Item::Phrase(phrase) => {
                    for row in filter.moments(&connection, phrase, limit * MOMENTS_PER_HIT)? {
                        rank::join(&mut hits, hit(row, score, cosines.get(&phrase).copied()));
                    }
                }
            }
        }
        rank::sort(&mut hits);
        hits.truncate(limit);
        for hit in &mut hits {
            mark(&connection, hit, &asked)?;
            hit.thumbnail = thumbnail(&connection, &hit.video.id, hit.at_s)?;
        }
        Ok(hits)
    }

    /// What the filter lets through, in order of time.
    fn listed(&self, connection: &Connection, filter: &Filter, limit: usize) -> Result<Vec<Hit>> {
        let order = "run.video, moment.starts, moment.id";
        let mut wanted = limit * ROWS_PER_HIT;
        // How many rows make one hit is not known before they are read.
        let mut hits = loop {
            let rows = filter.rows(connection, &filter.sql, order, Vec::new(), wanted)?;
            let last = rows.len() < wanted;
            let mut hits = Vec::new();
            for row in rows {
                rank::join(&mut hits, hit(row, 0.0, None));
                // One more than is wanted says that the last one of those is whole.
                hits.truncate(limit + 1);
            }
            if last || hits.len() > limit {
                break hits;
            }
            wanted = wanted.saturating_mul(ROWS_GROW);
        };
        hits.truncate(limit);
        for hit in &mut hits {
            hit.thumbnail = thumbnail(connection, &hit.video.id, hit.at_s)?;
        }
        Ok(hits)
    }

    /// Phrases close in meaning with their cosines, closest first.
    fn by_meaning(
        &self,
        connection: &Connection,
        vector: Option<&QueryVector>,
        min_cosine: f32,
        allowed: &mut Allowed<'_>,
        wanted: usize,
    ) -> Result<Vec<(i64, f32)>> {
        let Some(vector) = vector.filter(|v| v.vector.len() == v.space.dims) else { return Ok(Vec::new()) };
        if current(connection)?.as_ref() != Some(&vector.space) {
            return Ok(Vec::new());
        }
        let file = VectorFile::new(self.root(), &vector.space.model, vector.space.dims);
        let scores = file.scores(&vector.vector)?;
        let mut near: Vec<(usize, f32)> =
            scores.into_iter().enumerate().filter(|(_, score)| *score >= min_cosine).collect();
        near.sort_unstable_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        let failed = store_error("search");
        let mut phrase = connection.prepare_cached("SELECT id FROM phrase WHERE position = ?1").map_err(&failed)?;
        let mut close = Vec::new();
        for (position, score) in near {
            let id: Option<i64> = phrase.query_row([position as i64], |row| row.get(0)).optional().map_err(&failed)?;
            if let Some(id) = id
                && allowed.lets(id)?
            {
                close.push((id, score));
                if close.len() >= wanted {
                    break;
                }
            }
        }
        Ok(close)
    }
}

/// Phrases with the words, best first: those with all of them next to each other, whose number comes second, those with
/// all of them, those with any.
fn by_words(
    connection: &Connection,
    asked: &Asked,
    allowed: &mut Allowed<'_>,
    wanted: usize,
) -> Result<(Vec<i64>, usize)> {
    let failed = store_error("search");
    let mut found: Vec<i64> = Vec::new();
    let mut seen = HashSet::new();
    let mut exact = 0;
    for question in std::iter::once(&asked.phrase).chain(&asked.all).chain(&asked.any) {
        if found.len() >= wanted {
            break;
        }
        let mut statement = connection
            .prepare_cached("SELECT rowid FROM phrase_terms WHERE phrase_terms MATCH ?1 ORDER BY rank")
            .map_err(&failed)?;
        let mut rows = statement.query([question]).map_err(&failed)?;
        while let Some(row) = rows.next().map_err(&failed)? {
            let id: i64 = row.get(0).map_err(&failed)?;
            if seen.insert(id) && allowed.lets(id)? {
                found.push(id);
                if found.len() >= wanted {
                    break;
                }
            }
        }
        if std::ptr::eq(question, &asked.phrase) && asked.all.is_some() {
            exact = found.len();
        }
    }
    Ok((found, exact))
}

fn hit(row: Row, score: f64, similarity: Option<f32>) -> Hit {
    let Row { video, kind, span, confidence, text, details } = row;
    let Details { speaker, labels, event, .. } = details.clone();
    let highlights = Vec::new();
    let found = Match { kind, text, highlights, similarity, span, confidence, speaker, labels, event };
    Hit { video, span, at_s: span.start, score, matches: vec![found], thumbnail: None, words: details.words }
}

/// A frame as a hit. Surer ones of equal score come first: its likeness is no certainty.
fn shown(seen: &Seen, score: f64) -> Hit {
    let found = Match {
        kind: Kind::Frame,
        text: FRAME.to_owned(),
        highlights: Vec::new(),
        similarity: Some(seen.cosine),
        span: seen.span,
        confidence: seen.cosine.clamp(0.0, 1.0),
        speaker: None,
        labels: Vec::new(),
        event: None,
    };
    let (video, span) = (seen.video.clone(), seen.span);
    Hit { video, span, at_s: span.start, score, matches: vec![found], thumbnail: None, words: Vec::new() }
}

/// Marks the words of the question in each text, and begins the hit where they are spoken.
fn mark(connection: &Connection, hit: &mut Hit, asked: &Asked) -> Result<()> {
    for (i, found) in hit.matches.iter_mut().enumerate().filter(|(_, found)| found.kind != Kind::Frame) {
        // Next to each other is what was meant, where there is such a place.
        let mut ranges = marked(connection, &found.text, &asked.phrase)?;
        if ranges.is_empty()
            && let Some(any) = &asked.any
        {
            ranges = marked(connection, &found.text, any)?;
        }
        if i == 0
            && let Some(&(first, _)) = densest(&ranges)
            && let Some((_, millis)) = hit.words.iter().rev().find(|(at, _)| *at <= first)
        {
            hit.at_s = MediaTime::from_millis(*millis);
        }
        found.highlights = ranges;
    }
    Ok(())
}

fn marked(connection: &Connection, text: &str, question: &str) -> Result<Vec<(u32, u32)>> {
    let failed = store_error("search");
    let row: Option<String> = connection
        .prepare_cached(
            "SELECT highlight(phrase_terms, 0, ?3, ?4) FROM phrase_terms
             WHERE rowid = (SELECT id FROM phrase WHERE text = ?1) AND phrase_terms MATCH ?2",
        )
        .and_then(|mut s| {
            s.query_row(params![text, question, OPEN.to_string(), CLOSE.to_string()], |row| row.get(0)).optional()
        })
        .map_err(&failed)?;
    Ok(row.map(|marked| words::marks(text, &marked)).unwrap_or_default())
}

/// Of several matched places the one that most others follow closely.
fn densest(ranges: &[(u32, u32)]) -> Option<&(u32, u32)> {
    /// Characters: a dozen words.
    const NEAR: u32 = 60;
    let followers = |r: &(u32, u32)| ranges.iter().filter(|o| o.0 >= r.0 && o.0 - r.0 <= NEAR).count();
    // Of equals the first.
    ranges.iter().rev().max_by_key(|r| followers(r))
}

/// The picture nearest to `at`.
fn thumbnail(connection: &Connection, video: &str, at: MediaTime) -> Result<Option<Thumbnail>> {
    let failed = store_error("find a picture");
    let stage: Option<String> = connection
        .prepare_cached(
            "SELECT key FROM stage WHERE video = ?1 AND name = 'thumbnails' ORDER BY complete DESC, started DESC LIMIT 1",
        )
        .and_then(|mut s| s.query_row([video], |row| row.get(0)).optional())
        .map_err(&failed)?;
    let Some(stage) = stage else { return Ok(None) };
    // Units follow media time, from wherever the video's clock begins.
    let claims = |number: i64| -> Result<Vec<Observation>> {
        let text: Option<String> = connection
            .prepare_cached("SELECT claims FROM unit WHERE stage = ?1 AND number = ?2")
            .and_then(|mut s| s.query_row(params![stage, number], |row| row.get(0)).optional())
            .map_err(&failed)?;
        Ok(text.iter().flat_map(|t| t.lines()).filter_map(|line| serde_json::from_str(line).ok()).collect())
    };
    let first = claims(0)?.first().map_or(MediaTime::ZERO, |o| o.span.start);
    let number = (at - first).nanos().max(0) / UNIT.nanos();
    let mut nearest: Option<(MediaTime, Thumbnail)> = None;
    for number in number.saturating_sub(1)..=number + 1 {
        for observation in claims(number)? {
            let Claim::Thumbnail { object, offset, len } = observation.claim else { continue };
            let distance = observation.span.start.abs_diff(at);
            if distance <= NEAR_PICTURE && nearest.as_ref().is_none_or(|(best, _)| distance < *best) {
                nearest = Some((distance, Thumbnail { object, offset, len }));
            }
        }
    }
    Ok(nearest.map(|(_, picture)| picture))
}

/// Which phrases have a moment that a filter lets through.
struct Allowed<'a> {
    filter: &'a Filter,
    connection: &'a Connection,
    asked: HashMap<i64, bool>,
    all: Option<HashSet<i64>>,
}

impl<'a> Allowed<'a> {
    /// Phrases asked for one by one, 20 µs each, before it is cheaper to list those of a strict filter.
    const ONE_BY_ONE: usize = 1000;

    fn new(filter: &'a Filter, connection: &'a Connection) -> Self {
        Self { filter, connection, asked: HashMap::new(), all: None }
    }

    fn lets(&mut self, phrase: i64) -> Result<bool> {
        if self.filter.sql.is_empty() {
            return Ok(true);
        }
        if self.all.is_none() && self.asked.len() >= Self::ONE_BY_ONE {
            self.all = Some(self.filter.phrases(self.connection)?);
        }
        if let Some(all) = &self.all {
            return Ok(all.contains(&phrase));
        }
        if let Some(&known) = self.asked.get(&phrase) {
            return Ok(known);
        }
        let lets = self.filter.lets(self.connection, phrase)?;
        self.asked.insert(phrase, lets);
        Ok(lets)
    }
}

/// What of a query narrows down, as conditions on `moment` and `run`.
struct Filter {
    /// To go through everything that is let through.
    sql: String,
    /// The same, with the same values, to judge moments one by one.
    each: String,
    values: Vec<Value>,
}

impl Filter {
    fn of(query: &Query) -> Self {
        let mut filter = Self { sql: String::new(), each: String::new(), values: Vec::new() };
        filter.any("run.video", query.videos.iter().cloned());
        filter.any("moment.kind", query.kinds.iter().map(|k| k.as_str().to_owned()));
        for (name, values) in [("label", &query.labels), ("speaker", &query.speakers), ("event", &query.events)] {
            if !values.is_empty() {
                filter.sql += " AND moment.id IN (SELECT moment FROM moment_tag WHERE TRUE";
                filter.each += " AND EXISTS (SELECT 1 FROM moment_tag WHERE moment = moment.id";
                filter.any("tag", values.iter().map(|v| tag(name, v)));
                filter.sql.push(')');
                filter.each.push(')');
            }
        }
        if let Some(from) = query.from {
            filter.and(" AND moment.ends > ?", from.nanos());
        }
        if let Some(to) = query.to {
            filter.and(" AND moment.starts < ?", to.nanos());
        }
        filter
    }

    fn any(&mut self, column: &str, values: impl Iterator<Item = String>) {
        let before = self.values.len();
        self.values.extend(values.map(Value::from));
        let count = self.values.len() - before;
        if count > 0 {
            let condition = format!(" AND {column} IN ({})", vec!["?"; count].join(", "));
            self.sql += &condition;
            self.each += &condition;
        }
    }

    fn and(&mut self, condition: &str, value: i64) {
        self.sql += condition;
        self.each += condition;
        self.values.push(value.into());
    }

    /// Whether it lets a moment of `phrase` through.
    fn lets(&self, connection: &Connection, phrase: i64) -> Result<bool> {
        let failed = store_error("search");
        let sql = format!(
            "SELECT EXISTS (SELECT 1 FROM moment JOIN run ON run.id = moment.run WHERE moment.phrase = ?{})",
            self.each
        );
        let values = std::iter::once(Value::from(phrase)).chain(self.values.iter().cloned());
        connection
            .prepare_cached(&sql)
            .and_then(|mut s| s.query_row(params_from_iter(values), |row| row.get(0)))
            .map_err(&failed)
    }

    /// The phrases of the moments it lets through.
    fn phrases(&self, connection: &Connection) -> Result<HashSet<i64>> {
        let failed = store_error("search");
        let sql =
            format!("SELECT DISTINCT moment.phrase FROM moment JOIN run ON run.id = moment.run WHERE TRUE{}", self.sql);
        let mut statement = connection.prepare_cached(&sql).map_err(&failed)?;
        let rows = statement.query_map(params_from_iter(&self.values), |row| row.get(0)).map_err(&failed)?;
        rows.collect::<Result<_, _>>().map_err(&failed)
    }

    /// The moments of a phrase that it lets through, surest first.
    fn moments(&self, connection: &Connection, phrase: i64, limit: usize) -> Result<Vec<Row>> {
        let order = "moment.confidence DESC, moment.id";
        let conditions = format!(" AND moment.phrase = ?{}", self.each);
        self.rows(connection, &conditions, order, vec![phrase.into()], limit)
    }

    fn rows(
        &self,
        connection: &Connection,
        conditions: &str,
        order: &str,
        mut values: Vec<Value>,
        limit: usize,
    ) -> Result<Vec<Row>> {
        let failed = store_error("search");
        let sql = format!(
            "SELECT run.video, video.uri, moment.kind, moment.starts, moment.ends, moment.confidence, phrase.text,
                    moment.details
             FROM moment JOIN run ON run.id = moment.run JOIN video ON video.id = run.video
                  JOIN phrase ON phrase.id = moment.phrase
             WHERE TRUE{conditions} ORDER BY {order} LIMIT ?"
        );
        values.extend(self.values.iter().cloned());
        values.push((limit as i64).into());
        let mut statement = connection.prepare_cached(&sql).map_err(&failed)?;
        let mut rows = statement.query(params_from_iter(values)).map_err(&failed)?;
        let mut out = Vec::new();
        while let Some(row) = rows.next().map_err(&failed)? {
            let text = |i: usize| row.get::<_, String>(i).map_err(&failed);
            let time = |i: usize| row.get(i).map(MediaTime::from_nanos).map_err(&failed);
            let damaged = || Error::new(ErrorKind::InvalidData, "a moment of the index is damaged");
            out.push(Row {
                video: VideoRecord { id: text(0)?, uri: text(1)? },
                kind: Kind::from_name(&text(2)?).ok_or_else(damaged)?,
                span: Span::new(time(3)?, time(4)?),
                confidence: row.get(5).map_err(&failed)?,
                text: text(6)?,
                details: serde_json::from_str(&text(7)?).map_err(|_| damaged())?,
            });
        }
        Ok(out)
    }
}
