// What the page knows of the server, and how fresh that is. Events come as a stream; what is new in the picture is
// fetched when the stream says so. Without the stream the page asks every second until there is one again.

const POLL_MS = 1000, HEARTBEAT_MS = 4000, GAP_MS = 250, SILENT_MS = 8000, AGAIN_MS = 3000, EVENTS_MAX = 1000;

export class Link {
  constructor(changed) {
    this.changed = changed;     // called after everything that is new
    this.status = null;         // /api/v1/status
    this.statusAt = 0;          // performance.now() of its arrival
    this.events = [];           // oldest first
    this.problem = null;        // why the last question had no answer
    this.failing = 0;           // since when; performance.now()
    this.streaming = false;
    this.source = null;
    this.asking = false;
    this.wanted = false;
    this.askedAt = 0;
    this.timer = null;
  }

  start() {
    this.ask();
    setInterval(() => this.tick(), 500);
    document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && this.ask());
  }

  get lastEvent() {
    return this.events.length ? this.events[this.events.length - 1].id : 0;
  }

  // How old what is shown is, in ms: the picture's age when it came, and the time since. -1: there is none.
  age() {
    if (!this.status || this.status.age_ms < 0) return -1;
    return this.status.age_ms + performance.now() - this.statusAt;
  }

  tick() {
    const idle = performance.now() - this.askedAt;
    if (!this.asking && idle >= (this.streaming && !this.problem && !this.status?.failed ? HEARTBEAT_MS : POLL_MS)) this.ask();
    this.changed();
  }

  // One question at a time, and no more than four a second.
  ask() {
    if (this.asking || this.timer) {
      this.wanted = true;
      return;
    }
    const wait = this.askedAt + GAP_MS - performance.now();
    this.timer = setTimeout(() => {
      this.timer = null;
      this.fetchAll();
    }, Math.max(0, wait));
  }

  async fetchAll() {
    this.asking = true;
    this.wanted = false;
    this.askedAt = performance.now();
    try {
      const status = await this.get("api/v1/status");
      if (this.status && this.status.system && status.system && status.system !== this.status.system) this.forget();
      this.status = status;
      this.statusAt = performance.now();
      if (!this.streaming) this.add((await this.get(`api/v1/events?after=${this.lastEvent}`)).events);
      this.problem = null;
      this.failing = 0;
      if (!this.source) this.open();
    } catch (problem) {
      this.problem = problem instanceof Error && problem.name !== "TypeError" ? problem.message : "it does not answer";
      this.failing ||= performance.now();
    }
    this.asking = false;
    this.changed();
    if (this.wanted) this.ask();
  }

  async get(path) {
    const end = new AbortController();
    const timer = setTimeout(() => end.abort(new Error(`no answer for ${SILENT_MS / 1000} s`)), SILENT_MS);
    try {
      const answer = await fetch(path, {cache: "no-store", signal: end.signal});
      if (!answer.ok) throw new Error(`it answers ${answer.status}`);
      return await answer.json();
    } finally {
      clearTimeout(timer);
    }
  }

  // The browser connects again by itself and says which event was the last; where it gives up, we do.
  open() {
    const source = new EventSource(`api/v1/events?after=${this.lastEvent}`);
    this.source = source;
    source.onopen = () => {
      this.streaming = true;
      this.ask();
    };
    source.addEventListener("journal", (event) => {
      this.add([JSON.parse(event.data)]);
      this.ask();
    });
    source.addEventListener("picture", () => this.ask());
    source.onerror = () => {
      this.streaming = false;
      this.ask();
      if (source.readyState !== EventSource.CLOSED) return;
      setTimeout(() => {
        if (this.source === source) this.source = null; // the next answer opens another one
      }, AGAIN_MS);
    };
  }

  // Numbers of events that are committed late come late.
  add(events) {
    for (const event of events) {
      let at = this.events.length;
      while (at > 0 && this.events[at - 1].id > event.id) at--;
      if (at > 0 && this.events[at - 1].id === event.id) continue;
      this.events.splice(at, 0, event);
    }
    if (this.events.length > EVENTS_MAX) this.events.splice(0, this.events.length - EVENTS_MAX);
  }

  // Another server stands there now: its events have numbers of their own.
  forget() {
    this.events = [];
    this.source?.close();
    this.source = null;
    this.streaming = false;
  }
}
