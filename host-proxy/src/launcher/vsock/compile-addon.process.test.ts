import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { loadVsockAddon } from "@cmcp/wire";
import { temporaryDirectory } from "../../testing/temporary-directory.ts";
import { compileVsockAddon } from "./compile-addon.ts";

function hasCompiler(): boolean {
  try {
    execFileSync("/bin/sh", ["-c", "command -v cc"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

test("the image's vsock addon compiles for this host and loads into its Node", {
  skip: process.platform !== "linux" || !hasCompiler() ? "needs Linux and a C compiler" : false,
}, async (t) => {
  const output = join(temporaryDirectory(t), "vsock.node");
  assert.equal(await compileVsockAddon(output), null);
  assert.deepEqual(Object.keys(loadVsockAddon(output)).sort(), [
    "adopt",
    "close",
    "connect",
    "listen",
    "read",
    "shutdown",
    "write",
  ]);
});

test("what the compiler says is passed on, and no half an addon stays", async (t) => {
  const folder = temporaryDirectory(t);
  const before = process.env["CC"];
  process.env["CC"] = "/nonexistent/cc";
  t.after(() => {
    if (before === undefined) delete process.env["CC"];
    else process.env["CC"] = before;
  });
  assert.match((await compileVsockAddon(join(folder, "vsock.node"))) ?? "", /nonexistent/);
  assert.equal(existsSync(join(folder, "vsock.node")), false);
});
