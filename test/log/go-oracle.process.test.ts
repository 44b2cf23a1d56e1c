/** Notes, trees, tiles, proofs and witness policies, against the Go project's libraries and torchwood's. */
import assert from "node:assert/strict";
import { generateKeyPairSync, sign, type KeyObject } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { before, describe, test } from "node:test";
import { fromBase64Url, type JsonObject } from "@cmcp/boundary";
import {
  appendLeaves,
  cosignedAt,
  cosignedMessage,
  EMPTY_RANGE,
  formatCheckpoint,
  formatCosignature,
  formatVerifierKey,
  isConsistent,
  isSignedBy,
  leafHash,
  parseNote,
  parseTilePath,
  Prover,
  quorumTime,
  cosignedTimes,
  readVerifierKey,
  readWitnessPolicy,
  rootFromPath,
  sha256,
  SIGNATURE_TYPE,
  signNote,
  tilePath,
  tilesOf,
  verifierKey,
  type ReadTile,
  type SignatureType,
  type VerifierKey,
} from "@cmcp/log";
import { temporaryDirectory } from "../../host-proxy/src/testing/temporary-directory.ts";
import { openLogKey } from "../../host-proxy/src/witness/log-key.ts";
import { ask, asText, bytesOf, hasGo, NO_GO, textOf } from "./oracle.ts";

interface Signer {
  readonly key: VerifierKey;
  readonly privateKey: KeyObject;
}
function signerOf(name: string, type: SignatureType = SIGNATURE_TYPE.ed25519): Signer {
  const { publicKey, privateKey } = generateKeyPairSync("ed25519");
  const bytes = fromBase64Url(publicKey.export({ format: "jwk" }).x ?? "") ?? assert.fail();
  return { key: verifierKey(name, type, bytes), privateKey };
}
const signed = (text: string, { key, privateKey }: Signer): string =>
  signNote(text, key, (bytes) => sign(null, bytes, privateKey));
const cosigned = (text: string, time: number, { key, privateKey }: Signer): string =>
  formatCosignature(key, { time, signature: sign(null, cosignedMessage(text, time), privateKey) });

const NAMES = ["example.com/log/0", "cmcp-instance-NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs", "Größe/日本"];
const TEXTS = ["one line\n", "two\n\nparagraphs\n", "— not a signature\n\n\n", "Größe 日本 \u{1f642}\n"];

describe("notes", { skip: hasGo() ? false : NO_GO }, () => {
  test("that are written here open there", () => {
    const signers = NAMES.map((name) => signerOf(name));
    const cases = signers.flatMap((signer) => TEXTS.map((text) => ({ signer, text })));
    const answers = ask(
      cases.map(({ signer, text }) => ({
        do: "open",
        note: signed(text, signer),
        keys: [formatVerifierKey(signer.key)],
      })),
    );
    for (const [at, { signer, text }] of cases.entries())
      assert.deepEqual(answers[at], { text, verified: [signer.key.name] });
  });

  test("that are written there open here", () => {
    const cases = NAMES.flatMap((name) => TEXTS.map((text) => ({ do: "sign", name, text })));
    const answers = ask(cases);
    for (const [at, { name, text }] of cases.entries()) {
      const key = readVerifierKey(textOf(answers[at], "key"));
      const note = parseNote(textOf(answers[at], "note"));
      assert.deepEqual([key.name, note.text, isSignedBy(note, key)], [name, text, true]);
    }
  });

  test("are signed there by the file of a log's key", async (t) => {
    const path = join(temporaryDirectory(t), "log.key");
    const { verifierKey: key } = await openLogKey(path, "example.com/log/0");
    const [answer] = ask([{ do: "sign", name: "unused", text: "a\n", keys: [readFileSync(path, "utf8").trim()] }]);
    assert.ok(isSignedBy(parseNote(textOf(answer, "note")), key));
  });

  test("that were changed open nowhere", () => {
    const signer = signerOf("example.com/log");
    const note = signed("a\nb\n", signer);
    const changed = [note.replace("b", "c"), note.replace("\n\n", "\n"), note.slice(0, -1), note.replace("— ", "- ")];
    const keys = [formatVerifierKey(signer.key)];
    const answers = ask(changed.map((each) => ({ do: "open", note: each, keys })));
    for (const [at, each] of changed.entries()) {
      assert.notEqual(answers[at]?.["error"], undefined, each);
      assert.ok(!opens(each, signer.key), each);
    }
  });
});

function opens(note: string, key: VerifierKey): boolean {
  try {
    return isSignedBy(parseNote(note), key);
  } catch {
    return false;
  }
}

