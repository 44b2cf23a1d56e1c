/** A claim and its receipts in a log that was exported, and in logs that are not theirs. */
import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import { CmcpError } from "@cmcp/boundary";
import { rootOf } from "@cmcp/log";
import { handOverSchema, type AuditEntry, type JournalStatement, type Receipt } from "@cmcp/audit";
import { Instance } from "../testing/instance.ts";
import { altered, failures, type SessionRecord } from "../testing/session.ts";
import { claimStatement, ORIGIN, WrittenLog } from "../testing/written-log.ts";
import type { Verdict } from "../verdict.ts";
import type { LogFiles } from "./shown-log.ts";
import { judge, loggedSession, type Question } from "../testing/logged-session.ts";

let log: WrittenLog;
let session: SessionRecord;
let notes: readonly string[];
before(async () => {
  ({ log, session, notes } = await loggedSession());
});

const judged = async (question: Partial<Question> = {}): Promise<Verdict> =>
  await judge({ record: session, files: log.files(), ...question });

/** The first record of a log once more, as one that is not the first. */
const handOverOf = ({ records }: WrittenLog): JournalStatement[] =>
  records.slice(0, 1).map(({ body }) => ({
    kind: "hand-over",
    body: handOverSchema.parse(JSON.parse(new TextDecoder().decode(body))),
  }));

const noteOf = (of: WrittenLog, note: string): Pick<LogFiles, "note" | "checkpoint"> => {
  const { note: read, checkpoint } = of.files("", note);
  return { note: read, checkpoint };
};

test("claim and receipts are in the log, which is unwitnessed by itself", async () => {
  const verdict = await judged();
  assert.deepEqual([failures(verdict), verdict.outcome], [[], "accepted"]);
  assert.deepEqual(verdict.log, {
    origin: ORIGIN,
    size: log.range.size,
    root: Buffer.from(rootOf(log.range)).toString("base64"),
    witnessing: "UNWITNESSED",
    lostStore: null,
  });
  const passed = new Set(verdict.checks.filter(({ status }) => status === "passed").map(({ name }) => name));
  for (const name of ["log root", "log checkpoint", "claim in log"]) assert.ok(passed.has(name), name);
  assert.ok(session.receipts.length > 3);
  for (const { sequence_number: number } of session.receipts)
    for (const what of ["in log", "head"]) assert.ok(passed.has(`receipt ${number} ${what}`), `${number} ${what}`);
});

test("it is in the log still when later instances write it", async () => {
  const later = new WrittenLog();
  await later.begin();
  const record = await later.session();
  await later.begin();
  await later.session();
  const verdict = await judged({ record, files: later.files() });
  assert.deepEqual([failures(verdict), verdict.outcome], [[], "accepted"]);
  assert.match(verdict.checks.find(({ name }) => name === "log checkpoint")?.why ?? "", /evidence is not looked at$/);
  const forged = { ...later.files(), note: later.files().note };
  const stranger = new Instance();
  const note = later.signed(later.range.size, rootOf(later.range), { instance: stranger, origin: ORIGIN });
  assert.deepEqual(failures(await judged({ record, files: { ...forged, ...noteOf(later, note) } })), [
    "log checkpoint SIGNATURE_INVALID",
  ]);
});

