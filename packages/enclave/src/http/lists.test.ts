/** Lists: what a page decides, what is remembered, and that pages together are what deciding every target gives. */
import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import type { JsonObject } from "@cmcp/boundary";
import type { Catalog, CatalogTool, Target } from "@cmcp/catalog";
import type { CompiledPolicy, GovernedFacts } from "@cmcp/policy";
import { Turns } from "@cmcp/wire";
import type { DecisionInput } from "../call/call.ts";
import { deciderOf, policyStub, sessionOf } from "../testing/calls.ts";
import { callCatalog } from "../testing/call-catalog.ts";
import { callerOf } from "../testing/record-room.ts";
import { Cursors } from "./cursor.ts";
import { ListMemory } from "./list-verdicts.ts";
import { Lists } from "./lists.ts";

const PAGE = 500;

/** A catalog of this many tools that differ in their names. */
function catalogOf(count: number): Catalog {
  const known = callCatalog();
  const lookup = known.tools.get("lookup");
  assert.ok(lookup !== undefined);
  const tools = new Map<string, CatalogTool>();
  for (let index = 0; index < count; index += 1)
    tools.set(`t${index}`, { ...lookup, toolName: `t${index}`, actionName: `T${index}` });
  return { ...known, tools };
}

const nameIn = (facts: GovernedFacts): string => ("tool" in facts ? facts.tool.toolName : "");

/** Lists over a catalog and a policy, and which targets were decided, for which workflow. */
function listsOver(
  catalog: Catalog,
  policy: () => CompiledPolicy,
  workflows: readonly string[] = ["default"],
  workflowTools?: Readonly<Record<string, readonly string[]>>,
  listed?: readonly string[],
) {
  const decider = deciderOf("enforcing", {}, { workflowTools });
  const decided: string[] = [];
  const rechecked: string[] = [];
  const lists = new Lists({
    decider: {
      offers: (caller, target) => decider.offers(caller, target),
      isListed: (call: DecisionInput, target: Target) => {
        decided.push(`${call.policyRequest.workflowId ?? ""} ${target.kind === "tool" ? target.tool.toolName : ""}`);
        return decider.isListed(call, target);
      },
    },
    rules: () => ({ policy: policy(), catalog }),
    workflows: () => workflows,
    cursors: new Cursors(),
    monitorOf: () => ({ requireRecheck: (kind) => void rechecked.push(kind) }),
    turns: new Turns(),
    listed: listed === undefined ? null : new Set(listed),
  });
  const session = sessionOf();
  const page = async (cursor: string | null, recorded = session, endpoint?: string) => {
    const caller = callerOf(recorded.session.principalId);
    return await lists.page({
      recorded,
      caller: endpoint === undefined ? caller : caller.at(endpoint),
      kind: "tools",
      cursor,
    });
  };
  const all = async (recorded = session): Promise<{ readonly names: unknown[]; readonly pages: number }> => {
    const names: unknown[] = [];
    for (let pages = 1, cursor: string | null = null; ; pages += 1) {
      const { items, nextCursor } = await page(cursor, recorded);
      names.push(...items.map(({ name }) => name));
      if (nextCursor === null) return { names, pages };
      cursor = nextCursor;
    }
  };
  const search = async (args: JsonObject, recorded = session, signal = new AbortController().signal) => {
    const caller = callerOf(recorded.session.principalId);
    const policyRequest = { ...REQUEST, arguments: args };
    const found = await lists.search({ recorded, caller, policy: policy(), catalog, policyRequest }, signal);
    return found.map(({ name }) => name);
  };
  return { page, all, search, decided, rechecked };
}

test("a page of ten thousand tools decides its own members, and a page that was read before decides nothing", async () => {
  const { page, all, decided, rechecked } = listsOver(catalogOf(10_000), () => policyStub());
  const first = await page(null);
  assert.deepEqual([first.items.length, decided.length, rechecked], [PAGE, PAGE, ["tool"]]);
  const second = await page(first.nextCursor);
  assert.deepEqual([second.items[0]?.["name"], decided.length], ["t500", 2 * PAGE]);
  await page(null);
  await page(first.nextCursor);
  assert.equal(decided.length, 2 * PAGE);
  assert.equal((await all()).names.length, 10_000);
  assert.equal(decided.length, 10_000, "each tool is decided once");
  await all(sessionOf());
  assert.equal(decided.length, 10_000, "another session of the principal is told the same");
  await all(sessionOf("bob"));
  assert.equal(decided.length, 20_000, "another principal is decided for itself");
});

