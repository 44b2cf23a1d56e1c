import { setTimeout as sleep } from "node:timers/promises";
import type { CmcpError } from "@cmcp/boundary";
import type { StreamPosition } from "../answer.ts";
import { protocolFault, upstreamFault } from "../fault.ts";

/** How often one answer is gone on with. */
const MAX_RESUMPTIONS = 64;
/** How often in a row the connection may be lost without an event since. */
const MAX_LOST = 3;
/** The wait before each time where the server said nothing, in milliseconds. */
const DEFAULT_RETRY_MS = 1_000;

/** Going on with one answer whose event stream ended before it was complete (MCP 2025-11-25, "Resumability and Redelivery"). */
export class Resumption {
  /** Where the answer is. */
  readonly position: StreamPosition = { lastEventId: null, retryMs: null };
  #resumed = 0;
  #lost = 0;
  #lostAt: string | null = null;

  /**
   * Waits as long as the server wants it.
   * @param lost how the connection was lost; `null` where the server ended the stream
   * @param patience milliseconds the server may be silent for
   * @returns the event after which to go on
   * @throws CmcpError `lost`, or `UPSTREAM_PROTOCOL_ERROR` for the same without it, where it is not gone on with;
   * `UPSTREAM_TIMEOUT` for a wait longer than `patience`
   */
  async due(lost: CmcpError | null, patience: number, signal: AbortSignal): Promise<string> {
    const { lastEventId, retryMs } = this.position;
    if (lastEventId === null || this.#resumed >= MAX_RESUMPTIONS || this.#lostTooOften(lost))
      throw lost ?? protocolFault("the tool server's answer ended without a reply");
    const wait = retryMs ?? DEFAULT_RETRY_MS;
    if (wait > patience)
      throw upstreamFault(
        "UPSTREAM_TIMEOUT",
        `the tool server broke its answer off, to be asked again in ${wait} ms`,
        true,
      );
    this.#resumed += 1;
    await sleep(wait, undefined, { signal });
    return lastEventId;
  }

  #lostTooOften(lost: CmcpError | null): boolean {
    if (lost === null) return false;
    if (this.#lostAt !== this.position.lastEventId) this.#lost = 0;
    this.#lostAt = this.position.lastEventId;
    this.#lost += 1;
    return this.#lost > MAX_LOST;
  }
}
