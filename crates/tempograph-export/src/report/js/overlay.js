// Boxes over the picture, moved smoothly between the frames that were analysed; captions.
const canvas = $('overlay'), pen = canvas.getContext('2d');
const frames = D.boxes.frames.map((f) => {
  const boxes = [];
  for (let i = 1; i + 6 < f.length; i += 7) {
    boxes.push({ track: f[i], label: D.boxes.labels[f[i + 1]], score: f[i + 2], at: [f[i + 3] / 10, f[i + 4] / 10, f[i + 5] / 10, f[i + 6] / 10] });
  }
  return { t: f[0] / 1000, boxes, byTrack: new Map(boxes.filter((b) => b.track).map((b) => [b.track, b])) };
});
const steps = frames.slice(1).map((f, i) => f.t - frames[i].t).filter((d) => d > 0).sort((a, b) => a - b);
// A frame speaks for the time to the next one; after a gap in the analysis it falls silent.
const HOLD = Math.min(2, Math.max(0.1, (steps[steps.length >> 1] || 0.5) * 1.6));
let boxesOn = true, captionsOn = true;

function boxesAt(t) {
  const i = lastAt(frames, t + 1e-3, (f) => f.t);
  const from = frames[i], to = frames[i + 1];
  if (!from || t - from.t > HOLD || cutBetween(from.t, t)) return [];
  const joined = to && to.t - from.t <= HOLD && !cutBetween(from.t, to.t);
  const share = joined ? Math.max(0, Math.min(1, (t - from.t) / (to.t - from.t))) : 0;
  return from.boxes.map((b) => {
    const next = joined && b.track ? to.byTrack.get(b.track) : undefined;
    return { ...b, at: next ? b.at.map((v, k) => v + (next.at[k] - v) * share) : b.at };
  });
}

// A face moves in a straight line from one place of its path to the next, and stays at the last.
const faces = T.faces.filter((f) => f.path.length);
function facesAt(t) {
  const now = t + START + 1e-4;
  return faces.filter((f) => f.start_s <= now && now < f.end_s).map((f) => {
    const i = Math.max(0, lastAt(f.path, now, (p) => p.t_s)), a = f.path[i], b = f.path[i + 1] || a;
    const share = b === a ? 0 : Math.max(0, Math.min(1, (now - a.t_s) / (b.t_s - a.t_s)));
    const felt = T.emotions.find((e) => e.face === f.id && e.start_s <= now && now < e.end_s);
    return { track: f.track, felt, at: a.box.map((v, k) => v + (b.box[k] - v) * share) };
  });
}

// A text on its ground, `height` lines high, within the picture: its left edge at `x`, its upper one where `place` puts it.
function label(text, x, place, size, height, ratio, ground, ink) {
  const wide = pen.measureText(text).width + size, high = size * height;
  const left = Math.max(0, Math.min(x, canvas.width - wide)), top = place(high);
  pen.fillStyle = ground;
  pen.beginPath();
  pen.roundRect(left, top, wide, high, 3 * ratio);
  pen.fill();
  pen.fillStyle = ink;
  pen.fillText(text, left + size / 2, top + high / 2 + ratio / 2);
}

// Where a box of the picture's pixels lies on a canvas of w × h: left, top, width, height. Full screen letterboxes the picture.
function onCanvas(w, h) {
  const high = Math.min(w / SHOWN_WIDTH, h / V.height), wide = high * PIXEL;
  const dx = (w - V.width * wide) / 2, dy = (h - V.height * high) / 2;
  return ([x1, y1, x2, y2]) => [dx + x1 * wide, dy + y1 * high, (x2 - x1) * wide, (y2 - y1) * high];
}

function draw(t) {
  const box = canvas.getBoundingClientRect();
  const ratio = Math.min(devicePixelRatio || 1, 2), w = Math.round(box.width * ratio), h = Math.round(box.height * ratio);
  if (canvas.width !== w || canvas.height !== h) { canvas.width = w; canvas.height = h; }
  pen.clearRect(0, 0, w, h);
  if (!boxesOn || !V.width) return;
  const lies = onCanvas(w, h);
  const size = Math.max(10, Math.min(13, box.width / 46)) * ratio;
  pen.font = '600 ' + size + 'px system-ui, sans-serif';
  pen.textBaseline = 'middle';
  for (const b of boxesAt(t).sort((p, q) => p.at[3] - q.at[3])) {
    const [x, y, bw, bh] = lies(b.at);
    const entity = trackEntity.get(b.track), dim = focusEntity && entity !== focusEntity;
    const colour = 'hsl(' + (b.track ? trackHue(b.track) : 0) + (b.track ? ' 85% 66%' : ' 0% 80%');
    pen.globalAlpha = dim ? 0.25 : 1;
    pen.lineWidth = (focusEntity && !dim ? 3 : 2) * ratio;
    pen.strokeStyle = colour + ')';
    pen.fillStyle = colour + ' / ' + (focusEntity && !dim ? 0.2 : 0.07) + ')';
    pen.beginPath();
    pen.roundRect(x, y, bw, bh, Math.min(5 * ratio, bw / 4, bh / 4));
    pen.fill();
    pen.stroke();
    if (dim) continue;
    const name = words(b.label) + (b.track ? ' ' + b.track : '');
    // In a small picture a number says enough.
    const text = bw > 90 * ratio ? name + '  ' + b.score + ' %' : b.track && pen.measureText(name).width > bw * 2.4 ? String(b.track) : name;
    // Above the box, or inside where there is no room above.
    const above = (high) => (y - high - 2 * ratio < 0 ? Math.max(0, y) + 2 * ratio : y - high - 2 * ratio);
    label(text, x, above, size, 1.55, ratio, colour + ')', '#0b0e13');
  }
  for (const f of facesAt(t)) {
    const [x, y, bw, bh] = lies(f.at);
    pen.globalAlpha = focusEntity && trackEntity.get(f.track) !== focusEntity ? 0.25 : 1;
    pen.lineWidth = ratio;
    pen.strokeStyle = 'hsl(' + (f.track ? trackHue(f.track) + ' 85% 66%' : '0 0% 80%') + ')';
    pen.beginPath();
    pen.roundRect(x, y, bw, bh, Math.min(bw, bh) / 3);
    pen.stroke();
    if (!f.felt) continue;
    const below = (high) => Math.min(y + bh + 2 * ratio, h - high);
    label(words(f.felt.label), x, below, size, 1.4, ratio, 'rgb(11 14 19 / 0.75)', '#fff');
  }
  pen.globalAlpha = 1;
}

function showBoxes(on) {
  boxesOn = on;
  $('boxes').setAttribute('aria-pressed', String(on));
  draw(player.t);
}
function showCaptions(on) {
  captionsOn = on;
  $('captions').setAttribute('aria-pressed', String(on));
  caption(player.t);
}
function caption(t) {
  const cue = captionsOn ? D.cues[lastAt(D.cues, t * 1000 + 1, (c) => c[0])] : undefined;
  const said = cue && t * 1000 < cue[1] ? cue[2] : '';
  if ($('caption').textContent !== said) $('caption').textContent = said;
}
function startOverlay() {
  $('boxes').hidden = !(frames.length || faces.length) || !V.width;
  $('captions').hidden = !D.cues.length;
  $('boxes').addEventListener('click', () => showBoxes(!boxesOn));
  $('captions').addEventListener('click', () => showCaptions(!captionsOn));
  focusListeners.push(() => draw(player.t));
  new ResizeObserver(() => draw(player.t)).observe(canvas);
  follow(draw);
  follow(caption);
}
