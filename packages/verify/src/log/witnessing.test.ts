/** Who else was shown the log: earlier checkpoints and witnesses. */
import assert from "node:assert/strict";
import { generateKeyPairSync, sign } from "node:crypto";
import { before, describe, test } from "node:test";
import { fromBase64Url } from "@cmcp/boundary";
import {
  cosignedMessage,
  formatCosignature,
  formatSignature,
  formatVerifierKey,
  readWitnessPolicy,
  SIGNATURE_TYPE,
  verifierKey,
  type SignatureType,
} from "@cmcp/log";
import type { Expectations } from "../expectations.ts";
import { failures, type SessionRecord } from "../testing/session.ts";
import { ORIGIN, WrittenLog } from "../testing/written-log.ts";
import type { Verdict } from "../verdict.ts";
import { judge, loggedSession, type Question } from "../testing/logged-session.ts";

let log: WrittenLog;
let session: SessionRecord;
let notes: readonly string[];
before(async () => {
  ({ log, session, notes } = await loggedSession());
});

const judged = async (question: Partial<Question> = {}): Promise<Verdict> =>
  await judge({ record: session, files: log.files(), ...question });

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

const textOf = (note: string): string => note.slice(0, note.indexOf("\n\n") + 1);
const encoded = (texts: readonly string[]): Uint8Array[] => texts.map((text) => Buffer.from(text));

describe("a verifier's own earlier checkpoint", () => {
  test("that the log continues makes it consistent", async () => {
    for (const count of [1, 2]) {
      const verdict = await judged({ expected: { earlierCheckpoints: encoded(notes.slice(0, count)) } });
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
      for (const beside of [[], notes]) {
        const verdict = await judged({ expected: { earlierCheckpoints: encoded([note, ...beside]) } });
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
    const verdict = await judged({ files: log.files(lines(0, 2)), expected: policy });
    assert.deepEqual([failures(verdict), verdict.log?.witnessing], [[], "WITNESSED"]);
    const why = verdict.checks.find(({ name }) => name === "witnesses")?.why ?? "";
    assert.match(why, new RegExp(new Date(1_790_000_000_000).toISOString()));
    assert.ok(!verdict.checks.some(({ name }) => name === "one history"));
    const both = { ...policy, earlierCheckpoints: encoded(notes) };
    assert.equal((await judged({ files: log.files(lines(0, 2)), expected: both })).log?.witnessing, "WITNESSED");
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
      const expected = { ...policy, earlierCheckpoints: encoded(notes) };
      const verdict = await judged({ files: log.files(signed), expected });
      assert.deepEqual(
        [failures(verdict), verdict.outcome, verdict.log?.witnessing],
        [["witnesses LOG_NOT_WITNESSED"], "rejected", "CONSISTENT"],
        name,
      );
    }
  });

  test("that asks nobody witnesses nothing", async () => {
    const verdict = await judged({ files: log.files(lines(0, 1, 2)), expected: policyOf("quorum none") });
    assert.deepEqual([failures(verdict), verdict.log?.witnessing], [[], "UNWITNESSED"]);
  });

  test("that two disjoint sets can meet says so", async () => {
    const expected = policyOf("group g 1 w0 w1\nquorum g");
    const verdict = await judged({ files: log.files(lines(0)), expected });
    assert.deepEqual([failures(verdict), verdict.log?.witnessing], [[], "WITNESSED"]);
    assert.equal(verdict.checks.find(({ name }) => name === "one history")?.status, "not-performed");
  });

  test("that names logs takes only the checkpoint of such a log, signed with its key", async () => {
    const named = (key: Key): Partial<Expectations> => policyOf(`log ${key.vkey}\nquorum w0`);
    const signed = lines(0) + logKey.line(textOf(log.note));
    const taken = await judged({ files: log.files(signed), expected: named(logKey) });
    assert.deepEqual([failures(taken), taken.log?.witnessing], [[], "WITNESSED"]);
    const other = keyOf("gateway.example/1", SIGNATURE_TYPE.ed25519);
    for (const [files, key] of [
      [log.files(lines(0)), logKey],
      [log.files(signed), keyOf(ORIGIN, SIGNATURE_TYPE.ed25519)],
      [log.files(lines(0) + other.line(textOf(log.note))), other],
    ] as const) {
      const verdict = await judged({ files, expected: named(key) });
      assert.deepEqual([failures(verdict), verdict.log?.witnessing], [["log key LOG_NOT_WITNESSED"], "UNWITNESSED"]);
    }
  });
});
