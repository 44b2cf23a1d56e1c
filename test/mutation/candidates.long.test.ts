import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { ROOT } from "../gateway/deployment.ts";
import { candidates, describe } from "./candidates.ts";
import { EQUIVALENT } from "./equivalent.ts";
import { JUDGED } from "./packages.ts";
import { Project } from "./project.ts";

test("every mutant on the list stands in the sources and is never drawn", (t) => {
  const project = new Project(ROOT);
  t.after(() => project.close());
  const listed = new Set(EQUIVALENT.map(({ file, line, name }) => `${file} ${line} ${name}`));
  const files = new Set(EQUIVALENT.map(({ file }) => join(ROOT, file)));
  for (const judged of JUDGED) {
    const drawable = candidates(judged, project);
    assert.ok(drawable.length > 100, judged.name);
    for (const { file, line, name } of drawable.filter((mutant) => files.has(mutant.file)).map(describe))
      assert.ok(!listed.has(`${file} ${line.text} ${name}`), name);
  }
});
