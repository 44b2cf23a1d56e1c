/** Findings as facts, and the decision on what is delivered. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { lintBundle, writeSchema } from "./authoring/index.ts";
import { compilePolicy } from "./compile/compile.ts";
import type { CompiledPolicy } from "./compiled.ts";
import type { DeliveryFacts, GovernedFacts } from "./facts.ts";
import { readsFindings } from "./finding-facts.ts";
import {
  asked,
  bundleOf,
  call,
  catalogWith,
  NO_FINDINGS,
  onPrompt,
  onResource,
  prompt,
  resource,
  schemaText,
  WORKER,
} from "./test-support.ts";

const ROWS = resource("x://rows");
const SUMMARY = prompt("summary", ["year"]);
const CATALOG = catalogWith([ROWS], [SUMMARY]);
const PERMIT_CALL = 'permit(principal, action == cMCP::Action::"call_tool", resource);';
const PERMIT_DELIVERY = '@id("deliver") permit(principal, action == cMCP::Action::"deliver_result", resource);';

async function compile(cedar: string, schema?: string): Promise<CompiledPolicy> {
  return await compilePolicy(bundleOf(cedar, schema), CATALOG, { workerUrl: WORKER });
}

const found =
  (rest: Partial<typeof NO_FINDINGS> = {}): (() => typeof NO_FINDINGS) =>
  () => ({ ...NO_FINDINGS, ...rest });
const delivery = (rest: Partial<typeof NO_FINDINGS> = {}, bytes = 10): DeliveryFacts => ({
  bytes,
  findings: found(rest),
});

function deliveries(facts: DeliveryFacts): readonly GovernedFacts[] {
  return [
    call({}, { action: "deliver_result", delivery: facts }),
    onResource("deliver_result", ROWS, { delivery: facts }),
    onPrompt("deliver_result", SUMMARY, { year: "2026" }, { delivery: facts }),
  ];
}

test("a rule reads what stands in the arguments", async () => {
  const policy = await compile(
    `${PERMIT_CALL} @id("secrets") forbid(principal, action, resource) when { context.argument_findings.secrets > 0 ||
      context.argument_findings.kinds.contains("personal:iban") || !context.argument_findings.complete };`,
  );
  assert.equal(readsFindings(policy), true);
  assert.equal(policy.decidesDelivery, false);
  assert.equal(policy.decide(call()).decision, "allow");
  for (const rest of [{ secrets: 1 }, { kinds: ["personal:iban"] }, { complete: false }])
    assert.equal(policy.decide(call({}, { argumentFindings: found(rest) })).rule, "secrets");
});

test("findings are not asked for where no rule reads them", async () => {
  const policy = await compile(PERMIT_CALL);
  const asking = call({}, { argumentFindings: () => assert.fail("asked") });
  assert.equal(policy.decide(asking).decision, "allow");
  assert.equal(readsFindings(policy), false);
});

test("a request whose findings cannot be had is denied", async () => {
  const policy = await compile(
    `${PERMIT_CALL} forbid(principal, action, resource) when { context.argument_findings.secrets > 0 };`,
  );
  const failing = call(
    {},
    {
      argumentFindings: () => {
        throw new Error("no detectors");
      },
    },
  );
  assert.equal(policy.decide(failing).cause, "fault");
});

test("delivery of every kind of result is decided by its findings, bytes and labels", async () => {
  const cedar = `${PERMIT_CALL} ${PERMIT_DELIVERY}
    @id("cards") forbid(principal, action == cMCP::Action::"deliver_result", resource) when { context.result_findings.personal_data > 0 };
    @id("long") forbid(principal, action == cMCP::Action::"deliver_result", resource) when { context.result_bytes > 1000 };
    @id("asked") forbid(principal, action == cMCP::Action::"deliver_result", resource) when { context.argument_findings.secrets > 0 };`;
  for (const policy of [await compile(cedar), await compile(cedar, writeSchema(bundleOf(cedar), CATALOG))]) {
    assert.equal(policy.decidesDelivery, true);
    const rules = (facts: DeliveryFacts): string[] => [
      ...new Set(deliveries(facts).map((one) => policy.decide(one).rule)),
    ];
    assert.deepEqual(rules(delivery()), ["deliver"]);
    assert.deepEqual(rules(delivery({ personalData: 1 })), ["cards"]);
    assert.deepEqual(rules(delivery({}, 1001)), ["long"]);
    assert.equal(policy.decide(call()).decision, "allow");
  }
});

test("a permit of delivery can redact", async () => {
  const policy = await compile(
    `${PERMIT_CALL} @redact_fields("card") permit(principal, action == cMCP::Action::"deliver_result", resource);`,
  );
  const [facts] = deliveries(delivery());
  assert.ok(facts !== undefined);
  assert.deepEqual(policy.decide(facts).redactFields, ["card"]);
});

test("a bundle that does not speak of delivery does not decide it", async () => {
  for (const cedar of [PERMIT_CALL, "permit(principal, action, resource);"])
    assert.equal((await compile(cedar)).decidesDelivery, false);
});

test("a schema that declares delivery puts it under the rules", async () => {
  const schema = schemaText().replace(
    /\}$/,
    "action deliver_result appliesTo { principal: Principal, resource: Resource, context: {} }; }",
  );
  assert.equal((await compile("permit(principal, action, resource);", schema)).decidesDelivery, true);
});

test("a bundle that permits no delivery it speaks of denies it, and is warned of", async () => {
  const cedar = `${PERMIT_CALL} forbid(principal, action == cMCP::Action::"deliver_result", resource) when { context.result_findings.secrets > 0 };`;
  const policy = await compile(cedar);
  assert.equal(policy.decide(call({}, { action: "deliver_result", delivery: delivery() })).decision, "deny");
  const warned = lintBundle(bundleOf(cedar), CATALOG).filter((finding) => finding.includes("every result is withheld"));
  assert.equal(warned.length, 1);
});

test("the listing treats findings of unknown arguments as unknown", async () => {
  const policy = await compile(
    '@id("clean") permit(principal, action == cMCP::Action::"call_tool", resource) when { context.argument_findings.secrets == 1 };',
  );
  assert.equal(policy.decide(call()).decision, "deny");
  assert.equal(policy.couldAllow(call()), true);
});

test("a resource is asked for with its findings", async () => {
  const policy = await compile(
    'permit(principal, action == cMCP::Action::"read_resource", resource) when { context.argument_findings.secrets == 0 };',
  );
  assert.equal(policy.decide(onResource("read_resource", asked(ROWS).resource)).decision, "allow");
});
