import type { Drift, Target } from "@cmcp/catalog";
import type { DriftMonitor } from "../servers/drift.ts";
import type { Call } from "./call.ts";
import { fail, proceed, refuse, type Step } from "./ending.ts";
import type { Permit } from "./permit.ts";

/** What says whether something approved is still what its server offers. */
export interface DriftPorts {
  readonly drift: Pick<DriftMonitor, "driftOf" | "taskSupport">;
  /** Puts a session's first contact with what drifted on record. */
  readonly recordDrift: (call: Call, target: Target, drift: Drift) => Promise<void>;
  readonly policy: "fail_closed" | "warn_only";
}

/** Holds what is approved to what its server lists, and a call's form to what the server takes. */
export async function checkDrift(call: Call, permit: Permit, ports: DriftPorts): Promise<Step<null>> {
  const { target } = permit;
  try {
    const drift = await ports.drift.driftOf(target);
    if (drift !== null) {
      await ports.recordDrift(call, target, drift);
      const message = "what was asked for is not what was approved any more";
      if (ports.policy === "fail_closed")
        return refuse(target, { rule: "catalog-drift", code: "CATALOG_DRIFT_DETECTED", message });
    }
  } catch (thrown) {
    return fail(permit, thrown);
  }
  const message = taskMismatch(call, target, ports.drift);
  return message === null
    ? proceed(null)
    : refuse(target, { rule: "task-support", code: "TASK_NOT_SUPPORTED", message });
}

/** Why a tool cannot be called in the form it is, as a task or as none, by its server's latest list; `null` when it can (MCP 2025-11-25, Tasks, "Tool-Level Negotiation"). */
function taskMismatch({ request }: Call, target: Target, drift: Pick<DriftMonitor, "taskSupport">): string | null {
  if (request.method !== "tools/call" || target.kind !== "tool") return null;
  const support = drift.taskSupport(target.tool);
  if (request.task !== null)
    return support === null ? "the tool's server does not offer it as a task; call it without" : null;
  return support === "required"
    ? "the tool's server runs it as a task only: call it with task, in a session of MCP 2025-11-25"
    : null;
}
