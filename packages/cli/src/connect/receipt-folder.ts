import { appendFileSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Receipt } from "@cmcp/audit/schema";
import { writeError } from "../write-error.ts";

/**
 * A folder that keeps receipts: a file for each session, `SESSION.jsonl`, with a receipt a line, as `--receipt` of `cmcp verify` and
 * `cmcp audit verify` reads it. A receipt holds no payload.
 */
export class ReceiptFolder {
  readonly #path: string;

  /**
   * @param path is created (mode 0700) where it is missing
   * @throws CmcpError `USAGE` naming the path
   */
  constructor(path: string) {
    this.#path = path;
    try {
      mkdirSync(path, { recursive: true, mode: 0o700 });
    } catch (thrown) {
      throw writeError(path, thrown);
    }
  }

  /** Appends a receipt. The answer that it came with waits for it. @throws CmcpError `USAGE` naming the file */
  append(receipt: Receipt): void {
    // A session's id is a UUID, and so a name without a path in it.
    const path = join(this.#path, `${receipt.session_id}.jsonl`);
    try {
      appendFileSync(path, `${JSON.stringify(receipt)}\n`, { mode: 0o600 });
    } catch (thrown) {
      throw writeError(path, thrown);
    }
  }
}
