import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { CmcpError } from "@cmcp/boundary";
import { unixDialer } from "@cmcp/wire";
import { memoryLog } from "../testing/memory-log.ts";
import { temporaryDirectory } from "../testing/temporary-directory.ts";
import { startEnclaveProcess } from "./process/process.ts";
import { makeRuntimeDirectory } from "./runtime-directory.ts";
import { EnclaveSupervisor } from "./supervisor.ts";

test("a restart whose launch fails is tried again with growing delays until it succeeds", async (t) => {
  const entry = join(temporaryDirectory(t), "entry.cjs");
  writeFileSync(entry, 'require("node:net").createServer().listen(process.env.CMCP_ENCLAVE_LISTEN);');
  const directory = await makeRuntimeDirectory();
  t.after(() => directory.remove());
  const { log, text } = memoryLog();
  const enclave = { entry, readable: [], extraFlags: [], extraArguments: [] };
  const recovered = Promise.withResolvers<undefined>();
  let launches = 0;
  const seen: string[] = [];
  const supervisor = new EnclaveSupervisor(
    {
      start: () =>
        startEnclaveProcess({
          nodePath: process.execPath,
          enclave,
          means: { isolation: "none", prefix: [] },
          directory,
          dialer: unixDialer(directory.enclaveSocket),
          log,
        }),
      up: async () => {
        launches += 1;
        seen.push("up");
        if (launches === 2 || launches === 3) throw new CmcpError("TEE_FAULT", "refused");
        if (launches === 4) recovered.resolve(undefined);
      },
      down: async () => {
        seen.push("down");
      },
    },
    log,
    { firstMs: 1, mostMs: 2, stableMs: 60_000 },
  );
  t.after(() => supervisor.close());
  await supervisor.start();
  process.kill(supervisor.pid ?? 0, "SIGKILL");
  await recovered.promise;
  assert.deepEqual(seen, ["up", "down", "up", "down", "up", "down", "up"]);
  const delays = [...text().matchAll(/"delayMs":([0-9]+)/g)].map(([, digits]) => Number(digits));
  assert.deepEqual(delays, [1, 2, 2]);
  assert.match(text(), /"code":"TEE_FAULT"/);
});

test("a first launch that fails is the caller's, and is not tried again", async (t) => {
  const entry = join(temporaryDirectory(t), "entry.cjs");
  writeFileSync(entry, 'require("node:net").createServer().listen(process.env.CMCP_ENCLAVE_LISTEN);');
  const directory = await makeRuntimeDirectory();
  t.after(() => directory.remove());
  const { log } = memoryLog();
  const enclave = { entry, readable: [], extraFlags: [], extraArguments: [] };
  let starts = 0;
  const supervisor = new EnclaveSupervisor(
    {
      start: () => {
        starts += 1;
        return startEnclaveProcess({
          nodePath: process.execPath,
          enclave,
          means: { isolation: "none", prefix: [] },
          directory,
          dialer: unixDialer(directory.enclaveSocket),
          log,
        });
      },
      up: () => Promise.reject(new CmcpError("POLICY_HASH_MISMATCH", "refused")),
      down: () => Promise.resolve(),
    },
    log,
  );
  await assert.rejects(supervisor.start(), { code: "POLICY_HASH_MISMATCH" });
  await supervisor.close();
  assert.equal(starts, 1);
  assert.equal(supervisor.pid, undefined);
});
