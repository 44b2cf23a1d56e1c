import assert from "node:assert/strict";
import { test } from "node:test";
import type { ApprovalRequest } from "@cmcp/approval";
import * as fc from "fast-check";
import { alice, approvalOf, bob, carol, delivered, scene, TERMS } from "../testing/approval-scene.ts";
import { requestUnder } from "../testing/approvals.ts";
import { codeOf } from "../testing/pipeline-scene.ts";

const PEOPLE = [alice, bob, carol];
const CALLS = ["a", "b"] as const;
type CallName = (typeof CALLS)[number];

/** What one call of a schedule waits for. */
interface Waiting {
  readonly request: ApprovalRequest;
  readonly given: Map<string, "approve" | "deny">;
}

/** One gateway, and what its approvals ought to be. */
async function begin(needed: number) {
  const gateway = await scene({ terms: { ...TERMS, needed } });
  const waiting = new Map<CallName, Waiting>();
  const stateOf = (call: CallName): "none" | "waiting" | "approved" | "denied" => {
    const found = waiting.get(call);
    if (found === undefined) return "none";
    if ([...found.given.values()].includes("deny")) return "denied";
    return found.given.size >= needed ? "approved" : "waiting";
  };
  return { gateway, waiting, stateOf };
}
type Room = Awaited<ReturnType<typeof begin>>;

const call = fc.constantFrom(...CALLS);
const person = fc.constantFrom(...PEOPLE.keys());
const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ does: fc.constant("call"), call }) },
  { weight: 2, arbitrary: fc.record({ does: fc.constant("race"), call }) },
  {
    weight: 4,
    arbitrary: fc.record({ does: fc.constant("answer"), call, person, denies: fc.integer({ min: 0, max: 4 }) }),
  },
  { weight: 2, arbitrary: fc.record({ does: fc.constant("replay"), call, person }) },
  { weight: 1, arbitrary: fc.record({ does: fc.constant("expire") }) },
  { weight: 1, arbitrary: fc.record({ does: fc.constant("restart") }) },
);

/** Calls once or twice at one time: exactly one is sent where it is approved, and else none. */
async function runs({ gateway, waiting, stateOf }: Room, name: CallName, times: number): Promise<void> {
  const before = gateway.upstreams.sent.length;
  const state = stateOf(name);
  const bodies = await Promise.all(Array.from({ length: times }, () => gateway.run({ arguments: { q: name } })));
  const sent = gateway.upstreams.sent.slice(before).map(({ params }) => params["arguments"]);
  assert.deepEqual(sent, state === "approved" ? [{ q: name }] : []);
  assert.equal(bodies.filter(delivered).length, sent.length);
  if (state === "approved") waiting.delete(name);
  const refused = bodies.filter((body) => !delivered(body));
  for (const body of refused) {
    assert.equal(codeOf(body), state === "denied" ? "APPROVAL_DENIED" : "APPROVAL_REQUIRED");
    const { approval_id: id } = approvalOf(body);
    assert.ok(typeof id === "string");
    const known = waiting.get(name);
    if (known === undefined) waiting.set(name, { request: requestUnder(gateway.pending, id), given: new Map() });
    else assert.equal(id, known.request.approval_id);
  }
}

/** Answers what waits. Who has answered, comes late or answers what is settled is refused. */
async function answers(
  { gateway, waiting, stateOf }: Room,
  name: CallName,
  at: number,
  denies: boolean,
): Promise<void> {
  const [found, who] = [waiting.get(name), PEOPLE[at] ?? alice];
  if (found === undefined) return;
  const decision = denies ? "deny" : "approve";
  const answered = gateway.answer(who, found.request, { decision });
  if (found.given.has(who.approver.id)) return await assert.rejects(answered, { code: "APPROVAL_ANSWERED" });
  if (stateOf(name) !== "waiting") return await assert.rejects(answered, { code: "APPROVAL_UNKNOWN" });
  await answered;
  found.given.set(who.approver.id, decision);
}

test("however calls, answers, replays, races, ends and restarts follow, each approval sends its call once, and nothing else is sent", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 2 }),
      fc.array(step, { minLength: 4, maxLength: 24 }),
      async (needed, schedule) => {
        let room = await begin(needed);
        const old: ApprovalRequest[] = [];
        for (const one of schedule)
          switch (one.does) {
            case "call":
            case "race":
              if ("call" in one) await runs(room, one.call, one.does === "race" ? 2 : 1);
              break;
            case "answer":
              if ("denies" in one) await answers(room, one.call, one.person, one.denies === 0);
              break;
            case "replay":
              // Answers to what is over, of this instance or an earlier one.
              for (const request of old)
                await assert.rejects(room.gateway.answer(alice, request), { code: "APPROVAL_UNKNOWN" });
              break;
            case "expire":
            case "restart":
              old.push(...[...room.waiting.values()].map(({ request }) => request).slice(0, 2));
              if (one.does === "restart") room = await begin(needed);
              else room.gateway.clock.now += 900_000;
              room.waiting.clear();
          }
      },
    ),
    { numRuns: 60 },
  );
});
