/**
 * Lets Node use the code it brings compiled, while this process loads. V8 takes embedded code only under the flags it was
 * made with, and the one that forbids code from strings is not among those: under it Node compiles every part of itself
 * that is asked for anew, which takes as long as all else together. This thread's context was made under the flag and
 * stays as it is; the first compile worker's is not, so its own script forbids the same (docs/decisions/embedded-code.md).
 */
import { setFlagsFromString } from "node:v8";

setFlagsFromString("--no-disallow-code-generation-from-strings");

/** Sets the flag again, for every context made from now on: what was to be loaded is. */
export function forbidCodeFromStrings(): void {
  setFlagsFromString("--disallow-code-generation-from-strings");
}
