import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { test } from "node:test";
import { fromBase64Url } from "@cmcp/boundary";
import * as fc from "fast-check";
import { formatVerifierKey, SIGNATURE_TYPE, type SignatureType } from "./key.ts";
import { readWitnessPolicy, verifierKey } from "./verify.ts";
import {
  MAX_POLICY_ENTRIES,
  MAX_WITNESS_POLICY_LENGTH,
  quorumsIntersect,
  quorumTime,
  type Quorum,
} from "./witness-policy.ts";

function newKey(name: string, type: SignatureType = SIGNATURE_TYPE.cosignature): string {
  const { publicKey } = generateKeyPairSync("ed25519");
  return formatVerifierKey(
    verifierKey(name, type, fromBase64Url(publicKey.export({ format: "jwk" }).x ?? "") ?? assert.fail()),
  );
}
const LOG = newKey("example.com/log", SIGNATURE_TYPE.ed25519);
const KEYS = Array.from({ length: MAX_POLICY_ENTRIES + 1 }, (_, at) => newKey(`witness.example/w${at}`));
const [A = "", B = "", C = ""] = KEYS;

/** The shape of the specification's example: two of three, and one of three. */
const EXAMPLE = `# two operators
log ${LOG} https://log.example.com/

witness X1 ${KEYS[0]} https://x1.example/
  witness\tX2 ${KEYS[1]}
witness X3 ${KEYS[2]}
group X-witnesses 2 X1 X2 X3
witness Y1 ${KEYS[3]}
witness Y2 ${KEYS[4]}
witness Y3 ${KEYS[5]}
group Y-witnesses any Y1 Y2 Y3
  # what it takes
group X-and-Y all X-witnesses Y-witnesses
quorum X-and-Y
`;

const quorumOf = (text: string): Quorum => readWitnessPolicy(text).quorum;
const met = (quorum: Quorum, ...names: readonly string[]): boolean =>
  quorumTime(quorum, new Map(names.map((name) => [name, 1]))) !== undefined;
const refused = (text: string, message: RegExp): void =>
  assert.throws(() => readWitnessPolicy(text), { code: "WITNESS_POLICY_INVALID", message }, text);

test("the specification's example says what it says there", () => {
  const policy = readWitnessPolicy(EXAMPLE);
  assert.deepEqual(
    policy.witnesses.map(({ name, url }) => [name, url]),
    [
      ["X1", "https://x1.example/"],
      ["X2", null],
      ["X3", null],
      ["Y1", null],
      ["Y2", null],
      ["Y3", null],
    ],
  );
  assert.deepEqual(
    policy.logs.map(({ key, url }) => [key.name, url]),
    [["example.com/log", "https://log.example.com/"]],
  );
  assert.ok(met(policy.quorum, "X1", "X3", "Y2"));
  assert.ok(!met(policy.quorum, "X1", "Y1", "Y2", "Y3"));
  assert.ok(!met(policy.quorum, "X1", "X2", "X3"));
});

test("one witness, none at all, and witnesses that nobody needs", () => {
  assert.ok(met(quorumOf("quorum none\n")));
  assert.equal(quorumTime(quorumOf("quorum none\n"), new Map()), 0);
  const one = quorumOf(`witness a ${A}\nwitness b ${B}\nquorum a\n`);
  assert.ok(met(one, "a"));
  assert.ok(!met(one, "b"));
  assert.ok(!met(one));
});

test("the time of a quorum is the latest that a whole one has reached", () => {
  const quorum = quorumOf(`witness a ${A}\nwitness b ${B}\nwitness c ${C}\ngroup g 2 a b c\nquorum g\n`);
  const time = (a: number, b: number, c?: number): number | undefined =>
    quorumTime(quorum, new Map(Object.entries({ a, b, ...(c === undefined ? {} : { c }) })));
  assert.equal(time(100, 101), 100);
  assert.equal(time(100, 101, 102), 101);
  assert.equal(time(100, 101, 999_999), 101, "one clock that is fast moves it no further than the others");
  assert.equal(time(100, 101, 1), 100, "one that is slow does not hold it back");
});

