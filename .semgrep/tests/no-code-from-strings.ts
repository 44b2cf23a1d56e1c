export function bad(text: string): unknown {
  // ruleid: no-code-from-strings
  eval(text);
  // ruleid: no-code-from-strings
  return new Function(text);
}
// ruleid: no-code-from-strings
import { runInNewContext } from "node:vm";
export function good(run: () => void): void {
  // ok: no-code-from-strings
  setTimeout(run, 10);
}
