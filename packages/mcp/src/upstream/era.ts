import { CmcpError, asCmcpError, isJsonObject, type ErrorCode } from "@cmcp/boundary";
import { RPC } from "../jsonrpc/reply.ts";
import { MODERN_VERSION } from "../versions.ts";
import { withSent } from "./fault.ts";
import { NotOpened } from "./legacy/sessions.ts";
import type { ModernTransport } from "./modern/transport.ts";
import type { UpstreamLimits } from "./options.ts";
import { silentPeer } from "../peer.ts";
import { UpstreamRefusal } from "./refusal.ts";

/** `modern`: an envelope in every request. `legacy`: `initialize` and sessions. */
export type UpstreamEra = "modern" | "legacy";

/** How long a server may take over `server/discover`: one that knows it answers at once, others may never. */
const DISCOVER_MS = 10_000;
/** Failures of a server that was reached: it answered something else, or nothing. */
const REACHED: readonly ErrorCode[] = [
  "UPSTREAM_PROTOCOL_ERROR",
  "UPSTREAM_CALL_REFUSED",
  "UPSTREAM_INPUT_REQUIRED",
  "UPSTREAM_TIMEOUT",
  "RESPONSE_SIZE_EXCEEDED",
];
/** JSON-RPC errors the modern era gives under 4xx; any other there comes from something else. */
const MODERN_REFUSALS: readonly unknown[] = [
  RPC.methodNotFound,
  RPC.invalidParams,
  RPC.headerMismatch,
  RPC.missingCapability,
];

function wasReached(fault: CmcpError): boolean {
  return REACHED.includes(fault.code);
}

/**
 * Which era a tool server speaks: asked once with `server/discover`, remembered, and asked again after a
 * failure that shows it may have changed (MCP 2026-07-28, Versioning, "Backward Compatibility").
 */
export class ServerEra {
  readonly #transport: ModernTransport;
  readonly #limits: UpstreamLimits;
  readonly #closing: AbortSignal;
  readonly #fixed: UpstreamEra | undefined;
  #verdict: Promise<UpstreamEra> | undefined;
  #found: UpstreamEra | undefined;
  readonly #awaited = new Set<() => void>();

  /** @param fixed the one era it may be, whatever the server says */
  constructor(transport: ModernTransport, limits: UpstreamLimits, closing: AbortSignal, fixed?: UpstreamEra) {
    this.#fixed = fixed;
    this.#transport = transport;
    const wait = Math.min(limits.headersMs, DISCOVER_MS);
    this.#limits = {
      ...limits,
      headersMs: wait,
      idleMs: wait,
      totalMs: Math.min(limits.totalMs, limits.connectMs + wait),
    };
    this.#closing = closing;
  }

  /** The verdict, which is also what to {@link forget}. Callers share one probe; its errors have `detail.sent` 0. */
  current(): Promise<UpstreamEra> {
    if (this.#verdict !== undefined) return this.#verdict;
    const verdict = this.#probe();
    this.#verdict = verdict;
    verdict.then(
      (era) => {
        if (this.#verdict !== verdict) return;
        this.#found = era;
        if (era === "modern") for (const resolve of this.#awaited) resolve();
      },
      () => this.forget(verdict),
    );
    return verdict;
  }

  /** The verdict, once there is one. */
  get found(): UpstreamEra | undefined {
    return this.#found;
  }

  /** Resolves once the server is known to be modern, or `signal` aborts. */
  async modern(signal: AbortSignal): Promise<void> {
    if (this.#found === "modern" || signal.aborted) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const done = (): void => resolve();
    this.#awaited.add(done);
    signal.addEventListener("abort", done, { once: true });
    await promise;
    signal.removeEventListener("abort", done);
    this.#awaited.delete(done);
  }

  /** Forgets that verdict, unless another has come since. */
  forget(verdict: Promise<UpstreamEra>): void {
    if (this.#verdict !== verdict) return;
    this.#verdict = undefined;
    this.#found = undefined;
  }

  async #probe(again = true): Promise<UpstreamEra> {
    if (this.#fixed !== undefined) return this.#fixed;
    try {
      const answer = await this.#transport.request(
        { method: "server/discover", params: {} },
        silentPeer(this.#closing),
        this.#limits,
      );
      if (answer.kind !== "complete") return "legacy";
      const { supportedVersions, capabilities } = answer.result;
      const modern =
        Array.isArray(supportedVersions) && supportedVersions.includes(MODERN_VERSION) && isJsonObject(capabilities);
      return modern ? "modern" : "legacy";
    } catch (thrown) {
      const fault = asCmcpError(thrown, "INTERNAL", "the tool server's era could not be found out");
      // Versioning, "Protocol Version Negotiation": a server that refuses a version it then names has only to be asked again.
      if (again && thrown instanceof UpstreamRefusal && supportsModern(thrown)) return await this.#probe(false);
      // A legacy server may answer what it does not know with anything, or with nothing. A server that could
      // not be reached says nothing of its era.
      if (wasReached(fault) && fault.detail.sent === 1) return "legacy";
      throw withSent(fault, false);
    }
  }
}

/** True when a server's refusal of the version names the one that was asked for. */
function supportsModern({ rpcCode, rpcData }: UpstreamRefusal): boolean {
  return (
    rpcCode === RPC.unsupportedVersion &&
    isJsonObject(rpcData) &&
    Array.isArray(rpcData.supported) &&
    rpcData.supported.includes(MODERN_VERSION)
  );
}

/** True when a request failed as it would at a server of the other era. */
export function suggestsOtherEra(fault: CmcpError, era: UpstreamEra): boolean {
  const { status, rpc_code: rpcCode } = fault.detail;
  if (rpcCode === RPC.unsupportedVersion) return true;
  if (fault instanceof NotOpened) return wasReached(fault);
  const refusedByHttp = status === 400 || status === 404 || status === 405;
  return refusedByHttp && (era === "legacy" || !MODERN_REFUSALS.includes(rpcCode));
}

/** True when the server did not run the request: it said so with a JSON-RPC error, or never got it. */
export function didNotRun(fault: CmcpError): boolean {
  return fault.code === "UPSTREAM_CALL_REFUSED" || fault instanceof NotOpened;
}