test("a quorum and its time are those of the best set of witnesses, whatever the groups", () => {
  const witness = (name: string): Quorum => ({
    kind: "witness",
    witness: { name, url: null, key: verifierKey(name, SIGNATURE_TYPE.cosignature, new Uint8Array(32)) },
  });
  const shape = fc.array(fc.tuple(fc.integer({ min: 1, max: 3 }), fc.nat(5)), { minLength: 1, maxLength: 3 });
  const clocks = fc.array(fc.option(fc.nat(9)), { minLength: 9, maxLength: 9 });
  fc.assert(
    fc.property(shape, fc.nat(9), clocks, (groups, top, times) => {
      let next = 0;
      const members = groups.map(([count, k]): Quorum => {
        const inner = Array.from({ length: count }, () => witness(`w${next++}`));
        return { kind: "group", threshold: 1 + (k % count), members: inner };
      });
      const quorum: Quorum = { kind: "group", threshold: 1 + (top % members.length), members };
      const subsets = Array.from({ length: 2 ** next }, (_, bits) => bits).filter((bits) => meets(quorum, bits));
      const least = (bits: number): number | undefined => {
        const chosen = Array.from({ length: next }, (_, at) => at).filter((at) => (bits >> at) % 2 === 1);
        const known = chosen.map((at) => times[at]).filter((time) => time !== null && time !== undefined);
        return known.length === chosen.length ? Math.min(...known) : undefined;
      };
      const best = subsets.map(least).filter((time) => time !== undefined);
      const given = new Map(times.flatMap((time, at) => (time === null ? [] : [[`w${at}`, time] as const])));
      assert.equal(quorumTime(quorum, given), best.length === 0 ? undefined : Math.max(...best));
      const disjoint = subsets.some((one) => subsets.some((other) => (one & other) === 0));
      assert.equal(quorumsIntersect(quorum), !disjoint);
    }),
    { numRuns: 300 },
  );
});

/** Whether a set of witnesses, as bits by the number in their names, meets a quorum. */
function meets(quorum: Quorum, bits: number): boolean {
  if (quorum.kind === "none") return true;
  if (quorum.kind === "witness") return (bits >> Number(quorum.witness.name.slice(1))) % 2 === 1;
  return quorum.members.filter((member) => meets(member, bits)).length >= quorum.threshold;
}

test("quorums that can be met twice over do not intersect", () => {
  const keys = `witness a ${A}\nwitness b ${B}\nwitness c ${C}\n`;
  assert.ok(quorumsIntersect(quorumOf(`${keys}group g 2 a b c\nquorum g\n`)));
  assert.ok(quorumsIntersect(quorumOf(`${keys}quorum a\n`)));
  assert.ok(!quorumsIntersect(quorumOf(`${keys}group g 1 a b c\nquorum g\n`)));
  assert.ok(!quorumsIntersect(quorumOf(`${keys}group g 1 a b\nquorum g\n`)));
  assert.ok(!quorumsIntersect(quorumOf("quorum none\n")));
});

