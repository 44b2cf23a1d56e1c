import assert from "node:assert/strict";
import { webcrypto } from "node:crypto";
import { test } from "node:test";
import { toHex } from "@cmcp/boundary";
import * as fc from "fast-check";
import type { z } from "zod";
import { NO_SHARED_FOLDER, sharedFolder } from "../testing/shared.ts";
import { describeTdxQuote } from "./describe.ts";
import { STRICT_TDX_POLICY, tdxPolicySchema } from "./policy.ts";
import { parseTdxQuote } from "./quote.ts";
import {
  COLLATERAL,
  collateralFiles,
  corpusFile,
  genuineQuote,
  QUOTES,
  regions,
  REJECTED,
  UNEXPECTED,
  UNTRUSTED,
} from "./testing/corpus.ts";
import { verifyTdx, type TdxInput } from "./verify.ts";

const skip = sharedFolder() === null ? NO_SHARED_FOLDER : false;
/** Every PCK certificate of the corpus is valid then. */
const AT = new Date("2026-08-20T00:00:00Z");
const AUTHENTICITY = tdxPolicySchema.parse({ authenticity_only: true });

const verify = (input: TdxInput, policy = STRICT_TDX_POLICY, at = AT) => verifyTdx(input, policy, at, webcrypto);
const failures = ({ checks }: Awaited<ReturnType<typeof verify>>): Readonly<Record<string, string | undefined>> =>
  Object.fromEntries(checks.filter(({ status }) => status === "failed").map(({ name, code }) => [name, code]));

test("every genuine quote is authentic, but for the one without a PCK chain and the one under another root", {
  skip,
}, async () => {
  for (const name of QUOTES) {
    const result = await verify({ quote: genuineQuote(name) }, AUTHENTICITY);
    assert.equal(result.verified !== null, !UNTRUSTED.includes(name), name);
    assert.deepEqual(failures(result), UNTRUSTED.includes(name) ? REJECTED[name] : {}, name);
  }
});

test("the strict default refuses what has to be refused, and what nobody expected", { skip }, async () => {
  for (const name of QUOTES)
    assert.deepEqual(
      failures(await verify({ quote: genuineQuote(name) })),
      { ...REJECTED[name], ...UNEXPECTED[name] },
      name,
    );
});

test("every genuine quote passes when what it carries is expected", { skip }, async () => {
  for (const name of QUOTES.filter((one) => REJECTED[one] === undefined)) {
    const quote = genuineQuote(name);
    const { claimed } = parseTdxQuote(quote);
    const options: z.input<typeof tdxPolicySchema> = {
      required_attributes: [],
      rtmr0: [toHex(claimed.rtmrs[0])],
      rtmr1: [toHex(claimed.rtmrs[1])],
      rtmr2: [toHex(claimed.rtmrs[2])],
      rtmr3: toHex(claimed.rtmrs[3]),
    };
    const result = await verify(
      { quote, reportData: claimed.reportData, launchDigest: claimed.mrConfigId, measurements: [toHex(claimed.mrTd)] },
      tdxPolicySchema.parse(options),
    );
    assert.deepEqual(failures(result), {}, name);
    assert.deepEqual(
      result.checks.filter(({ status }) => status === "not-performed").map(({ name: check }) => check),
      ["PCK revocation", "TCB info", "QE identity", "TCB status", "event log"],
      name,
    );
  }
});

test("padding of zeros, as drivers hand it out, changes nothing", { skip }, async () => {
  const quote = genuineQuote("v4-b0c06f000000-f1c8503301");
  assert.ok((await verify({ quote: Uint8Array.from([...quote, ...new Uint8Array(8192)]) })).verified !== null);
});

/** Status of each quote under collateral of its platform at a time both were valid; `below` matches no level. */
/** Fields of a TD report: offset and length. */
const FIELDS: readonly (readonly [offset: number, length: number])[] = [
  [0, 16],
  [16, 48],
  [64, 48],
  [112, 8],
  [120, 8],
  [128, 8],
  [136, 48],
  [184, 48],
  [232, 48],
  [280, 48],
  [328, 48],
  [376, 48],
  [424, 48],
  [472, 48],
  [520, 64],
];

