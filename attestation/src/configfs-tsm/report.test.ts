import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { kernelFiles } from "./files.ts";
import { DELEGATED_ENTRY, readTsmReport } from "./report.ts";
import { FakeKernel, systemError, type TsmDriver } from "./testing/kernel.ts";

// The kernel is played (testing/kernel.ts) after its ABI text: a real one offers reports only where the hardware is.

const UNAVAILABLE = { code: "ATTESTATION_REPORT_UNAVAILABLE" };
const REPORT_DATA = Uint8Array.from({ length: 64 }, (_, index) => index);
const echo: TsmDriver = {
  provider: "sev_guest",
  privilegeFloor: 0,
  report: (inblob, level) => ({ outblob: Uint8Array.from([level, ...inblob]), auxblob: Uint8Array.from([7]) }),
};
const ask = async (kernel: FakeKernel, provider: "sev_guest" | "tdx_guest" = "sev_guest") =>
  await readTsmReport({ provider, folder: kernel.folder, files: kernel }, REPORT_DATA);

test("a report is asked for with 64 bytes in one write, in a folder of its own that is removed", async () => {
  const kernel = new FakeKernel(echo);
  assert.deepEqual(await ask(kernel), { outblob: Uint8Array.from([0, ...REPORT_DATA]), auxblob: Uint8Array.from([7]) });
  assert.equal(kernel.operations.filter((operation) => operation === "write inblob").length, 1);
  assert.equal(kernel.entries.size, 0);
  await ask(kernel);
  const [first, second] = kernel.operations.filter((operation) => operation.startsWith("mkdir"));
  assert.notEqual(first, second);
});

test("a folder that was made beforehand is used again and again and stays", async () => {
  const kernel = new FakeKernel(echo);
  await kernel.makeDirectory(join(kernel.folder, DELEGATED_ENTRY));
  for (const first of [1, 2]) {
    const reportData = REPORT_DATA.with(0, first);
    assert.deepEqual(
      (await readTsmReport({ provider: "sev_guest", folder: kernel.folder, files: kernel }, reportData)).outblob.slice(
        1,
      ),
      reportData,
    );
  }
  assert.deepEqual([...kernel.entries.keys()], [DELEGATED_ENTRY]);
  kernel.before = (operation) => {
    if (operation === "read provider") throw systemError("EACCES");
  };
  const { operations } = kernel;
  operations.length = 0;
  await assert.rejects(ask(kernel), { ...UNAVAILABLE, message: /EACCES/ });
  assert.deepEqual(operations, ["read provider"], "one that is there and cannot be used is not gone round");
});

test("TDX has neither certificates nor levels, and neither is asked for", async () => {
  const kernel = new FakeKernel({ provider: "tdx_guest", report: (inblob) => ({ outblob: inblob }) });
  assert.deepEqual(await ask(kernel, "tdx_guest"), { outblob: REPORT_DATA, auxblob: null });
  assert.deepEqual(
    kernel.operations.filter((operation) => /auxblob|priv/.test(operation)),
    [],
  );
});

test("below a paravisor the lowest level allowed is asked for", async () => {
  const kernel = new FakeKernel({ ...echo, privilegeFloor: 2 });
  assert.equal((await ask(kernel)).outblob[0], 2);
  const own = new FakeKernel(echo);
  await ask(own);
  assert.ok(!own.operations.includes("write privlevel"), "the level that there is anyway is not asked for");
});

test("reports of another provider are refused before anything is written", async () => {
  const kernel = new FakeKernel(echo);
  await assert.rejects(ask(kernel, "tdx_guest"), { ...UNAVAILABLE, message: /another provider/ });
  assert.ok(!kernel.operations.includes("write inblob"));
  assert.equal(kernel.entries.size, 0);
});

test("input that somebody else changed meanwhile is noticed, whenever it was", async () => {
  for (const at of ["read outblob", "read auxblob", "write inblob"]) {
    const kernel = new FakeKernel(echo);
    kernel.before = (operation, entry) => {
      if (operation === at && entry !== undefined) kernel.put(entry, "inblob", new Uint8Array(64).fill(1));
    };
    await assert.rejects(ask(kernel), UNAVAILABLE, at);
    assert.equal(kernel.entries.size, 0);
  }
});