describe("cosignatures", { skip: hasGo() ? false : NO_GO }, () => {
  const text = formatCheckpoint({ origin: "example.com/log", size: 7, root: sha256(new Uint8Array()) });

  test("that are written here verify there, with their time", () => {
    const witness = signerOf("witness.example/w1", SIGNATURE_TYPE.cosignature);
    const note = `${text}\n${cosigned(text, 1_679_315_147, witness)}`;
    const [answer] = ask([{ do: "open", note, keys: [formatVerifierKey(witness.key)] }]);
    assert.deepEqual(answer, { text, verified: ["witness.example/w1"], times: [1_679_315_147] });
  });

  test("that are written there verify here, with their time", () => {
    const [answer] = ask([{ do: "cosign", name: "witness.example/w1", text }]);
    const key = readVerifierKey(textOf(answer, "key"));
    const time = cosignedAt(parseNote(textOf(answer, "note")), key) ?? assert.fail();
    const [opened] = ask([{ do: "open", note: textOf(answer, "note"), keys: [textOf(answer, "key")] }]);
    assert.deepEqual(opened?.["times"], [time]);
  });

  test("meet a policy here exactly where they meet it there", () => {
    const log = signerOf("example.com/log");
    const witnesses = Array.from({ length: 5 }, (_, at) =>
      signerOf(`witness.example/w${at}`, SIGNATURE_TYPE.cosignature),
    );
    const lines = witnesses.map(({ key }, at) => `witness w${at} ${formatVerifierKey(key)}\n`).join("");
    const policies = [
      "quorum w0",
      "quorum none",
      "group g 2 w0 w1 w2\nquorum g",
      "group g 2 w0 w1 w2\ngroup h any w3 w4\ngroup all all g h\nquorum all",
    ].map((rule) => `log ${formatVerifierKey(log.key)}\n${lines}${rule}\n`);
    const cases = policies.flatMap((policy) =>
      Array.from({ length: 2 ** witnesses.length }, (_, bits) => {
        const who = witnesses.filter((_w, at) => (bits >> at) % 2 === 1);
        return { do: "policy", policy, note: signed(text, log) + who.map((each) => cosigned(text, 9, each)).join("") };
      }),
    );
    const answers = ask(cases);
    for (const [at, { policy, note }] of cases.entries()) {
      const { quorum, witnesses: known } = readWitnessPolicy(policy);
      const met = quorumTime(quorum, cosignedTimes(parseNote(note), known)) !== undefined;
      assert.equal(met, answers[at]?.["error"] === undefined, `${policy}${note}${JSON.stringify(answers[at])}`);
    }
  });
});

/** Sizes around the boundaries of tiles. */
const SIZES = [1, 2, 3, 5, 8, 13, 255, 256, 257, 511, 512, 513, 1000];

describe("trees", { skip: hasGo() ? false : NO_GO }, () => {
  const leaves = Array.from({ length: 1000 }, (_, at) => new TextEncoder().encode(`leaf ${at}`));
  const hashes = leaves.map(leafHash);
  let grown: JsonObject[] = [];
  before(() => {
    grown = ask(SIZES.map((size) => ({ do: "grow", leaves: leaves.slice(0, size).map(asText) })));
  });

  const tilesOfGo = (answer: JsonObject | undefined): Record<string, string> =>
    (answer?.["tiles"] ?? assert.fail()) as Record<string, string>;
  const readFrom =
    (tiles: Record<string, string>): ReadTile =>
    async (tile) =>
      bytesOf(tiles[tilePath(tile)]);
  /** Proofs at a size of {@link SIZES}: of leaves and older sizes near its ends and in its middle. */
  const places = (size: number): number[] =>
    [...new Set([0, 1, Math.floor(size / 2), size - 2, size - 1])].filter((place) => place >= 0 && place < size);

  test("have one root hash, and the same tiles at the same paths", () => {
    for (const [at, size] of SIZES.entries()) {
      const { root } = appendLeaves(EMPTY_RANGE, hashes.slice(0, size));
      assert.deepEqual(bytesOf(grown[at]?.["root"]), root);
      const tiles = tilesOfGo(grown[at]);
      assert.deepEqual(Array.from(tilesOf(size), tilePath).toSorted(), Object.keys(tiles).toSorted());
      for (const [path, bytes] of Object.entries(tiles))
        assert.equal(bytesOf(bytes).length, 32 * (parseTilePath(path)?.width ?? 0));
    }
  });

  test("proofs from tiles hold there, and those of there are the same", async () => {
    const questions: object[] = [];
    const expected: Uint8Array[][] = [];
    for (const [at, size] of SIZES.entries()) {
      const tiles = tilesOfGo(grown[at]);
      const root = asText(bytesOf(grown[at]?.["root"]));
      const prover = new Prover(size, readFrom(tiles), sha256);
      for (const index of places(size)) {
        const proof = await prover.inclusion(index);
        const leaf = asText(hashes[index] ?? assert.fail());
        questions.push({ do: "check-record", size, root, index, leaf, proof: proof.map(asText) });
        questions.push({ do: "prove-record", size, root, index, tiles });
        expected.push([], proof);
      }
      for (const from of places(size).map((place) => place + 1)) {
        const proof = await prover.consistency(from);
        const older = asText(appendLeaves(EMPTY_RANGE, hashes.slice(0, from)).root);
        questions.push({ do: "check-tree", size, root, from, older, proof: proof.map(asText) });
        questions.push({ do: "prove-tree", size, root, from, tiles });
        expected.push([], proof);
      }
    }
    for (const [at, answer] of ask(questions).entries()) {
      assert.equal(answer["error"], undefined, JSON.stringify(questions[at]));
      const proof = (answer["proof"] ?? []) as string[];
      assert.deepEqual(proof.map(bytesOf), expected[at]);
    }
  });

  test("proofs of there hold here", async () => {
    const [size, at] = [1000, SIZES.indexOf(1000)];
    const tiles = tilesOfGo(grown[at]);
    const root = bytesOf(grown[at]?.["root"]);
    const all = places(size).flatMap((place) => [
      { do: "prove-record", size, root: asText(root), index: place, tiles },
      { do: "prove-tree", size, root: asText(root), from: place + 1, tiles },
    ]);
    for (const [number, answer] of ask(all).entries()) {
      const place = places(size)[Math.floor(number / 2)] ?? assert.fail();
      const proof = ((answer["proof"] ?? []) as string[]).map(bytesOf);
      const leaf = hashes[place] ?? assert.fail();
      if (number % 2 === 0)
        assert.deepEqual(await rootFromPath(leaf, { index: place, size, path: proof }, sha256), root);
      else {
        const older = { size: place + 1, root: appendLeaves(EMPTY_RANGE, hashes.slice(0, place + 1)).root };
        assert.ok(await isConsistent(older, { size, root }, proof, sha256));
      }
    }
  });
});
