// The timeline: lanes of what was seen and heard on one zoomable axis.
const lanes = $('lanes'), inner = $('inner'), axis = $('axis'), playhead = $('playhead');
const ROWS = 8, MOST = 4000;
const STEPS = [0.04, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200];
let zoomed = 1, laneItems = [];

const confidence = (x) => el('span', { class: 'sure', '--sure': css(x) }, percent(x));
const line = (name, value) => (value || value === 0 ? el('div', { class: 'row' }, el('span', { class: 'dim' }, name), el('span', null, String(value))) : null);
function details(title, x, ...more) {
  return [el('strong', null, title), el('div', { class: 'dim num' }, range(x) + '  ·  ' + length(x.end_s - x.start_s)), ...more].filter(Boolean);
}
const quote = (text) => el('p', null, text);

function laneList() {
  const list = [];
  const add = (key, name, items, extra) => { if (items.length) list.push({ key, name, items, ...extra }); };
  add('scenes', 'Scenes', scenes.map((s) => ({ x: s, label: s.id, thumb: s.thumbnail, tip: () => details('Scene ' + s.id, s, s.summary ? quote(s.summary) : null, line('first frame', s.start_frame)) })), { tall: true });
  add('windows', 'Told', (T.windows || []).map((w) => ({ x: w, label: w.summary, tip: () => details(w.id, w, quote(w.summary), line('says', w.origin), line('as', w.same_as)) })));
  add('highlights', 'Highlights', T.highlights.map((h) => ({ x: h, label: '#' + h.rank, tip: () => details('Highlight ' + h.rank, h, quote(h.reasons.join(', ')), confidence(h.clip_worthy_score)) })));
  const people = T.entities.map((e, i) => {
    const tracks = T.tracks.filter((t) => trackEntity.get(t.id) === e.id);
    const spans = tracks.length ? tracks : [{ start_s: e.first_seen_s, end_s: e.last_seen_s }];
    return spans.map((t, k) => ({ x: t, hue: hue(i), entity: e.id, label: k ? '' : entityName(e.id), tip: () => details(entityName(e.id), t, e.description ? quote(e.description) : null, t.id ? line('track', t.id + ' · ' + t.frames + ' frames') : null, line('voice', e.speakers.join(', ')), t.score ? confidence(t.score) : null) }));
  }).flat();
  add('entities', 'Entities', people, { count: T.entities.length });
  const loose = T.tracks.filter((t) => !trackEntity.has(t.id));
  add('tracks', 'Tracks', loose.map((t) => ({ x: t, hue: trackHue(t.id), label: words(t.label) + ' ' + t.id, tip: () => details(capital(words(t.label)) + ', track ' + t.id, t, line('frames', t.frames), confidence(t.score)) })));
  add('visual', 'Seen', T.visual_events.map((v) => ({ x: v, id: v.id, label: capital(words(v.type)), tip: () => details(capital(words(v.type)) + ' ' + v.id, v, quote(v.description), line('who', v.entities.map(entityName).join(', ')), line('says', v.origin), confidence(v.confidence)) })));
  add('speech', 'Speech', speech.map((s) => ({ x: s, id: s.id, label: s.text, hue: s.speaker && speakers.length > 1 ? speakerHue(s.speaker) : null, tip: () => details(s.speaker || 'Speech', s, quote(s.text), line('language', s.language), line('sounds', s.emotion), confidence(s.confidence)) })));
  add('sounds', 'Sounds', T.audio_events.filter((a) => a.type === 'sound').map((a) => ({ x: a, id: a.id, label: words(a.label || 'sound'), tip: () => details(capital(words(a.label || 'sound')), a, line('or', (a.alternatives || []).map((o) => words(o.label)).join(', ')), confidence(a.confidence)) })));
  add('silence', 'Silence', T.audio_events.filter((a) => a.type === 'silence').map((a) => ({ x: a, id: a.id, label: '', tip: () => details('Silence', a) })), { thin: true });
  const event = new Map([...T.visual_events, ...T.audio_events].map((e) => [e.id, e]));
  const name = (e) => capital(words(e.label || (e.text ? '“' + (e.text.length > 60 ? e.text.slice(0, 57) + '…' : e.text) + '”' : e.type)));
  add('links', 'Together', T.correlations.map((c) => ({ c, v: event.get(c.visual), a: event.get(c.audio) })).filter((k) => k.v && k.a).map(({ c, v, a }) => {
    const x = { start_s: Math.min(Math.max(v.start_s, a.start_s), v.end_s, a.end_s), end_s: Math.max(Math.min(v.end_s, a.end_s), Math.min(v.start_s, a.start_s)) };
    if (x.end_s < x.start_s) [x.start_s, x.end_s] = [x.end_s, x.start_s];
    return { x, links: [c.visual, c.audio], label: c.visual + ' ↔ ' + c.audio, tip: () => [el('strong', null, words(capital(c.relation))), line('seen', name(v)), line('heard', name(a)), line('gap', c.gap_s ? length(c.gap_s) : ''), confidence(c.confidence)].filter(Boolean) };
  }));
  add('emotions', 'Emotions', T.emotions.map((m) => ({ x: m, label: words(m.label), tip: () => details(capital(words(m.label)), m, line('whose', m.entity ? entityName(m.entity) : m.track ? 'track ' + m.track : m.face ? 'face ' + m.face : ''), confidence(m.confidence)) })));
  add('texts', 'Text', T.texts.map((m) => ({ x: m, label: m.text, tip: () => details('Text in the picture', m, quote(m.text), confidence(m.confidence)) })));
  return list;
}

