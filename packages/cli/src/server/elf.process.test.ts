import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { copyFileSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import * as fc from "fast-check";
import { interpreterFiles } from "@cmcp/spawner/host";
import { withLoader } from "./elf.ts";

const skip = process.platform !== "linux" && "ELF programs run on Linux only";

test("the kernel starts a program by the loader that was written into it", { skip }, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "cmcp-elf-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const program = realpathSync("/bin/echo");
  const loader = (await interpreterFiles(program)).find((file) => /\/ld-linux/.test(file)) ?? "";
  const [copy, missing] = [join(folder, "a-loader-with-a-longer-path-than-before.so"), join(folder, "missing.so")];
  copyFileSync(loader, copy);
  const written = (name: string, path: string): string => {
    writeFileSync(join(folder, name), withLoader(readFileSync(program), path), { mode: 0o755 });
    return join(folder, name);
  };
  assert.equal(execFileSync(written("echo", copy), ["hello"], { encoding: "utf8" }), "hello\n");
  assert.throws(() => execFileSync(written("lost", missing), ["hello"]), { code: "ENOENT" });
});

test("what is no dynamically linked program is refused, whatever its bytes", () => {
  const head = Buffer.from([0x7f, 0x45, 0x4c, 0x46, 2, 1]);
  const program = fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.concat([head, bytes]));
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 200 }), program), (bytes) => {
      try {
        assert.ok(withLoader(bytes, "/x").length > bytes.length);
      } catch (thrown) {
        assert.equal((thrown as { code?: string }).code, "PACKAGE_REFUSED");
      }
    }),
  );
  assert.throws(() => withLoader(Buffer.from("#!/bin/sh\n"), "/x"), { code: "PACKAGE_REFUSED" });
});
