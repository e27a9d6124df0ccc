//! Agglomerative clustering of voice prints by average linkage, bounded for hours of speech.
//!
//! The mean cosine between two groups is the product of their mean vectors, so groups stand for their members exactly:
//! what was clustered block by block can be clustered again without going back to the prints.

use std::collections::BTreeMap;

/// What is added to the cosine of two prints, the smaller index first.
pub(super) type Relations = BTreeMap<(usize, usize), f32>;

/// Items clustered at once (a quarter of an hour of speech): memory grows with its square, time with its cube.
const BLOCK: usize = 512;

/// Prints that are one voice so far.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Item {
    /// Indices of the prints, rising.
    pub(super) members: Vec<usize>,
    /// Weight of each member, alike ordered.
    weights: Vec<f32>,
    /// Sum of the vectors by weight.
    sum: Vec<f32>,
    /// Sum of the weights.
    pub(super) weight: f32,
}

impl Item {
    /// One print of a weight above 0.
    pub(super) fn new(print: usize, vector: &[f32], weight: f32) -> Self {
        let weight = weight.max(1e-3);
        Self { members: vec![print], weights: vec![weight], sum: vector.iter().map(|v| v * weight).collect(), weight }
    }

    /// The sum as a vector of length 1.
    pub(super) fn direction(&self) -> Vec<f32> {
        let norm = dot(&self.sum, &self.sum).sqrt().max(f32::MIN_POSITIVE);
        self.sum.iter().map(|v| v / norm).collect()
    }

    /// Mean cosine between members of both.
    fn cosine(&self, other: &Self) -> f32 {
        dot(&self.sum, &other.sum) / (self.weight * other.weight)
    }

    fn join(&mut self, other: Self) {
        let mut all: Vec<(usize, f32)> = self.members.iter().copied().zip(self.weights.iter().copied()).collect();
        all.extend(other.members.into_iter().zip(other.weights));
        all.sort_by_key(|(member, _)| *member);
        (self.members, self.weights) = all.into_iter().unzip();
        self.sum.iter_mut().zip(&other.sum).for_each(|(a, b)| *a += b);
        self.weight += other.weight;
    }
}

/// The scalar product.
pub(super) fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

/// Joins items until no two have a mean similarity of at least `threshold`; in order of their first members.
pub(super) fn cluster(mut items: Vec<Item>, relations: &Relations, threshold: f32) -> Vec<Item> {
    while items.len() > BLOCK {
        let before = items.len();
        items = items.chunks(BLOCK).flat_map(|block| agglomerate(block.to_vec(), relations, threshold)).collect();
        items.sort_by_key(|i| i.members[0]);
        // Voices that nothing joins any more: the longest ones decide, the others go to the nearest.
        if items.len() > BLOCK && items.len() * 10 > before * 9 {
            items.sort_by(|a, b| b.weight.total_cmp(&a.weight).then(a.members[0].cmp(&b.members[0])));
            let rest = items.split_off(BLOCK);
            for item in rest {
                if let Some(near) = nearest(&items, &item, None) {
                    items[near].join(item);
                }
            }
        }
    }
    let mut items = agglomerate(items, relations, threshold);
    items.sort_by_key(|i| i.members[0]);
    items
}

/// Items of less weight than `below` join the nearest heavier one with a mean cosine of at least `least`.
pub(super) fn absorb(items: &mut Vec<Item>, below: f32, least: f32) {
    let (mut heavy, light): (Vec<Item>, Vec<Item>) = items.drain(..).partition(|i| i.weight >= below);
    let mut alone = Vec::new();
    for item in light {
        match nearest(&heavy, &item, Some(least)) {
            Some(near) => heavy[near].join(item),
            None => alone.push(item),
        }
    }
    items.extend(heavy.into_iter().chain(alone));
    items.sort_by_key(|i| i.members[0]);
}

fn nearest(items: &[Item], item: &Item, least: Option<f32>) -> Option<usize> {
    let cosines: Vec<f32> = items.iter().map(|i| i.cosine(item)).collect();
    let best = (0..items.len()).max_by(|&a, &b| cosines[a].total_cmp(&cosines[b]).then(b.cmp(&a)))?;
    least.is_none_or(|l| cosines[best] >= l).then_some(best)
}

/// Average linkage over a full matrix of similarities; ties go to the earliest pair.
fn agglomerate(items: Vec<Item>, relations: &Relations, threshold: f32) -> Vec<Item> {
    let n = items.len();
    let mut similar = vec![f32::NEG_INFINITY; n * n];
    for i in 0..n {
        for j in i + 1..n {
            similar[i * n + j] = items[i].cosine(&items[j]);
        }
    }
    let owner: BTreeMap<usize, (usize, f32)> = items
        .iter()
        .enumerate()
        .flat_map(|(i, item)| item.members.iter().zip(&item.weights).map(move |(m, w)| (*m, (i, *w))))
        .collect();
    for ((a, b), nudge) in relations {
        if let (Some((i, u)), Some((j, v))) = (owner.get(a), owner.get(b))
            && i != j
        {
            let (low, high) = (*i.min(j), *i.max(j));
            similar[low * n + high] += nudge * u * v / (items[*i].weight * items[*j].weight);
        }
    }
    let mut items: Vec<Option<Item>> = items.into_iter().map(Some).collect();
    let at = |a: usize, b: usize| a.min(b) * n + a.max(b);
    loop {
        let mut best = (threshold, None);
        for i in (0..n).filter(|&i| items[i].is_some()) {
            for j in i + 1..n {
                let s = similar[i * n + j];
                if s > best.0 || (s == threshold && best.1.is_none()) {
                    best = (s, Some((i, j)));
                }
            }
        }
        let Some((i, j)) = best.1 else { break };
        let Some(later) = items[j].take() else { break };
        let Some(item) = items[i].as_mut() else { break };
        let (u, v) = (item.weight, later.weight);
        item.join(later);
        for k in (0..n).filter(|&k| k != i && k != j) {
            similar[at(i, k)] = (similar[at(i, k)] * u + similar[at(j, k)] * v) / (u + v);
            similar[at(j, k)] = f32::NEG_INFINITY;
        }
        similar[i * n + j] = f32::NEG_INFINITY;
    }
    items.into_iter().flatten().collect()
}