test("what a policy may not say is refused, with its line", () => {
  const keys = `witness a ${A}\nwitness b ${B}\n`;
  refused("", /newline/);
  refused("quorum none", /newline/);
  refused("\n", /no quorum/);
  refused(keys, /no quorum/);
  refused(`${keys}quorum a\nquorum a\n`, /^line 4: there is one quorum/);
  refused(`${keys}quorum a b\n`, /^line 3: there is one quorum/);
  refused(`quorum a\n${keys}`, /^line 1: .*not defined/);
  refused(`${keys}quorum g\n`, /^line 3: .*not defined/);
  refused(`${keys}group g 1 a c\nquorum g\n`, /^line 3: .*not defined/);
  refused(`${keys}group g 1 g\nquorum g\n`, /^line 3: .*not defined/);
  refused(`${keys}group g 1 none\nquorum g\n`, /^line 3: .*not defined/);
  refused(`${keys}group g 1 a a\nquorum g\n`, /^line 3: .*member already/);
  refused(`${keys}group g 1 a\ngroup h 1 a b\nquorum h\n`, /^line 4: .*member already/);
  refused(`${keys}group a 1 b\nquorum a\n`, /^line 3: .*defined already/);
  refused(`${keys}witness a ${C}\nquorum a\n`, /^line 3: .*defined already/);
  refused(`witness none ${A}\nquorum none\n`, /^line 1: .*cannot be one/);
  refused(`${keys}group none 1 a\nquorum none\n`, /^line 3: .*cannot be one/);
  refused(`witness ${"n".repeat(256)} ${A}\nquorum none\n`, /^line 1: .*cannot be one/);
  for (const count of ["0", "3", "-1", "01", "1.0", "most", "", "1e0", "100"])
    refused(`${keys}group g ${count} a b\nquorum g\n`, /^line 3: /);
  refused(`${keys}group g any\nquorum g\n`, /^line 3: a group has a member/);
  refused("group\nquorum none\n", /^line 1: /);
  refused(`witness a\nquorum none\n`, /^line 1: not a verifier key/);
  refused(`witness\nquorum none\n`, /^line 1: not a verifier key/);
  refused(`log\nquorum none\n`, /^line 1: not a verifier key/);
  refused(`log ${LOG} u v\nquorum none\n`, /^line 1: a log has/);
  refused(`witness a ${A} u v\nquorum none\n`, /^line 1: a witness has/);
  refused(`log ${A}\nquorum none\n`, /^line 1: .*other signature type/);
  refused(`witness a ${LOG}\nquorum none\n`, /^line 1: .*other signature type/);
  refused(`witness a ${A}\nwitness b ${A}\nquorum none\n`, /^line 2: its key is a duplicate/);
  refused(`log ${LOG}\nlog ${LOG}\nquorum none\n`, /^line 2: its key is a duplicate/);
  refused(`witness a ${A.replace(/\+[0-9a-f]{8}\+/, "+00000000+")}\nquorum none\n`, /^line 1: .*its id/);
  refused(`witnesses a ${A}\nquorum none\n`, /^line 1: it is neither/);
  refused(`quorum none\r\n`, /^line 1: .*control character/);
  refused(`quorum\u00a0none\n`, /^line 1: it is neither/);
  refused("# \u0000\nquorum none\n", /^line 1: .*control character/);
  refused("# \u007f\nquorum none\n", /^line 1: .*control character/);
  refused(`witness a ${A} ${"u".repeat(2049)}\nquorum none\n`, /^line 1: its URL/);
});

test("the same key under another name is a duplicate", () => {
  const { publicKey } = generateKeyPairSync("ed25519");
  const bytes = fromBase64Url(publicKey.export({ format: "jwk" }).x ?? "") ?? assert.fail();
  const [one, other] = ["one", "other"].map((name) =>
    formatVerifierKey(verifierKey(name, SIGNATURE_TYPE.cosignature, bytes)),
  );
  refused(`witness a ${one}\nwitness b ${other}\nquorum none\n`, /^line 2: its key is a duplicate/);
});

test("numbers and size of what a policy has are bounded", () => {
  const lines = KEYS.map((key, at) => `witness w${at} ${key}\n`);
  const most = lines.slice(0, -1);
  const groups = most.map((_, at) => `group g${at} 1 w${at}\n`);
  assert.equal(readWitnessPolicy(`${most.join("")}${groups.join("")}quorum g0\n`).witnesses.length, MAX_POLICY_ENTRIES);
  refused(`${lines.join("")}quorum none\n`, /too many/);
  refused(`${most.join("")}${groups.join("")}group h 1 g0\nquorum none\n`, /too many groups/);
  refused(`${"#".repeat(MAX_WITNESS_POLICY_LENGTH)}\nquorum none\n`, /too large/);
});

test("any text is a policy or WITNESS_POLICY_INVALID", () => {
  const words = [
    "log",
    "witness",
    "group",
    "quorum",
    "none",
    "all",
    "any",
    "1",
    "2",
    "a",
    "b",
    A,
    B,
    LOG,
    "#",
    "\n",
    "\t",
  ];
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...words), { maxLength: 30 }), (all) => {
      try {
        readWitnessPolicy(`${all.join(" ")}\n`);
      } catch (thrown) {
        assert.equal((thrown as { code?: unknown }).code, "WITNESS_POLICY_INVALID");
      }
    }),
  );
});
