import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test, type TestContext } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { Agent } from "../../demo/agent.ts";
import type { Gateway } from "../../gateway/gateway.ts";
import { startRecordsServer } from "../../servers/records-server.ts";
import { closeSession, serveComposed } from "./composed-host.ts";
import { decisions } from "./decisions.ts";
import { deployRecords, giveToken, TOKEN } from "./deployment.ts";
import { loadedSources, loggingModules } from "./loaded-modules.ts";
import { relyingParty } from "./relying-party.ts";
import { receiptOf } from "./receipts.ts";
import type { Target } from "./target.ts";

/** Milliseconds in which a host that could decide by itself would have. Nothing is judged by it where it cannot. */
const HELD_MS = 1_000;
const PERMIT_ALL = '@id("all")\npermit (principal, action, resource);\n';

/** Sources that decide, or that hold what decisions are made of. */
const DECIDES = /(^|\/)packages\/(policy|catalog|session|inspection|audit|claim|mcp|enclave|verify)\/|cedar/;

/** Starts `cmcp` for a deployment whose provider is `tpm`; `null` where this machine cannot, and then the test is skipped. */
export type StartCommand = (
  t: TestContext,
  config: string,
  environment: Record<string, string>,
) => Promise<Gateway | null>;

/** POLICY-TEE-001, of the host by itself: what the whole command loads. */
export function policyTee001Host(name: Target["name"], start: StartCommand): void {
  test(`POLICY-TEE-001 (${name}): cmcp start, while it serves, has loaded no policy, no catalog and no Cedar`, async (t) => {
    const folder = await mkdtemp(join(tmpdir(), "cmcp-tee1-"));
    t.after(() => rm(folder, { recursive: true, force: true }));
    const records = await startRecordsServer();
    t.after(() => records.close());
    const log = join(folder, "modules");
    const gateway = await start(
      t,
      await deployRecords(join(folder, "deployment"), records, "tpm"),
      loggingModules(log),
    );
    if (gateway === null) return;
    t.after(() => gateway.stop());
    await giveToken(gateway.url);
    assert.deepEqual((await decisions(gateway.mcp)).decided, [true, true, false]);
    const sources = await loadedSources(log);
    for (const folder of ["host-proxy/", "packages/launch/"])
      assert.ok(
        sources.some((path) => path.startsWith(folder)),
        `what the process loaded of ${folder} was seen`,
      );
    assert.deepEqual(
      sources.filter((path) => DECIDES.test(path)),
      [],
    );
  });
}

/** POLICY-TEE-001: Cedar runs in the enclave, and nowhere else. */
export function policyTee001(target: Target): void {
  test(`POLICY-TEE-001 (${target.name}): what decides is the attested enclave`, async (t) => {
    const place = await target.open(t);
    if (place === null) return;
    const folder = await mkdtemp(join(tmpdir(), "cmcp-tee1-"));
    t.after(() => rm(folder, { recursive: true, force: true }));
    const records = await startRecordsServer();
    t.after(() => records.close());
    const config = await deployRecords(join(folder, "deployment"), records, "tpm");
    const deployment = dirname(config);
    const host = await serveComposed(t, place, config);
    const first = await decisions(host.mcp);
    assert.deepEqual(first.decided, [true, true, false]);
    // What a principal has seen follows it into its later sessions.
    const later = { decided: [false, true, false], policies: first.policies };

    await t.test("a host that makes its copy permissive, or deletes it, changes no decision", async () => {
      const again = async (): Promise<typeof later> => {
        const { decided, policies } = await decisions(host.mcp);
        return { decided: [...decided], policies };
      };
      for (const name of ["everyday.cedar", "records.cedar"])
        await writeFile(join(deployment, "policies", name), PERMIT_ALL);
      await writeFile(join(deployment, "catalog.json"), "[]");
      assert.deepEqual(await again(), later);
      await rm(deployment, { recursive: true });
      assert.deepEqual(await again(), later);
    });

    await t.test("while the enclave stands still nothing is decided: no answer, no call", async () => {
      const before = records.calls.length;
      const agent = await Agent.connect(host.mcp, TOKEN, "sessions");
      const { pid } = host.enclave;
      process.kill(pid, "SIGSTOP");
      let answered = false;
      const call = agent.call("send_message", { to: "a@example.org", text: "held" }).finally(() => (answered = true));
      try {
        await delay(HELD_MS);
        assert.deepEqual([answered, records.calls.length], [false, before]);
      } finally {
        process.kill(pid, "SIGCONT");
      }
      assert.equal((await call).allowed, false, "the principal has seen a record by now");
      assert.equal(records.calls.length, before);
      await agent.close();
    });

    await t.test("every decision is signed with the key that the evidence binds", async () => {
      const receipts = first.outcomes.map(receiptOf);
      const judge = await relyingParty(target, await closeSession(host, first.session, folder), folder);
      const paths = await Promise.all(
        receipts.map(async (receipt, index) => {
          const path = join(folder, `receipt-${index}.json`);
          await writeFile(path, JSON.stringify(receipt));
          return path;
        }),
      );
      const { outcome, completeness, failed } = await judge({ receipts: paths });
      assert.deepEqual([outcome, completeness, failed], ["accepted", "closed session", []]);
    });
  });
}
