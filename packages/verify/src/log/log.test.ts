/** A claim and its receipts in a log that was exported: where they stand, and who else was shown the same. */
import assert from "node:assert/strict";
import { generateKeyPairSync, sign, webcrypto } from "node:crypto";
import { before, describe, test } from "node:test";
import { canonicalBytes, CmcpError, fromBase64Url } from "@cmcp/boundary";
import {
  cosignedMessage,
  formatCosignature,
  formatSignature,
  formatVerifierKey,
  readWitnessPolicy,
  rootOf,
  SIGNATURE_TYPE,
  verifierKey,
  type SignatureType,
} from "@cmcp/log";
import { handOverSchema, type JournalStatement, type Receipt } from "@cmcp/audit";
import type { Expectations } from "../expectations.ts";
import { Instance } from "../testing/instance.ts";
import { altered, EXPECTED, failures, type SessionRecord } from "../testing/session.ts";
import { ORIGIN, WrittenLog } from "../testing/written-log.ts";
import type { Verdict } from "../verdict.ts";
import { verifyClaim } from "../verify-claim.ts";
import type { LogFiles } from "./shown-log.ts";

let log: WrittenLog;
let session: SessionRecord;
/** Notes that a verifier may have kept. */
let kept: string[] = [];

before(async () => {
  log = new WrittenLog();
  await log.begin();
  for (let at = 0; at < 34; at += 1) await log.session();
  session = await log.session();
  kept = [session.receipts[0]?.log.note ?? "", log.note];
  await log.session();
});

interface Given {
  readonly record?: Pick<SessionRecord, "claim" | "receipts">;
  readonly files?: LogFiles;
  readonly expected?: Partial<Expectations>;
}

async function judge({ record = session, files = log.files(), expected = {} }: Given = {}): Promise<Verdict> {
  return await verifyClaim(
    {
      claim: canonicalBytes(record.claim),
      receipts: record.receipts.map((receipt) => canonicalBytes(receipt)),
      log: files,
    },
    { ...EXPECTED, ...expected },
    webcrypto,
  );
}

interface Key {
  readonly vkey: string;
  /** A line over the text of a checkpoint. */
  readonly line: (text: string, time?: number) => string;
}

function keyOf(name: string, type: SignatureType): Key {
  const { publicKey, privateKey } = generateKeyPairSync("ed25519");
  const key = verifierKey(name, type, fromBase64Url(publicKey.export({ format: "jwk" }).x ?? "") ?? new Uint8Array());
  return {
    vkey: formatVerifierKey(key),
    line: (text, time = 1_790_000_000) =>
      type === SIGNATURE_TYPE.cosignature
        ? formatCosignature(key, { time, signature: sign(null, cosignedMessage(text, time), privateKey) })
        : formatSignature({ name, keyId: key.id, signature: sign(null, Buffer.from(text), privateKey) }),
  };
}

/** The first record of a log once more, as one that is not the first. */
const handOverOf = ({ records }: WrittenLog): JournalStatement[] =>
  records.slice(0, 1).map(({ body }) => ({
    kind: "hand-over",
    body: handOverSchema.parse(JSON.parse(new TextDecoder().decode(body))),
  }));

const textOf = (note: string): string => note.slice(0, note.indexOf("\n\n") + 1);
const encoded = (texts: readonly string[]): Uint8Array[] => texts.map((text) => Buffer.from(text));

