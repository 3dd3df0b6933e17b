/**
 * One stream for all tabs of a browser, since it opens no more than six connections to a server.
 *
 * The tab that holds a lock reads the stream, and passes on to the others what comes; when it closes, the next in the queue
 * takes its place. (A SharedWorker would do the same, but its URL is a string that becomes a script, which
 * "trusted-types 'none'" forbids; and locks work on phones too.) Locks are for secure pages: on plain HTTP from another
 * machine each tab reads for itself, and only while it is looked at.
 */

import { build } from "./page.js";
import { readStream } from "./stream.js";

const NAME = `iotcenter-live-${build}`;
const ANSWER = 3000;
const SILENCE = 20_000;

/**
 * Begins to read. `onFrame(event, data)` and `onState(state)` are as of readStream, whichever tab does the reading;
 * `snapshot()` is what to tell a tab that was just opened.
 */
export function read(reader) {
  if (navigator.locks && window.BroadcastChannel) new Shared(reader).start();
  else readWhileVisible(reader);
}

function readWhileVisible(reader) {
  let reading = null;
  const look = () => {
    if (document.hidden) {
      reading?.abort();
      reading = null;
    } else if (!reading) {
      reading = new AbortController();
      readStream({ ...reader, signal: reading.signal });
    }
  };
  document.addEventListener("visibilitychange", look);
  look();
}

class Shared {
  #channel = new BroadcastChannel(NAME);
  #reader;
  #state = "connecting";
  #reading = null;
  #waiting = null;
  #watchdog = 0;

  constructor(reader) {
    this.#reader = reader;
  }

  start() {
    this.#channel.onmessage = ({ data }) => this.#hear(data);
    this.#ask();
    this.#queue();
    window.addEventListener("pageshow", (event) => event.persisted && this.#ask());
  }

  #ask() {
    this.#channel.postMessage({ ask: true });
    this.#watch(ANSWER);
  }

  /** Waits for the lock, and reads from then on. */
  #queue() {
    this.#waiting = new AbortController();
    navigator.locks.request(NAME, { signal: this.#waiting.signal }, () => this.#lead()).catch(() => this.#robbed());
  }

  /** Takes the lock away from a tab that does nothing with it: its browser has put it to sleep. */
  #steal() {
    this.#waiting?.abort();
    navigator.locks.request(NAME, { steal: true }, () => this.#lead()).catch(() => this.#robbed());
  }

  #lead() {
    clearTimeout(this.#watchdog);
    this.#reading = new AbortController();
    return readStream({
      onFrame: (event, data) => this.#tell({ event, data }),
      onState: (state) => this.#tell({ state }),
      onAlive: () => this.#tell({ alive: true }),
      signal: this.#reading.signal,
    });
  }

  #robbed() {
    if (!this.#reading) return;
    this.#reading.abort();
    this.#reading = null;
    this.#queue();
    this.#watch(SILENCE);
  }

  #tell(message) {
    this.#channel.postMessage(message);
    this.#hear(message);
  }

  #hear(message) {
    if (message.ask) {
      if (this.#reading) this.#answer();
      return;
    }
    this.#watch(SILENCE);
    if (message.alive) return;
    if (message.state) {
      this.#state = message.state;
      this.#reader.onState(message.state);
    } else {
      this.#reader.onFrame(message.event, message.data);
    }
  }

  #answer() {
    this.#channel.postMessage({ state: this.#state });
    const snapshot = this.#reader.snapshot();
    if (snapshot) this.#channel.postMessage({ event: "snapshot", data: snapshot });
  }

  #watch(patience) {
    clearTimeout(this.#watchdog);
    if (this.#reading) return;
    this.#watchdog = setTimeout(() => {
      if (document.hidden || this.#state === "out") this.#watch(SILENCE);
      else this.#steal();
    }, patience * (1 + Math.random() / 4));
  }
}
