/** The place in the log that an evidence file names for a claim: held to the claim by itself, and to an exported log. */
import assert from "node:assert/strict";
import { webcrypto } from "node:crypto";
import { describe, test } from "node:test";
import { writeEvidenceFile, type ClaimPlace } from "@cmcp/appraise/evidence";
import { collectSoftware, sessionReportData } from "@cmcp/attestation";
import { canonicalBytes, toBase64Url } from "@cmcp/boundary";
import type { Claim } from "@cmcp/claim";
import { appendLeaves, EMPTY_RANGE, leafHash } from "@cmcp/log";
import { Instance } from "../testing/instance.ts";
import { altered, EXPECTED, failures, type SessionRecord } from "../testing/session.ts";
import { WrittenLog } from "../testing/written-log.ts";
import type { Verdict } from "../verdict.ts";
import { verifyClaim } from "../verify-claim.ts";
import type { LogFiles } from "./shown-log.ts";

/** A log whose last record is the claim of a session. */
interface Closed {
  readonly log: WrittenLog;
  readonly session: SessionRecord;
  /** Who closed the session. */
  readonly instance: Instance;
  /** Under a note of that instance. */
  readonly own: ClaimPlace;
}

async function closed(): Promise<Closed> {
  const log = new WrittenLog();
  await log.begin();
  await log.session();
  const session = await log.session();
  return { log, session, instance: log.instance, own: placeOf(log) };
}

/** The place of the log's last claim in its newest head. */
function placeOf({ records, note, instance }: WrittenLog): ClaimPlace {
  const index = records.findLastIndex(({ kind }) => kind === "claim");
  const { paths } = appendLeaves(
    EMPTY_RANGE,
    records.map(({ header }) => leafHash(header)),
  );
  const said = JSON.parse(new TextDecoder().decode(records[index]?.header)) as ClaimPlace & { instance: string };
  return {
    index,
    path: (paths[index] ?? []).map(toBase64Url),
    note,
    seq: said.seq,
    body_hash: said.body_hash,
    claim_hash: said.claim_hash,
    ...(said.instance === instance.name ? {} : { signing_key: instance.jwk }),
  };
}

/** A verdict on the claim of a session, or another, with an evidence file that names a place. */
async function judge(
  { session, instance }: Closed,
  place: ClaimPlace,
  { files, claim = session.claim }: { readonly files?: LogFiles; readonly claim?: Claim } = {},
): Promise<Verdict> {
  const { root } = claim.gateway.audit_chain;
  const evidence = collectSoftware(sessionReportData(instance.thumbprint, root), 1_790_000_000_000);
  const file = writeEvidenceFile(evidence, { log: place });
  const record = { claim: canonicalBytes(claim), evidence: canonicalBytes(file) };
  return await verifyClaim(files === undefined ? record : { ...record, log: files }, EXPECTED, webcrypto);
}

const whyOf = ({ checks }: Verdict, name: string): string => {
  const { status, why } = checks.find((check) => check.name === name) ?? { status: "missing", why: "" };
  return `${status}: ${why}`;
};

test("holds under a note of the instance itself, and in the log it is looked up and not searched for", async () => {
  const here = await closed();
  const { log, own } = here;
  const alone = await judge(here, own);
  assert.deepEqual([failures(alone), alone.outcome], [[], "accepted"]);
  assert.match(whyOf(alone, "claim place"), /^passed: record \d+ of \S+, under a note of this instance$/);
  const files = log.files();
  // A bundle of entries without the claim: what counts is the tree.
  const readEntries: LogFiles["readEntries"] = async (tile) =>
    (await files.readEntries(tile)).map((leaf, at) => (at === own.index ? new Uint8Array(1) : leaf));
  const found = await judge(here, own, { files: { ...files, readEntries } });
  assert.deepEqual(failures(found), []);
  for (const name of ["claim in log", "claim head"]) assert.match(whyOf(found, name), /^passed/);
});

test("holds under a note of a later instance, whose key is named, and whose log continues it", async () => {
  const here = await closed();
  const { log } = here;
  await log.begin();
  const place = placeOf(log);
  const alone = await judge(here, place);
  assert.deepEqual(failures(alone), []);
  assert.match(whyOf(alone, "claim place"), /another instance, whose evidence is not looked at$/);
  await log.session();
  assert.deepEqual(failures(await judge(here, place, { files: log.files() })), []);
  const { signing_key: key, ...unnamed } = place;
  assert.notEqual(key, undefined);
  for (const wrong of [unnamed, { ...place, signing_key: new Instance().jwk }, { ...here.own, signing_key: key }])
    assert.deepEqual(failures(await judge(here, wrong)), ["claim place LOG_MISMATCH"]);
});

describe("a place that is not the claim's", () => {
  test("is rejected, whatever is changed of it", async () => {
    const here = await closed();
    const { own } = here;
    const flipped = (text: string, at: number): string =>
      `${text.slice(0, at)}${text[at] === "1" ? "2" : "1"}${text.slice(at + 1)}`;
    const changes: ClaimPlace[] = [
      { ...own, index: own.index + 1 },
      { ...own, index: own.index ^ 1 },
      { ...own, index: 2 ** 40 },
      { ...own, seq: own.seq + 1 },
      { ...own, path: own.path.slice(1) },
      { ...own, path: [...own.path, own.path[0] ?? ""] },
      ...own.path.map((_, at) => ({ ...own, path: own.path.map((hash, of) => (of === at ? flipped(hash, 5) : hash)) })),
      ...Array.from(own.note, (_, at) => ({ ...own, note: flipped(own.note, at) })),
    ];
    for (const name of ["body_hash", "claim_hash"] as const)
      for (let at = "sha256:".length; at < own[name].length; at += 1)
        changes.push({ ...own, [name]: flipped(own[name], at) });
    for (const change of changes) {
      const verdict = await judge(here, change);
      assert.deepEqual(failures(verdict), ["claim place LOG_MISMATCH"], JSON.stringify(change));
      assert.equal(verdict.outcome, "rejected");
    }
    const moved = await judge(here, { ...own, index: own.index + 1 }, { files: here.log.files() });
    assert.deepEqual(failures(moved), ["claim place LOG_MISMATCH"], "the log is searched all the same");
    assert.match(whyOf(moved, "claim in log"), /^passed/);
  });

  test("but another claim's of the instance is said so, and the log is searched", async () => {
    const here = await closed();
    const { log, own, session, instance } = here;
    const other = instance.claim(altered(session.claim, (draft) => (draft.trace.iat += 1)));
    const verdict = await judge(here, own, { claim: other });
    assert.deepEqual(failures(verdict), []);
    assert.match(whyOf(verdict, "claim at its place"), /^not-performed/);
    const files = log.files();
    assert.deepEqual(failures(await judge(here, own, { claim: other, files })), ["claim in log LOG_MISMATCH"]);
    await log.session();
    const later = placeOf(log);
    assert.deepEqual(failures(await judge(here, later, { files: log.files() })), [], "found by its hash");
  });

  test("is not in a log of another history, or in an export from before it", async () => {
    const here = await closed();
    const { log, own, instance } = here;
    const other = new WrittenLog();
    await other.begin(instance);
    const early = log.files("", log.signed(1, leafHash(log.records[0]?.header ?? new Uint8Array())));
    for (const files of [other.files(), early])
      assert.deepEqual(failures(await judge(here, own, { files })), [
        "claim head LOG_MISMATCH",
        "claim in log LOG_MISMATCH",
      ]);
  });
});
