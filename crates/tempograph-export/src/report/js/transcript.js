// What is said, word by word, following the player.
const transcript = $('transcript');
const speakers = [...new Set(speech.map((e) => e.speaker).filter(Boolean))];
const speakerHue = (name) => hue(speakers.indexOf(name) * 3 + 11);
const segments = speech.map((e) => {
  const spans = [];
  const body = el('p', { class: 'said', lang: e.language || null });
  let from = 0;
  for (const w of e.words || []) {
    const at = e.text.indexOf(w.text, from);
    if (at < 0) continue;
    if (at > from) body.append(e.text.slice(from, at));
    const span = el('span', { class: 'word' }, w.text);
    body.append(span);
    spans.push({ span, at, to: at + w.text.length, start_s: w.start_s, end_s: w.end_s });
    from = at + w.text.length;
  }
  body.append(e.text.slice(from));
  body.addEventListener('click', (click) => {
    const hit = spans.find((s) => s.span === click.target);
    seek((hit ? hit.start_s : e.start_s) - START);
  });
  const time = el('button', { class: 'stamp', 'aria-label': 'Go to ' + clock(e.start_s - START), onclick: () => seek(e.start_s - START) }, clock(e.start_s - START));
  const who = e.speaker ? el('span', { class: 'who', '--h': speakerHue(e.speaker) }, e.speaker) : null;
  const mood = e.emotion ? el('span', { class: 'mood', title: e.emotion_basis || '' }, e.emotion) : null;
  const node = el('li', null, el('div', { class: 'by' }, time, who, mood), body);
  return { e, node, body, spans, lower: e.text.toLocaleLowerCase() };
});
let segmentNow = -1, wordNow = null;

function followTranscript(t) {
  const now = t + START;
  let i = lastAt(segments, now, (s) => s.e.start_s);
  if (i >= 0 && now >= segments[i].e.end_s) i = -1;
  if (i !== segmentNow) {
    if (segments[segmentNow]) segments[segmentNow].node.removeAttribute('aria-current');
    segmentNow = i;
    if (segments[i]) {
      segments[i].node.setAttribute('aria-current', 'true');
      if (transcriptRests() && !$('search').value) reveal(transcript, segments[i].node);
    }
  }
  const list = i >= 0 ? segments[i].spans : [];
  const w = list[lastAt(list, now, (s) => s.start_s)];
  const span = w && now < w.end_s + 0.15 ? w.span : null;
  if (span !== wordNow) {
    if (wordNow) wordNow.classList.remove('now');
    if (span) span.classList.add('now');
    wordNow = span;
  }
}
const transcriptRests = restful(transcript);

function search() {
  const query = $('search').value.trim().toLocaleLowerCase();
  let found = 0;
  for (const s of segments) {
    const hits = [];
    for (let at = query ? s.lower.indexOf(query) : -1; at >= 0; at = s.lower.indexOf(query, at + query.length)) hits.push(at);
    found += hits.length;
    s.node.hidden = Boolean(query) && !hits.length;
    for (const w of s.spans) w.span.classList.toggle('hit', hits.some((at) => at < w.to && at + query.length > w.at));
    s.body.classList.toggle('hit', Boolean(hits.length) && !s.spans.length);
  }
  $('found').textContent = query ? (found === 1 ? '1 match' : found + ' matches') : '';
  transcript.classList.toggle('none', Boolean(query) && !found);
}

function startTranscript() {
  transcript.append(...segments.map((s) => s.node));
  if (!segments.length) {
    transcript.append(el('li', { class: 'empty' }, V.audio ? 'No speech was heard.' : 'This video has no sound.'));
    $('search').parentElement.hidden = true;
  }
  $('search').addEventListener('input', search);
  $('search').addEventListener('keydown', (e) => {
    if (e.key === 'Enter') { const first = segments.find((s) => !s.node.hidden); if (first) seek(((first.spans.find((w) => w.span.classList.contains('hit')) || first.e).start_s) - START); }
    if (e.key === 'Escape') { e.target.value = ''; search(); e.target.blur(); }
  });
  follow(followTranscript);
}