test("report data the kernel did not take is noticed, though its write seemed to succeed", async () => {
  const kernel = new FakeKernel(echo);
  const deaf = new Proxy(kernel, {
    get: (target, name) =>
      name === "write"
        ? () => Promise.resolve()
        : (Reflect.get(target, name).bind?.(target) ?? Reflect.get(target, name)),
  });
  await assert.rejects(readTsmReport({ provider: "sev_guest", folder: kernel.folder, files: deaf }, REPORT_DATA), {
    ...UNAVAILABLE,
    message: /did not take/,
  });
});

test("a busy kernel is asked again, and not for ever", async () => {
  const kernel = new FakeKernel(echo);
  let busy = 3;
  kernel.before = (operation) => {
    if (operation === "read outblob" && busy > 0) {
      busy -= 1;
      throw systemError(["EBUSY", "EAGAIN", "EWOULDBLOCK", "EINTR"][busy % 4] ?? "");
    }
  };
  assert.equal((await ask(kernel)).outblob.length, 65);
  busy = 25;
  assert.equal((await ask(kernel)).outblob.length, 65, "25 times are borne");
  busy = 26;
  await assert.rejects(ask(kernel), { ...UNAVAILABLE, message: /outblob cannot be read \(EBUSY\)/ });
  assert.equal(kernel.entries.size, 0);
});

test("what the kernel refuses is said with its reason, and the folder is removed", async () => {
  const refusing = new FakeKernel({
    ...echo,
    report: () => {
      throw systemError("EIO");
    },
  });
  await assert.rejects(ask(refusing), { ...UNAVAILABLE, message: /outblob cannot be read \(EIO\)/ });
  assert.equal(refusing.entries.size, 0);
  await assert.rejects(
    readTsmReport({ provider: "sev_guest", folder: "/elsewhere", files: new FakeKernel(echo) }, REPORT_DATA),
    { ...UNAVAILABLE, message: /ENOENT/ },
  );
  await assert.rejects(readTsmReport({ provider: "sev_guest" }, REPORT_DATA), UNAVAILABLE);
});

test("report data of another length is never written", async () => {
  for (const length of [0, 32, 63, 65])
    await assert.rejects(
      readTsmReport({ provider: "sev_guest", files: new FakeKernel(echo) }, new Uint8Array(length)),
      { code: "INTERNAL" },
    );
});

test("a report or certificate table larger than its bound is refused", async () => {
  const largest = new Uint8Array(65_536);
  const huge = new Uint8Array(65_537);
  assert.deepEqual(await ask(new FakeKernel({ ...echo, report: () => ({ outblob: largest, auxblob: largest }) })), {
    outblob: largest,
    auxblob: largest,
  });
  await assert.rejects(ask(new FakeKernel({ ...echo, report: () => ({ outblob: huge }) })), {
    ...UNAVAILABLE,
    message: /outblob is larger/,
  });
  await assert.rejects(ask(new FakeKernel({ ...echo, report: () => ({ outblob: REPORT_DATA, auxblob: huge }) })), {
    ...UNAVAILABLE,
    message: /auxblob is larger/,
  });
});

const folder = mkdtempSync(join(tmpdir(), "cmcp-tsm-"));
after(() => rmSync(folder, { recursive: true, force: true }));

test("the kernel's files are written where they are, never made, and read to their end", async () => {
  const path = join(folder, "inblob");
  await assert.rejects(kernelFiles.write(path, REPORT_DATA), { code: "ENOENT" });
  writeFileSync(path, "x".repeat(100), { mode: 0o200 });
  await kernelFiles.write(path, REPORT_DATA);
  assert.deepEqual(new Uint8Array(readFileSync(path).subarray(0, 64)), REPORT_DATA);
  assert.equal((await kernelFiles.read(path, 100)).length, 100);
  assert.equal((await kernelFiles.read(path, 99)).length, 100, "one byte more than the limit tells that it is longer");
  assert.equal((await kernelFiles.read(path, 10)).length, 11);
  await kernelFiles.makeDirectory(join(folder, "entry"));
  await assert.rejects(kernelFiles.makeDirectory(join(folder, "entry")), { code: "EEXIST" });
  await kernelFiles.removeDirectory(join(folder, "entry"));
  assert.throws(() => statSync(join(folder, "entry")));
});
