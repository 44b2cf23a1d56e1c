import { approvedOf, type Catalog, type Drift, type Target } from "@cmcp/catalog";
import type { DriftMonitor } from "../servers/drift.ts";
import { sessionOf, type Call } from "./call.ts";
import { fail, proceed, refuse, type Step } from "./ending.ts";
import type { Permit } from "./permit.ts";

/** What checking for drift needs. */
export interface DriftPorts {
  /** The monitor of the catalog that a call is decided under. */
  readonly monitorOf: (catalog: Catalog) => Pick<DriftMonitor, "driftOf" | "taskSupport">;
  /** Records the drift, once in a session. */
  readonly recordDrift: (call: Call, target: Target, drift: Drift) => Promise<void>;
  readonly policy: "fail_closed" | "warn_only";
}

/**
 * Compares the approved definition with the server's live one; the gateway's own tool has no other. Also checks that the
 * tool can be called in this form: as a task, or plainly.
 */
export async function checkDrift(call: Call, permit: Permit, ports: DriftPorts): Promise<Step<null>> {
  const { target } = permit;
  const monitor = ports.monitorOf(call.catalog);
  try {
    const isOwn = approvedOf(target).server.transport === "gateway";
    const drift = isOwn ? null : await monitor.driftOf(target, sessionOf(call));
    if (drift !== null) {
      await ports.recordDrift(call, target, drift);
      const isOther = drift === "other-provenance";
      const message = isOther
        ? "the server lists other tools than the record of its provenance describes"
        : "the server offers another definition than the approved one";
      // Under either policy: another server is not what was approved.
      if (isOther || ports.policy === "fail_closed")
        return refuse(target, { rule: "catalog-drift", code: "CATALOG_DRIFT_DETECTED", message });
    }
  } catch (thrown) {
    return fail(permit, thrown);
  }
  const message = taskMismatch(call, target, monitor);
  return message === null
    ? proceed(null)
    : refuse(target, { rule: "task-support", code: "TASK_NOT_SUPPORTED", message });
}

/**
 * Why a tool cannot be called as a task, or cannot be called plainly; `null` if it can. The server's latest list says so (MCP
 * 2025-11-25, Tasks, "Tool-Level Negotiation").
 */
function taskMismatch({ request }: Call, target: Target, drift: Pick<DriftMonitor, "taskSupport">): string | null {
  if (request.method !== "tools/call" || target.kind !== "tool") return null;
  const support = drift.taskSupport(target.tool);
  if (request.task !== null)
    return support === null ? "the server does not offer this tool as a task; call it without task" : null;
  return support === "required"
    ? "the server runs this tool only as a task; call it with task, in a session of MCP 2025-11-25"
    : null;
}
