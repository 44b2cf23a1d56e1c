/** What the documents have from the code is what the code says now. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { compareSection } from "../../scripts/generated-section.ts";
import { GENERATED_SECTIONS } from "../../scripts/generated-sections.ts";

for (const section of GENERATED_SECTIONS) {
  test(`${section.file}, ${section.name}, says what the code does`, async () => {
    const { written, wanted } = await compareSection(section);
    assert.equal(written, wanted, "run make docs");
  });
}
