/** The image exactly as it is published, where it does not serve: it says why to who launches it, and nothing to its console. */
import assert from "node:assert/strict";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { composeHost } from "../conformance/policy-tee/composed-host.ts";
import { deployRecords } from "../conformance/policy-tee/deployment.ts";
import { startRecordsServer } from "../servers/records-server.ts";
import { placeOf } from "./machine-target.ts";
import { releaseMachine, temporaryFolder } from "./image.ts";
import { spoken } from "./spoken.ts";

test("a stdio server with other files than the approved ones is refused before anything is served, and nothing is printed", async (t) => {
  const records = await startRecordsServer();
  t.after(() => records.close());
  const folder = await mkdtemp(join(tmpdir(), "cmcp-release-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const config = await deployRecords(join(folder, "deployment"), records, "tpm");
  const path = join(dirname(config), "catalog.json");
  const tree = join(folder, "files");
  await mkdir(tree);
  await writeFile(join(tree, "index.js"), "process.exit();\n");
  const [entry, ...entries] = JSON.parse(await readFile(path, "utf8")) as { server: object }[];
  const stdio = {
    ...entry,
    server: {
      display_name: "files",
      transport: "stdio",
      spawn: {
        command: "node",
        args: [join(tree, "index.js")],
        measure_target: tree,
        binary_digest: `sha256:${"0".repeat(64)}`,
      },
    },
  };
  await writeFile(path, JSON.stringify([stdio, ...entries]));
  const printed: string[] = [];
  const host = await composeHost(
    t,
    placeOf(releaseMachine(), temporaryFolder(t), t, (line) => printed.push(line)),
    config,
  );
  await assert.rejects(host.launch(host.document), { code: "SPAWN_DIGEST_MISMATCH", message: /^stdio server files: / });
  await assert.rejects(host.serve(), { code: "PHASE_VIOLATION" });
  await host.close();
  assert.deepEqual(spoken(printed), []);
  assert.ok(printed.length > 0, "what the firmware prints was seen");
});
