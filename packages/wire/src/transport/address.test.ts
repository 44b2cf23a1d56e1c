import assert from "node:assert/strict";
import { test } from "node:test";
import { socketPath } from "../testing/sockets.ts";
import { dialerOf, listenAt } from "./address.ts";

const NO_ADDON = "/nonexistent/vsock.node";

test("an address says which transport it is", async (t) => {
  const path = await socketPath(t);
  assert.equal(dialerOf(path, NO_ADDON).address, `unix:${path}`);
  assert.equal(dialerOf("hybrid-vsock:/run/vm/vsock:5000", NO_ADDON).address, "hybrid-vsock:/run/vm/vsock:5000");
  const listener = await listenAt(path, NO_ADDON, () => undefined);
  await listener.close();
});

test("vsock without its addon is a clear error", async () => {
  assert.throws(() => dialerOf("vsock:2:6000", NO_ADDON), {
    code: "WIRE_UNREACHABLE",
    message: /vsock\.node does not load/,
  });
  await assert.rejects(
    listenAt("vsock:5000", NO_ADDON, () => undefined),
    { code: "WIRE_UNREACHABLE" },
  );
});

test("anything else is refused", async () => {
  for (const address of [
    "",
    "relative",
    "vsock:",
    "vsock:x",
    "vsock:1:2:3",
    "vsock:-1:2",
    "hybrid-vsock:relative:1",
    "tcp:1.2.3.4:5",
    "vsock:5000",
  ]) {
    assert.throws(() => dialerOf(address, NO_ADDON), { code: "USAGE" }, address);
  }
  for (const address of ["vsock:2:5000", "hybrid-vsock:/run/x:1", "relative"])
    await assert.rejects(
      listenAt(address, NO_ADDON, () => undefined),
      { code: "USAGE" },
      address,
    );
});