// The fewest rows in which nothing overlaps; what belongs to one entity stays in one row, and
// short ones take the `room` they are drawn in.
function pack(items, room) {
  const groups = new Map();
  items.forEach((item, i) => {
    const key = item.entity || i, g = groups.get(key) || { start_s: Infinity, end_s: 0, items: [] };
    g.start_s = Math.min(g.start_s, item.x.start_s);
    g.end_s = Math.max(g.end_s, item.x.end_s, item.x.start_s + room);
    g.items.push(item);
    groups.set(key, g);
  });
  const ends = [];
  for (const g of [...groups.values()].sort(byStart)) {
    let row = ends.findIndex((end) => end <= g.start_s + 1e-6);
    if (row < 0) row = ends.length;
    ends[row] = g.end_s;
    for (const item of g.items) item.row = row;
  }
  return ends.length;
}

function lane(spec) {
  const items = spec.items.slice(0, MOST).sort((a, b) => byStart(a.x, b.x));
  // Among many, a row each for what does not overlap would be all rows.
  const rows = pack(items, spec.tall || spec.thin || items.length > 150 ? 0 : DUR / 160);
  const track = el('div', { class: 'track', role: 'group', 'aria-label': spec.name + ', ' + (spec.count || spec.items.length) });
  // One or two rows more are shown rather than hidden.
  const most = rows <= ROWS + 2 ? rows : ROWS;
  const more = rows > most ? el('button', { class: 'more', 'aria-expanded': 'false' }, 'all ' + rows) : null;
  const node = el('div', { class: 'lane lane-' + spec.key + (spec.tall ? ' tall' : '') + (spec.thin ? ' thin' : '') }, el('div', { class: 'name' }, el('span', null, spec.name), el('small', null, String(spec.count || spec.items.length)), more), track);
  const show = (count) => {
    track.style.setProperty('--rows', count);
    for (const item of items) item.node.hidden = item.row >= count;
  };
  items.forEach((item, i) => {
    const a = (item.x.start_s - START) / DUR, b = (item.x.end_s - START) / DUR;
    item.share = Math.max(0, Math.min(1, b) - a);
    item.node = el('button', { class: 'item', tabindex: i ? -1 : 0, '--a': a, '--w': item.share, '--row': item.row, '--h': item.hue, 'aria-label': spec.name + ': ' + (item.label || entityName(item.entity || '')) + ', ' + range(item.x) });
    if (item.hue !== null && item.hue !== undefined) item.node.classList.add('hued');
    if (item.thumb) {
      const picture = el('img', { src: item.thumb, alt: '', loading: 'lazy', draggable: 'false' });
      picture.addEventListener('error', () => picture.remove());
      item.node.append(picture);
    }
    item.node.append(el('span', { class: 'text' }, item.label));
    item.node.addEventListener('click', () => { seek(item.x.start_s - START + 0.001); if (item.entity) setFocus(item.entity); });
    item.node.addEventListener('focus', () => { for (const o of items) o.node.tabIndex = o === item ? 0 : -1; });
    if (item.links) for (const [on, kinds] of [[true, ['pointerenter', 'focus']], [false, ['pointerleave', 'blur']]]) for (const k of kinds) item.node.addEventListener(k, () => laneItems.forEach((o) => { if (item.links.includes(o.id)) o.node.classList.toggle('linked', on); }));
    tipFor(item.node, item.tip);
    track.append(item.node);
  });
  show(most);
  if (more) more.addEventListener('click', () => {
    const open = more.getAttribute('aria-expanded') !== 'true';
    more.setAttribute('aria-expanded', String(open));
    more.textContent = open ? 'fewer' : 'all ' + rows;
    show(open ? rows : most);
  });
  track.addEventListener('keydown', (e) => walk(e, items));
  laneItems.push(...items);
  return node;
}
// Arrow keys walk along a lane and across lanes.
function walk(e, items) {
  const i = items.findIndex((o) => o.node === document.activeElement);
  if (i < 0) return;
  const shown = (o) => o && !o.node.hidden;
  let to;
  if (e.key === 'ArrowRight') to = items.slice(i + 1).find(shown);
  else if (e.key === 'ArrowLeft') to = items.slice(0, i).reverse().find(shown);
  else if (e.key === 'ArrowDown' || e.key === 'ArrowUp') {
    const tracks = [...inner.querySelectorAll('.track')], next = tracks[tracks.indexOf(e.currentTarget) + (e.key === 'ArrowDown' ? 1 : -1)];
    const all = next ? laneItems.filter((o) => o.node.parentElement === next && !o.node.hidden) : [];
    to = all[Math.max(0, lastAt(all, items[i].x.start_s, (o) => o.x.start_s))];
  } else return;
  e.preventDefault();
  e.stopPropagation();
  if (to) to.node.focus();
}

