import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { temporaryDirectory } from "../../testing/temporary-directory.ts";
import { lockVsock } from "./lock.ts";

/** No guest of this machine has it. */
const CID = 4_000_000_000 + (process.pid % 1_000_000);

test("two gateways on one CID: the second is refused, until the first is gone", async () => {
  const first = await lockVsock({ cid: CID });
  await assert.rejects(lockVsock({ cid: CID }), {
    code: "LAUNCH_VSOCK_IN_USE",
    message: `another gateway on this host uses vsock CID ${CID}`,
  });
  const other = await lockVsock({ cid: CID + 1_000_000 });
  await other.release();
  await first.release();
  await (await lockVsock({ cid: CID })).release();
});

test("a hybrid socket is one, whatever path leads to it", async (t) => {
  const folder = temporaryDirectory(t);
  mkdirSync(join(folder, "vm"));
  symlinkSync(join(folder, "vm"), join(folder, "link"));
  // The socket need not be there yet: its folder is what is looked at then.
  const held = await lockVsock({ hybridSocket: join(folder, "vm/vsock") });
  await assert.rejects(lockVsock({ hybridSocket: join(folder, "link/vsock") }), { code: "LAUNCH_VSOCK_IN_USE" });
  await held.release();
});

test("a gateway that is killed leaves no lock behind", async () => {
  const source = `const { lockVsock } = await import(${JSON.stringify(new URL("./lock.ts", import.meta.url).href)}); await lockVsock({ cid: ${CID} }); process.stdout.write("held"); setInterval(() => {}, 1000);`;
  const gateway = spawn(process.execPath, ["--no-warnings", "--input-type=module", "--eval", source], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  await once(gateway.stdout, "data");
  await assert.rejects(lockVsock({ cid: CID }), { code: "LAUNCH_VSOCK_IN_USE" });
  gateway.kill("SIGKILL");
  await once(gateway, "exit");
  await (await lockVsock({ cid: CID })).release();
});
