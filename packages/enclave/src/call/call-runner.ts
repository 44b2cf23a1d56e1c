import { approvedOf } from "@cmcp/catalog";
import { governedMethod, plainRequest, silentPeer, type Peer, type RpcBody } from "@cmcp/mcp";
import type { Admission } from "../access/admission.ts";
import type { Caller } from "../access/caller.ts";
import type { RecordedSession } from "../record/recorded-session.ts";
import type { Sessions } from "../record/sessions.ts";
import type { Subscriptions } from "../servers/subscriptions.ts";
import type { CallPipeline, IncomingCall } from "./pipeline.ts";
import { findTarget } from "./resolve-target.ts";
import type { Rules } from "./rules.ts";
import type { RunOnce } from "./run-once.ts";

/** What a call runner needs. */
export interface CallRunnerPorts {
  readonly line: Pick<CallPipeline, "run">;
  readonly once: Pick<RunOnce, "run">;
  readonly admission: Pick<Admission, "run">;
  readonly rules: () => Rules;
  readonly subscriptions: Pick<Subscriptions, "assignToStream">;
  readonly sessions: Pick<Sessions, "currentOf">;
}

/** Resources that one stream subscribes to. */
export interface StreamSubscriptions {
  readonly recorded: RecordedSession;
  readonly caller: Caller;
  readonly uris: readonly string[];
}

/**
 * Runs calls: each waits for its principal's turn, and runs only while its session is open. One with an idempotency
 * key runs at most once.
 */
export class CallRunner {
  readonly #ports: CallRunnerPorts;

  constructor(ports: CallRunnerPorts) {
    this.#ports = ports;
  }

  /** Runs one call. A cancellation runs at once, and a key that it has is not looked at: it may be repeated. */
  async run(incoming: IncomingCall, peer: Peer): Promise<RpcBody> {
    if (governedMethod(incoming.request.method).kind !== "cancellation")
      return await this.#ports.once.run(
        incoming,
        peer,
        async (keyed) => await this.#admit({ ...incoming, keyed }, peer),
      );
    const call = this.#current(incoming);
    return await call.recorded.run(peer.signal, () => this.#ports.line.run(call, peer, async (wait) => await wait()));
  }

  /** While a call waited, its session may have become full, and another one may go on for it. */
  #current(incoming: IncomingCall): IncomingCall {
    const { recorded } = incoming;
    return { ...incoming, recorded: this.#ports.sessions.currentOf(recorded.session) ?? recorded };
  }

  async #admit(incoming: IncomingCall, peer: Peer): Promise<RpcBody> {
    const { line, admission } = this.#ports;
    return await admission.run(incoming.recorded.session.principalId, peer.signal, (whileAsking) => {
      const call = this.#current(incoming);
      return call.recorded.run(peer.signal, (signal) =>
        line.run(
          call,
          { ...peer, signal, ask: (method, params, until) => whileAsking(() => peer.ask(method, params, until)) },
          whileAsking,
        ),
      );
    });
  }

  /** Subscribes a stream to resources. Policy decides each one, and each has its entry. @returns the URIs that were not refused */
  async subscribe({ recorded, caller, uris }: StreamSubscriptions, signal: AbortSignal): Promise<readonly string[]> {
    const followed: string[] = [];
    for (const uri of uris) {
      const request = plainRequest("resources/subscribe", uri);
      const body = await this.run({ recorded, caller, request }, silentPeer(signal));
      const target = findTarget(this.#ports.rules().catalog, request);
      if ("error" in body || target === undefined) continue;
      const { server } = approvedOf(target);
      this.#ports.subscriptions.assignToStream(recorded.session, { server, uri }, signal);
      followed.push(uri);
    }
    return followed;
  }
}
