/** What is left out of the end-to-end tests in the machine is there, and is left out by name. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { IN_MACHINE_FILES, LEFT_OUT, sourceOf } from "./e2e-files.ts";

/** Whether a source has a test of that name, parts of which may come from data. */
function has(source: string, name: string): boolean {
  const written = [...source.matchAll(/^ *(?:describe|test)\(["`](.*?)["`],/gm)].map(([, text = ""]) => text.split(/\$\{.*?\}/));
  return written.some((parts) => parts.length === 1 ? parts[0] === name : parts.join("") !== "" && name.startsWith(parts[0] ?? "") && name.endsWith(parts.at(-1) ?? "") && parts.every((part) => name.includes(part)));
}

for (const { file, test: name, why } of LEFT_OUT) {
  test(`${file}${name === undefined ? "" : `, ${name}`}`, () => {
    assert.ok(why.length > 0);
    const source = sourceOf(file);
    if (name === undefined) return;
    assert.ok(IN_MACHINE_FILES.includes(file), "a file that is left out has nothing more to leave out");
    assert.ok(has(source, name), "the file has such a test");
    assert.match(name, /^[\w ,;-]+$/, "a name is matched as it is, as a pattern");
    for (const other of IN_MACHINE_FILES) if (other !== file) assert.ok(!has(sourceOf(other), name), `${other} has a test of that name too, which would be left out with it`);
  });
}
