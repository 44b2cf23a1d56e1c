/** What is left out of the end-to-end tests in the machine is there, and is left out by name. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { LEFT_OUT, selection, sourceOf } from "./e2e-files.ts";

const IN_MACHINE_FILES = selection(false).files;

/** Whether a source has a test of that name, parts of which may come from data. */
function has(source: string, name: string): boolean {
  const written = [...source.matchAll(/^ *(?:describe|test)\(["`](.*?)["`],/gm)].map(([, text = ""]) =>
    text.split(/\$\{.*?\}/),
  );
  return written.some((parts) =>
    parts.length === 1
      ? parts[0] === name
      : parts.join("") !== "" &&
        name.startsWith(parts[0] ?? "") &&
        name.endsWith(parts.at(-1) ?? "") &&
        parts.every((part) => name.includes(part)),
  );
}

for (const { file, test: name, why } of LEFT_OUT) {
  test(`${file}${name === undefined ? "" : `, ${name}`}`, () => {
    assert.ok(why.length > 0);
    const source = sourceOf(file);
    if (name === undefined) return;
    assert.ok(IN_MACHINE_FILES.includes(file), "a file that is left out has nothing more to leave out");
    assert.ok(has(source, name), "the file has such a test");
    assert.match(name, /^[\w ,;-]+$/, "a name is matched as it is, as a pattern");
    for (const other of IN_MACHINE_FILES)
      if (other !== file)
        assert.ok(!has(sourceOf(other), name), `${other} has a test of that name too, which would be left out with it`);
  });
}

test("the whole leaves out nothing for its time, and everything else as before", () => {
  const [some, whole] = [selection(false), selection(true)];
  assert.ok(whole.files.length > some.files.length && some.files.every((file) => whole.files.includes(file)));
  assert.ok(whole.leftOut.length > 0 && whole.leftOut.every(({ why }) => !why.startsWith("time")));
  assert.ok(whole.skipped.every((name) => some.skipped.includes(name)));
});