test("no field of one genuine quote can be put into another", { skip }, async () => {
  const into = genuineQuote("v4-b0c06f000000-0c699dd453");
  const from = genuineQuote("v4-90c06f000000-cbdb5b2f12");
  const parts = [
    ...FIELDS.map(([offset, length]) => [48 + offset, length] as const),
    [28, 20],
    ...regions(parseTdxQuote(into)).map(([, start, end]) => [start, end - start] as const),
    [636, 64],
    [700, 64],
    [770, 384],
    [1154, 64],
  ] as const;
  let swapped = 0;
  for (const [offset, length] of parts) {
    const part = from.subarray(offset, offset + length);
    if (Buffer.compare(part, into.subarray(offset, offset + length)) === 0) continue;
    const quote = Uint8Array.from(into);
    quote.set(part, offset);
    assert.equal((await verify({ quote }, AUTHENTICITY)).verified, null, `offset ${offset}`);
    swapped += 1;
  }
  assert.ok(swapped >= 14, `${swapped} parts differ`);
});

test("the PCK chain of another platform does not make a quote authentic", { skip }, async () => {
  const into = genuineQuote("v4-b0c06f000000-f1c8503301");
  const other = parseTdxQuote(genuineQuote("v4-90c06f000000-cbdb5b2f12")).certification.data;
  const { certification } = parseTdxQuote(into);
  assert.equal(other.length, certification.data.length);
  const quote = Uint8Array.from(into);
  quote.set(other, into.length - other.length);
  assert.deepEqual(failures(await verify({ quote }, AUTHENTICITY)), {
    "quoting enclave signature": "EVIDENCE_SIGNATURE_INVALID",
  });
});

/** A quote of version 4 with other certification data in the place of its PCK chain. */
function withChain(quote: Uint8Array, data: Uint8Array): Uint8Array {
  const start = quote.length - parseTdxQuote(quote).certification.data.length;
  const changed = Buffer.concat([quote.subarray(0, start), data]);
  changed.writeUInt32LE(changed.length - 636, 632);
  changed.writeUInt32LE(changed.length - 636 - 134, 636 + 130);
  changed.writeUInt32LE(data.length, start - 4);
  return Uint8Array.from(changed);
}

test("the PCK chain is read however its text is laid out, and completed from what is given beside", {
  skip,
}, async () => {
  const quote = genuineQuote("v4-b0c06f000000-f1c8503301");
  const text = Buffer.from(parseTdxQuote(quote).certification.data).toString("latin1").replace(/\0+$/, "");
  const blocks = text.match(/-----BEGIN [^]*?-----END CERTIFICATE-----/g) ?? [];
  const [leaf = "", ...authorities] = blocks;
  assert.equal(authorities.length, 2);
  for (const layout of [
    text,
    `${text}${"\0".repeat(40)}`,
    text.replaceAll("\n", "\r\n"),
    blocks.toReversed().join("\n"),
    [leaf, ...blocks].join("\n"),
  ]) {
    assert.deepEqual(failures(await verify({ quote: withChain(quote, Buffer.from(layout)) }, AUTHENTICITY)), {});
  }
  const alone = withChain(quote, Buffer.from(leaf));
  assert.deepEqual(failures(await verify({ quote: alone }, AUTHENTICITY)), { "PCK chain": "EVIDENCE_CHAIN_INVALID" });
  assert.deepEqual(
    failures(await verify({ quote: alone, collateral: [Buffer.from(authorities.join("\n"))] }, AUTHENTICITY)),
    {},
  );
  const headless = withChain(quote, Buffer.from(authorities.join("\n")));
  assert.equal(
    failures(await verify({ quote: headless }, AUTHENTICITY))["quoting enclave signature"],
    "EVIDENCE_SIGNATURE_INVALID",
  );
});

test("another nonce moves no measurement", { skip }, async () => {
  const [first, second] = await Promise.all(
    (["v4-00806f050000-4e36432be3", "v4-00806f050000-270cbbefea"] as const).map(
      async (name) => (await verify({ quote: genuineQuote(name) })).verified,
    ),
  );
  assert.ok(first && second);
  assert.notDeepEqual(first.reportData, second.reportData);
  assert.deepEqual(
    [first.mrTd, ...first.rtmrs, first.mrConfigId, first.tdAttributes],
    [second.mrTd, ...second.rtmrs, second.mrConfigId, second.tdAttributes],
  );
});

