import type { CallDecision, Session } from "./session.ts";
import type { Compartments, Label } from "./label.ts";
import type { Vocabulary } from "./vocabulary.ts";
import type { CrossBoundaryEvent } from "./call-graph.ts";

/** The facts of a catalog tool that a session records. */
export interface InvokedTool {
  readonly toolName: string;
  readonly complianceDomain: string;
  readonly sensitivityLevel: string;
}

/** How one call ended. */
export interface CallRecord {
  readonly callId: string;
  /** `null` when the called name is not in the catalog. */
  readonly tool: InvokedTool | null;
  readonly decision: CallDecision;
  /** Whether the request may have reached the tool's server, whatever became of its answer. */
  readonly sent: boolean;
  /** The label of what came back, or could have; see {@link compartmentsOfCall}. */
  readonly data: Label;
}

/** The session's sensitivity before and after a call. */
export interface SensitivityChange {
  readonly before: string;
  readonly after: string;
}

const COUNTER = {
  allow: "callsAllowed",
  redact: "callsAllowed",
  // Policy refused it and the enforcement mode let it through. A claim counts it as denied.
  advisory_deny: "callsDenied",
  deny: "callsDenied",
  step_up: "callsDenied",
  defer: "callsDenied",
  fault: "callsFaulted",
} as const satisfies Record<CallDecision, keyof Session>;

/**
 * The compartments of the data that a call can return: the tool's level and the floor of its domain.
 * @param declared a label that the caller declared, in addition to the catalog's
 */
export function compartmentsOfCall(vocabulary: Vocabulary, tool: InvokedTool, declared: string | null): Compartments {
  const labels = [tool.sensitivityLevel, vocabulary.floorOfDomain(tool.complianceDomain)];
  return vocabulary.compartmentsOf(declared === null ? labels : [...labels, declared]);
}

/**
 * Adds a finished call to its session. Every call that was sent raises the label, also if its result was denied or its outcome is
 * unknown, because a fault does not show that no data came back.
 *
 * Must run before the caller gets the answer.
 * @throws CmcpError `INTERNAL` for an unknown domain, before anything is changed
 */
export function recordCall(session: Session, call: CallRecord): SensitivityChange {
  const before = session.sensitivity;
  const reached = call.sent ? call.tool : null;
  const sequenceNumber = session.callsTotal;
  if (reached !== null) {
    session.callGraph.add({
      callId: call.callId,
      toolName: reached.toolName,
      domain: reached.complianceDomain,
      sequenceNumber,
    });
    session.toolsInvoked.add(reached.toolName);
    session.raise(call.data);
  }
  session[COUNTER[call.decision]] += 1;
  return { before, after: session.sensitivity };
}

/** `gateway.call_summary` of a claim. */
export interface CallSummary {
  readonly tool_calls_total: number;
  readonly tool_calls_allowed: number;
  readonly tool_calls_denied: number;
  readonly tool_calls_faulted: number;
  readonly tools_invoked: string[];
  readonly session_max_sensitivity: string;
  readonly call_graph_summary: {
    readonly compliance_domains_touched: string[];
    readonly cross_boundary_events: CrossBoundaryEvent[];
    readonly edges_represent: string;
  };
}

function edgesRepresent(session: Session): string {
  const { crossings, events } = session.callGraph;
  const order = "order of calls, not flow of data: a call reached to_domain after from_domain had been reached";
  const meaning = session.flowsCompared ? `${order}; entries name data flows found by content in flow_from` : order;
  return crossings > events.length
    ? `${meaning}; the first ${events.length} of ${crossings} crossings are listed`
    : meaning;
}

/** The session's calls in the claim's form; a copy. */
export function summarize(session: Session): CallSummary {
  return {
    tool_calls_total: session.callsTotal,
    tool_calls_allowed: session.callsAllowed,
    tool_calls_denied: session.callsDenied,
    tool_calls_faulted: session.callsFaulted,
    tools_invoked: [...session.toolsInvoked].sort(),
    session_max_sensitivity: session.highestSensitivity,
    call_graph_summary: {
      compliance_domains_touched: [...session.domainsTouched].sort(),
      cross_boundary_events: session.crossBoundaryEvents.map((event) => ({ ...event })),
      edges_represent: edgesRepresent(session),
    },
  };
}
