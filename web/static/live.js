/**
 * What happens on the server, as events of `live`: snapshot, readings, presence, device, removed, command, log, file, with the
 * frame's data in `detail`; and state, whenever that changes. Modules listen to what they show.
 */

import { build } from "./page.js";
import { read } from "./sharing.js";

const PATIENCE = 20_000;

class Live extends EventTarget {
  /** All devices by name, as the server tells of them. */
  devices = new Map();
  /** connecting, live, reconnecting, offline (for over 20 s), out (signed out), paused. */
  state = "connecting";
  #told = false;
  #stream = "connecting";
  #paused = sessionStorage.getItem("paused") === "yes";
  #giveUp = 0;

  start() {
    read({
      onFrame: (event, data) => this.#onFrame(event, data),
      onState: (state) => this.#onState(state),
      snapshot: () => (this.#told ? this.#snapshot() : null),
    });
    this.#settle();
  }

  get paused() {
    return this.#paused;
  }

  /** Holds the page as it is, or lets it catch up. */
  set paused(paused) {
    this.#paused = paused;
    sessionStorage.setItem("paused", paused ? "yes" : "");
    if (!paused && this.#told) this.#emit("snapshot", this.#snapshot());
    this.#settle();
  }

  #snapshot() {
    return { build, devices: [...this.devices.values()] };
  }

  #onFrame(event, data) {
    this.#told ||= event === "snapshot";
    KEEP[event]?.(this.devices, data);
    if (event === "snapshot" && data.build !== build) this.#emit("newer", data.build);
    if (!this.#paused) this.#emit(event, data);
  }

  #onState(state) {
    if (state === "reconnecting" || state === "connecting") {
      // Each attempt says so anew: it neither prolongs the patience nor ends what is offline already.
      this.#giveUp ||= setTimeout(() => { this.#stream = "offline"; this.#settle(); }, PATIENCE);
      if (this.#stream === "offline") return;
    } else {
      clearTimeout(this.#giveUp);
      this.#giveUp = 0;
    }
    this.#stream = state;
    this.#settle();
  }

  #settle() {
    const state = this.#paused && this.#stream === "live" ? "paused" : this.#stream;
    document.documentElement.toggleAttribute("data-broken", state === "offline" || state === "out");
    if (state === this.state) return;
    this.state = state;
    this.#emit("state", state);
  }

  #emit(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}

/** What each frame changes in the devices that are remembered. */
const KEEP = {
  snapshot(devices, { devices: all }) {
    devices.clear();
    all.forEach((device) => devices.set(device.name, device));
  },
  device(devices, device) {
    devices.set(device.name, device);
  },
  removed(devices, { device }) {
    devices.delete(device);
  },
  presence(devices, { device, ...changes }) {
    if (devices.has(device)) Object.assign(devices.get(device), changes);
  },
  readings(devices, readings) {
    for (const { device, series, value, time, trend } of readings) {
      const known = devices.get(device);
      const row = known?.series.find((one) => one.name === series);
      if (row) Object.assign(row, { value, time, trend });
      if (known) known.last_seen = Math.max(known.last_seen ?? 0, time);
    }
  },
};

export const live = new Live();
live.start();