test("the endpoint of a workflow lists and decides its tools alone, and its cursors are of its session", async () => {
  const few = ["t3", "t9999", "constructor"];
  const many = Array.from({ length: PAGE + 1 }, (_, index) => `t${index}`);
  const workflowTools = { few, many, none: [] };
  const { page, decided } = listsOver(catalogOf(10_000), () => policyStub(), ["default"], workflowTools);
  const names = async (endpoint?: string): Promise<unknown[]> =>
    (await page(null, sessionOf(), endpoint)).items.map(({ name }) => name);
  assert.deepEqual([await names("few"), decided.length], [["t3", "t9999"], 2]);
  for (const endpoint of ["none", "unlisted", "constructor", "__proto__"]) assert.deepEqual(await names(endpoint), []);
  assert.equal(decided.length, 2, "what is not offered is not decided");
  const own = sessionOf();
  const { nextCursor } = await page(null, own, "many");
  assert.deepEqual(
    (await page(nextCursor, own, "many")).items.map(({ name }) => name),
    [`t${PAGE}`],
  );
  await assert.rejects(page(nextCursor, sessionOf(), "few"), { code: "CURSOR_INVALID" });
  assert.equal((await names()).length, PAGE, "what one endpoint was told is not what another is");
});

test("a page ends after a bounded number of decisions, and of argument checks, however few it lists", async () => {
  const last = policyStub((facts) => (nameIn(facts) === "t9999" ? {} : { decision: "deny", cause: "fault" }));
  const sparse = listsOver(catalogOf(10_000), () => last);
  const first = await sparse.page(null);
  assert.deepEqual([first.items, sparse.decided.length], [[], 1_000]);
  assert.deepEqual((await sparse.all()).names, ["t9999"]);
  const couldAllow: CompiledPolicy["couldAllow"] = (_, looking) => {
    looking?.();
    return true;
  };
  const byArguments = policyStub(() => ({ decision: "deny" }), { couldAllow });
  const slow = listsOver(catalogOf(200), () => byArguments);
  assert.equal((await slow.page(null)).items.length, 64);
  assert.deepEqual([(await slow.all()).names.length, slow.decided.length], [200, 200]);
});

test("a search decides the best matches until it has enough, and each tool once for searches and lists", async () => {
  const { search, page, decided, rechecked } = listsOver(catalogOf(10_000), () => policyStub());
  assert.deepEqual(await search({ query: "t7" }), ["t7"]);
  assert.deepEqual([decided, rechecked], [["default t7"], ["tool"]]);
  assert.deepEqual(await search({ query: "t9 t3", limit: 1 }), ["t3"], "those alike in catalog order");
  assert.deepEqual(await search({ query: "t9 t3 t7", limit: 20 }), ["t3", "t7", "t9"]);
  assert.equal(decided.length, 3);
  await page(null);
  assert.equal(decided.length, PAGE);
  const { description } = catalogOf(1).tools.get("t0") ?? {};
  assert.equal((await search({ query: description ?? "" })).length, 8);
});

test("a search does not end before the tools that policy shows, however many it hides", async () => {
  const last = policyStub((facts) => (nameIn(facts) === "t2999" ? {} : { decision: "deny" }), {
    couldAllow: (_, looking) => {
      looking?.();
      return false;
    },
  });
  const { search, decided } = listsOver(catalogOf(3_000), () => last);
  const { description = "" } = catalogOf(1).tools.get("t0") ?? {};
  assert.deepEqual([await search({ query: description }), decided.length], [["t2999"], 3_000]);
  const gone = AbortSignal.abort();
  await assert.rejects(search({ query: description }, sessionOf("bob"), gone), { code: "REQUEST_CANCELLED" });
});

test("lists show the tools that are to be listed, and a search finds every other", async () => {
  const { page, search } = listsOver(catalogOf(10), () => policyStub(), ["default"], undefined, ["t3"]);
  assert.deepEqual(
    (await page(null)).items.map(({ name }) => name),
    ["t3"],
  );
  assert.deepEqual(await search({ query: "t4" }), ["t4"]);
});

test("other work runs between the pieces of a page", async () => {
  const { page, decided } = listsOver(catalogOf(1_000), () => policyStub());
  const between: number[] = [];
  let running = true;
  const look = (): void => {
    between.push(decided.length);
    if (running) setImmediate(look);
  };
  setImmediate(look);
  await Promise.all([page(null), page(null, sessionOf("bob"))]);
  running = false;
  const pieces = between.map((count, index) => count - (between[index - 1] ?? 0));
  assert.equal(decided.length, 2 * PAGE);
  assert.ok(
    pieces.length >= 20 && Math.max(...pieces) <= 2 * 16,
    "one piece of one list in an iteration of the event loop",
  );
});