const labelWidth = () => parseFloat(getComputedStyle(lanes).getPropertyValue('--label')) || 0;
const viewWidth = () => Math.max(60, lanes.clientWidth - labelWidth());
const mostZoom = () => Math.max(1, Math.min((DUR * 300) / viewWidth(), 6e6 / viewWidth()));
const xOf = (t) => labelWidth() + (t / DUR) * viewWidth() * zoomed;

function zoomTo(z, at = player.t) {
  const before = xOf(at) - lanes.scrollLeft;
  zoomed = Math.max(1, Math.min(mostZoom(), z));
  inner.style.width = labelWidth() + viewWidth() * zoomed + 'px';
  const keep = before < labelWidth() || before > lanes.clientWidth ? labelWidth() + viewWidth() / 2 : before;
  lanes.scrollLeft = xOf(at) - keep;
  $('zoom').value = mostZoom() > 1 ? Math.log(zoomed) / Math.log(mostZoom()) : 0;
  const perShare = viewWidth() * zoomed;
  for (const o of laneItems) { const slim = o.share * perShare < 26; if (slim !== o.slim) { o.slim = slim; o.node.classList.toggle('slim', slim); } }
  ticks();
  placePlayhead(player.t);
}
function ticks() {
  const perSecond = (viewWidth() * zoomed) / DUR, step = STEPS.find((s) => s * perSecond >= 76) || STEPS[STEPS.length - 1];
  const from = Math.max(0, Math.floor(((lanes.scrollLeft / perSecond) - step) / step)), to = Math.min(Math.floor(DUR / step + 1e-9), Math.ceil((lanes.scrollLeft + lanes.clientWidth) / perSecond / step));
  const digits = step < 0.1 ? 2 : step < 1 ? 1 : 0, list = [];
  for (let k = from; k <= to; k++) {
    // The lane names stand there.
    if (xOf(k * step) - lanes.scrollLeft < labelWidth() - 1) continue;
    const mark = el('span', { class: 'tick' }, clock(k * step, digits));
    mark.style.left = xOf(k * step) + 'px';
    if ((DUR - k * step) * perSecond < 40 && k) mark.classList.add('last');
    list.push(mark);
  }
  axis.replaceChildren(...list);
}
function placePlayhead(t) {
  playhead.style.transform = 'translateX(' + xOf(t) + 'px)';
}
const lanesRest = restful(lanes);
function followLanes(t) {
  placePlayhead(t);
  const x = xOf(t) - lanes.scrollLeft;
  if (zoomed > 1 && player.playing && lanesRest() && (x < labelWidth() || x > lanes.clientWidth - 24)) lanes.scrollLeft = xOf(t) - labelWidth() - viewWidth() * 0.1;
}
function startLanes() {
  inner.append(...laneList().map(lane));
  const timeAt = (e) => ((e.clientX - inner.getBoundingClientRect().left - labelWidth()) / (viewWidth() * zoomed)) * DUR;
  axis.addEventListener('pointerdown', (e) => { axis.setPointerCapture(e.pointerId); seek(timeAt(e)); });
  axis.addEventListener('pointermove', (e) => { if (axis.hasPointerCapture(e.pointerId)) seek(timeAt(e)); });
  inner.addEventListener('click', (e) => { if (e.target.classList.contains('track')) seek(timeAt(e)); });
  lanes.addEventListener('wheel', (e) => {
    if (!e.ctrlKey && !e.metaKey) return;
    e.preventDefault();
    zoomTo(zoomed * Math.exp(-e.deltaY * 0.004), Math.max(0, Math.min(DUR, timeAt(e))));
  }, { passive: false });
  lanes.addEventListener('scroll', ticks, { passive: true });
  $('zoom').addEventListener('input', (e) => zoomTo(mostZoom() ** Number(e.target.value)));
  $('zoom-in').addEventListener('click', () => zoomTo(zoomed * 1.6));
  $('zoom-out').addEventListener('click', () => zoomTo(zoomed / 1.6));
  $('zoom-fit').addEventListener('click', () => zoomTo(1));
  focusListeners.push(() => laneItems.forEach((o) => { if (o.entity) o.node.classList.toggle('faded', Boolean(focusEntity) && o.entity !== focusEntity); }));
  new ResizeObserver(() => zoomTo(zoomed)).observe(lanes);
  follow(followLanes);
  // What holds now stands out.
  follow((t) => { for (const o of laneItems) { const on = o.x.start_s - START <= t && t < o.x.end_s - START; if (on !== o.on) { o.on = on; o.node.classList.toggle('on', on); } } });
}
