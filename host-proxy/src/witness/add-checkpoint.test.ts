import assert from "node:assert/strict";
import { gzipSync } from "node:zlib";
import { test } from "node:test";
import { GrowingLog } from "../testing/growing-log.ts";
import { TestWitness, type Behaviour } from "../testing/witness-server.ts";
import { addCheckpoint, formatSubmission, MAX_WITNESS_ANSWER_BYTES, type WitnessAnswer } from "./add-checkpoint.ts";

const NOTE = new GrowingLog("gateway.example/log/0").append("a");
const never = new AbortController().signal;

/** What is made of an answer. */
async function answerTo(witness: TestWitness, behaviour: Behaviour, signal = never): Promise<WitnessAnswer> {
  witness.behaviour = behaviour;
  return await addCheckpoint(new URL(witness.url), { old: 0, proof: [], note: NOTE }, signal);
}

const size = { "content-type": "text/x.tlog.size" };
const line = "— a AAAAAAA=\n";

/** Answers, and what each is read as. */
const ANSWERS: readonly [string, number, Record<string, string>, string | Buffer, WitnessAnswer][] = [
  ["a stale size", 409, size, "7\n", { kind: "stale", size: 7 }],
  ["size zero", 409, size, "0\n", { kind: "stale", size: 0 }],
  ["a size of another type", 409, {}, "7\n", { kind: "failed", reason: "answer-malformed" }],
  ["a size without a newline", 409, size, "7", { kind: "failed", reason: "answer-malformed" }],
  ["a size with a leading zero", 409, size, "07\n", { kind: "failed", reason: "answer-malformed" }],
  ["a negative size", 409, size, "-7\n", { kind: "failed", reason: "answer-malformed" }],
  ["no size", 409, size, "", { kind: "failed", reason: "answer-malformed" }],
  ["a size that no log has", 409, size, `${2 ** 48 + 1}\n`, { kind: "failed", reason: "answer-malformed" }],
  ["a size of many digits", 409, size, `${"9".repeat(1000)}\n`, { kind: "failed", reason: "answer-malformed" }],
  ["400", 400, {}, "no", { kind: "refused", reason: "request-malformed" }],
  ["403", 403, {}, "no", { kind: "refused", reason: "log-key-refused" }],
  ["404", 404, {}, "no", { kind: "refused", reason: "log-unknown" }],
  ["422", 422, {}, "no", { kind: "refused", reason: "inconsistent" }],
  ["500", 500, {}, "no", { kind: "failed", reason: "status-unexpected" }],
  ["201", 201, {}, line, { kind: "failed", reason: "status-unexpected" }],
  ["a redirect", 302, { location: "/add-checkpoint" }, "", { kind: "failed", reason: "status-unexpected" }],
  ["a redirect that keeps the method", 307, { location: "/" }, "", { kind: "failed", reason: "status-unexpected" }],
  ["no signature", 200, {}, "", { kind: "failed", reason: "answer-malformed" }],
  ["another text", 200, {}, "<html>\n", { kind: "failed", reason: "answer-malformed" }],
  ["a note in place of its signatures", 200, {}, NOTE, { kind: "failed", reason: "answer-malformed" }],
  [
    "bytes that are not UTF-8",
    200,
    {},
    Buffer.concat([Buffer.from("— a"), Buffer.of(0xff), Buffer.from(" AAAAAAA=\n")]),
    { kind: "failed", reason: "answer-malformed" },
  ],
  ["a byte order mark", 200, {}, `\ufeff${line}`, { kind: "failed", reason: "answer-malformed" }],
  [
    "an answer above the bound",
    200,
    {},
    line.repeat(1 + MAX_WITNESS_ANSWER_BYTES / line.length),
    { kind: "failed", reason: "answer-too-large" },
  ],
  [
    "a small answer that unpacks to one above it",
    200,
    { "content-encoding": "gzip" },
    gzipSync(Buffer.alloc(8 * 1024 * 1024)),
    { kind: "failed", reason: "answer-too-large" },
  ],
];

test("each answer is read as what it says, or as none", async (t) => {
  const witness = await TestWitness.start(t, "witness.example/w");
  for (const [name, status, headers, body, expected] of ANSWERS) {
    const answer = await answerTo(witness, (_request, response) => {
      response.writeHead(status, headers).end(body);
    });
    assert.deepEqual(answer, expected, name);
  }
});

test("signature lines are handed on as they are", async (t) => {
  const witness = await TestWitness.start(t, "witness.example/w");
  const answer = await answerTo(witness, (_request, response) => {
    response.writeHead(200).end(line + line);
  });
  assert.ok(answer.kind === "signatures");
  assert.deepEqual(
    answer.signatures.map(({ name }) => name),
    ["a", "a"],
  );
});

test("an answer that does not end is no answer once its time is over", async (t) => {
  const witness = await TestWitness.start(t, "witness.example/w");
  const begun = new AbortController();
  const answer = await answerTo(
    witness,
    (_request, response) => {
      response.writeHead(200).write("— a AAAA");
      begun.abort();
    },
    begun.signal,
  );
  assert.deepEqual(answer, { kind: "failed", reason: "too-slow" });
});

test("a witness that is not there, or hangs up, is unreachable", async (t) => {
  const witness = await TestWitness.start(t, "witness.example/w");
  const url = new URL(witness.url);
  assert.deepEqual(await answerTo(witness, (_request, response) => void response.destroy()), {
    kind: "failed",
    reason: "unreachable",
  });
  witness.stop();
  assert.deepEqual(await addCheckpoint(url, { old: 0, proof: [], note: NOTE }, never), {
    kind: "failed",
    reason: "unreachable",
  });
});

test("the request is that of the specification", () => {
  const proof = [new Uint8Array(32), new Uint8Array(32).fill(255)];
  assert.equal(
    formatSubmission({ old: 20_852_014, proof, note: NOTE }),
    `old 20852014\n${"A".repeat(43)}=\n${"/".repeat(42)}8=\n\n${NOTE}`,
  );
  assert.equal(formatSubmission({ old: 0, proof: [], note: NOTE }), `old 0\n\n${NOTE}`);
  const long = Array.from({ length: 64 }, () => new Uint8Array(32));
  assert.throws(() => formatSubmission({ old: 1, proof: long, note: NOTE }), RangeError);
});
