/** An exported log, read by a client that this project did not write: torchwood's, over the Go project's notes and trees. */
import assert from "node:assert/strict";
import { cpSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { before, describe, test, type TestContext } from "node:test";
import { fromBase64Url } from "@cmcp/boundary";
import {
  formatVerifierKey,
  instanceKeyName,
  parseCheckpoint,
  parseNote,
  rootOf,
  SIGNATURE_TYPE,
  verifierKey,
} from "@cmcp/log";
import { exportLog } from "../../host-proxy/src/store/export-log.ts";
import { temporaryDirectory } from "../../host-proxy/src/testing/temporary-directory.ts";
import { StoredLog } from "../../packages/cli/src/log/testing/stored-log.ts";
import type { Instance } from "../../packages/verify/src/testing/instance.ts";
import { ORIGIN } from "../../packages/verify/src/testing/written-log.ts";
import { ask, asText, bytesOf, hasGo, NO_GO, textOf } from "./oracle.ts";

const keyOf = ({ jwk, name }: Instance): string =>
  formatVerifierKey(
    verifierKey(instanceKeyName(name), SIGNATURE_TYPE.ed25519, fromBase64Url(jwk.x) ?? new Uint8Array()),
  );

describe("an exported log", { skip: hasGo() ? false : NO_GO }, () => {
  const log = new StoredLog(null);
  const heads: string[] = [];
  before(async () => {
    await log.begin();
    for (let session = 0; session < 70; session += 1) {
      await log.session();
      heads.push(log.note);
    }
    await log.begin();
    await log.session();
  });

  const exported = async (t: TestContext): Promise<string> => {
    const folder = join(temporaryDirectory(t), "log");
    await exportLog(log.store, folder, { archived: true });
    return folder;
  };

  test("is one that others read: checkpoint, entries, inclusion and consistency", async (t) => {
    const folder = await exported(t);
    const { size } = log.range;
    assert.ok(size > 512, "three bundles");
    const indexes = [0, 1, 255, 256, 300, 511, 512, size - 1];
    const questions = indexes.map((index, at) => {
      const head = parseCheckpoint(parseNote(heads[at * 8] ?? "").text);
      return { do: "read", folder, keys: [keyOf(log.instance)], index, from: head.size, older: asText(head.root) };
    });
    for (const [at, answer] of ask(questions).entries()) {
      assert.equal(answer["error"], undefined);
      assert.equal(textOf(answer, "text"), ORIGIN);
      assert.equal(answer["entries"], size);
      assert.deepEqual(bytesOf(answer["root"]), rootOf(log.range));
      assert.deepEqual(bytesOf(answer["leaf"]), new Uint8Array(log.records[indexes[at] ?? 0]?.header ?? []));
    }
  });

  test("that was changed is one that others refuse", async (t) => {
    const folder = await exported(t);
    const changes: Record<string, (copy: string) => void> = {
      "a tile": (copy) => flip(join(copy, "tile/0/000")),
      "a truncated tile": (copy) => truncateSync(join(copy, "tile/0/001"), 8000),
      "an entry": (copy) => flip(join(copy, "tile/entries/001")),
      "the checkpoint": (copy) => flip(join(copy, "checkpoint")),
    };
    for (const [name, change] of Object.entries(changes)) {
      const copy = join(temporaryDirectory(t), "log");
      cpSync(folder, copy, { recursive: true });
      change(copy);
      const [answer] = ask([{ do: "read", folder: copy, keys: [keyOf(log.instance)], index: 300 }]);
      assert.notEqual(answer?.["error"], undefined, name);
    }
  });
});

function flip(path: string): void {
  const bytes = readFileSync(path);
  bytes[20] = (bytes[20] ?? 0) ^ 1;
  writeFileSync(path, bytes);
}
