import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { CmcpError } from "@cmcp/boundary";
import { silentPeer, type RpcBody } from "@cmcp/mcp";
import type { GovernedFacts, Verdict } from "@cmcp/policy";
import { callCatalog } from "../testing/call-catalog.ts";
import { deciderOf, makeCall, policyStub, requestFor } from "../testing/calls.ts";
import { codeOf, start, type Scene } from "../testing/pipeline-scene.ts";
import { findTarget } from "./resolve-target.ts";
import { Deferrals, MAX_DECISIONS, MAX_DEFERRED, MAX_DEFERRED_OF_PRINCIPAL } from "./wait-deferred.ts";

const MS = 16_000;
const DEFER: Partial<Verdict> = { decision: "defer", rule: "later" };

/** A clock and timers that a test sets. */
function testClock() {
  const clock = { now: 1_000 };
  const timers = new Set<{ readonly at: number; readonly run: () => void }>();
  const later = (ms: number, run: () => void): (() => void) => {
    const timer = { at: clock.now + ms, run };
    timers.add(timer);
    return () => void timers.delete(timer);
  };
  const settled = async (): Promise<void> => {
    for (let turn = 0; turn < 20; turn += 1) await new Promise(setImmediate);
  };
  const pass = async (ms: number): Promise<void> => {
    clock.now += ms;
    for (const timer of timers)
      if (timer.at <= clock.now) {
        timers.delete(timer);
        timer.run();
      }
    await settled();
  };
  return { clock, timers, later, settled, pass };
}

/** A session whose policy defers the calls of `lookup`, until a test says otherwise. */
async function scene({ ms = MS, ...rest }: Partial<Scene> & { readonly ms?: number } = {}) {
  const time = testClock();
  const deferrals = new Deferrals({ ms, now: () => time.clock.now, later: time.later });
  let verdict: Partial<Verdict> = DEFER;
  const asked: GovernedFacts[] = [];
  const policy = policyStub((facts) => {
    asked.push(facts);
    return verdict;
  });
  const started = await start({ policy, deferrals, ...rest });
  const ended: RpcBody[] = [];
  const call = (...args: Parameters<typeof started.run>): Promise<void> =>
    started.run(...args).then((body) => void ended.push(body));
  return { ...time, ...started, deferrals, asked, ended, call, set: (now: Partial<Verdict>) => void (verdict = now) };
}

