// Data, time and the few helpers every part uses. Text enters the page as text nodes only.
const D = JSON.parse(document.getElementById('data').textContent);
const T = D.timeline, V = T.video, START = V.start_s;
// Players stretch pixels that are not square; boxes count stored ones.
const PIXEL = V.pixel_aspect || 1, SHOWN_WIDTH = V.width * PIXEL;
const lastEnd = [...T.scenes, ...T.tracks, ...T.audio_events, ...T.visual_events].reduce((m, x) => Math.max(m, x.end_s - START), 0);
const DUR = Math.max(V.duration_s || lastEnd, 0.001);
const NO_MOTION = matchMedia('(prefers-reduced-motion: reduce)');
const $ = (id) => document.getElementById(id);

function el(tag, attrs, ...kids) {
  const svg = ['svg', 'g', 'line', 'circle', 'rect', 'path', 'text', 'title', 'defs', 'marker'].includes(tag);
  const node = svg ? document.createElementNS('http://www.w3.org/2000/svg', tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attrs || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith('on')) node.addEventListener(name.slice(2), value);
    else if (name.startsWith('--')) node.style.setProperty(name, value);
    else node.setAttribute(name, value === true ? '' : value);
  }
  node.append(...kids.flat().filter((k) => k !== null && k !== undefined));
  return node;
}

const pad = (n) => String(n).padStart(2, '0');
function clock(t, digits = 0) {
  const unit = 10 ** digits, all = Math.max(0, Math.round(t * unit)), s = Math.floor(all / unit);
  const part = digits ? '.' + String(all % unit).padStart(digits, '0') : '';
  const h = Math.floor(s / 3600), m = Math.floor(s / 60) % 60;
  return (h ? h + ':' + pad(m) : m) + ':' + pad(s % 60) + part;
}
const length = (s) => (s < 10 ? s.toFixed(1) + ' s' : s < 100 ? Math.round(s) + ' s' : clock(s));
const bytes = (n) => (n >= 1e9 ? (n / 1e9).toFixed(2) + ' GB' : n >= 1e6 ? (n / 1e6).toFixed(1) + ' MB' : Math.round(n / 1e3) + ' kB');
const percent = (x) => Math.round(x * 100) + ' %';
const css = (x) => Math.round(x * 100) + '%';
const range = (x) => clock(x.start_s - START, 1) + ' – ' + clock(x.end_s - START, 1);
const words = (s) => String(s).replaceAll('_', ' ');
const capital = (s) => s.charAt(0).toUpperCase() + s.slice(1);
const hue = (n) => (n * 137.508 + 205) % 360;

// Index of the last entry of sorted `list` whose `key` is not after `t`, or -1.
function lastAt(list, t, key) {
  let lo = 0, hi = list.length;
  while (lo < hi) {
    const mid = (lo + hi) >> 1;
    if (key(list[mid]) <= t) lo = mid + 1; else hi = mid;
  }
  return lo - 1;
}

const byStart = (a, b) => a.start_s - b.start_s;
const scenes = [...T.scenes].sort(byStart);
const speech = T.audio_events.filter((e) => e.type === 'speech' && e.text).sort(byStart);
const entityIndex = new Map(T.entities.map((e, i) => [e.id, i]));
const entityOf = new Map(T.entities.map((e) => [e.id, e]));
const trackEntity = new Map();
for (const e of T.entities) for (const t of e.tracks) trackEntity.set(t, e.id);
for (const t of T.tracks) if (t.entity) trackEntity.set(t.id, t.entity);
const entityName = (id) => { const e = entityOf.get(id); return e ? capital(words(e.type)) + ' ' + e.id : String(id); };
const trackHue = (track) => { const i = entityIndex.get(trackEntity.get(track)); return hue(i === undefined ? track + 40 : i); };
const sceneAt = (t) => scenes[lastAt(scenes, t + 1e-4, (s) => s.start_s - START)];
const cutBetween = (a, b) => { const s = sceneAt(b); return s !== undefined && s.start_s - START > a + 1e-4; };

// Whoever follows the time registers here; `tick` tells them.
const followers = [];
const follow = (fn) => followers.push(fn);
let focusEntity = null;
const focusListeners = [];
function setFocus(id) {
  focusEntity = focusEntity === id ? null : id;
  for (const fn of focusListeners) fn();
}

// `code` between backticks, as error texts have it.
const coded = (text) => text.split('`').map((part, i) => (i % 2 ? el('code', null, part) : part));

// One tooltip for the page, near the pointer or the focused element.
const tip = $('tip');
function showTip(content, x, y) {
  tip.replaceChildren(...content);
  tip.hidden = false;
  const box = tip.getBoundingClientRect();
  tip.style.left = Math.max(8, Math.min(x + 14, innerWidth - box.width - 8)) + 'px';
  tip.style.top = (y + 18 + box.height > innerHeight ? Math.max(8, y - box.height - 12) : y + 18) + 'px';
}
const hideTip = () => { tip.hidden = true; };
function tipFor(node, content) {
  node.addEventListener('pointermove', (e) => { if (e.pointerType !== 'touch') showTip(content(), e.clientX, e.clientY); });
  node.addEventListener('pointerleave', hideTip);
  node.addEventListener('focus', () => {
    if (!node.matches(':focus-visible')) return;
    const b = node.getBoundingClientRect();
    showTip(content(), Math.max(b.left, 0), b.bottom - 12);
  });
  node.addEventListener('blur', hideTip);
}
addEventListener('scroll', hideTip, { passive: true, capture: true });

// Scrolls `box` alone, never the page, so that `node` is in sight.
function reveal(box, node, at = 0.35) {
  const top = node.offsetTop - box.offsetTop;
  box.scrollTo({ top: top - box.clientHeight * at, behavior: NO_MOTION.matches ? 'auto' : 'smooth' });
}
// A box the reader is using is not scrolled under their hands.
function restful(box) {
  let touched = 0;
  for (const kind of ['wheel', 'pointerdown', 'touchmove', 'keydown']) box.addEventListener(kind, () => { touched = performance.now(); }, { passive: true });
  return () => performance.now() - touched > 4000;
}
