import { eventReader } from '../core/sse';
import type { Http } from './http';
import type { Liveness, Watcher } from './source';
import type { Change } from './types';

const silence = 40_000;
const pollEvery = 10_000;
const longestWait = 15_000;
const linger = 3_000;

/**
 * One stream of events for all that watch. It comes back with the last id after
 * it broke, and when it cannot be had the watchers are told to read again every
 * ten seconds. It runs only while somebody watches.
 */
export class EventStream {
  private readonly watchers = new Set<Watcher>();
  private running: AbortController | undefined;
  private last = '';
  private failures = 0;
  private state: Liveness = 'connecting';
  private poll: ReturnType<typeof setInterval> | undefined;
  private ending: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly http: Http) {}

  watch(watcher: Watcher): () => void {
    this.watchers.add(watcher);
    clearTimeout(this.ending);
    watcher.liveness(this.state);
    if (!this.running) void this.run((this.running = new AbortController()));

    return () => {
      this.watchers.delete(watcher);
      // One view ends before the next begins.
      if (this.watchers.size === 0) this.ending = setTimeout(() => this.watchers.size === 0 && this.stop(), linger);
    };
  }

  private stop(): void {
    this.running?.abort();
    this.running = undefined;
    this.last = '';
    this.failures = 0;
    this.state = 'connecting';
    this.endPolling();
  }

  private become(now: Liveness): void {
    this.state = now;
    this.tell((watcher) => watcher.liveness(now));
  }

  private async run(control: AbortController): Promise<void> {
    while (!control.signal.aborted) {
      try {
        await this.read(control);
      } catch {
        // A stream ends when a proxy or a replica does. It is asked for again.
      }
      if (control.signal.aborted) return;

      this.failures++;
      if (this.failures > 1) this.beginPolling();
      else this.become('connecting');
      await pause(Math.min(longestWait, 250 * 2 ** this.failures) * (0.75 + Math.random() / 2), control.signal);
    }
  }

  // Reads until the stream ends. One that is silent although the server says
  // something every 15 seconds is dead, and nobody would tell.
  private async read(control: AbortController): Promise<void> {
    const one = new AbortController();
    const end = () => one.abort();
    control.signal.addEventListener('abort', end);
    let alarm = setTimeout(end, silence);
    try {
      // Without watch the Kubernetes API server ends the stream after a minute.
      const answer = await this.http.send('/events?watch=true', {
        accept: 'text/event-stream',
        signal: one.signal,
        headers: this.last ? { 'Last-Event-ID': this.last } : {},
      });
      this.opened();

      const feed = eventReader();
      const reader = answer.body!.pipeThrough(new TextDecoderStream()).getReader();
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return;
        clearTimeout(alarm);
        alarm = setTimeout(end, silence);
        for (const message of feed.read(value)) this.take(message.event, message.data);
        this.last = feed.id() || this.last;
      }
    } finally {
      clearTimeout(alarm);
      control.signal.removeEventListener('abort', end);
    }
  }

  private opened(): void {
    // Without an id to come back with, whatever happened meanwhile is not told.
    if (this.failures > 0 && !this.last) this.tell((watcher) => watcher.reset());
    this.failures = 0;
    this.endPolling();
    this.become('live');
  }

  private take(event: string, data: string): void {
    if (event === 'reset') {
      this.tell((watcher) => watcher.reset());

      return;
    }
    let change: Change;
    try {
      change = JSON.parse(data) as Change;
    } catch {
      return;
    }
    if (change.kind) this.tell((watcher) => watcher.change(change));
  }

  private beginPolling(): void {
    if (this.poll) return;
    this.become('polling');
    this.tell((watcher) => watcher.reset());
    this.poll = setInterval(() => this.tell((watcher) => watcher.reset()), pollEvery);
  }

  private endPolling(): void {
    clearInterval(this.poll);
    this.poll = undefined;
  }

  private tell(say: (watcher: Watcher) => void): void {
    for (const watcher of [...this.watchers]) say(watcher);
  }
}

function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    signal.addEventListener('abort', () => (clearTimeout(timer), resolve()), { once: true });
  });
}
