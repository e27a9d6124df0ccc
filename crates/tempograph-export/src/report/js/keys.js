// Keys, as players have them.
const KEYS = [
  ['Space', 'k', 'play or pause', togglePlay],
  ['ArrowLeft', '', '5 seconds back', () => seek(player.t - 5)],
  ['ArrowRight', '', '5 seconds on', () => seek(player.t + 5)],
  ['j', '', '10 seconds back', () => seek(player.t - 10)],
  ['l', '', '10 seconds on', () => seek(player.t + 10)],
  [',', '', 'one frame back', () => seek(player.t - 1 / (V.fps || 25))],
  ['.', '', 'one frame on', () => seek(player.t + 1 / (V.fps || 25))],
  ['ArrowUp', '', 'previous scene', () => toScene(-1)],
  ['ArrowDown', '', 'next scene', () => toScene(1)],
  ['Home', '', 'to the start', () => seek(0)],
  ['End', '', 'to the end', () => seek(DUR)],
  ['b', '', 'boxes', () => showBoxes(!boxesOn)],
  ['c', '', 'captions', () => showCaptions(!captionsOn)],
  ['m', '', 'mute', () => setMuted(!video.muted)],
  ['f', '', 'full screen', () => $('full').click()],
  ['+', '=', 'zoom the timeline in', () => zoomTo(zoomed * 1.6)],
  ['-', '', 'zoom the timeline out', () => zoomTo(zoomed / 1.6)],
  ['0', '', 'fit the timeline', () => zoomTo(1)],
  ['/', '', 'search what is said', () => { $('tab-transcript').click(); $('search').focus(); }],
  ['Escape', '', 'show all entities again', () => { if (focusEntity) setFocus(focusEntity); hideTip(); }],
  ['?', '', 'this list', () => $('help').showModal()],
];
const KEY_NAMES = { ArrowLeft: '←', ArrowRight: '→', ArrowUp: '↑', ArrowDown: '↓', Escape: 'Esc' };
function startKeys() {
  $('keys').append(...KEYS.map(([key, also, what]) => el('div', null, el('dt', null, [key, also].filter((k) => k && k !== '=').map((k) => el('kbd', null, KEY_NAMES[k] || k))), el('dd', null, what))));
  $('help-open').addEventListener('click', () => $('help').showModal());
  document.addEventListener('keydown', (e) => {
    if (e.ctrlKey || e.metaKey || e.altKey || $('help').open) return;
    const target = e.target;
    if (target.matches('input[type=search], select, textarea')) return;
    const pressed = e.key === ' ' ? 'Space' : e.key;
    // What has the focus keeps the keys it understands.
    if (pressed === 'Space' && target.closest('button, summary, [role=button]')) return;
    if (target.matches('input[type=range]') && /^(Arrow|Home|End|Page)/.test(pressed)) return;
    if (target.closest('.transcript, .moments, .entities, .scroll') && /^(ArrowUp|ArrowDown|Home|End)$/.test(pressed)) return;
    const row = KEYS.find(([key, also]) => key === pressed || (also && also === pressed));
    if (!row) return;
    e.preventDefault();
    row[3]();
  });
}
