import assert from "node:assert/strict";
import { test } from "node:test";
import type { EntryFields } from "@cmcp/audit";
import { definitionHash, loadCatalog } from "@cmcp/catalog";
import type { GovernedFacts, Verdict } from "@cmcp/policy";
import { Vocabulary } from "@cmcp/session";
import { targetOf } from "../testing/call-catalog.ts";
import { deciderOf, makeCall, policyStub, requestFor } from "../testing/calls.ts";
import { CallEgress } from "./decide-egress.ts";
import type { GatewayFacts } from "./policy-facts.ts";

const DEFINITION = { description: "Looks up.", input_schema: { type: "object" } };
const DECLARED = { host: "api.example", port: 443 };

function catalogOf(egress: { host: string; port: number }[]) {
  const spawn = { command: "/srv/lookup", egress };
  return loadCatalog(
    [
      {
        tool_name: "lookup",
        server: { display_name: "notes", transport: "stdio", spawn },
        approved_definition: DEFINITION,
        definition_hash: definitionHash(DEFINITION),
        compliance_domain: "public",
        sensitivity_level: "public",
        requires_baa: false,
        added_at: "2026-01-01T00:00:00Z",
        approved_by: "test@example.org",
      },
    ],
    { vocabulary: new Vocabulary(), developmentMode: true },
  );
}

/** The connections of one call under a policy that answers so. */
function scene(
  verdict: (facts: GovernedFacts) => Partial<Verdict>,
  mode: GatewayFacts["enforcementMode"] = "enforcing",
  egress = [DECLARED],
  limits: Parameters<typeof deciderOf>[1] = {},
) {
  const entries: EntryFields[] = [];
  const asked: GovernedFacts[] = [];
  const policy = policyStub((facts) => {
    asked.push(facts);
    return verdict(facts);
  });
  const catalog = catalogOf(egress);
  const call = makeCall(requestFor(), { policy });
  const ports = {
    decider: deciderOf(mode, limits),
    rules: () => ({ policy, catalog }),
    record: async (_: unknown, fields: EntryFields) => entries.push(fields),
  };
  const made = CallEgress.of(ports, call, targetOf(catalog, requestFor()));
  return { made, entries, asked, recorded: call.recorded };
}

const told = ({ policy_decision: decision, policy_rule_matched: rule, detail }: EntryFields) => [
  decision,
  rule,
  `${detail?.["host"]}:${detail?.["port"]}`,
];

test("a server without declared hosts has nothing to decide", () => {
  assert.equal(scene(() => ({}), "enforcing", []).made, undefined);
});

test("policy decides declared hosts alone, as server_egress with host and port", async () => {
  const { made, entries, asked } = scene(() => ({ decision: "allow", rule: "yes" }));
  assert.ok(made !== undefined);
  for (const target of [DECLARED, { ...DECLARED, port: 444 }, { ...DECLARED, host: "other.example" }]) {
    const decision = made.decide(target);
    await decision.record(decision.isAllowed);
  }
  assert.deepEqual(
    asked.map(({ action, egress }) => [action, egress]),
    [["server_egress", DECLARED]],
  );
  assert.deepEqual(entries.map(told), [
    ["allow", "yes", "api.example:443"],
    ["deny", "not-declared", "api.example:444"],
    ["deny", "not-declared", "other.example:443"],
  ]);
  made.countRefusedBefore(2);
  made.count(10, 20);
  assert.deepEqual(made.detail, {
    egress_connections: 1,
    egress_bytes_sent: 10,
    egress_bytes_received: 20,
    egress_refused: 2,
    egress_refused_before: 2,
  });
});

test("a refusal stands, is let through where the mode says so, and names the other call where that refused", async () => {
  const refusing = () => ({ decision: "deny", rule: "no" }) as const;
  const enforced = scene(refusing);
  assert.equal(enforced.made?.decide(DECLARED).isAllowed, false);
  const advised = scene(refusing, "advisory");
  const decision = advised.made?.decide(DECLARED);
  assert.equal(decision?.isAllowed, true);
  await decision.record(true);
  assert.deepEqual(advised.entries.map(told), [["advisory_deny", "no", "api.example:443"]]);
  const other = scene(() => ({ decision: "allow", rule: "yes" }));
  await other.made?.decide(DECLARED).record(false);
  assert.deepEqual(other.entries.map(told), [["deny", "other-call", "api.example:443"]]);
});

test("a full session, and a principal that the kill switch stopped meanwhile, allow nothing", async () => {
  const full = scene(() => ({}));
  Object.defineProperty(full.recorded, "isFull", { value: true });
  const refused = full.made?.decide(DECLARED);
  await refused?.record(false);
  assert.deepEqual([refused?.isAllowed, full.entries, full.made?.detail], [false, [], { egress_unrecorded: 1 }]);
  const stopped = scene(() => ({}), "enforcing", [DECLARED], {
    holdOf: () => ({ kind: "blocked", trigger: "operator" }),
  });
  const decision = stopped.made?.decide(DECLARED);
  await decision?.record(false);
  assert.equal(decision?.isAllowed, false);
  assert.deepEqual(stopped.entries.map(told), [["deny", "kill_switch", "api.example:443"]]);
});

test("beyond the bound connections are refused without an entry, and counted", async () => {
  const { made, entries } = scene(() => ({ decision: "allow", rule: "yes" }));
  for (let i = 0; i < 70; i += 1) {
    const decision = made?.decide(DECLARED) ?? assert.fail();
    assert.equal(decision.isAllowed, i < 64);
    await decision.record(decision.isAllowed);
  }
  assert.equal(entries.length, 64);
  assert.deepEqual([made?.detail["egress_connections"], made?.detail["egress_unrecorded"]], [64, 6]);
});
