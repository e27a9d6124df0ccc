// The temporal graph: what was there and how it belongs together; bright is what holds now.
const KINDS = { entity: 'Entities', event: 'Events', scene: 'Scenes', speaker: 'Speakers' };
const TIME_RELATIONS = new Set(['before', 'after', 'meets', 'met_by', 'overlaps', 'overlapped_by', 'starts', 'started_by', 'during', 'contains', 'finishes', 'finished_by', 'equals']);
const GRAPH_NODES = 90, GRAPH_EDGES = 700;
const graphState = { kinds: new Set(Object.keys(KINDS)), time: false, now: true };

function graphPart() {
  const edges = D.graph.links.filter((e) => graphState.time || !TIME_RELATIONS.has(e.relation));
  const wanted = D.graph.nodes.filter((n) => graphState.kinds.has(n.kind));
  const far = (n) => Math.max(n.start_s - START - player.t, player.t - (n.end_s - START), 0);
  // Of a long video, what is around the playhead.
  const nodes = wanted.length <= GRAPH_NODES ? wanted : [...wanted].sort((a, b) => far(a) - far(b) || byStart(a, b) || (a.id < b.id ? -1 : 1)).slice(0, GRAPH_NODES);
  const at = new Map(nodes.map((n, i) => [n.id, i]));
  const shown = edges.filter((e) => at.has(e.source) && at.has(e.target) && e.source !== e.target);
  const part = wanted.length > nodes.length;
  const lo = part ? Math.min(...nodes.map(middle)) : 0, hi = part ? Math.max(...nodes.map(middle)) : DUR;
  return { nodes, lo, hi: Math.max(hi, lo + 0.001), links: shown.slice(0, GRAPH_EDGES).map((e) => ({ e, a: at.get(e.source), b: at.get(e.target) })), left: wanted.length - nodes.length, edgesLeft: Math.max(0, shown.length - GRAPH_EDGES) };
}
const middle = (n) => (n.start_s + n.end_s) / 2 - START;
// From left to right is time, from top to bottom what is heard, seen and shown; within that,
// springs and repulsion (Fruchterman and Reingold 1991) from fixed places, so that the same graph
// always looks the same.
const heardIds = new Set(T.audio_events.map((e) => e.id));
const bandOf = (n) => ['speaker', 'heard', 'event', 'entity', 'scene'].indexOf(n.kind === 'event' && heardIds.has(n.id) ? 'heard' : n.kind);
function settle({ nodes, links, lo, hi }, w, h) {
  const edge = 46, k = Math.sqrt((w * h) / Math.max(nodes.length, 1)) * 0.55;
  // Bands that nothing stands in take no room.
  const bands = [...new Set(nodes.map(bandOf))].sort(), band = (n) => (bands.indexOf(bandOf(n)) + 0.5) / bands.length;
  const x0 = (n) => edge + (w - 2 * edge) * Math.max(0, Math.min(1, (middle(n) - lo) / (hi - lo)));
  const p = nodes.map((n, i) => ({ x: x0(n) + ((i * 7) % 13) - 6, y: band(n) * h + ((i * 11) % 17) - 8, tx: x0(n), ty: band(n) * h, dx: 0, dy: 0 }));
  const pairs = [...new Map(links.map((l) => [Math.min(l.a, l.b) + ' ' + Math.max(l.a, l.b), l])).values()];
  const rounds = 240;
  for (let step = 0; step < rounds; step++) {
    const heat = (1 - step / rounds) * 14 + 0.3;
    for (const q of p) { q.dx = (q.tx - q.x) * 0.5; q.dy = (q.ty - q.y) * 0.35; }
    for (let i = 0; i < p.length; i++) for (let j = i + 1; j < p.length; j++) {
      const x = p[i].x - p[j].x || (i - j) * 0.01, y = p[i].y - p[j].y || (j - i) * 0.01, d = Math.hypot(x, y);
      if (d > 3 * k) continue;
      // Labels are wide: what stands side by side needs more room than what stands above.
      const crowd = Math.abs(y) < 36 && Math.abs(x) < 84 ? 2.2 : 1, f = (crowd * k * k * 0.5) / (d * d);
      p[i].dx += x * f; p[i].dy += y * f; p[j].dx -= x * f; p[j].dy -= y * f;
    }
    for (const { a, b } of pairs) {
      const x = p[a].x - p[b].x, y = p[a].y - p[b].y, f = Math.min(Math.hypot(x, y) / k, 3) * 0.08;
      p[a].dx -= x * f; p[a].dy -= y * f; p[b].dx += x * f; p[b].dy += y * f;
    }
    for (const q of p) {
      const d = Math.max(Math.hypot(q.dx, q.dy), 1e-6), m = Math.min(d, heat);
      q.x = Math.max(edge, Math.min(w - edge, q.x + (q.dx / d) * m));
      q.y = Math.max(24, Math.min(h - 34, q.y + (q.dy / d) * m));
    }
  }
  const top = Math.min(...p.map((q) => q.y)), tall = Math.max(1, Math.max(...p.map((q) => q.y)) - top);
  for (const q of p) q.y = p.length > 1 ? 30 + ((q.y - top) / tall) * (h - 68) : h / 2;
  return p;
}
let graphNodes = [], graphLinks = [], drawn = null;
function drawGraph() {
  const box = $('graph-view'), part = graphPart(), w = Math.max(box.clientWidth, 300, Math.min(900, part.nodes.length * 26));
  const h = Math.round(Math.max(260, Math.min(560, 150 + part.nodes.length * 14)));
  const p = settle(part, w, h);
  drawn = { ...part, at: performance.now() };
  const svg = el('svg', { viewBox: '0 0 ' + w + ' ' + h, width: w, height: h, role: 'img', 'aria-label': part.nodes.length + ' nodes and ' + part.links.length + ' relations' });
  const twin = new Map();
  graphLinks = part.links.map((l) => {
    const key = Math.min(l.a, l.b) + ' ' + Math.max(l.a, l.b), nth = twin.get(key) || 0;
    twin.set(key, nth + 1);
    const path = el('path', { class: 'edge' + (TIME_RELATIONS.has(l.e.relation) ? ' time' : '') });
    tipFor(path, () => details(capital(words(l.e.relation)), l.e, line('from', nodeName(l.e.source)), line('to', nodeName(l.e.target)), confidence(l.e.confidence)));
    path.addEventListener('click', () => seek(l.e.start_s - START + 0.001));
    return { ...l, path, bend: nth ? (nth % 2 ? 1 : -1) * Math.ceil(nth / 2) * 16 * (l.a < l.b ? 1 : -1) : 0 };
  });
  const place = () => {
    for (const l of graphLinks) {
      const a = p[l.a], b = p[l.b], d = Math.max(Math.hypot(b.x - a.x, b.y - a.y), 1), mx = (a.x + b.x) / 2 - ((b.y - a.y) / d) * l.bend, my = (a.y + b.y) / 2 + ((b.x - a.x) / d) * l.bend;
      l.path.setAttribute('d', 'M' + a.x.toFixed(1) + ' ' + a.y.toFixed(1) + 'Q' + mx.toFixed(1) + ' ' + my.toFixed(1) + ' ' + b.x.toFixed(1) + ' ' + b.y.toFixed(1));
    }
    graphNodes.forEach((n, i) => n.g.setAttribute('transform', 'translate(' + p[i].x.toFixed(1) + ' ' + p[i].y.toFixed(1) + ')'));
  };
  graphNodes = part.nodes.map((n, i) => {
    const shape = n.kind === 'entity' ? el('circle', { r: 11 }) : n.kind === 'speaker' ? el('path', { d: 'M0-12 11-6 11 6 0 12-11 6-11-6Z' }) : n.kind === 'scene' ? el('rect', { x: -12, y: -8, width: 24, height: 16, rx: 3 }) : el('rect', { x: -8, y: -8, width: 16, height: 16, rx: 4, transform: 'rotate(45)' });
    const label = n.label.length > 22 ? n.label.slice(0, 20) + '…' : n.label;
    const g = el('g', { class: 'node ' + n.kind, tabindex: 0, role: 'button', 'aria-label': nodeName(n.id) + ', ' + range(n), '--h': n.kind === 'entity' ? hue(entityIndex.get(n.id) || 0) : null }, el('circle', { class: 'halo', r: 19 }), shape, part.nodes.length <= 75 || n.kind === 'entity' ? el('text', { y: 25 }, label) : null);
    tipFor(g, () => details(nodeName(n.id), n, line('kind', n.kind), line('relations', graphLinks.filter((l) => l.a === i || l.b === i).length)));
    const near = (on) => { svg.classList.toggle('picking', on); graphLinks.forEach((l) => { if (l.a === i || l.b === i) { l.path.classList.toggle('near', on); for (const k of [l.a, l.b]) graphNodes[k].g.classList.toggle('near', on); } }); g.classList.toggle('near', on); };
    for (const kind of ['pointerenter', 'focus']) g.addEventListener(kind, () => near(true));
    for (const kind of ['pointerleave', 'blur']) g.addEventListener(kind, () => near(false));
    let moved = false;
    g.addEventListener('pointerdown', (e) => { moved = false; g.setPointerCapture(e.pointerId); e.preventDefault(); });
    g.addEventListener('pointermove', (e) => {
      if (!g.hasPointerCapture(e.pointerId)) return;
      const b = svg.getBoundingClientRect();
      const x = ((e.clientX - b.left) / b.width) * w, y = ((e.clientY - b.top) / b.height) * h;
      if (!moved && Math.hypot(x - p[i].x, y - p[i].y) < 5) return;
      moved = true;
      p[i].x = x; p[i].y = y;
      place();
    });
    const go = () => { seek(n.start_s - START + 0.001); if (n.kind === 'entity') setFocus(n.id); };
    g.addEventListener('click', () => { if (!moved) go(); });
    g.addEventListener('keydown', (e) => { if (e.key === 'Enter') go(); });
    return { n, g };
  });
  place();
  svg.append(...graphLinks.map((l) => l.path), ...graphNodes.map((n) => n.g));
  box.replaceChildren(svg);
  $('graph-note').textContent = 'From left to right is time. ' + (graphState.now ? 'Bright is what holds at the playhead. ' : '') + (part.left ? 'Of ' + (part.nodes.length + part.left).toLocaleString('en') + ' nodes, the ' + part.nodes.length + ' from ' + clock(part.lo) + ' to ' + clock(part.hi) + ' are drawn. ' : '') + (part.edgesLeft ? part.edgesLeft + ' relations are left out.' : '');
  lightGraph(player.t);
}
const nodeNames = new Map(D.graph.nodes.map((n) => [n.id, n.label]));
const nodeName = (id) => { const name = nodeNames.get(id); return !name || name === id ? id : name.includes(id) ? name : name + ' (' + id + ')'; };
function lightGraph(t) {
  // The window moves on when the playhead nears its edge.
  const edge = drawn && drawn.left ? (drawn.hi - drawn.lo) * 0.1 : 0;
  if (edge && ((t < drawn.lo + edge && drawn.lo > 1) || (t > drawn.hi - edge && drawn.hi < DUR - 1)) && performance.now() - drawn.at > 700) { drawGraph(); return; }
  const holds = (x) => !graphState.now || (x.start_s - START <= t + 1e-6 && t < Math.max(x.end_s - START, x.start_s - START + 0.04));
  for (const x of graphNodes) { const on = holds(x.n); if (on !== x.on) { x.on = on; x.g.classList.toggle('on', on); } }
  for (const x of graphLinks) { const on = holds(x.e); if (on !== x.on) { x.on = on; x.path.classList.toggle('on', on); } }
}
function startGraph() {
  if (!D.graph.nodes.length) return;
  $('graph').hidden = false;
  const chip = (name, on, toggle, cls) => { const b = el('button', { class: 'chip ' + (cls || ''), 'aria-pressed': String(on()) }, name); b.addEventListener('click', () => { toggle(); b.setAttribute('aria-pressed', String(on())); for (const n of graphNodes) n.on = undefined; drawGraph(); }); return b; };
  const present = Object.keys(KINDS).filter((k) => D.graph.nodes.some((n) => n.kind === k));
  const list = present.map((k) => chip(KINDS[k], () => graphState.kinds.has(k), () => (graphState.kinds.has(k) ? graphState.kinds.delete(k) : graphState.kinds.add(k)), 'kind ' + k));
  if (D.graph.links.some((e) => TIME_RELATIONS.has(e.relation))) list.push(chip('Order in time', () => graphState.time, () => { graphState.time = !graphState.time; }));
  list.push(chip('Follow playhead', () => graphState.now, () => { graphState.now = !graphState.now; }));
  $('graph-filters').append(...list);
  let width = 0;
  // Drawn once it is near the screen, and again when its width changes.
  const seen = new IntersectionObserver((entries) => {
    if (!entries.some((e) => e.isIntersecting)) return;
    seen.disconnect();
    new ResizeObserver(() => { const w = $('graph-view').clientWidth; if (Math.abs(w - width) > 8) { width = w; drawGraph(); } }).observe($('graph-view'));
  }, { rootMargin: '600px' });
  seen.observe($('graph-view'));
  follow(lightGraph);
}
