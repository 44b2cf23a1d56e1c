import { setTimeout as sleep } from "node:timers/promises";
import { CmcpError, type JsonObject } from "@cmcp/boundary";
import type { ListenFilter } from "../protocol/local-params.ts";
import type { Peer } from "../peer.ts";
import type { StreamPosition } from "./answer.ts";
import type { UpstreamLimits } from "./options.ts";

/** MCP 2026-07-28, "Subscriptions": the first message on the stream of each, and what of it is honoured. */
export const SUBSCRIPTION_ACKNOWLEDGED = "notifications/subscriptions/acknowledged";

/** Takes what a server says on a stream of its own. */
export type NotificationHandler = (method: string, params: JsonObject) => void;

/** Whom a server's request on a session's own stream is put to. */
export interface ActiveCaller {
  readonly peer: Peer;
  /** Aborts when the call that the caller attends with is over. */
  readonly over: AbortSignal;
}

/** Notifications of one stream that are taken in one second; more are dropped, as they say nothing new. */
const MAX_PER_SECOND = 100;
/** Waits between two streams, in milliseconds: doubled after each that ended at once. */
const FIRST_WAIT_MS = 1_000;
const LONGEST_WAIT_MS = 60_000;
/** The longest that a timer waits (2^31 - 1); a longer one would not wait at all. */
const MAX_TIMER_MS = 0x7fff_ffff;
/** A stream that lasted this long was a good one. */
const GOOD_MS = 30_000;

/** Bounds of one such stream: it may be silent for long, and is opened anew when it was long or large. */
export function listeningLimits(limits: UpstreamLimits): UpstreamLimits {
  return { ...limits, idleMs: 600_000, totalMs: 3_600_000, maxResponseBytes: 16 * 1024 * 1024 };
}

/** A filter as `subscriptions/listen` writes it. */
export function filterParams(filter: ListenFilter): JsonObject {
  const { resourceSubscriptions, ...flags } = filter;
  const wanted = Object.fromEntries(Object.entries(flags).filter(([, flag]) => flag));
  return resourceSubscriptions === null || resourceSubscriptions.length === 0
    ? wanted
    : { ...wanted, resourceSubscriptions: [...resourceSubscriptions] };
}

/** What a server may say of changes; what a subscription begins with is among it. */
const LIST_CHANGES: readonly string[] = [
  "notifications/tools/list_changed",
  "notifications/prompts/list_changed",
  "notifications/resources/list_changed",
  SUBSCRIPTION_ACKNOWLEDGED,
];

/** `notified`, told of changes alone, each rebuilt: that of a resource from its URI, any other from nothing. */
export function changesOnly(notified: NotificationHandler): NotificationHandler {
  return (method, { uri }) => {
    if (LIST_CHANGES.includes(method)) notified(method, {});
    else if (method === "notifications/resources/updated" && typeof uri === "string") notified(method, { uri });
  };
}

/** `notified`, held to a rate: a server that floods is heard no more often than any other. */
export function rateLimited(notified: NotificationHandler): NotificationHandler {
  let second = 0;
  let count = 0;
  return (method, params) => {
    const now = Math.floor(performance.now() / 1_000);
    count = now === second ? count + 1 : 1;
    second = now;
    if (count <= MAX_PER_SECOND) notified(method, params);
  };
}

/**
 * Keeps a stream open until `signal` aborts: when it ends it is opened again, after a wait, which is no shorter than the
 * server wants it. Ends early when the server offers none. Never throws.
 * @param open reads one stream to its end, false where there is none; it keeps what it is given up to date
 * @param rest the wait
 */
export async function keepListening(
  open: (position: StreamPosition) => Promise<boolean>,
  signal: AbortSignal,
  rest = (ms: number): Promise<void> => resting(ms, signal),
): Promise<void> {
  const position: StreamPosition = { lastEventId: null, retryMs: null };
  for (let wait = FIRST_WAIT_MS; !signal.aborted; ) {
    const since = performance.now();
    try {
      if (!(await open(position))) return;
    } catch (thrown) {
      // The server is gone, or was never there; what it would have said is found out by listing.
      if (!(thrown instanceof CmcpError) && !signal.aborted) throw thrown;
    }
    wait = performance.now() - since > GOOD_MS ? FIRST_WAIT_MS : Math.min(wait * 2, LONGEST_WAIT_MS);
    await rest(Math.min(Math.max(wait, position.retryMs ?? 0), MAX_TIMER_MS));
  }
}

/** Waits, but no longer than until `signal` aborts. Never throws. */
export async function resting(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal, ref: false }).catch(() => undefined);
}
