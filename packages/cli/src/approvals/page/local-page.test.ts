import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, request as httpRequest, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { test, type TestContext } from "node:test";
import { CmcpError } from "@cmcp/boundary";
import { servePage, type PageApi } from "./local-page.ts";

const FILES = new Map([["", { type: "text/html", bytes: new TextEncoder().encode("<p>page</p>") }]]);

async function start(t: TestContext, api: PageApi = async () => await Promise.resolve(null)) {
  const page = await servePage(0, { files: FILES, api: () => api });
  t.after(async () => await page.close());
  const { port, origin } = new URL(page.url);
  /** A request to one of the page's addresses, as a browser sends it. */
  const asked = async (
    path: string,
    { body, at = "127.0.0.1" }: { readonly body?: string; readonly at?: string } = {},
  ) => {
    const headers = { host: `localhost:${port}`, origin, "content-type": "application/json" };
    const method = body === undefined ? "GET" : "POST";
    const asking = httpRequest({ host: at, port, path: `${new URL(page.url).pathname}${path}`, method, headers });
    asking.end(body);
    const [answer] = (await once(asking, "response")) as [IncomingMessage];
    return { status: answer.statusCode, headers: answer.headers, body: await text(answer) };
  };
  return { page, port: Number(port), asked };
}

test("the page is at both addresses of localhost, and nothing else runs, frames, stores or reads it", async (t) => {
  const { asked } = await start(t);
  for (const at of ["127.0.0.1", "::1"]) {
    const { status, headers, body } = await asked("", { at });
    assert.deepEqual([status, headers["content-type"], body], [200, "text/html", "<p>page</p>"]);
    const policy = String(headers["content-security-policy"]);
    for (const part of [
      "default-src 'none'",
      "script-src 'self'",
      "frame-ancestors 'none'",
      "require-trusted-types-for",
    ])
      assert.ok(policy.includes(part), part);
    assert.doesNotMatch(policy, /unsafe|https?:/);
    assert.deepEqual(
      ["cache-control", "referrer-policy", "x-content-type-options", "cross-origin-resource-policy"].map(
        (name) => headers[name],
      ),
      ["no-store", "no-referrer", "nosniff", "same-origin"],
    );
  }
});

test("a port that somebody has at either address is refused", async (t) => {
  for (const host of ["127.0.0.1", "::1"]) {
    const taken = createServer().listen(0, host);
    await once(taken, "listening");
    t.after(() => taken.close());
    const { port } = taken.address() as AddressInfo;
    await assert.rejects(
      servePage(port, { files: FILES, api: () => async () => await Promise.resolve(null) }),
      { code: "USAGE" },
      host,
    );
  }
});

test("what the page asks is answered, refused with its code, or is nothing", async (t) => {
  const { asked } = await start(t, async ({ method, path, body }) => {
    if (path === "no") throw new CmcpError("APPROVAL_UNKNOWN", "gone");
    if (path === "broken") throw new Error("hunter2");
    return await Promise.resolve(path === "yes" ? { method, body: new TextDecoder().decode(body) } : null);
  });
  assert.deepEqual(JSON.parse((await asked("api/yes", { body: "[1]" })).body), { method: "POST", body: "[1]" });
  assert.equal((await asked("api/no")).status, 404);
  const broken = await asked("api/broken");
  assert.deepEqual([broken.status, broken.body.includes("hunter2")], [500, false]);
  for (const path of ["api/other", "other", "page.js", "../"]) assert.equal((await asked(path)).status, 404, path);
  assert.equal((await asked("api/yes", { body: "x".repeat(20_000) })).status, 413);
});
