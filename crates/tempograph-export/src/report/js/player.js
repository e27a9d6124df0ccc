// The player: a video when the browser can play one, else a clock over still pictures.
const video = $('video'), still = $('still'), scrub = $('scrub');
const ICON = {
  play: 'M8 5v14l11-7z', pause: 'M7 5h4v14H7zm6 0h4v14h-4z',
  sound: 'M4 9v6h4l5 4V5L8 9zm11.5-.5v7a4 4 0 0 0 0-7zm0-4v2a6 6 0 0 1 0 11v2a8 8 0 0 0 0-15z',
  mute: 'M4 9v6h4l5 4V5L8 9zm17 .5L19.500 8 17.500 10 15.500 8 14 9.500 16 11.500 14 13.500l1.500 1.500 2-2 2 2 1.500-1.500-2-2z',
};
const icon = (name) => el('svg', { viewBox: '0 0 24 24', 'aria-hidden': 'true' }, el('path', { d: ICON[name] }));
const sources = [];
if (D.video_src) sources.push({ src: D.video_src, name: 'Original' });
if (D.annotated_src) sources.push({ src: D.annotated_src, name: 'Annotated', drawn: true });
const player = { t: 0, live: false, source: -1, rate: 1, playing: false };

function tick(t) {
  player.t = Math.max(0, Math.min(t, DUR));
  for (const fn of followers) fn(player.t);
}
function seek(t) {
  const to = Math.max(0, Math.min(t, DUR));
  if (player.live) video.currentTime = Math.min(to, Math.max(0, (video.duration || DUR) - 0.001));
  tick(to);
}
function setPlaying(on) {
  player.playing = on;
  $('play').replaceChildren(icon(on ? 'pause' : 'play'));
  for (const b of [$('play'), $('big-play')]) b.setAttribute('aria-label', on ? 'Pause' : 'Play');
  $('stage').classList.toggle('playing', on);
  if (on) requestAnimationFrame(loop);
}
function togglePlay() {
  if (player.live) {
    if (video.paused) video.play().catch(() => setPlaying(false)); else video.pause();
  } else {
    if (player.t >= DUR) tick(0);
    last = 0;
    setPlaying(!player.playing);
  }
}
let last = 0;
function loop(stamp) {
  if (!player.playing) return;
  if (player.live) tick(video.currentTime);
  else {
    if (last) tick(player.t + ((stamp - last) / 1000) * player.rate);
    last = stamp;
    if (player.t >= DUR) { setPlaying(false); return; }
  }
  requestAnimationFrame(loop);
}

function load(index) {
  player.source = index;
  const source = sources[index];
  video.hidden = !source;
  if (!source) { withoutVideo(); return; }
  const on = player.playing;
  player.live = false;
  video.src = source.src;
  video.addEventListener('loadedmetadata', () => {
    player.live = true;
    video.playbackRate = player.rate;
    if (player.t > 0) video.currentTime = player.t;
    if (on) video.play().catch(() => {});
  }, { once: true });
  const other = sources[(index + 1) % sources.length];
  $('source').hidden = sources.length < 2;
  $('source').textContent = source.name;
  $('source').setAttribute('aria-label', 'Showing ' + source.name.toLowerCase() + ', switch to ' + other.name.toLowerCase());
  showBoxes(!source.drawn);
  showCaptions(!source.drawn);
}
function readable(address) {
  try { return decodeURIComponent(address); } catch { return address; }
}
function withoutVideo() {
  player.live = false;
  $('source').hidden = true;
  $('stage').classList.add('stills');
  const note = $('no-video');
  note.hidden = false;
  const missing = D.video_src ? 'This browser cannot play ' + readable(D.video_src) + ', or it is not there.' : 'This report was written without a video.';
  note.textContent = missing + ' The timeline still works.';
  const picture = () => {
    const scene = sceneAt(player.t), src = scene && scene.thumbnail;
    if (still.dataset.src !== (src || '')) {
      still.dataset.src = src || '';
      still.hidden = !src;
      if (src) still.src = src;
    }
  };
  follow(picture);
  picture();
  showBoxes(true);
  showCaptions(true);
}
still.addEventListener('error', () => { still.hidden = true; });
video.addEventListener('error', () => { if (video.getAttribute('src')) load(player.source + 1 < sources.length && !failed.has(player.source + 1) ? (failed.add(player.source), player.source + 1) : -1); });
const failed = new Set();
// A container that opens but shows no picture is no better than one that does not open.
video.addEventListener('loadedmetadata', () => { if (V.width && !video.videoWidth) video.dispatchEvent(new Event('error')); });
for (const kind of ['seeked', 'timeupdate']) video.addEventListener(kind, () => { if (player.live && !player.playing) tick(video.currentTime); });
video.addEventListener('play', () => setPlaying(true));
for (const kind of ['pause', 'ended']) video.addEventListener(kind, () => { setPlaying(false); if (player.live) tick(video.currentTime); });

function toScene(step) {
  const i = lastAt(scenes, player.t + 1e-3, (s) => s.start_s - START);
  const here = scenes[i];
  // The first press goes back to where this scene began.
  const back = step < 0 && here && player.t - (here.start_s - START) > 1.5;
  const scene = scenes[Math.max(0, Math.min(scenes.length - 1, back ? i : i + step))];
  if (scene) seek(scene.start_s - START + 0.001);
}
function setMuted(on) {
  video.muted = on;
  $('mute').replaceChildren(icon(on ? 'mute' : 'sound'));
  $('mute').setAttribute('aria-pressed', String(on));
}
function startPlayer() {
  $('stage').style.setProperty('--ratio', V.width && V.height ? SHOWN_WIDTH / V.height : 16 / 9);
  $('stage').classList.toggle('sound-only', !V.width);
  scrub.max = DUR;
  scrub.addEventListener('input', () => seek(Number(scrub.value)));
  $('play').addEventListener('click', togglePlay);
  $('big-play').addEventListener('click', togglePlay);
  $('stage').addEventListener('click', (e) => { if (!e.target.closest('button')) togglePlay(); });
  $('back').addEventListener('click', () => toScene(-1));
  $('next').addEventListener('click', () => toScene(1));
  $('back').hidden = $('next').hidden = scenes.length < 2;
  $('mute').hidden = !V.audio;
  $('mute').addEventListener('click', () => setMuted(!video.muted));
  $('speed').value = '1';
  for (const option of $('speed').options) option.textContent = option.value + '×';
  $('speed').addEventListener('change', (e) => { player.rate = Number(e.target.value) || 1; video.playbackRate = player.rate; });
  $('source').addEventListener('click', () => load((player.source + 1) % sources.length));
  $('full').hidden = !$('stage').requestFullscreen;
  $('full').addEventListener('click', () => (document.fullscreenElement ? document.exitFullscreen() : $('stage').requestFullscreen()));
  follow((t) => {
    scrub.value = t;
    scrub.style.setProperty('--done', (t / DUR) * 100 + '%');
    scrub.setAttribute('aria-valuetext', clock(t) + ' of ' + clock(DUR));
    $('time').textContent = clock(t, 1) + ' / ' + clock(DUR);
  });
  setMuted(false);
  setPlaying(false);
  load(sources.length ? 0 : -1);
}
