/** A session whose close the host keeps from being recorded: nothing uses it, and it is closed as soon as it can be. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { CmcpError } from "@cmcp/boundary";
import type { Claim, WrittenClaim } from "@cmcp/claim";
import { SessionTable, Vocabulary } from "@cmcp/session";
import { Caller } from "../access/caller.ts";
import { Clock } from "../instance/clock.ts";
import type { Core } from "../boot/core.ts";
import { ClaimSequence, closeSession } from "./claims.ts";
import { Sessions } from "./sessions.ts";
import { startSweeping } from "./sweep.ts";

const alice = new Caller({ principalId: "alice", source: "bearer" }, null);

/** A gateway whose host acknowledges no entry, and a session of alice's that began before. */
async function unstorable() {
  const sessions = new Sessions(
    () =>
      new SessionTable({
        vocabulary: new Vocabulary(),
        maxSessions: 10,
        maxPerPrincipal: 10,
        idleMs: 1e6,
        floorMs: 1e6,
      }),
    { max: 10, maxPerPrincipal: 10 },
    new Clock(),
  );
  const recorded = await sessions.join(alice, null);
  recorded.started = Promise.resolve();
  recorded.chain.write({ entry_type: "session_start" });
  const unavailable = (): CmcpError => new CmcpError("AUDIT_STORE_UNAVAILABLE", "not now");
  const host = { behind: true, asked: 0 };
  const journal = {
    get behind() {
      return host.behind;
    },
    append: () => Promise.reject(unavailable()),
    assertCaughtUp: () => {
      host.asked += 1;
      throw unavailable();
    },
  };
  const core = { sessions, journal, policy: { bundle: { hash: `sha256:${"a".repeat(64)}` } } } as unknown as Core;
  return { core, sessions, recorded, host };
}

const refused = { code: "AUDIT_STORE_UNAVAILABLE" } as const;

test("a session whose close failed is handed to nobody, and is due again until it is closed", async () => {
  const { core, sessions, recorded, host } = await unstorable();
  const closing = closeSession(core, recorded);
  assert.equal(closeSession(core, recorded), closing, "closing twice is closing once");
  const waiting = sessions.join(alice, null);
  await Promise.all([closing, waiting].map((failing) => assert.rejects(failing, refused)));
  await assert.rejects(sessions.join(alice, null), refused, "who comes afterwards is told why, too");
  assert.deepEqual(sessions.takeOver(), [recorded]);
  assert.deepEqual(sessions.takeOver(), []);
  assert.equal(host.asked, 0);
  await assert.rejects(closeSession(core, recorded), refused);
  assert.equal(host.asked, 1, "each close is another attempt");
  assert.equal(recorded.chain.length, 2, "and the session ends once");
  assert.deepEqual(sessions.takeOver(), [recorded]);
  sessions.remember(recorded, {} as Claim);
  assert.notEqual(await sessions.join(alice, null), recorded);
});

test("the sweep closes what is due at its next turn, and waits with it while the host's store is behind", async (t) => {
  t.mock.method(process.stderr, "write", () => true);
  t.mock.timers.enable({ apis: ["setInterval"] });
  const { core, recorded, host } = await unstorable();
  await assert.rejects(closeSession(core, recorded), refused);
  startSweeping(core);
  t.mock.timers.tick(10_000);
  await new Promise(setImmediate);
  assert.equal(host.asked, 0);
  host.behind = false;
  for (let turn = 1; turn <= 2; turn += 1) {
    t.mock.timers.tick(1_000);
    await new Promise(setImmediate);
    assert.equal(host.asked, turn, "what fails again is due at the turn after");
  }
});

test("a claim has the number after the last that was written, and names its hash; one that could not be written takes none", () => {
  const claims = new ClaimSequence();
  const seen: unknown[] = [];
  const write = (hash: string) => (number: number, previous: string | null) => {
    seen.push([number, previous]);
    return { hash } as WrittenClaim;
  };
  claims.next(write("first"));
  const fails = (): never => {
    throw new Error("not written");
  };
  assert.throws(() => claims.next(fails));
  claims.next(write("second"));
  assert.equal(claims.next(write("third")).hash, "third");
  assert.deepEqual(seen, [
    [1, null],
    [2, "first"],
    [3, "second"],
  ]);
});
