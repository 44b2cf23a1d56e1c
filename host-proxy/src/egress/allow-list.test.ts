import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { MAX_ADDRESSES, egressAllowList } from "./allow-list.ts";

test("an entry allows its own host and port and nothing else", () => {
  const host = fc.stringMatching(/^[a-z0-9]([a-z0-9.-]{0,20}[a-z0-9])?$/);
  const port = fc.integer({ min: 1, max: 65_535 });
  fc.assert(
    fc.property(host, port, host, port, (allowed, allowedPort, other, otherPort) => {
      const list = egressAllowList([`${allowed}:${allowedPort}`]);
      assert.ok(list.has(allowed, allowedPort));
      assert.ok(list.has(allowed.toUpperCase(), allowedPort));
      assert.equal(list.has(other, otherPort), other === allowed && otherPort === allowedPort);
    }),
  );
});

test("an IPv6 address is the same with and without the brackets of a URL", () => {
  const list = egressAllowList(["[::1]:443"]);
  assert.ok(list.has("::1", 443));
  assert.ok(list.has("[::1]", 443));
});

test("what is not host:port is refused", () => {
  for (const entry of [
    "",
    "a",
    "a:",
    ":1",
    "a:0",
    "a:65536",
    "a:01",
    "a:1:2",
    "::1:443",
    "*:443",
    "a b:1",
    "http://a:1",
    "a:1/x",
    "a:1\n",
  ]) {
    assert.throws(() => egressAllowList([entry]), { code: "CONFIG_INVALID" }, entry);
  }
  assert.throws(() => egressAllowList(Array.from({ length: MAX_ADDRESSES + 1 }, () => "a:1")), {
    code: "CONFIG_INVALID",
  });
});
