/**
 * One event stream of the server, read with fetch: unlike EventSource it tells why it was refused, and hears the
 * comments by which the server shows every 15 s that it is there.
 */

const URL = "/api/v1/events";
const SILENCE = 20_000;
const PAUSES = [500, 1000, 2000, 5000, 10_000];

/**
 * Reads the stream until `signal` aborts it, and comes back by itself whenever it breaks.
 * `onFrame(event, data)` is called for each frame, `onAlive()` for each comment, `onState(state)` with connecting, live,
 * reconnecting or out (signed out).
 */
export async function readStream({ onFrame, onState, signal, onAlive = () => {} }) {
  let failures = 0;
  onState("connecting");
  while (!signal.aborted) {
    const parser = new Parser(onFrame, onAlive);
    const outcome = await readOnce(parser, () => { failures = 0; onState("live"); }, signal);
    if (signal.aborted) return;
    if (outcome === "out") return onState("out");
    onState("reconnecting");
    const pause = PAUSES[Math.min(failures, PAUSES.length - 1)];
    failures += 1;
    await wait(pause * (0.75 + Math.random() / 2), signal);
  }
}

/** One connection, from the first byte to its end: "broken", or "out" where the session has ended. */
async function readOnce(parser, onOpen, signal) {
  const attempt = new AbortController();
  const abort = () => attempt.abort();
  signal.addEventListener("abort", abort);
  let watchdog = setTimeout(abort, SILENCE);
  try {
    const response = await fetch(URL, { headers: { Accept: "text/event-stream" }, cache: "no-store", signal: attempt.signal });
    if (response.status === 401 || response.status === 403) return "out";
    if (!response.ok) return "broken";
    onOpen();
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return "broken";
      clearTimeout(watchdog);
      watchdog = setTimeout(abort, SILENCE);
      parser.receive(value);
    }
  } catch {
    return "broken";
  } finally {
    clearTimeout(watchdog);
    attempt.abort();
    signal.removeEventListener("abort", abort);
  }
}

/** Cuts text into frames of server-sent events, however it was chunked. */
class Parser {
  #rest = "";
  #onFrame;
  #onAlive;

  constructor(onFrame, onAlive) {
    this.#onFrame = onFrame;
    this.#onAlive = onAlive;
  }

  receive(text) {
    const frames = (this.#rest + text).split("\n\n");
    this.#rest = frames.pop();
    frames.forEach((frame) => this.#read(frame));
  }

  #read(frame) {
    let event = "message";
    let data = "";
    for (const line of frame.split("\n")) {
      if (line.startsWith("event: ")) event = line.slice(7);
      else if (line.startsWith("data: ")) data += line.slice(6);
    }
    if (data) this.#onFrame(event, JSON.parse(data));
    else this.#onAlive();
  }
}

/** Resolves after so many milliseconds, or as soon as the network is back. */
function wait(milliseconds, signal) {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      window.removeEventListener("online", done);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, milliseconds);
    window.addEventListener("online", done);
    signal.addEventListener("abort", done);
  });
}
