import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { guardedPath, type GuardedRequest } from "./page-guard.ts";

const SECRET = "s".repeat(43);
const ADDRESS = { origin: "http://localhost:8764", secret: SECRET };
const HOST = { host: "localhost:8764" };
const POST = { ...HOST, origin: ADDRESS.origin, "content-type": "application/json", "sec-fetch-site": "same-origin" };

const pathOf = (request: Partial<GuardedRequest>): string =>
  guardedPath({ method: "GET", url: `/${SECRET}/`, headers: HOST, ...request }, ADDRESS);
const refusedWith = (code: string) => ({ code });

test("requests of the page itself reach what is below the secret", () => {
  assert.equal(pathOf({}), "");
  assert.equal(pathOf({ headers: { ...HOST, "sec-fetch-site": "none" } }), "");
  assert.equal(pathOf({ url: `/${SECRET}/page.js`, headers: { ...HOST, "sec-fetch-site": "same-origin" } }), "page.js");
  assert.equal(pathOf({ method: "POST", url: `/${SECRET}/api/access`, headers: POST }), "api/access");
});

test("requests of other names, origins, ports, sites and forms are refused", () => {
  for (const headers of [
    {},
    { host: "localhost" },
    { host: "127.0.0.1:8764" },
    { host: "[::1]:8764" },
    { host: "localhost:8765" },
    { host: "localhost.evil.example:8764" },
    { ...HOST, origin: "null" },
    { ...HOST, origin: "http://localhost:8765" },
    { ...HOST, origin: "https://localhost:8764" },
    { ...HOST, "sec-fetch-site": "same-site" },
    { ...HOST, "sec-fetch-site": "cross-site" },
  ])
    assert.throws(() => pathOf({ headers }), refusedWith("ORIGIN_NOT_ALLOWED"), JSON.stringify(headers));
  const { origin: _, ...without } = POST;
  for (const headers of [
    without,
    { ...POST, "content-type": "text/plain" },
    { ...POST, "sec-fetch-site": "none" },
    { ...POST, "content-type": undefined },
  ])
    assert.throws(
      () => pathOf({ method: "POST", headers }),
      refusedWith("ORIGIN_NOT_ALLOWED"),
      JSON.stringify(headers),
    );
});

test("without the secret there is nothing", () => {
  const unknown = refusedWith("NOT_FOUND");
  for (const url of ["/", "", `/${SECRET}`, `/${SECRET}x/`, `/${SECRET.slice(1)}/`, `//${SECRET}/`, `/${SECRET}/?x`])
    assert.throws(() => pathOf({ url }), unknown, url);
  fc.assert(
    fc.property(fc.webPath(), (url) => {
      assert.throws(() => pathOf({ url }), unknown);
    }),
  );
});
