import { CmcpError, isJsonObject, parseJson, untrusted, type JsonValue } from "@cmcp/boundary";

/** Bytes of one line. */
const MAX_LINE = 1024;

function fault(cause?: unknown): CmcpError {
  return new CmcpError("TEE_FAULT", "the enclave's answer to drain does not say how many sessions are not closed", {
    cause,
  });
}

/**
 * The enclave's answer to `drain`, as it comes: lines of JSON, each with the number of open sessions, and the last with how
 * many could not be closed (wire SPEC, section 5).
 */
export class DrainAnswer {
  #line = Buffer.alloc(0);
  #unclosed: number | undefined;

  /**
   * Reads more of the answer.
   * @returns the numbers of open sessions in it
   * @throws CmcpError `TEE_FAULT` for anything else
   */
  read(bytes: Uint8Array): number[] {
    this.#line = Buffer.concat([this.#line, bytes]);
    const open: number[] = [];
    for (let end = this.#line.indexOf(10); end !== -1; end = this.#line.indexOf(10)) {
      const said = parseLine(this.#line.subarray(0, end));
      this.#line = this.#line.subarray(end + 1);
      const left = countIn(said, "open_sessions");
      if (this.#unclosed !== undefined) throw fault();
      if (left === undefined) this.#unclosed = countIn(said, "unclosed_sessions");
      else open.push(left);
      if (left === undefined && this.#unclosed === undefined) throw fault();
    }
    if (this.#line.length > MAX_LINE) throw fault();
    return open;
  }

  /** How many sessions the enclave could not close. @throws CmcpError `TEE_FAULT` for an answer that does not end with it */
  unclosedSessions(): number {
    if (this.#unclosed === undefined || this.#line.length > 0) throw fault();
    return this.#unclosed;
  }
}

function parseLine(line: Uint8Array): JsonValue {
  try {
    return parseJson(untrusted(line));
  } catch (thrown) {
    throw fault(thrown);
  }
}

function countIn(said: JsonValue, name: string): number | undefined {
  const count = isJsonObject(said) ? said[name] : undefined;
  return typeof count === "number" && Number.isSafeInteger(count) && count >= 0 ? count : undefined;
}
