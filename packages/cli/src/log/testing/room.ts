import assert from "node:assert/strict";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { temporaryDirectory } from "../../../../../host-proxy/src/testing/temporary-directory.ts";
import { ORIGIN } from "../../../../verify/src/testing/written-log.ts";
import { logExport } from "../log-export.ts";
import { runJson } from "./run-command.ts";
import { StoredLog } from "./stored-log.ts";

/** A store of a log, and its export. */
export interface Room {
  readonly log: StoredLog;
  /** The store's file. */
  readonly path: string;
  readonly archive: string;
  /** Exports the log. @returns the folder */
  readonly exported: (name?: string, ...args: readonly string[]) => Promise<string>;
}

/** An empty store in a folder of its own, which ends with the test. */
export function room(t: TestContext, origin = ORIGIN): Room {
  const folder = temporaryDirectory(t);
  const path = join(folder, "audit.db");
  const archive = join(folder, "archive");
  const log = new StoredLog(path, archive, origin);
  t.after(async () => log.store.close());
  return {
    log,
    path,
    archive,
    exported: async (name = "log", ...args) => {
      assert.equal((await runJson(logExport, "--store", path, join(folder, name), ...args)).code, 0);
      return join(folder, name);
    },
  };
}
