import assert from "node:assert/strict";
import { test } from "node:test";
import { SessionTable, Vocabulary } from "@cmcp/session";
import { Caller } from "../caller.ts";
import { Clock } from "../clock.ts";
import { Sessions } from "./sessions.ts";

const callerNamed = (principalId: string): Caller => new Caller({ principalId, source: "bearer" }, null);

test("who pushes nothing out waits for nobody's evicted sessions; who does waits for its own", { timeout: 20_000 }, async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const table = (evicted: ConstructorParameters<typeof SessionTable>[0]["evicted"]) => new SessionTable({ vocabulary: new Vocabulary(), maxSessions: 10, maxPerPrincipal: 1, idleMs: 1e6, floorMs: 1e6, ...(evicted === undefined ? {} : { evicted }) });
  const sessions = new Sessions(table, { max: 1, maxPerPrincipal: 1 }, new Clock());
  const [alice, bob] = [callerNamed("alice"), callerNamed("bob")];
  for (let opened = 0; opened < 2; opened += 1) {
    await sessions.room(alice);
    sessions.openHandle(alice).started = Promise.resolve();
  }
  assert.equal(sessions.evictedCount, 1);
  assert.equal(sessions.takeEvicted().length, 1);
  await sessions.room(bob);
  sessions.openHandle(bob).started = Promise.resolve();
  const refused = assert.rejects(sessions.room(alice), { code: "SESSION_LIMIT_REACHED" });
  t.mock.timers.tick(10_000);
  await refused;
});
