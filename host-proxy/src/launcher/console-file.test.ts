import assert from "node:assert/strict";
import { mkdirSync, readFileSync, readdirSync, statSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import * as fc from "fast-check";
import { temporaryDirectory } from "../testing/temporary-directory.ts";
import { openConsoleFile } from "./console-file.ts";

test("the file holds what was printed, is its owner's, and the one before is kept", (t) => {
  const path = join(temporaryDirectory(t), "console.log");
  openConsoleFile(path).write("first machine");
  const second = openConsoleFile(path);
  second.write("second machine");
  second.write("and more");
  assert.equal(readFileSync(path, "utf8"), "second machine\nand more\n");
  assert.equal(readFileSync(`${path}.1`, "utf8"), "first machine\n");
  assert.equal(statSync(path).mode & 0o777, 0o600);
});

test("it is bounded, and says where it was cut", (t) => {
  const path = join(temporaryDirectory(t), "console.log");
  const file = openConsoleFile(path, 100);
  for (let line = 0; line < 1_000; line += 1) file.write("0123456789");
  const text = readFileSync(path, "utf8");
  assert.ok(text.endsWith("[cut after 100 bytes]\n"));
  assert.ok(text.length < 150, `${text.length}`);
});

test("nothing a guest prints reaches a terminal as a command", (t) => {
  const path = join(temporaryDirectory(t), "console.log");
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 50 }), (line) => {
      openConsoleFile(path).write(`${line}\u001b[2J\r`);
      assert.match(readFileSync(path, "latin1"), /^[\t\x20-\x7e]*\n$/);
    }),
    { numRuns: 100 },
  );
});

test("a path that cannot be written, or holds something else, is refused by name and left alone", (t) => {
  assert.throws(() => openConsoleFile("/nonexistent/console.log"), {
    code: "LAUNCH_MACHINE_INVALID",
    message: /\/nonexistent\/console\.log cannot be written/,
  });
  const folder = temporaryDirectory(t);
  mkdirSync(join(folder, "kept"));
  symlinkSync(join(folder, "kept"), join(folder, "link"));
  for (const name of ["kept", "link"])
    assert.throws(() => openConsoleFile(join(folder, name)), { code: "LAUNCH_MACHINE_INVALID" });
  assert.deepEqual(readdirSync(folder).sort(), ["kept", "link"]);
});
