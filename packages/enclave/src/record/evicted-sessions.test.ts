import assert from "node:assert/strict";
import { test } from "node:test";
import { EvictedSessions } from "./evicted-sessions.ts";
import type { RecordedSession } from "./recorded-session.ts";

const sessionOf = (principalId: string): RecordedSession => ({ session: { principalId } }) as RecordedSession;

test("a principal cannot open sessions while too many of its evicted ones wait for their close; others can", async () => {
  const evicted = new EvictedSessions({ max: 10, maxPerPrincipal: 2 });
  const [first, second] = [sessionOf("alice"), sessionOf("alice")];
  for (const session of [first, first, second]) evicted.add(session);
  assert.equal(evicted.size, 2);
  await evicted.waitForRoom("bob");
  let entered = 0;
  const arrivals = [1, 2].map(async () => {
    await evicted.waitForRoom("alice");
    entered += 1;
  });
  await new Promise(setImmediate);
  assert.equal(entered, 0);
  evicted.remove(first);
  evicted.remove(first);
  await new Promise(setImmediate);
  assert.equal(entered, 1, "one place is for one arrival");
  evicted.remove(second);
  await Promise.all(arrivals);
  assert.equal(evicted.size, 0);
});

test("evicted sessions are limited in all, and the first waiting caller goes first", async () => {
  const evicted = new EvictedSessions({ max: 2, maxPerPrincipal: 2 });
  const [one, other] = [sessionOf("alice"), sessionOf("bob")];
  evicted.add(one);
  evicted.add(other);
  const order: string[] = [];
  const arrivals = ["carol", "dave"].map(async (principal) => {
    await evicted.waitForRoom(principal);
    order.push(principal);
    evicted.add(sessionOf(principal));
  });
  evicted.remove(one);
  await arrivals[0];
  assert.deepEqual(order, ["carol"]);
  evicted.remove(other);
  await arrivals[1];
  assert.deepEqual(order, ["carol", "dave"]);
});

test("a caller waits for room for a limited time", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const evicted = new EvictedSessions({ max: 1, maxPerPrincipal: 1 });
  const session = sessionOf("alice");
  evicted.add(session);
  const refused = assert.rejects(evicted.waitForRoom("alice"), { code: "SESSION_LIMIT_REACHED" });
  t.mock.timers.tick(10_000);
  await refused;
  evicted.remove(session);
  await evicted.waitForRoom("alice");
});