test("two pages of one list at the same time decide each target once", async () => {
  const { page, decided } = listsOver(catalogOf(PAGE), () => policyStub());
  const [one, other] = await Promise.all([page(null), page(null)]);
  assert.deepEqual(one.items, other.items);
  assert.equal(decided.length, PAGE);
});

test("another policy is decided anew, and a cursor of the one before is refused", async () => {
  let policy = policyStub();
  const { page, decided } = listsOver(catalogOf(PAGE + 1), () => policy);
  const { nextCursor } = await page(null);
  policy = {
    ...policyStub(() => ({ decision: "deny" })),
    bundle: { ...policy.bundle, hash: `sha256:${"b".repeat(64)}` },
  };
  await assert.rejects(page(nextCursor), { code: "CURSOR_INVALID" });
  assert.deepEqual((await page(null)).items, []);
  assert.equal(decided.length, PAGE + PAGE + 1, "the first page, and every tool under the other policy");
});

test("a session is told apart where a rule reads which session it is", async () => {
  for (const [variable, attribute] of [
    ["principal", "session_id"],
    ["context", "session_id"],
  ] as const) {
    const allowed = sessionOf();
    const policy = policyStub((facts) => ({ decision: facts.sessionId === allowed.session.id ? "allow" : "deny" }), {
      reads: (...read) => read[0] === variable && read[1] === attribute,
    });
    const { all } = listsOver(catalogOf(3), () => policy);
    assert.equal((await all(allowed)).names.length, 3);
    assert.equal((await all()).names.length, 0);
  }
});

test("the memory of verdicts is bounded, and what was not read for longest gives way", () => {
  const memory = new ListMemory(30);
  const callOf = (principal: string): DecisionInput => {
    const recorded = sessionOf(principal);
    return {
      recorded,
      caller: callerOf(principal),
      policy: policyStub(),
      catalog: callCatalog(),
      policyRequest: { ...REQUEST },
    };
  };
  const of = (principal: string) => memory.of("tools", callOf(principal), 10);
  of("a").set(0, true);
  of("b").set(0, true);
  of("c").set(0, false);
  assert.deepEqual([of("a").get(0), of("c").get(0)], [true, false]);
  of("d");
  assert.deepEqual([memory.size, of("a").get(0), of("c").get(0)], [3, true, false]);
  assert.equal(of("b").get(0), undefined, "the oldest was forgotten");
  assert.equal(
    new ListMemory(5).of("tools", callOf("a"), 10).get(0),
    undefined,
    "a list beyond all memory still works",
  );
});

const REQUEST = {
  method: "tools/call",
  name: "",
  arguments: {},
  completion: null,
  trace: null,
  idempotencyKey: null,
  workflowId: null,
  dataClass: null,
  requestId: 0,
  input: null,
  task: null,
} as const;

test("pages together are what deciding every target for every workflow gives", async () => {
  const verdicts = fc.array(fc.constantFrom("allow", "redact", "deny", "step_up", "argument", "error", "fault"), {
    minLength: 1,
    maxLength: 24,
  });
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 0, max: 1_300 }),
      fc.uniqueArray(fc.constantFrom("w1", "w2", "w3"), { maxLength: 3 }),
      verdicts,
      async (count, workflows, table) => {
        const catalog = catalogOf(count);
        const said = (facts: GovernedFacts): string =>
          table[(Number(nameIn(facts).slice(1)) * 7 + facts.workflowId.charCodeAt(1)) % table.length] ?? "";
        const policy = policyStub(
          (facts) => {
            const word = said(facts);
            if (word === "error" || word === "fault") return { decision: "deny", cause: word };
            if (word === "allow" || word === "redact" || word === "step_up") return { decision: word };
            return { decision: "deny" };
          },
          { couldAllow: (facts) => said(facts) === "argument" },
        );
        const { all } = listsOver(catalog, () => policy, workflows);
        const decider = deciderOf();
        const recorded = sessionOf();
        const plain = [...catalog.tools.values()]
          .filter((tool) =>
            workflows.some(
              (workflowId) =>
                decider.isListed(
                  { recorded, caller: callerOf("alice"), policy, catalog, policyRequest: { ...REQUEST, workflowId } },
                  { kind: "tool", tool },
                ).listed,
            ),
          )
          .map(({ toolName }) => toolName);
        assert.deepEqual((await all()).names, plain);
        assert.deepEqual((await all()).names, plain, "and again from memory");
      },
    ),
    { numRuns: 20 },
  );
});
