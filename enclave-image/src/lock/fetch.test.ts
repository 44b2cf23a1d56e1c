import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { PackageCache } from "./fetch.ts";
import type { LockedPackage } from "./lock.ts";

const content = Buffer.from("the bytes of a package");
const locked: LockedPackage = {
  name: "example",
  group: "toolchain",
  suite: "trixie",
  why: "an example",
  version: "1.2-3",
  archive: "debian",
  path: "pool/main/e/example/example_1.2-3_amd64.deb",
  size: content.length,
  sha256: createHash("sha256").update(content).digest("hex"),
};

async function server(t: TestContext, listener: RequestListener): Promise<string> {
  const listening = createServer(listener);
  listening.listen(0, "127.0.0.1");
  await once(listening, "listening");
  t.after(() => listening.close());
  return `http://127.0.0.1:${(listening.address() as AddressInfo).port}/${locked.path}`;
}

function cacheOf(t: TestContext, ...sources: readonly string[]): { cache: PackageCache; folder: string } {
  const folder = mkdtempSync(join(tmpdir(), "cmcp-lock-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return { cache: new PackageCache(folder, () => sources), folder };
}

test("a package is fetched once and then read from the folder", async (t) => {
  let requests = 0;
  const source = await server(t, (_, response) => {
    requests += 1;
    response.end(content);
  });
  const { cache, folder } = cacheOf(t, source);
  assert.deepEqual(Buffer.from(await cache.get(locked)), content);
  assert.deepEqual(Buffer.from(await cache.get(locked)), content);
  assert.equal(requests, 1);
  assert.deepEqual(readdirSync(folder), [`example_${locked.sha256}.deb`]);
});

test("other bytes under the right name: the next source is asked, and without one it is a mismatch that says what to do", async (t) => {
  const wrong = await server(t, (_, response) => response.end("other bytes!"));
  const right = await server(t, (_, response) => response.end(content));
  assert.deepEqual(Buffer.from(await cacheOf(t, wrong, right).cache.get(locked)), content);
  const { cache, folder } = cacheOf(t, wrong);
  await assert.rejects(cache.get(locked), (error: { code: string; message: string; action: string }) => {
    assert.equal(error.code, "IMAGE_INPUT_MISMATCH");
    assert.match(error.message, /example 1\.2-3/);
    assert.match(error.message, new RegExp(locked.sha256));
    assert.match(error.action, /image-lock/);
    return true;
  });
  assert.deepEqual(readdirSync(folder), [], "nothing of it is kept");
});

test("a source that has it no more, answers too much, breaks off, or is not there", async (t) => {
  const gone = await server(t, (_, response) => response.writeHead(404).end());
  const endless = await server(t, (_, response) => {
    const timer = setInterval(() => response.write(Buffer.alloc(1024)), 1);
    response.on("close", () => clearInterval(timer));
  });
  const broken = await server(t, (_, response) => {
    response.writeHead(200, { "content-length": content.length });
    response.write(content.subarray(0, 5));
    setTimeout(() => response.destroy(), 10);
  });
  const { cache } = cacheOf(t, gone, endless, broken, "http://127.0.0.1:1/nobody");
  await assert.rejects(cache.get(locked), (error: { code: string; message: string }) => {
    assert.equal(error.code, "IMAGE_INPUT_UNAVAILABLE");
    for (const why of ["HTTP 404", `more than the ${content.length} bytes`, "127.0.0.1:1"])
      assert.ok(error.message.includes(why), why);
    return true;
  });
});

test("a file that was changed in the folder is not used", async (t) => {
  const source = await server(t, (_, response) => response.end(content));
  const { cache } = cacheOf(t, source);
  await cache.get(locked);
  writeFileSync(cache.pathOf(locked), "changed");
  assert.deepEqual(Buffer.from(await cache.get(locked)), content);
  assert.deepEqual(readFileSync(cache.pathOf(locked)), content);
});
