import { Agent, request } from "node:http";
import { performance } from "node:perf_hooks";

/** A streamed result as it arrived. */
export interface Streamed {
  readonly firstByteMs: number;
  /** Times of the first byte and of the end, in milliseconds on this process's clock. */
  readonly begunAt: number;
  readonly endedAt: number;
  /** Progress events that came in order, each once. */
  readonly events: number;
  /** `null` when the result came after all of them. */
  readonly broken: string | null;
}

/** A request whose answer is being read. */
export interface Reading {
  /** Resolves with the first byte of the answer's body. */
  readonly begun: Promise<void>;
  readonly done: Promise<Streamed>;
  /** Gives the answer up. */
  readonly cancel: () => void;
}

/** Connections that are kept between streams. */
export function streamAgent(): Agent {
  return new Agent({ keepAlive: true, maxSockets: Number.POSITIVE_INFINITY });
}

/** Counts the progress events of an event stream that are numbered from 1 without a gap, and looks for its result. */
class EventCount {
  events = 0;
  finished = false;
  fault: string | null = null;
  #rest = "";

  take(text: string): void {
    const blocks = `${this.#rest}${text}`.split("\n\n");
    this.#rest = blocks.pop() ?? "";
    for (const block of blocks) this.#block(block);
  }

  #block(block: string): void {
    const progress = /"progress":(\d+)/.exec(block)?.[1];
    if (block.includes('"notifications/progress"') && progress !== undefined) {
      if (Number(progress) === this.events + 1) this.events += 1;
      else this.fault ??= `event ${progress} after ${this.events}`;
    } else if (block.includes('"result":')) this.finished = true;
    else if (block.includes('"error":')) this.fault ??= /"error_code":"([A-Z_]+)"/.exec(block)?.[1] ?? "an error";
  }
}

/** Sends one call and reads its streamed answer. */
export function readStream(
  agent: Agent,
  port: number,
  { headers, body }: { readonly headers: Readonly<Record<string, string>>; readonly body: string },
  expected: number,
): Reading {
  const begun = Promise.withResolvers<void>();
  const done = Promise.withResolvers<Streamed>();
  const count = new EventCount();
  const sent = performance.now();
  let firstByteMs = Number.NaN;
  const settle = (why: string | null): void => {
    const missing = count.finished
      ? `${count.events} of ${expected} events`
      : `no result, ${count.events} of ${expected} events`;
    const whole = count.finished && count.events === expected && count.fault === null;
    begun.resolve();
    done.resolve({
      firstByteMs,
      begunAt: sent + firstByteMs,
      endedAt: performance.now(),
      events: count.events,
      broken: whole ? null : (why ?? count.fault ?? missing),
    });
  };
  const outgoing = request(
    {
      agent,
      host: "127.0.0.1",
      port,
      path: "/mcp",
      method: "POST",
      headers: { ...headers, "content-length": Buffer.byteLength(body) },
    },
    (response) => {
      response.setEncoding("utf8");
      response.on("data", (text: string) => {
        if (Number.isNaN(firstByteMs)) firstByteMs = performance.now() - sent;
        begun.resolve();
        count.take(response.headers["content-type"]?.startsWith("text/event-stream") === true ? text : `${text}\n\n`);
      });
      response.once("end", () => settle(null));
      response.once("error", () => settle("the connection broke"));
    },
  );
  outgoing.once("error", () => settle("the request failed"));
  outgoing.setNoDelay(true);
  outgoing.end(body);
  return { begun: begun.promise, done: done.promise, cancel: () => outgoing.destroy() };
}
