import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  MAX_CROSS_BOUNDARY_EVENTS,
  SessionTable,
  Vocabulary,
  recordCall,
  compartmentsOfCall,
  summarize,
  type CallRecord,
  type Session,
} from "./index.ts";

const vocabulary = new Vocabulary();
const open = (): Session =>
  new SessionTable({ vocabulary, maxSessions: 10, maxPerPrincipal: 10, idleMs: 1000, floorMs: 1000 }).open("a");
const tool = (complianceDomain: string, sensitivityLevel = "public", toolName = `tool_${complianceDomain}`) => ({
  toolName,
  complianceDomain,
  sensitivityLevel,
});
interface Declared {
  readonly declared?: string | null;
  readonly integrity?: "trusted" | "untrusted";
}
let calls = 0;
function call(
  session: Session,
  domain: string,
  { declared = null, integrity = "trusted", ...rest }: Partial<CallRecord> & Declared = {},
): ReturnType<typeof recordCall> {
  calls += 1;
  const compartments = compartmentsOfCall(vocabulary, rest.tool ?? tool(domain), declared);
  return recordCall(session, {
    callId: `call-${calls}`,
    tool: tool(domain),
    decision: "allow",
    sent: true,
    data: { compartments, integrity },
    ...rest,
  });
}

void describe("recording a call", () => {
  void it("counts every decision in the one place it belongs", () => {
    const session = open();
    for (const decision of ["allow", "redact", "deny", "step_up", "defer", "fault"] as const)
      call(session, "external", { decision });
    const { tool_calls_total, tool_calls_allowed, tool_calls_denied, tool_calls_faulted } = summarize(session);
    assert.deepEqual([tool_calls_total, tool_calls_allowed, tool_calls_denied, tool_calls_faulted], [6, 2, 3, 1]);
  });

  void it("raises to the tool's level or its domain's floor, whichever is higher", () => {
    assert.deepEqual(compartmentsOfCall(vocabulary, tool("external", "mnpi"), null), ["mnpi"]);
    assert.deepEqual(compartmentsOfCall(vocabulary, tool("pci_data", "pii"), "mnpi"), ["confidential", "mnpi", "pii"]);
    const session = open();
    assert.deepEqual(call(session, "pii"), { before: "public", after: "pii" });
    assert.deepEqual(call(session, "external"), { before: "pii", after: "pii" });
    assert.deepEqual(call(session, "external", { declared: "trade_secret" }), { before: "pii", after: "trade_secret" });
  });

  void it("raises for a response that was denied and for an unknown outcome, not for a call never sent", () => {
    const session = open();
    assert.equal(call(session, "mnpi", { decision: "deny", sent: false }).after, "public");
    assert.equal(call(session, "pii", { decision: "deny", sent: true }).after, "pii");
    assert.equal(call(session, "internal", { decision: "fault", sent: true }).after, "confidential");
  });

  void it("names only tools and domains that were reached", () => {
    const session = open();
    call(session, "pii", { decision: "deny", sent: false });
    call(session, "external", { tool: null, decision: "deny", sent: true });
    call(session, "internal");
    const summary = summarize(session);
    assert.deepEqual(summary.tools_invoked, ["tool_internal"]);
    assert.deepEqual(summary.call_graph_summary.compliance_domains_touched, ["internal"]);
    assert.equal(summary.tool_calls_total, 3);
  });

  void it("changes nothing when a domain is unknown", () => {
    const session = open();
    assert.throws(() => call(session, "unheard-of"), { code: "INTERNAL" });
    assert.equal(session.callsTotal, 0);
    assert.equal(session.sensitivity, "public");
    assert.equal(session.domainsTouched.size, 0);
  });
});

void describe("crossing between compliance domains", () => {
  const crossings = (session: Session): string[] =>
    summarize(session).call_graph_summary.cross_boundary_events.map(
      ({ from_domain, to_domain }) => `${from_domain}>${to_domain}`,
    );

  void it("is an event when data at least as sensitive had been seen elsewhere, however long ago", () => {
    const session = open();
    for (const domain of ["external", "hipaa_phi", "hipaa_phi", "pii", "external", "mnpi"]) call(session, domain);
    assert.deepEqual(crossings(session), ["hipaa_phi>pii", "hipaa_phi>external", "hipaa_phi>mnpi"]);
  });

  void it("is none on the way up, nor between domains that hold nothing", () => {
    const session = open();
    for (const domain of ["public", "external", "public", "pii", "internal", "hipaa_phi"]) call(session, domain);
    assert.deepEqual(crossings(session), []);
  });

  void it("is none for a call that was not sent", () => {
    const session = open();
    call(session, "hipaa_phi");
    call(session, "external", { decision: "deny", sent: false });
    assert.deepEqual(crossings(session), []);
  });

  void it("names the call, the tool and the call's place in the session", () => {
    const session = open();
    call(session, "pii");
    call(session, "external", { callId: "the-call" });
    assert.deepEqual(session.crossBoundaryEvents, [
      {
        from_domain: "pii",
        to_domain: "external",
        call_id: "the-call",
        tool_name: "tool_external",
        sequence_number: 1,
      },
    ]);
  });

  void it("says where data flows stand, once arguments were compared", () => {
    const session = open();
    assert.doesNotMatch(summarize(session).call_graph_summary.edges_represent, /flow_from/);
    session.flowsCompared = true;
    assert.match(summarize(session).call_graph_summary.edges_represent, /found by content in flow_from/);
  });

  void it("keeps a bounded list and says how many there were", () => {
    const session = open();
    call(session, "pii");
    for (let index = 0; index < MAX_CROSS_BOUNDARY_EVENTS; index += 1) call(session, "external");
    assert.doesNotMatch(summarize(session).call_graph_summary.edges_represent, /listed/, "all of them are");
    for (let index = 0; index < 5; index += 1) call(session, "external");
    const { cross_boundary_events, edges_represent } = summarize(session).call_graph_summary;
    assert.equal(cross_boundary_events.length, 256);
    assert.match(edges_represent, new RegExp(`first ${MAX_CROSS_BOUNDARY_EVENTS} of ${MAX_CROSS_BOUNDARY_EVENTS + 5}`));
  });
});