void describe("a call that a rule defers", () => {
  void it("goes on once policy allows it, and its entry says how long it waited", async () => {
    const { call, set, pass, settled, ended, upstreams, entries, deferrals, timers } = await scene();
    const running = call();
    await settled();
    assert.deepEqual([ended.length, upstreams.sent.length, entries().length, deferrals.size], [0, 0, 0, 1]);
    set({});
    await pass(MS / 16);
    await running;
    assert.ok(ended[0] !== undefined && "result" in ended[0]);
    const [entry] = entries();
    assert.deepEqual([entry?.policy_decision, entry?.detail?.["deferred_ms"]], ["allow", MS / 16]);
    assert.deepEqual([upstreams.sent.length, deferrals.size, timers.size], [1, 0, 0]);
  });

  void it("is refused as `defer` at the end of its time, after six decisions more, and nothing is sent", async () => {
    const { call, pass, settled, ended, upstreams, entries, asked, deferrals } = await scene();
    const running = call();
    await settled();
    for (const part of [1 / 16, 1 / 16, 1 / 8, 1 / 4, 1 / 4]) await pass(part * MS);
    assert.deepEqual([asked.length, ended.length], [6, 0]);
    await pass(MS / 4);
    await running;
    assert.equal(asked.length, 7);
    assert.equal(codeOf(ended[0] ?? assert.fail()), "POLICY_DENY");
    const [entry] = entries();
    assert.deepEqual(
      [entry?.policy_decision, entry?.policy_rule_matched, entry?.detail?.["deferred_ms"]],
      ["defer", "later", MS],
    );
    assert.deepEqual([upstreams.sent.length, deferrals.size], [0, 0]);
  });

  void it("is decided again when another call of its principal is in the record, and not of anybody's", async () => {
    const { call, set, settled, ended, asked, deferrals, run } = await scene();
    const running = call();
    await settled();
    deferrals.changed("bob");
    await settled();
    assert.equal(asked.length, 1);
    set({ decision: "deny", rule: "no" });
    await run({ arguments: { q: "other" } });
    await running;
    assert.equal(asked.length, 3);
    assert.equal(codeOf(ended[0] ?? assert.fail()), "POLICY_DENY");
  });

  void it("is decided by the policy of then, which its entry names", async () => {
    const newer = policyStub(() => ({}));
    const policy = { ...newer, bundle: { ...newer.bundle, hash: `sha256:${"9".repeat(64)}` } };
    let current = policyStub(() => DEFER);
    const { call, settled, pass, entries, ended } = await scene({ policyNow: () => current });
    const running = call();
    await settled();
    current = policy;
    await pass(MS / 16);
    await running;
    assert.ok(ended[0] !== undefined && "result" in ended[0]);
    assert.equal(entries()[0]?.detail?.["policy_hash"], policy.bundle.hash);
  });

  void it("ends when its agent goes: nothing is decided or sent any more, and it has its entry", async () => {
    const { call, set, settled, entries, asked, upstreams, deferrals, timers } = await scene();
    const agent = new AbortController();
    const running = call({}, silentPeer(agent.signal), async (wait) => {
      const waited = await wait();
      if (agent.signal.aborted) throw new CmcpError("REQUEST_CANCELLED", "no slot for who is gone");
      return waited;
    });
    await settled();
    set({});
    agent.abort();
    await running;
    assert.deepEqual([asked.length, upstreams.sent.length, deferrals.size, timers.size], [1, 0, 0, 0]);
    assert.deepEqual([entries()[0]?.policy_decision, entries()[0]?.detail?.["deferred_ms"]], ["defer", 0]);
  });

  void it("ends with its session", async () => {
    const { recorded, deferrals, call, settled, entries } = await scene();
    const running = recorded.run(new AbortController().signal, async (signal) => await call({}, silentPeer(signal)));
    await settled();
    assert.equal(deferrals.size, 1);
    await recorded.abortCalls();
    await running;
    assert.deepEqual([deferrals.size, entries()[0]?.policy_decision], [0, "defer"]);
  });

  void it("waits for nothing where no slot is left to wait in", async () => {
    const { call, ended, entries } = await scene();
    await call({}, undefined, async () => {
      throw new CmcpError("OVERLOADED", "no slot");
    });
    assert.equal(codeOf(ended[0] ?? assert.fail()), "POLICY_DENY");
    assert.equal(entries()[0]?.policy_decision, "defer");
  });

  void it("is one of so many: further ones of the principal are refused at once", async () => {
    const { call, settled, ended, deferrals, entries, pass } = await scene();
    const running = Array.from({ length: MAX_DEFERRED_OF_PRINCIPAL + 1 }, (_, index) =>
      call({ arguments: { q: `${index}` } }),
    );
    await settled();
    assert.deepEqual([deferrals.size, ended.length], [MAX_DEFERRED_OF_PRINCIPAL, 1]);
    assert.equal(entries()[0]?.policy_decision, "defer");
    assert.equal("deferred_ms" in (entries()[0]?.detail ?? {}), false);
    for (let tries = 0; tries < MAX_DECISIONS; tries += 1) await pass(MS);
    await Promise.all(running);
    const others = Array.from({ length: MAX_DEFERRED }, (_, index) => deferrals.begin(`p${index}`));
    assert.ok(others.every((other) => other !== null));
    assert.equal(deferrals.begin("one-more"), null);
    others[0]?.end();
    assert.notEqual(deferrals.begin("one-more"), null);
  });

  void it("is decided so often and no more, however much happens meanwhile", async () => {
    const { call, settled, deferrals, asked, pass } = await scene();
    const running = call();
    await settled();
    for (let tries = 0; tries < MAX_DECISIONS * 2; tries += 1) {
      deferrals.changed("alice");
      await settled();
    }
    assert.equal(asked.length, MAX_DECISIONS);
    await pass(MS);
    await running;
    assert.equal(asked.length, MAX_DECISIONS + 1);
  });

  void it("waits only where the configuration says so, enforces, and it is a call", async () => {
    for (const [rest, request] of [
      [{ ms: 0 }, {}],
      [{}, { method: "completion/complete" as const }],
      [{ mode: "advisory" as const }, {}],
    ] as const) {
      const { call, ended, deferrals } = await scene(rest);
      await call(request);
      assert.deepEqual([ended.length, deferrals.size], [1, 0]);
    }
  });

  void it("counts once for rules that read history", () => {
    const counted: string[] = [];
    const decider = deciderOf();
    const count = decider.count.bind(decider);
    decider.count = (...args) => {
      counted.push(args[1].kind);
      count(...args);
    };
    const call = makeCall(requestFor(), { policy: policyStub(() => DEFER) });
    decider.decide(call, undefined, () => false);
    assert.deepEqual(counted, []);
    decider.decide(call);
    assert.deepEqual(counted, ["ending"]);
  });

  void it("is listed where calls wait, and is not where they do not", () => {
    const call = makeCall(requestFor(), { policy: policyStub(() => DEFER) });
    const target = findTarget(callCatalog(), requestFor()) ?? assert.fail();
    for (const defers of [true, false])
      assert.equal(deciderOf("enforcing", {}, { defers }).isListed(call, target).listed, defers);
  });
});
