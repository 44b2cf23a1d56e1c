/** A log that real witnesses cosigned, exported with their signatures and verified under a policy. */
import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { formatVerifierKey, readWitnessPolicy } from "@cmcp/log";
import { temporaryDirectory } from "../../host-proxy/src/testing/temporary-directory.ts";
import { Cosigner } from "../../host-proxy/src/witness/cosigner.ts";
import { openLogKey } from "../../host-proxy/src/witness/log-key.ts";
import { logExport } from "../../packages/cli/src/log/log-export.ts";
import { logVerify } from "../../packages/cli/src/log/log-verify.ts";
import { judgeLog, runJson } from "../../packages/cli/src/log/testing/run-command.ts";
import { StoredLog } from "../../packages/cli/src/log/testing/stored-log.ts";
import { ORIGIN } from "../../packages/verify/src/testing/written-log.ts";
import { Litewitness } from "./litewitness.ts";
import { hasGo, NO_GO } from "./oracle.ts";

describe("an export that witnesses cosigned", { skip: hasGo() ? false : NO_GO }, () => {
  test("is WITNESSED under a policy that they meet, and rejected once the log went on", async (t) => {
    const folder = temporaryDirectory(t);
    const key = await openLogKey(join(folder, "log.key"), ORIGIN);
    const names = ["a", "b", "c"];
    const witnesses = await Promise.all(
      names.map(async (name) => {
        mkdirSync(join(folder, name));
        const witness = await Litewitness.create(join(folder, name), `witness.example/${name}`, key.verifierKey);
        t.after(() => witness.close());
        return witness;
      }),
    );
    const lines = witnesses
      .map((each, at) => `witness ${names[at]} ${formatVerifierKey(each.key)} ${each.url}\n`)
      .join("");
    const policy = `log ${formatVerifierKey(key.verifierKey)}\n${lines}group g 2 a b c\nquorum g\n`;
    writeFileSync(join(folder, "policy"), policy);

    const store = join(folder, "audit.db");
    const log = new StoredLog(store);
    t.after(async () => log.store.close());
    await log.begin();
    for (let session = 0; session < 40; session += 1) await log.session();
    const times = { waitMs: 60_000, retryMs: 20, maxRetryMs: 100 };
    const cosigner = new Cosigner({
      policies: [readWitnessPolicy(policy)],
      key,
      read: async ({ level, index }) => log.store.tile(level, index),
      times,
    });
    t.after(() => cosigner.close());
    const { lines: signatures, met } = await cosigner.cosign(log.note);
    assert.ok(met);
    writeFileSync(join(folder, "signatures"), signatures);

    const judged = async (name: string) => {
      const to = join(folder, name);
      const exported = await runJson(logExport, "--store", store, to, "--signatures", join(folder, "signatures"));
      assert.equal(exported.code, 0);
      return await judgeLog(logVerify, to, "--witness-policy", join(folder, "policy"));
    };
    const witnessed = await judged("witnessed");
    assert.deepEqual([witnessed.failed, witnessed.code, witnessed.verdict.witnessing], [[], 0, "WITNESSED"]);
    await log.session();
    const later = await judged("later");
    assert.deepEqual(
      [later.failed, later.code],
      [["log key LOG_NOT_WITNESSED"], 10],
      "the lines are over another head",
    );
  });
});
