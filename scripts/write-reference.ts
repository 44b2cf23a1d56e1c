/** Brings the generated tables of docs/ up to date with the code. */
import { configReference, refusedKeysReference } from "./config-reference.ts";
import { appraisalReference, presetReference } from "./appraisal-reference.ts";
import { dependencyReference } from "./dependency-reference.ts";
import { errorReference } from "./error-reference.ts";
import { methodReference } from "./method-reference.ts";
import { writeSection } from "./generated-section.ts";

for (const section of [
  configReference,
  refusedKeysReference,
  errorReference,
  dependencyReference,
  appraisalReference,
  presetReference,
  methodReference,
])
  await writeSection(section);
