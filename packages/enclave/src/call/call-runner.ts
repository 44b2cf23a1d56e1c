import { approvedOf, type Catalog } from "@cmcp/catalog";
import { governedMethod, plainRequest, silentPeer, type Peer, type RpcBody } from "@cmcp/mcp";
import type { Admission } from "../access/admission.ts";
import type { Caller } from "../access/caller.ts";
import type { RecordedSession } from "../record/recorded-session.ts";
import type { Subscriptions } from "../servers/subscriptions.ts";
import type { CallPipeline, IncomingCall } from "./pipeline.ts";
import { findTarget } from "./resolve-target.ts";

/** What a call runner needs. */
export interface CallRunnerPorts {
  readonly line: Pick<CallPipeline, "run">;
  readonly admission: Pick<Admission, "run">;
  readonly catalog: Pick<Catalog, "tools" | "prompts" | "resources">;
  readonly subscriptions: Pick<Subscriptions, "assignToStream">;
}

/** Resources that one stream subscribes to. */
export interface StreamSubscriptions {
  readonly recorded: RecordedSession;
  readonly caller: Caller;
  readonly uris: readonly string[];
}

/** Runs calls: each waits for its principal's turn, and runs only while its session is open. */
export class CallRunner {
  readonly #ports: CallRunnerPorts;

  constructor(ports: CallRunnerPorts) {
    this.#ports = ports;
  }

  /** Runs one call. A cancellation runs at once. */
  async run(incoming: IncomingCall, peer: Peer): Promise<RpcBody> {
    const { line, admission } = this.#ports;
    const { recorded, request } = incoming;
    if (governedMethod(request.method).kind === "cancellation")
      return await recorded.run(peer.signal, () => line.run(incoming, peer));
    return await admission.run(recorded.session.principalId, peer.signal, (whileAsking) =>
      recorded.run(peer.signal, (signal) =>
        line.run(incoming, {
          ...peer,
          signal,
          ask: (method, params, until) => whileAsking(() => peer.ask(method, params, until)),
        }),
      ),
    );
  }

  /** Subscribes a stream to resources. Policy decides each one, and each has its entry. @returns the URIs that were not refused */
  async subscribe({ recorded, caller, uris }: StreamSubscriptions, signal: AbortSignal): Promise<readonly string[]> {
    const followed: string[] = [];
    for (const uri of uris) {
      const request = plainRequest("resources/subscribe", uri);
      const body = await this.run({ recorded, caller, request }, silentPeer(signal));
      const target = findTarget(this.#ports.catalog, request);
      if ("error" in body || target === undefined) continue;
      const { server } = approvedOf(target);
      this.#ports.subscriptions.assignToStream(recorded.session, { server, uri }, signal);
      followed.push(uri);
    }
    return followed;
  }
}
