// Facts, tabs, events, entities, summary, highlights, run, models, issues.
function facts() {
  const size = V.width ? V.width + ' × ' + V.height : null, fps = V.fps ? Number(V.fps.toFixed(2)) + ' fps' : null;
  const audio = V.audio ? V.audio.codec + ' ' + V.audio.sample_rate_hz / 1000 + ' kHz' + (V.audio.channels > 2 ? ' · ' + V.audio.channels + ' channels' : V.audio.channels === 2 ? ' stereo' : ' mono') : 'no sound';
  const start = Math.abs(START) > 0.05 ? 'starts at ' + clock(START, 1) : null;
  const list = [clock(DUR, 1), size, fps, V.video_codec ? V.video_codec + (V.bit_depth > 8 ? ' ' + V.bit_depth + ' bit' : '') : 'sound only', audio, bytes(V.size_bytes), start];
  $('facts').append(...list.filter(Boolean).map((f) => el('li', null, f)));
  $('foot').textContent = T.schema + ' · ' + V.id.slice(0, 16);
}
const momentNodes = [];
function moments() {
  const seen = T.visual_events.map((v) => ({ x: v, kind: 'visual', name: capital(words(v.type)), text: v.description, sure: v.confidence, who: v.entities }));
  const heard = T.audio_events.filter((a) => a.type === 'sound').map((a) => ({ x: a, kind: 'sounds', name: capital(words(a.label || 'sound')), text: '', sure: a.confidence, who: [] }));
  const felt = T.emotions.map((m) => ({ x: m, kind: 'emotions', name: capital(words(m.label)), text: m.entity ? entityName(m.entity) : '', sure: m.confidence, who: [] }));
  const read = T.texts.map((m) => ({ x: m, kind: 'texts', name: 'Text', text: m.text, sure: m.confidence, who: [] }));
  const list = [...seen, ...heard, ...felt, ...read].sort((a, b) => byStart(a.x, b.x)).slice(0, 3000);
  for (const m of list) {
    const button = el('button', { class: 'moment lane-' + m.kind, onclick: () => seek(m.x.start_s - START + 0.001) },
      el('span', { class: 'stamp' }, clock(m.x.start_s - START)), el('span', { class: 'what' }, el('b', null, m.name), m.text ? el('span', { class: 'dim' }, m.text) : null), confidence(m.sure));
    const node = el('li', null, button);
    momentNodes.push({ node, x: m.x });
    $('moments').append(node);
  }
  if (!list.length) $('moments').append(el('li', { class: 'empty' }, 'No events were found.'));
  const rests = restful($('moments'));
  let shown = -1;
  follow((t) => {
    const now = t + START;
    for (const m of momentNodes) { const on = m.x.start_s <= now && now < m.x.end_s; if (on !== m.on) { m.on = on; m.node.classList.toggle('on', on); } }
    const i = lastAt(momentNodes, now, (m) => m.x.start_s);
    if (i !== shown && i >= 0 && !$('pane-events').hidden && rests()) reveal($('moments'), momentNodes[i].node);
    shown = i;
  });
  return list.length;
}
function entities() {
  const nodes = T.entities.map((e, i) => {
    const tracks = T.tracks.filter((t) => trackEntity.get(t.id) === e.id), spans = tracks.length ? tracks : [{ start_s: e.first_seen_s, end_s: e.last_seen_s }];
    const strip = el('span', { class: 'strip', 'aria-hidden': 'true' }, spans.map((s) => el('i', { '--a': (s.start_s - START) / DUR, '--w': (s.end_s - s.start_s) / DUR })));
    const acts = T.visual_events.filter((v) => v.entities.includes(e.id)).length;
    const notes = [range({ start_s: e.first_seen_s, end_s: e.last_seen_s }), acts ? acts + (acts === 1 ? ' event' : ' events') : null, e.speakers.length ? 'speaks as ' + e.speakers.join(', ') : null];
    const button = el('button', { class: 'entity-row', 'aria-pressed': 'false', '--h': hue(i), onclick: () => { setFocus(e.id); if (focusEntity) seek(e.first_seen_s - START + 0.001); } },
      el('span', { class: 'dot' }), el('span', { class: 'what' }, el('b', null, entityName(e.id)), e.description ? el('span', { class: 'dim' }, e.description) : null, (e.told || []).map((t) => el('span', { class: 'dim' }, t.origin + ': ' + (t.label === e.type ? '' : t.label + ', ') + t.description)), strip, el('span', { class: 'dim num' }, notes.filter(Boolean).join(' · '))));
    return { id: e.id, button };
  });
  $('entities').append(...nodes.map((n) => el('li', null, n.button)));
  if (!nodes.length) $('entities').append(el('li', { class: 'empty' }, 'Nobody and nothing was followed.'));
  focusListeners.push(() => nodes.forEach((n) => n.button.setAttribute('aria-pressed', String(n.id === focusEntity))));
}
function tabs(count) {
  const list = [['transcript', 'Transcript', speech.length], ['events', 'Events', count], ['entities', 'Entities', T.entities.length]];
  const nodes = list.map(([key, name, n]) => el('button', { role: 'tab', id: 'tab-' + key, 'aria-controls': 'pane-' + key, onclick: () => open(key) }, name, el('small', null, String(n))));
  const open = (key) => list.forEach(([k], i) => {
    nodes[i].setAttribute('aria-selected', String(k === key));
    nodes[i].tabIndex = k === key ? 0 : -1;
    $('pane-' + k).hidden = k !== key;
  });
  $('tabs').addEventListener('keydown', (e) => {
    const i = nodes.indexOf(document.activeElement), step = { ArrowRight: 1, ArrowLeft: -1 }[e.key];
    if (i < 0 || !step) return;
    const j = (i + step + nodes.length) % nodes.length;
    e.preventDefault();
    e.stopPropagation();
    open(list[j][0]);
    nodes[j].focus();
  });
  $('tabs').append(...nodes);
  open(speech.length ? 'transcript' : count ? 'events' : T.entities.length ? 'entities' : 'transcript');
}
function summary() {
  if (!T.summary.text && !T.summary.chapters.length) return;
  const source = { template: 'put together from what was found, no language model', 'text-llm': 'written by a language model from what was seen and heard, not from the pictures' }[T.summary.backend] || 'written by ' + T.summary.backend;
  const chapters = T.summary.chapters.map((c) => el('li', null, el('button', { class: 'chapter', onclick: () => seek(c.start_s - START) }, el('span', { class: 'stamp' }, clock(c.start_s - START)), el('span', { class: 'what' }, el('b', null, c.title), el('span', { class: 'dim' }, c.text)))));
  $('summary').append(...T.summary.text.split(/\n+/).filter(Boolean).map((p) => el('p', { class: 'prose' }, p)));
  if (chapters.length) $('summary').append(el('ol', { class: 'chapters' }, chapters));
  $('summary').append(el('p', { class: 'dim' }, capital(source) + '.'));
  $('summary').hidden = false;
}
function highlights() {
  if (!T.highlights.length) return;
  const cards = [...T.highlights].sort((a, b) => a.rank - b.rank).map((h) => {
    const scene = sceneAt(h.start_s - START), picture = scene && scene.thumbnail ? el('img', { src: scene.thumbnail, alt: '', loading: 'lazy' }) : null;
    if (picture) picture.addEventListener('error', () => picture.remove());
    return el('li', null, el('button', { class: 'highlight', onclick: () => { seek(h.start_s - START); if (!player.playing) togglePlay(); $('stage').scrollIntoView({ block: 'nearest' }); } }, picture, el('span', { class: 'rank' }, String(h.rank)), el('b', { class: 'num' }, range(h)), el('span', { class: 'dim' }, h.reasons.map(words).join(', ')), confidence(h.clip_worthy_score)));
  });
  $('highlights').append(el('ol', { class: 'cards' }, cards));
  $('highlights').hidden = false;
}
function run() {
  const r = T.run, stageHue = (s) => (205 + r.stages.indexOf(s) * 31) % 360, busy = r.stages.filter((s) => s.wall_s > 0), total = busy.reduce((sum, s) => sum + s.wall_s, 0);
  const fact = (name, value) => el('div', null, el('dt', null, name), el('dd', { class: 'num' }, value));
  const list = [['Wall time', length(r.wall_s)], ['Processor', length(r.cpu_s)], ['Per second of video', r.real_time_factor ? Number(r.real_time_factor.toPrecision(2)) + ' s' : '–'], ['Peak memory', r.peak_rss_bytes ? bytes(r.peak_rss_bytes) : '–']];
  if (r.peak_gpu_bytes) list.push(['Peak GPU memory', bytes(r.peak_gpu_bytes)]);
  if (r.tokens_in || r.tokens_out) list.push(['Tokens', r.tokens_in + ' in · ' + r.tokens_out + ' out']);
  if (r.cost_usd) list.push(['Cost', '$' + r.cost_usd.toFixed(4)]);
  if (r.calls_saved) list.push(['Calls saved', String(r.calls_saved)]);
  $('run').append(el('dl', { class: 'numbers' }, list.map(([a, b]) => fact(a, b))));
  if (total > 0) $('run').append(el('div', { class: 'bar', 'aria-hidden': 'true' }, busy.map((s) => { const i = el('i', { '--h': stageHue(s), '--w': s.wall_s / total }); tipFor(i, () => [el('strong', null, words(s.name)), el('div', { class: 'dim num' }, length(s.wall_s) + ' · ' + percent(s.wall_s / total))]); return i; })));
  if (r.stages.length) $('run').append(table(['Stage', 'Status', 'Items', 'Wall', 'Processor'], r.stages.map((s) => [el('span', { class: 'key', '--h': stageHue(s) }, words(s.name)), el('span', { class: 'status ' + s.status }, s.status), s.items.toLocaleString('en'), s.wall_s.toFixed(2) + ' s', s.cpu_s.toFixed(2) + ' s']), [2, 3, 4]));
  const settings = Object.entries(r.settings || {});
  if (settings.length) $('run').append(el('details', null, el('summary', null, 'Settings'), table(['Name', 'Value'], settings, [])));
}
function table(head, rows, numeric) {
  const cell = (tag, v, i) => el(tag, { class: numeric.includes(i) ? 'num right' : null, scope: tag === 'th' ? 'col' : null }, v);
  return el('div', { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': head[0] + ' table' }, el('table', null, el('thead', null, el('tr', null, head.map((h, i) => cell('th', h, i)))), el('tbody', null, rows.map((r) => el('tr', null, r.map((v, i) => cell('td', v, i)))))));
}
function models() {
  if (!T.models.length) return;
  $('models').append(table(['Model', 'For', 'Licence', 'Runs on'], T.models.map((m) => [el('span', { title: 'sha256 ' + m.sha256 }, el('b', null, m.name), el('code', { class: 'dim' }, m.sha256.slice(0, 12))), words(m.task), m.licence, m.runtime + ' · ' + m.device]), []));
  $('models').hidden = false;
}
function issues() {
  if (!T.issues.length) return;
  $('issues').append(el('ul', { class: 'issues' }, T.issues.map((i) => el('li', null, el('b', null, words(i.stage)), el('code', null, i.code), el('p', null, coded(i.message), i.hint ? el('span', { class: 'dim' }, ' – ', coded(i.hint)) : null)))));
  $('issues').hidden = false;
}
function startPanels() {
  facts();
  entities();
  tabs(moments());
  summary();
  highlights();
  run();
  models();
  issues();
}
