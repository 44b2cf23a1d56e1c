/** A catalog with stdio servers, given to an enclave that has no spawner beside it. */
import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { CmcpError } from "@cmcp/boundary";
import { composeHost } from "../conformance/policy-tee/composed-host.ts";
import { deployRecords } from "../conformance/policy-tee/deployment.ts";
import { processTarget } from "../conformance/policy-tee/process-target.ts";
import { startRecordsServer } from "../servers/records-server.ts";

/** A catalog entry of a tool over stdio. */
function stdioEntry(entry: object, server: string, tool: string): object {
  return {
    ...entry,
    tool_name: tool,
    server: {
      display_name: server,
      transport: "stdio",
      spawn: {
        command: "node",
        args: ["/srv/files/index.js"],
        measure_target: "/srv/files",
        binary_digest: `sha256:${"0".repeat(64)}`,
      },
    },
  };
}

test("the launch is refused with the servers' names and what to do instead, and nothing is served", async (t) => {
  const records = await startRecordsServer();
  t.after(() => records.close());
  const folder = await mkdtemp(join(tmpdir(), "cmcp-no-spawner-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const config = await deployRecords(join(folder, "deployment"), records, "tpm");
  const path = join(dirname(config), "catalog.json");
  const [entry = {}, ...entries] = JSON.parse(await readFile(path, "utf8")) as object[];
  for (const count of [2, 10]) {
    const servers = Array.from({ length: count }, (_, n) => stdioEntry(entry, `files-${n}`, `tool${n}`));
    await writeFile(path, JSON.stringify([...servers, ...entries]));
    const place = await processTarget.open(t);
    if (place === null) return;
    const host = await composeHost(t, place, config);
    await assert.rejects(host.launch(host.document), (thrown) => {
      assert.ok(thrown instanceof CmcpError);
      assert.equal(thrown.code, "SPAWN_NOT_OFFERED");
      assert.match(thrown.message, count === 2 ? /stdio servers: files-0, files-1$/ : /files-7 and 2 more$/);
      assert.match(thrown.action, /HTTP server/);
      return true;
    });
    await assert.rejects(host.serve(), { code: "PHASE_VIOLATION" });
    await host.close();
  }
});
