// Starts the parts in the order they lean on each other.
startOverlay();
startTranscript();
startLanes();
startPanels();
startGraph();
startKeys();
startPlayer();
const asked = Number(new URLSearchParams(location.hash.slice(1)).get('t'));
tick(asked > 0 ? asked : 0);
