import assert from "node:assert/strict";
import { test } from "node:test";
import { FlowMemory, SessionFlows } from "./session-flows.ts";

const SOURCE = { server: "clinic", tool: "read", labels: [] };
const TEXT = "a record of some length that is found again";
const SLOTS = 1 << 10;
const memoryFor = (tables: number): FlowMemory => new FlowMemory(tables, SLOTS);

test("a session finds what it was handed, and is complete before anything was", () => {
  const flows = new SessionFlows(memoryFor(1), "alice");
  assert.deepEqual(flows.match({ TEXT }), { flows: [], complete: true });
  flows.add(SOURCE, TEXT, {});
  const { flows: found, complete } = flows.match({ TEXT });
  assert.equal(found[0]?.source.server, "clinic");
  assert.ok(complete);
});

test("a session without a table is incomplete, until another gives its room back and a table is made", () => {
  const memory = memoryFor(1);
  const [first, second, third] = [
    new SessionFlows(memory, "alice"),
    new SessionFlows(memory, "alice"),
    new SessionFlows(memory, "alice"),
  ];
  first.add(SOURCE, TEXT, {});
  second.add(SOURCE, TEXT, {});
  assert.deepEqual(second.match({ TEXT }), { flows: [], complete: false });
  first.release();
  first.release();
  third.add(SOURCE, TEXT, {});
  assert.ok(third.match({ TEXT }).complete);
  second.add(SOURCE, TEXT, {});
  assert.deepEqual(second.match({ TEXT }), { flows: [], complete: false });
});

test("a session that has ended takes no room, and knows nothing", () => {
  const memory = memoryFor(1);
  const [ended, next] = [new SessionFlows(memory, "alice"), new SessionFlows(memory, "alice")];
  ended.release();
  ended.add(SOURCE, TEXT, {});
  assert.equal(ended.match({ TEXT }).complete, false);
  next.add(SOURCE, TEXT, {});
  assert.ok(next.match({ TEXT }).complete);
});

test("a session that was handed what no rule wanted to know of is incomplete", () => {
  const flows = new SessionFlows(memoryFor(1), "alice");
  flows.skip();
  flows.add(SOURCE, TEXT, {});
  const { flows: found, complete } = flows.match({ TEXT });
  assert.ok(found.length > 0);
  assert.equal(complete, false);
});

test("one principal's sessions leave tables for another's", () => {
  const memory = memoryFor(16);
  const of = (principal: string): boolean => {
    const flows = new SessionFlows(memory, principal);
    flows.add(SOURCE, TEXT, {});
    return flows.match({ TEXT }).complete;
  };
  const first = Array.from({ length: 20 }, () => of("alice"));
  assert.ok(first.includes(false), "not all tables are one principal's");
  assert.deepEqual([of("bob"), of("carol"), of("dave")], [true, true, true]);
});
