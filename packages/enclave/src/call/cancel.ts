import { approvedOf, type Target } from "@cmcp/catalog";
import { governedMethod, isFinal, silentPeer, type Peer, type TaskState } from "@cmcp/mcp";
import type { Subscriptions } from "../servers/subscriptions.ts";
import type { Upstreams } from "../servers/upstreams.ts";
import type { Call } from "./call.ts";
import { fail, refuse, type Ending, type Step } from "./ending.ts";
import type { Permit } from "./permit.ts";
import { findTarget } from "./resolve-target.ts";
import { deliver } from "./result-ending.ts";
import { received } from "./send-upstream.ts";
import { ServerAuthentications } from "./server-authentications.ts";
import type { Task, Tasks } from "./tasks.ts";

const RULE = "cancellation";
/** How long a server may take to cancel a task, in milliseconds. The agent may be gone by then. */
const CANCEL_MS = 10_000;

/** What cancelling needs. */
export interface CancelPorts {
  readonly tasks: Pick<Tasks, "setCancelled">;
  readonly subscriptions: Pick<Subscriptions, "remove">;
  readonly upstreams: Pick<Upstreams, "request">;
  readonly journalIntent: (call: Call, permit: Permit) => Promise<Step<null>>;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

/**
 * Cancels a task or a subscription. Cancelling is always allowed, so no data crosses in either direction: the parameters are fixed,
 * the server's messages are dropped, and the gateway writes the reply. A task is cancelled at its server once.
 */
export async function cancel(call: Call, ports: CancelPorts): Promise<Ending> {
  const target = findTarget(call.catalog, call.policyRequest);
  if (call.request.method === "resources/unsubscribe") return unsubscribe(call, target, ports);
  if (call.task === null || target === undefined)
    return refuse(null, { rule: "not-in-catalog", code: "TASK_UNKNOWN", message: "there is no such task" });
  // MCP 2025-11-25, Tasks, "Cancelling Tasks": a task that has ended is not cancelled.
  if (isFinal(call.task.state))
    return refuse(target, { rule: RULE, code: "TASK_UNKNOWN", message: "the task has ended" });
  return await cancelAtServer(call, permitOf(target), call.task, ports);
}

function unsubscribe({ recorded, request }: Call, target: Target | undefined, { subscriptions }: CancelPorts): Ending {
  // Unsubscribing from a resource without a subscription succeeds.
  if (target !== undefined) subscriptions.remove(recorded.session, approvedOf(target).server, request.name);
  const outcome = { kind: "result", result: {} } as const;
  const detail = { outcome: "unsubscribed" };
  return {
    kind: "ending",
    target: target ?? null,
    decision: "allow",
    rule: RULE,
    sent: false,
    hasServerText: false,
    outcome,
    inspection: "n/a",
    detail,
  };
}

async function cancelAtServer(call: Call, permit: Permit, task: Task, ports: CancelPorts): Promise<Ending> {
  const { session } = call.recorded;
  const reply = deliver(permit, cancelledTask(task, ports.now()), { outcome: "cancel_requested" });
  if (task.cancelled) return { ...reply, sent: false };
  // Set before the first await, so that a concurrent second cancellation sends nothing.
  ports.tasks.setCancelled(session.id, task, true);
  const journalled = await ports.journalIntent(call, permit);
  if (journalled.kind === "ending") {
    ports.tasks.setCancelled(session.id, task, false);
    return journalled;
  }
  const params = governedMethod("tasks/cancel").upstream({
    request: call.request,
    taskId: task.upstreamId,
    input: null,
  });
  const servers = new ServerAuthentications();
  try {
    const { server } = approvedOf(permit.target);
    const peer: Peer = {
      ...silentPeer(AbortSignal.timeout(CANCEL_MS)),
      authenticated: (found) => servers.add(found),
    };
    await received(
      call,
      async () => await ports.upstreams.request(server, session, { method: "tasks/cancel", params }, peer),
    );
    return { ...reply, detail: { ...reply.detail, ...servers.detail } };
  } catch (thrown) {
    ports.tasks.setCancelled(session.id, task, false);
    return withoutServerWords(fail(permit, thrown, servers.detail));
  }
}

function permitOf(target: Target): Permit {
  return { target, decision: "allow", rule: RULE, redactFields: [], keepFields: [], advisory: null };
}

/** The reply to a cancellation, without any data of the server. */
function cancelledTask(
  { state }: Task,
  now: number,
): { readonly kind: "task"; readonly task: TaskState; readonly ending: {} } {
  const lastUpdatedAt = new Date(now).toISOString();
  return { kind: "task", task: { ...state, status: "cancelled", statusMessage: null, lastUpdatedAt }, ending: {} };
}

/** The ending without the server's own error text. */
function withoutServerWords(ending: Ending): Ending {
  const { outcome } = ending;
  if (outcome.kind !== "error" || outcome.rpc === undefined) return ending;
  const { rpc: _, ...own } = outcome;
  return { ...ending, outcome: own };
}