test("claim and receipts are in the log, which is unwitnessed by itself", async () => {
  const verdict = await judge();
  assert.deepEqual([failures(verdict), verdict.outcome], [[], "accepted"]);
  assert.deepEqual(verdict.log, {
    origin: ORIGIN,
    size: log.range.size,
    root: Buffer.from(rootOf(log.range)).toString("base64"),
    witnessing: "UNWITNESSED",
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
  const verdict = await judge({ record, files: later.files() });
  assert.deepEqual([failures(verdict), verdict.outcome], [[], "accepted"]);
  assert.match(verdict.checks.find(({ name }) => name === "log checkpoint")?.why ?? "", /evidence is not looked at$/);
  const forged = { ...later.files(), note: later.files().note };
  const stranger = new Instance();
  const note = later.signed(later.range.size, rootOf(later.range), { instance: stranger, origin: ORIGIN });
  assert.deepEqual(failures(await judge({ record, files: { ...forged, ...noteOf(later, note) } })), [
    "log checkpoint SIGNATURE_INVALID",
  ]);
});

const noteOf = (of: WrittenLog, note: string): Pick<LogFiles, "note" | "checkpoint"> => {
  const { note: read, checkpoint } = of.files("", note);
  return { note: read, checkpoint };
};

describe("a verifier's own earlier checkpoint", () => {
  test("that the log continues makes it consistent", async () => {
    for (const count of [1, 2]) {
      const verdict = await judge({ expected: { earlierCheckpoints: encoded(kept.slice(0, count)) } });
      assert.deepEqual([failures(verdict), verdict.log?.witnessing], [[], "CONSISTENT"]);
    }
  });

  test("of another history, another log, a later size, or no form, does not", async () => {
    const { size } = log.range;
    const other = new WrittenLog();
    await other.begin();
    const elsewhere = new WrittenLog("gateway.example/1");
    await elsewhere.begin();
    const cases: Record<string, [string, string]> = {
      "another history": [other.note, "earlier checkpoint LOG_MISMATCH"],
      "another log": [elsewhere.note, "earlier checkpoint LOG_MISMATCH"],
      "a later size": [log.signed(size + 1, new Uint8Array(32)), "earlier checkpoint LOG_MISMATCH"],
      "the same size and another root": [log.signed(size, new Uint8Array(32)), "earlier checkpoint LOG_MISMATCH"],
      "no form": ["x", "earlier checkpoint form NOTE_MALFORMED"],
    };
    for (const [name, [note, failed]] of Object.entries(cases))
      for (const beside of [[], kept]) {
        const verdict = await judge({ expected: { earlierCheckpoints: encoded([note, ...beside]) } });
        assert.deepEqual([failures(verdict), verdict.log?.witnessing], [[failed], "UNWITNESSED"], name);
        assert.equal(verdict.outcome, failed.endsWith("MALFORMED") ? "malformed" : "rejected");
      }
  });
});

describe("a witness policy", () => {
  const witnesses = [0, 1, 2].map((at) => keyOf(`witness.example/w${at}`, SIGNATURE_TYPE.cosignature));
  const logKey = keyOf(ORIGIN, SIGNATURE_TYPE.ed25519);
  const known = witnesses.map(({ vkey }, at) => `witness w${at} ${vkey}\n`).join("");
  const policyOf = (rule: string): Partial<Expectations> => ({ witnessPolicy: readWitnessPolicy(`${known}${rule}\n`) });
  const lines = (...who: number[]): string =>
    who.map((at) => witnesses[at]?.line(textOf(log.note), 1_790_000_000 + at) ?? "").join("");

  test("whose quorum cosigned the checkpoint makes it witnessed", async () => {
    const policy = policyOf("group g 2 w0 w1 w2\nquorum g");
    const verdict = await judge({ files: log.files(lines(0, 2)), expected: policy });
    assert.deepEqual([failures(verdict), verdict.log?.witnessing], [[], "WITNESSED"]);
    const why = verdict.checks.find(({ name }) => name === "witnesses")?.why ?? "";
    assert.match(why, new RegExp(new Date(1_790_000_000_000).toISOString()));
    assert.ok(!verdict.checks.some(({ name }) => name === "one history"));
    const both = { ...policy, earlierCheckpoints: encoded(kept) };
    assert.equal((await judge({ files: log.files(lines(0, 2)), expected: both })).log?.witnessing, "WITNESSED");
  });

  test("whose quorum did not is not met, whoever else signed", async () => {
    const policy = policyOf("group g 2 w0 w1 w2\nquorum g");
    const [first] = witnesses;
    const cases: Record<string, string> = {
      "one witness": lines(1),
      "one witness twice": lines(1, 1),
      nobody: "",
      "another text": lines(0) + (witnesses[1]?.line(`${textOf(log.note)}x\n`) ?? ""),
      "a stranger": lines(0) + keyOf("witness.example/w1", SIGNATURE_TYPE.cosignature).line(textOf(log.note)),
      "a line that does not verify beside one that does": `${lines(0, 1)}${first?.line("other\n") ?? ""}`,
    };
    for (const [name, signed] of Object.entries(cases)) {
      const expected = { ...policy, earlierCheckpoints: encoded(kept) };
      const verdict = await judge({ files: log.files(signed), expected });
      assert.deepEqual(
        [failures(verdict), verdict.outcome, verdict.log?.witnessing],
        [["witnesses LOG_NOT_WITNESSED"], "rejected", "CONSISTENT"],
        name,
      );
    }
  });

  test("that asks nobody witnesses nothing", async () => {
    const verdict = await judge({ files: log.files(lines(0, 1, 2)), expected: policyOf("quorum none") });
    assert.deepEqual([failures(verdict), verdict.log?.witnessing], [[], "UNWITNESSED"]);
  });

  test("that two disjoint sets can meet says so", async () => {
    const expected = policyOf("group g 1 w0 w1\nquorum g");
    const verdict = await judge({ files: log.files(lines(0)), expected });
    assert.deepEqual([failures(verdict), verdict.log?.witnessing], [[], "WITNESSED"]);
    assert.equal(verdict.checks.find(({ name }) => name === "one history")?.status, "not-performed");
  });

  test("that names logs takes only the checkpoint of such a log, signed with its key", async () => {
    const named = (key: Key): Partial<Expectations> => policyOf(`log ${key.vkey}\nquorum w0`);
    const signed = lines(0) + logKey.line(textOf(log.note));
    const taken = await judge({ files: log.files(signed), expected: named(logKey) });
    assert.deepEqual([failures(taken), taken.log?.witnessing], [[], "WITNESSED"]);
    const other = keyOf("gateway.example/1", SIGNATURE_TYPE.ed25519);
    for (const [files, key] of [
      [log.files(lines(0)), logKey],
      [log.files(signed), keyOf(ORIGIN, SIGNATURE_TYPE.ed25519)],
      [log.files(lines(0) + other.line(textOf(log.note))), other],
    ] as const) {
      const verdict = await judge({ files, expected: named(key) });
      assert.deepEqual([failures(verdict), verdict.log?.witnessing], [["log key LOG_NOT_WITNESSED"], "UNWITNESSED"]);
    }
  });
});

describe("a log that is not the record's", () => {
  const receiptsChanged = (change: (draft: Receipt) => void): Pick<SessionRecord, "claim" | "receipts"> => ({
    claim: session.claim,
    receipts: session.receipts.slice(0, 1).map((receipt) => altered(receipt, change)),
  });

  test("without the claim, or from before it, is rejected", async () => {
    const verdict = await judge({ files: log.files("", kept[0]) });
    assert.equal(verdict.outcome, "rejected");
    assert.ok(failures(verdict).includes("claim in log LOG_MISMATCH"), failures(verdict).join());
    const other = new WrittenLog();
    await other.begin(log.instance);
    const failed = failures(await judge({ files: other.files() }));
    assert.ok(failed.includes("claim in log LOG_MISMATCH"));
    for (const { sequence_number: number } of session.receipts)
      for (const what of ["in log", "head"]) assert.ok(failed.includes(`receipt ${number} ${what} LOG_MISMATCH`));
  });

  test("of another origin is rejected", async () => {
    const files = log.files(
      "",
      log.signed(log.range.size, rootOf(log.range), { instance: log.instance, origin: "gateway.example/1" }),
    );
    const failed = failures(await judge({ files }));
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
      failures(await judge({ record: moved })).includes(`receipt ${receipt.sequence_number} in log LOG_MISMATCH`),
    );
    const far = receiptsChanged((draft) => (draft.log.index = 2 ** 40));
    assert.ok(
      failures(await judge({ record: far })).includes(`receipt ${receipt.sequence_number} in log LOG_MISMATCH`),
    );
  });

  test("whose claim is there under another body's hash, or without its body, is rejected", async () => {
    const bodies = (change: (body: Uint8Array) => Uint8Array): LogFiles => {
      const files = log.files();
      return {
        ...files,
        readBodies: async function* (tile) {
          for await (const body of files.readBodies(tile)) yield change(body);
        },
      };
    };
    for (const change of [() => new Uint8Array(), (body: Uint8Array) => Buffer.concat([body, Buffer.from(" ")])]) {
      const verdict = await judge({ files: bodies(change) });
      assert.deepEqual(failures(verdict), ["claim in log LOG_MISMATCH"]);
      assert.match(verdict.checks.find(({ name }) => name === "claim in log")?.why ?? "", /36 claims are without/);
    }
  });

  test("with other tiles than its checkpoint's is rejected, and one without a tile is no log", async () => {
    const files = log.files();
    const flipped: LogFiles["readTile"] = async (tile) =>
      (await files.readTile(tile)).map((byte, at) =>
        tile.level === 0 && tile.index === 1 && at === 5 ? byte ^ 1 : byte,
      );
    const failed = failures(await judge({ files: { ...files, readTile: flipped } }));
    assert.ok(failed.includes("log root LOG_MISMATCH"), failed.join());
    const missing = (): never => {
      throw new CmcpError("LOG_EXPORT_MALFORMED", "no tile");
    };
    for (const broken of [{ readTile: missing }, { readEntries: missing }, { readBodies: missing }]) {
      const verdict = await judge({ files: { ...files, ...broken } });
      assert.deepEqual([verdict.outcome, failures(verdict)], ["malformed", ["log files LOG_EXPORT_MALFORMED"]]);
    }
    const short: LogFiles["readTile"] = async (tile) => (await files.readTile(tile)).subarray(0, 32);
    assert.deepEqual(failures(await judge({ files: { ...files, readTile: short } })), ["log files LOG_TREE_INVALID"]);
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
    const claimed = await judge({ record: without, files: { ...tree.files(), ...entriesOf(shown.files()) } });
    assert.deepEqual(failures(claimed), ["claim in log LOG_MISMATCH"]);

    // A stranger signs the honest tree, and shows a hand-over of its own that is not in it.
    const stranger = new WrittenLog();
    await stranger.begin();
    for (let at = 1; at < tree.range.size; at += 1) await stranger.append(...handOverOf(stranger));
    const note = tree.signed(tree.range.size, rootOf(tree.range), { instance: stranger.instance, origin: ORIGIN });
    const files = { ...tree.files("", note), ...entriesOf(stranger.files()) };
    assert.ok(failures(await judge({ record: without, files })).includes("log checkpoint SIGNATURE_INVALID"));
  });

  test("whose newest hand-over names another key than its leaf is rejected", async () => {
    const other = new Instance();
    const forged = new WrittenLog();
    await forged.begin();
    const record = await forged.session();
    await forged.begin(undefined, { jwk: other.jwk });
    const note = forged.signed(forged.range.size, rootOf(forged.range), { instance: other, origin: ORIGIN });
    assert.deepEqual(failures(await judge({ record, files: forged.files("", note) })), [
      "log checkpoint SIGNATURE_INVALID",
    ]);
  });

  test("that has another claim of the session is rejected", async () => {
    const later = log.instance.claim(altered(session.claim, (draft) => (draft.trace.iat += 1)));
    const verdict = await judge({ record: { claim: later, receipts: [] } });
    assert.deepEqual(failures(verdict), ["claim in log LOG_MISMATCH"]);
  });

  test("whose files cannot be read is no finding", async () => {
    const files = { ...log.files(), readTile: () => Promise.reject(new Error("no disk")) };
    await assert.rejects(judge({ files }), /no disk/);
  });
});
