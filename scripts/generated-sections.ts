/** Every part of the documents that is written from the code. */
import { appraisalReference, presetReference } from "./appraisal-reference.ts";
import { apiReference } from "./api-reference.ts";
import { configReference, unsupportedKeysReference } from "./config-reference.ts";
import { dependencyReference } from "./dependency-reference.ts";
import { errorReference } from "./error-reference.ts";
import { factReference } from "./fact-reference.ts";
import type { GeneratedSection } from "./generated-section.ts";
import { helpReference } from "./help-reference.ts";
import { methodReference } from "./method-reference.ts";

export const GENERATED_SECTIONS: readonly GeneratedSection[] = [
  configReference,
  unsupportedKeysReference,
  errorReference,
  factReference,
  dependencyReference,
  appraisalReference,
  presetReference,
  methodReference,
  helpReference,
  ...apiReference,
];