describe("a log that is not the record's", () => {
  const receiptsChanged = (change: (draft: Receipt) => void): Pick<SessionRecord, "claim" | "receipts"> => ({
    claim: session.claim,
    receipts: session.receipts.slice(0, 1).map((receipt) => altered(receipt, change)),
  });

  test("without the claim, or from before it, is rejected", async () => {
    const verdict = await judged({ files: log.files("", notes[0]) });
    assert.equal(verdict.outcome, "rejected");
    assert.ok(failures(verdict).includes("claim in log LOG_MISMATCH"), failures(verdict).join());
    const other = new WrittenLog();
    await other.begin(log.instance);
    const failed = failures(await judged({ files: other.files() }));
    assert.ok(failed.includes("claim in log LOG_MISMATCH"));
    for (const { sequence_number: number } of session.receipts)
      for (const what of ["in log", "head"]) assert.ok(failed.includes(`receipt ${number} ${what} LOG_MISMATCH`));
  });

  test("of another origin is rejected", async () => {
    const files = log.files(
      "",
      log.signed(log.range.size, rootOf(log.range), { instance: log.instance, origin: "other.example/0" }),
    );
    const failed = failures(await judged({ files }));
    assert.equal(failed.length, session.receipts.length);
    assert.ok(
      failed.every((name) => /^receipt \d+ head LOG_MISMATCH$/.test(name)),
      failed.join(),
    );
  });

  test("with a receipt at another index is rejected", async () => {
    const [receipt] = session.receipts;
    assert.ok(receipt !== undefined);
    const moved = receiptsChanged((draft) => (draft.log.index += 1));
    assert.ok(
      failures(await judged({ record: moved })).includes(`receipt ${receipt.sequence_number} in log LOG_MISMATCH`),
    );
    const far = receiptsChanged((draft) => (draft.log.index = 2 ** 40));
    assert.ok(
      failures(await judged({ record: far })).includes(`receipt ${receipt.sequence_number} in log LOG_MISMATCH`),
    );
  });

  test("whose claim is of another instance, or whose leaf names another claim, is rejected", async () => {
    const other = new WrittenLog();
    await other.begin();
    const statement = claimStatement(session.claim, [{ session_id: session.claim.gateway.session_id } as AuditEntry]);
    await other.append(statement);
    const without = { claim: session.claim, receipts: [] };
    const failed = failures(await judged({ record: without, files: other.files() }));
    assert.deepEqual(failed, ["claim in log LOG_MISMATCH"]);
    await other.begin(log.instance);
    await other.append(statement);
    assert.deepEqual(failures(await judged({ record: without, files: other.files() })), []);
  });

  test("without the bodies of its claims is accepted: their leaves have the claims' hashes", async () => {
    const files = log.files();
    const bodiless: LogFiles = {
      ...files,
      readBodies: async function* (tile) {
        for await (const body of files.readBodies(tile)) yield body.subarray(body.length);
      },
    };
    assert.deepEqual(failures(await judged({ files: bodiless })), []);
  });

  test("with other tiles than its checkpoint's is rejected, and one without a tile is no log", async () => {
    const files = log.files();
    const flipped: LogFiles["readTile"] = async (tile) =>
      (await files.readTile(tile)).map((byte, at) =>
        tile.level === 0 && tile.index === 1 && at === 5 ? byte ^ 1 : byte,
      );
    const failed = failures(await judged({ files: { ...files, readTile: flipped } }));
    assert.ok(failed.includes("log root LOG_MISMATCH"), failed.join());
    const missing = (): never => {
      throw new CmcpError("LOG_EXPORT_MALFORMED", "no tile");
    };
    for (const broken of [{ readTile: missing }, { readEntries: missing }, { readBodies: missing }]) {
      const verdict = await judged({ files: { ...files, ...broken } });
      assert.deepEqual([verdict.outcome, failures(verdict)], ["malformed", ["log files LOG_EXPORT_MALFORMED"]]);
    }
    const short: LogFiles["readTile"] = async (tile) => (await files.readTile(tile)).subarray(0, 32);
    assert.deepEqual(failures(await judged({ files: { ...files, readTile: short } })), ["log files LOG_TREE_INVALID"]);
  });

  test("that shows entries which its tree does not have is rejected", async () => {
    const instance = new Instance();
    const [shown, tree] = [new WrittenLog(), new WrittenLog()];
    await shown.begin(instance);
    const record = await shown.session();
    await tree.begin(instance);
    await tree.session();
    assert.equal(shown.range.size, tree.range.size);
    const entriesOf = (files: LogFiles): Pick<LogFiles, "readEntries" | "readBodies"> => ({
      readEntries: async (tile) => files.readEntries(tile),
      readBodies: (tile) => files.readBodies(tile),
    });
    const without = { claim: record.claim, receipts: [] };
    const claimed = await judged({ record: without, files: { ...tree.files(), ...entriesOf(shown.files()) } });
    assert.deepEqual(failures(claimed), ["claim in log LOG_MISMATCH"]);

    // A stranger signs the honest tree, and shows a hand-over of its own that is not in it.
    const stranger = new WrittenLog();
    await stranger.begin();
    for (let at = 1; at < tree.range.size; at += 1) await stranger.append(...handOverOf(stranger));
    const note = tree.signed(tree.range.size, rootOf(tree.range), { instance: stranger.instance, origin: ORIGIN });
    const files = { ...tree.files("", note), ...entriesOf(stranger.files()) };
    assert.ok(failures(await judged({ record: without, files })).includes("log checkpoint SIGNATURE_INVALID"));
  });

  test("whose newest hand-over names another key than its leaf is rejected", async () => {
    const other = new Instance();
    const forged = new WrittenLog();
    await forged.begin();
    const record = await forged.session();
    await forged.begin(undefined, { jwk: other.jwk });
    const note = forged.signed(forged.range.size, rootOf(forged.range), { instance: other, origin: ORIGIN });
    assert.deepEqual(failures(await judged({ record, files: forged.files("", note) })), [
      "log checkpoint SIGNATURE_INVALID",
    ]);
  });

  test("that has another claim of the session is rejected", async () => {
    const later = log.instance.claim(altered(session.claim, (draft) => (draft.trace.iat += 1)));
    const verdict = await judged({ record: { claim: later, receipts: [] } });
    assert.deepEqual(failures(verdict), ["claim in log LOG_MISMATCH"]);
  });

  test("whose files cannot be read is no finding", async () => {
    const files = { ...log.files(), readTile: () => Promise.reject(new Error("no disk")) };
    await assert.rejects(judged({ files }), /no disk/);
  });
});
