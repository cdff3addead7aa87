const INTERRUPTED_TWICE = 130;

/** First Ctrl-C (or SIGTERM) ends cleanly through `stop`, the second at once. Returns how to forget it again. */
export function stopOnSignals(stop: () => void): () => void {
  let asked = false;
  const onSignal = () => {
    if (asked) process.exit(INTERRUPTED_TWICE);
    asked = true;
    stop();
  };
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal);
  return () => process.off('SIGINT', onSignal).off('SIGTERM', onSignal);
}
