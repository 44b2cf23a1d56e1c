import { asCmcpError, CmcpError, type ErrorCode } from "@cmcp/boundary";

/** What became of one check. `not-performed` names a check that could have been made with more input. */
export type CheckStatus = "passed" | "failed" | "not-applicable" | "not-performed";

/** One check of a verification. */
export interface Check {
  readonly name: string;
  readonly status: CheckStatus;
  /** Set when the check failed. */
  readonly code?: ErrorCode;
  readonly why: string;
}

/** What a check says when it holds, and when it does not. */
export interface Findings {
  readonly passed: string;
  readonly failed: string;
}

/** Collects checks in the order they are made. */
export class CheckRecorder {
  readonly #checks: Check[] = [];

  get checks(): readonly Check[] {
    return this.#checks;
  }

  /** Records a check that must hold; the result says whether it does. */
  require(name: string, holds: boolean, code: ErrorCode, { passed, failed }: Findings): boolean {
    this.#checks.push(holds ? { name, status: "passed", why: passed } : { name, status: "failed", code, why: failed });
    return holds;
  }

  fail(name: string, code: ErrorCode, why: string): void {
    this.#checks.push({ name, status: "failed", code, why });
  }

  /** Runs a parser; what it throws becomes the check's failure, and the result `null`. */
  attempt<T>(name: string, code: ErrorCode, passed: string, parse: () => T): T | null {
    try {
      const value = parse();
      this.require(name, true, code, { passed: passed, failed: "" });
      return value;
    } catch (thrown) {
      this.fail(name, code, asCmcpError(thrown, code, "unreadable").message);
      return null;
    }
  }

  /** As {@link attempt}, for what is read as it comes. What is no fault of the bytes is thrown on. */
  async attemptReading<T>(name: string, code: ErrorCode, passed: string, read: () => Promise<T>): Promise<T | null> {
    try {
      const value = await read();
      this.require(name, true, code, { passed, failed: "" });
      return value;
    } catch (thrown) {
      if (!(thrown instanceof CmcpError) || thrown.code !== code) throw thrown;
      this.fail(name, code, thrown.message);
      return null;
    }
  }

  notPerformed(name: string, why: string): void {
    this.#checks.push({ name, status: "not-performed", why });
  }

  notApplicable(name: string, why: string): void {
    this.#checks.push({ name, status: "not-applicable", why });
  }

  /** Takes over checks made elsewhere, in their order. */
  include(checks: readonly Check[]): void {
    this.#checks.push(...checks);
  }

  /** True when no check so far failed. */
  get clean(): boolean {
    return this.#checks.every(({ status }) => status !== "failed");
  }
}
