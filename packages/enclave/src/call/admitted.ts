import { approvedOf, type Catalog } from "@cmcp/catalog";
import { governedMethod, silentPeer, type AgentRequest, type Peer, type RpcBody } from "@cmcp/mcp";
import type { Admission } from "../access/admission.ts";
import type { Caller } from "../access/caller.ts";
import type { RecordedSession } from "../record/recorded-session.ts";
import type { Subscriptions } from "../servers/subscriptions.ts";
import type { CallLine, Incoming } from "./line.ts";
import { findTarget } from "./resolve-target.ts";

/** What admits calls, and where subscriptions are kept. */
export interface AdmittedPorts {
  readonly line: Pick<CallLine, "run">;
  readonly admission: Pick<Admission, "run">;
  readonly catalog: Pick<Catalog, "tools" | "prompts" | "resources">;
  readonly subscriptions: Pick<Subscriptions, "handOver">;
}

/** Resources that one stream is to follow. */
export interface ListenerRegistry {
  readonly recorded: RecordedSession;
  readonly caller: Caller;
  readonly uris: readonly string[];
}

/** Calls as they are let in: each when it is its principal's turn, and in its session for as long as that takes calls. */
export class Admitted {
  readonly #ports: AdmittedPorts;

  constructor(ports: AdmittedPorts) {
    this.#ports = ports;
  }

  /** Runs one call. A cancellation waits for nobody's turn. */
  async run(incoming: Incoming, peer: Peer): Promise<RpcBody> {
    const { line, admission } = this.#ports;
    const { recorded, request } = incoming;
    if (governedMethod(request.method).kind === "cancellation")
      return await recorded.run(peer.signal, () => line.run(incoming, peer));
    return await admission.run(recorded.session.principalId, peer.signal, (aside) =>
      recorded.run(peer.signal, (signal) =>
        line.run(incoming, {
          ...peer,
          signal,
          ask: (method, params, until) => aside(() => peer.ask(method, params, until)),
        }),
      ),
    );
  }

  /** Subscribes a stream to resources, each decided and recorded by itself. @returns those that were not refused */
  async follow({ recorded, caller, uris }: ListenerRegistry, signal: AbortSignal): Promise<readonly string[]> {
    const followed: string[] = [];
    for (const uri of uris) {
      const request = subscriptionTo(uri);
      const body = await this.run({ recorded, caller, request }, silentPeer(signal));
      const target = findTarget(this.#ports.catalog, request);
      if ("error" in body || target === undefined) continue;
      const { server } = approvedOf(target);
      this.#ports.subscriptions.handOver(recorded.session, { server, uri }, signal);
      followed.push(uri);
    }
    return followed;
  }
}

function subscriptionTo(uri: string): AgentRequest {
  return {
    method: "resources/subscribe",
    name: uri,
    arguments: {},
    completion: null,
    trace: null,
    workflowId: null,
    dataClass: null,
    requestId: 0,
    input: null,
    task: null,
  };
}
