/** A log that real witnesses cosigned, exported with what the host kept of it and verified under a policy. */
import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { formatVerifierKey } from "@cmcp/log";
import { createLog, openCosigner, openLogKey } from "@cmcp/host-proxy";
import { temporaryDirectory } from "../../host-proxy/src/testing/temporary-directory.ts";
import { logExport } from "../../packages/cli/src/log/log-export.ts";
import { logVerify } from "../../packages/cli/src/log/log-verify.ts";
import { judgeLog, runJson } from "../../packages/cli/src/log/testing/run-command.ts";
import { StoredLog } from "../../packages/cli/src/log/testing/stored-log.ts";
import { ORIGIN } from "../../packages/verify/src/testing/written-log.ts";
import { Litewitness } from "./litewitness.ts";
import { hasGo, NO_GO } from "./oracle.ts";

describe("an export that witnesses cosigned", { skip: hasGo() ? false : NO_GO }, () => {
  test("ends with the newest head that they cosigned and is WITNESSED, and rejected with the newest record", async (t) => {
    const folder = temporaryDirectory(t);
    const keyPath = join(folder, "log.key");
    const key = await openLogKey(keyPath, ORIGIN);
    const names = ["a", "b", "c"];
    const witnesses = await Promise.all(
      names.map(async (name) => {
        mkdirSync(join(folder, name));
        const witness = await Litewitness.create(join(folder, name), `witness.example/${name}`, key.verifierKey);
        t.after(() => witness.close());
        return witness;
      }),
    );
    const lines = witnesses.map((each, at) => `witness ${names[at]} ${formatVerifierKey(each.key)}\n`);
    const urls = Object.fromEntries(witnesses.map((each, at) => [names[at] ?? "", each.url]));
    const quorum = "group g 2 a b c\nquorum g\n";
    writeFileSync(join(folder, "policy"), `log ${formatVerifierKey(key.verifierKey)}\n${lines.join("")}${quorum}`);

    const store = join(folder, "audit.db");
    const log = new StoredLog(store);
    t.after(async () => log.store.close());
    await log.begin();
    for (let session = 0; session < 40; session += 1) await log.session();
    const host = { origin: ORIGIN, policy: lines.join("") + quorum, formerPolicy: null, urls, keyPath, waitMs: 60_000 };
    const cosigner = await openCosigner(host, log.store, createLog({ level: "silent" }));
    assert.ok((await cosigner.cosign(log.note)).met);
    await cosigner.close();

    const judged = async (name: string, ...options: readonly string[]) => {
      const to = join(folder, name);
      const { code, answer } = await runJson(logExport, "--store", store, to, ...options);
      assert.equal(code, 0);
      const { cosigned, newer } = answer as { readonly cosigned: boolean; readonly newer: number };
      return { cosigned, newer, ...(await judgeLog(logVerify, to, "--witness-policy", join(folder, "policy"))) };
    };
    const cosigned = await judged("cosigned");
    assert.deepEqual([cosigned.cosigned, cosigned.newer], [true, 0]);
    assert.deepEqual([cosigned.failed, cosigned.code, cosigned.verdict.witnessing], [[], 0, "WITNESSED"]);
    const { size } = cosigned.verdict.log;
    await log.session();
    const later = await judged("later");
    assert.equal(later.verdict.log.size, size, "the records after the cosigned head are left out");
    assert.ok(later.newer > 0);
    assert.deepEqual([later.failed, later.code, later.verdict.witnessing], [[], 0, "WITNESSED"]);
    const newest = await judged("newest", "--newest");
    assert.equal(newest.verdict.log.size, size + later.newer);
    assert.deepEqual([newest.cosigned, newest.failed, newest.code], [false, ["log key LOG_NOT_WITNESSED"], 10]);
  });
});
