import { asCmcpError, type ErrorCode } from "@cmcp/boundary";
import type { Check, Outcome } from "./verdict.ts";

/** Collects checks in the order they are made. */
export class Checklist {
  readonly #checks: Check[] = [];

  get checks(): readonly Check[] {
    return this.#checks;
  }

  /** Records a check that must hold; the result says whether it does. */
  require(name: string, holds: boolean, code: ErrorCode, passed: string, failed: string): boolean {
    this.#checks.push(holds ? { name, status: "passed", why: passed } : { name, status: "failed", code, why: failed });
    return holds;
  }

  fail(name: string, code: ErrorCode, why: string): void {
    this.#checks.push({ name, status: "failed", code, why });
  }

  /** Reads one file; what the parser throws becomes the check's failure, and the result `null`. */
  attempt<T>(name: string, code: ErrorCode, parse: () => T): T | null {
    try {
      const value = parse();
      this.require(name, true, code, "strict JSON of the documented form", "");
      return value;
    } catch (thrown) {
      this.fail(name, code, asCmcpError(thrown, code, "unreadable").message);
      return null;
    }
  }

  notPerformed(name: string, why: string): void {
    this.#checks.push({ name, status: "not-performed", why });
  }

  notApplicable(name: string, why: string): void {
    this.#checks.push({ name, status: "not-applicable", why });
  }

  /**
   * The outcome the checks so far add up to: malformed before rejected before unsupported, because what is
   * found false here stays false for a verifier that knows the platform.
   */
  outcome(): Outcome {
    const codes = this.#checks.flatMap(({ status, code }) => (status === "failed" && code !== undefined ? [code] : []));
    if (codes.some((code) => code === "CLAIM_MALFORMED" || code === "BUNDLE_MALFORMED")) return "malformed";
    if (codes.some((code) => code !== "UNSUPPORTED_PROVIDER")) return "rejected";
    return codes.length > 0 ? "unsupported" : "accepted";
  }
}
