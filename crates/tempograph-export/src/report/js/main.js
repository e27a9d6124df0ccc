// Starts the parts in the order they lean on each other.
const asked = Number(new URLSearchParams(location.hash.slice(1)).get('t'));
player.t = Math.min(Math.max(asked, 0) || 0, DUR);
startOverlay();
startTranscript();
startLanes();
startPanels();
startGraph();
startKeys();
startPlayer();
tick(player.t);