const WITH_LOG = "v4-00806f050000-00b2526ab1";

test("a genuine event log leads to the signed RTMRs, and a changed one does not", { skip }, async () => {
  const quote = genuineQuote(WITH_LOG);
  const eventLog = corpusFile("eventlogs/gcp-cos113-ccel.bin");
  const result = await verify({ quote, eventLog });
  assert.deepEqual(failures(result), {});
  assert.deepEqual(
    result.checks.filter(({ name }) => name.startsWith("event log")).map(({ name, status }) => `${name}: ${status}`),
    ["event log format: passed", "event log: passed", "event log separators: passed"],
  );
  const mismatch = { "event log": "EVIDENCE_EVENT_LOG_MISMATCH" };
  assert.deepEqual(
    failures(await verify({ quote, eventLog: corpusFile("eventlogs/BAD-dupe-separator.bin") })),
    mismatch,
  );
  assert.deepEqual(
    failures(await verify({ quote, eventLog: corpusFile("eventlogs/trustee-CCEL_data_ovmf.bin") })),
    mismatch,
  );
  assert.deepEqual(failures(await verify({ quote, eventLog: new Uint8Array(9) })), {
    "event log format": "EVIDENCE_MALFORMED",
  });
  assert.deepEqual(failures(await verify({ quote: genuineQuote("v4-00806f050000-c39a3a2526"), eventLog })), mismatch);
});

test("a quote is shown field by field, whatever its chain is", { skip }, () => {
  const rows = Object.fromEntries(
    describeTdxQuote(parseTdxQuote(genuineQuote("v5-90c06f000000-cf77a6e91e"))).map(({ label, value }) => [
      label,
      value,
    ]),
  );
  assert.deepEqual(
    [rows["quote"], rows["TD attributes"], rows["MRSERVICETD"], rows["MRTD"]?.slice(0, 8)],
    ["TDX, version 5, TD report 1.5", "SEPT_VE_DISABLE", "zero", "7348651a"],
  );
  assert.match(rows["PCK"] ?? "", /^FMSPC 90c06f000000, PCEID 0000, PCESVN 13/);
  const debug = describeTdxQuote(parseTdxQuote(genuineQuote("v4-50806f000000-12b401a88a-DEBUG")));
  assert.equal(debug.find(({ label }) => label === "TD attributes")?.value, "DEBUG, SEPT_VE_DISABLE");
  const chainless = describeTdxQuote(parseTdxQuote(genuineQuote("v4-nofmspc-aa2cafadb3-other")));
  assert.equal(chainless.at(-1)?.value, "2470 bytes that are no chain of PCK certificates");
});

test("whatever is done to genuine bytes, verification ends in recorded failures", { skip }, async () => {
  const quote = genuineQuote("v5-90c06f000000-cf77a6e91e");
  const files = collateralFiles(COLLATERAL["2026-02 90c06f"]);
  const log = corpusFile("eventlogs/dstack-ccel.bin");
  const mutate = (bytes: Uint8Array): fc.Arbitrary<Uint8Array> =>
    fc
      .tuple(
        fc.array(fc.tuple(fc.nat(bytes.length - 1), fc.nat(255)), { maxLength: 6 }),
        fc.nat(bytes.length),
        fc.boolean(),
      )
      .map(([changes, cut, shorten]) => {
        const copy = Uint8Array.from(bytes);
        for (const [offset, value] of changes) copy[offset] = value;
        return shorten ? copy.subarray(0, cut) : copy;
      });
  const random = fc.uint8Array({ maxLength: 600 });
  const input = fc.record({
    quote: fc.oneof(mutate(quote), random),
    collateral: fc.array(fc.oneof(random, ...files.map(mutate)), { maxLength: 2 }),
    eventLog: fc.oneof(mutate(log), random),
    reportData: random,
    launchDigest: random,
    measurements: fc.array(fc.string(), { maxLength: 2 }),
  });
  await fc.assert(
    fc.asyncProperty(input, async (one) => {
      const { checks } = await verify(one);
      assert.ok(checks.length > 0);
      for (const { status, code } of checks) assert.equal(status === "failed", code !== undefined);
    }),
    { numRuns: 300 },
  );
});
