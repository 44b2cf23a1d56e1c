import assert from "node:assert/strict";
import { test } from "node:test";
import { configReference, refusedKeysReference } from "../../scripts/config-reference.ts";
import { appraisalReference, presetReference } from "../../scripts/appraisal-reference.ts";
import { dependencyReference } from "../../scripts/dependency-reference.ts";
import { errorReference } from "../../scripts/error-reference.ts";
import { methodReference } from "../../scripts/method-reference.ts";
import { compareSection } from "../../scripts/generated-section.ts";

for (const section of [
  configReference,
  refusedKeysReference,
  errorReference,
  dependencyReference,
  appraisalReference,
  presetReference,
  methodReference,
]) {
  test(`${section.file}, ${section.name}, says what the code does`, async () => {
    const { written, wanted } = await compareSection(section);
    assert.equal(written, wanted, "run scripts/write-reference.ts with the pinned Node");
  });
}
