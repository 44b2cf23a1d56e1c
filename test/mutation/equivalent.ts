import { CONTENT } from "./equivalent/content.ts";
import { DECISION } from "./equivalent/decision.ts";
import type { Equivalent } from "./equivalent/equivalent-mutant.ts";
import { EVIDENCE } from "./equivalent/evidence.ts";
import { RECORD } from "./equivalent/record.ts";
import { WIRE } from "./equivalent/wire.ts";

/** Mutants that are never drawn. One that stands for nothing in the sources fails the run. */
export const EQUIVALENT: readonly Equivalent[] = [...CONTENT, ...DECISION, ...EVIDENCE, ...RECORD, ...WIRE];
