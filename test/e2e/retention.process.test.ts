/** A gateway with an archive: bodies leave its store by themselves, and all that was read before is read as it was. */
import assert from "node:assert/strict";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { openExisting } from "@cmcp/host-proxy/store";
import { cmcp } from "../gateway/cli.ts";
import { receiptOf } from "../gateway/fixture.ts";
import { startGateway } from "../gateway/gateway.ts";
import { eventually, startDeployment, type Deployment } from "../gateway/principals.ts";

/** Two records each; with the newest 1024, which are not compacted, enough for a segment of 256. */
const CALLS = 700;

describe("a gateway with an archive and a term for auditors", () => {
  let deployment: Deployment;
  before(async () => {
    const settings = "claims: session\naudit_archive_path: archive\nlog:\n  auditors_term_days: 0";
    deployment = await startDeployment({ alice: null }, [settings], startGateway);
  });
  after(() => deployment?.close());

  test("moves bodies of ended sessions there, and answers for the sessions as before", async () => {
    const alice = deployment.agent(deployment.tokenOf("alice"));
    const call = async (label: string) =>
      receiptOf((await alice.call("get_patient_record", { patient_id: "P-1001" }, { label })).body);
    const first = await call("first");
    const closed = await alice.request(`/sessions/${first.session_id}/close`, { method: "POST" });
    const answers = async (): Promise<string[]> =>
      await Promise.all(
        [`/sessions/${first.session_id}/trace-claim`, `/audit/export?session_id=${first.session_id}`].map(
          async (path) => (await alice.request(path)).text,
        ),
      );
    for (let made = 0; made < CALLS; made += 10)
      await Promise.all(Array.from({ length: 10 }, async (_, at) => await call(`many-${at}`)));
    const [audit, archive] = ["audit.db", "archive"].map((name) => join(deployment.folder, "deployment", name));
    assert.ok(audit !== undefined && archive !== undefined);
    await deployment.restart();
    const earlier = await answers();
    assert.equal(earlier[0], closed.text);
    await assert.rejects(readdir(archive), "one snapshot lies behind");
    await deployment.restart();
    await eventually("bodies are in files", async () => (await readdir(archive).catch(() => [])).length > 0);
    assert.deepEqual(await answers(), earlier);

    const store = await openExisting({ path: audit }, archive);
    const left = await store.archivedBefore();
    await store.close();
    assert.ok(left > first.log.index, `the first ${left} records have left`);
    for (const more of [[], ["--archive", archive]]) {
      const { code, stdout, stderr } = await cmcp(["log", "fsck", "--store", audit, ...more]);
      assert.equal(code, 0, stdout + stderr);
    }
  });
});
