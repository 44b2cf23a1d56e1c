import assert from "node:assert/strict";
import { test } from "node:test";
import type { EntryFields } from "@cmcp/audit";
import type { Evidence } from "@cmcp/appraise/evidence";
import { collectSoftware, jwkThumbprint, sessionReportData, type Attester } from "@cmcp/attestation";
import { parseConfig } from "@cmcp/launch";
import { Clock } from "./clock.ts";
import { SigningKey } from "./signing-key.ts";
import { Freshness } from "./freshness.ts";
import { gatewayReport, ReportRefresher, RETRY_MS } from "./report-refresher.ts";
import { ReportQueue } from "./report-queue.ts";
import { SessionEvidence } from "./session-evidence.ts";

const REPORT_DATA = new Uint8Array(64);
const LIMITS = { maxWaiting: 3, maxOnDemand: 2, windowMs: 1000 };

/** A platform that answers when it is told to. */
class Platform implements Attester {
  readonly provider = "software-only";
  readonly asked: Uint8Array[] = [];
  readonly #waiting: (() => void)[] = [];
  patient = false;
  broken = false;

  bindLaunch(): ReturnType<Attester["bindLaunch"]> {
    return Promise.reject(new Error("not asked"));
  }

  sealing(): ReturnType<Attester["sealing"]> {
    return Promise.reject(new Error("not asked"));
  }

  async collect(reportData: Uint8Array, now: number): Promise<Evidence> {
    this.asked.push(reportData);
    if (this.patient) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    if (this.broken) throw new Error("no device");
    return collectSoftware(reportData, now);
  }

  answerOne(): void {
    this.#waiting.shift()?.();
  }
}

const settled = async (): Promise<void> => await new Promise((resolve) => setImmediate(resolve));

test("reports are made one at a time, principals take turns, and a principal waits for a limited number", async () => {
  const platform = new Platform();
  platform.patient = true;
  const reports = new ReportQueue(platform, new Clock(), LIMITS, () => 0);
  const made: string[] = [];
  const ask = (principal: string): Promise<unknown> =>
    reports.collect(REPORT_DATA, principal).then(() => made.push(principal));
  const all = [ask("a"), ask("a"), ask("a"), ask("b")];
  await assert.rejects(ask("a"), { code: "OVERLOADED" });
  for (let answered = 0; answered < 4; answered += 1) {
    assert.equal(platform.asked.length, answered + 1, "the next is not asked for before this one is there");
    platform.answerOne();
    await settled();
  }
  await Promise.all(all);
  assert.ok(made.indexOf("b") < made.lastIndexOf("a"), "b did not wait for all of a's");
});

test("a platform that fails does not hold up those after it", async () => {
  const platform = new Platform();
  const reports = new ReportQueue(platform, new Clock(), LIMITS, () => 0);
  platform.broken = true;
  await assert.rejects(reports.collect(REPORT_DATA), /no device/);
  platform.broken = false;
  assert.equal((await reports.collect(REPORT_DATA)).platform, "software-only");
});

test("each principal has its own limit of reports on demand, and reports of sessions do not count", async () => {
  let now = 0;
  const reports = new ReportQueue(new Platform(), new Clock(), LIMITS, () => now);
  for (let asked = 0; asked < 2; asked += 1) await reports.collectOnDemand(REPORT_DATA, "a");
  await assert.rejects(reports.collectOnDemand(REPORT_DATA, "a"), { code: "OVERLOADED" });
  await reports.collectOnDemand(REPORT_DATA, "b");
  await reports.collect(REPORT_DATA, "a");
  now = 999;
  await assert.rejects(reports.collectOnDemand(REPORT_DATA, "a"), { code: "OVERLOADED" });
  now = 1000;
  await reports.collectOnDemand(REPORT_DATA, "a");
});

const TERMS = { validity_seconds: 100, staleness_policy: "fail_closed" } as const;

test("a report is due at three quarters of its time and stale after all of it, by whichever clock is ahead", () => {
  const at = { wall: 5000, monotonic: 0 };
  const freshness = new Freshness(TERMS, { wall: () => at.wall, monotonic: () => at.monotonic });
  const seen = (): readonly boolean[] => [freshness.isDue, freshness.isStale];
  assert.deepEqual(seen(), [false, false]);
  at.monotonic = 74_999;
  assert.deepEqual(seen(), [false, false]);
  at.monotonic = 75_000;
  assert.deepEqual(seen(), [true, false]);
  at.monotonic = 100_000;
  assert.deepEqual(seen(), [true, false]);
  at.monotonic = 100_001;
  assert.deepEqual(seen(), [true, true], "a host that stops the wall clock gains nothing");
  freshness.renew();
  assert.deepEqual(seen(), [false, false]);
  at.wall += 100_001;
  assert.deepEqual(seen(), [true, true], "one that sets it forward loses");
});

test("a stale report stops requests where the configuration says so", () => {
  let now = 0;
  const clocks = { wall: () => 0, monotonic: () => now };
  const closed = new Freshness(TERMS, clocks);
  const open = new Freshness({ ...TERMS, staleness_policy: "warn_only" }, clocks);
  closed.requireFresh();
  now = 100_001;
  assert.throws(() => closed.requireFresh(), { code: "ATTESTATION_STALE" });
  open.requireFresh();
});

const THUMBPRINT = jwkThumbprint({ kty: "OKP", crv: "Ed25519", x: "A".repeat(43) });
const ROOT = "ab".repeat(32);

test("one report serves a session's claims until it is too old, and a failed one is not remembered", async () => {
  const platform = new Platform();
  let now = 0;
  const evidence = new SessionEvidence({
    thumbprint: THUMBPRINT,
    validityMs: 1000,
    keepStale: false,
    now: () => now,
    collect: async (reportData) => await platform.collect(reportData, now),
  });
  platform.broken = true;
  await assert.rejects(evidence.of(ROOT, "a"), /no device/);
  platform.broken = false;
  const [first, second] = await Promise.all([evidence.of(ROOT, "a"), evidence.of(ROOT, "a")]);
  assert.equal(first, second);
  assert.deepEqual(first.reportData, sessionReportData(THUMBPRINT, ROOT));
  now = 999;
  assert.equal(await evidence.of(ROOT, "a"), first);
  now = 1000;
  assert.notEqual(await evidence.of(ROOT, "a"), first);
  assert.notDeepEqual((await evidence.of("cd".repeat(32), "a")).reportData, first.reportData);
  assert.equal(platform.asked.length, 4);
  platform.broken = true;
  now = 5000;
  await assert.rejects(evidence.of(ROOT, "a"), /no device/, "what is too old serves nobody");
});

test("under warn_only the last report is used until there is another", async () => {
  const platform = new Platform();
  let now = 0;
  const evidence = new SessionEvidence({
    thumbprint: THUMBPRINT,
    validityMs: 1000,
    keepStale: true,
    now: () => now,
    collect: async (reportData) => await platform.collect(reportData, now),
  });
  const first = await evidence.of(ROOT, "a");
  platform.broken = true;
  now = 1000;
  assert.equal(await evidence.of(ROOT, "a"), first);
  await assert.rejects(evidence.of("cd".repeat(32), "a"), /no device/, "a session that never had one has none");
  platform.broken = false;
  assert.notEqual(await evidence.of(ROOT, "a"), first);
});

/** What a refresh notes, on a platform. */
function refreshable(platform: Platform): {
  freshness: Freshness;
  notes: Pick<EntryFields, "entry_type" | "detail">[];
  at: { monotonic: number };
  keys: { name: string; reported: string };
  refresher: ReportRefresher;
} {
  const at = { monotonic: 0 };
  const keys = { name: "first", reported: "first" };
  const now = (): number => at.monotonic;
  const notes: Pick<EntryFields, "entry_type" | "detail">[] = [];
  const { config } = parseConfig("attestation: {validity_seconds: 100}", { env: { CMCP_DEV_MODE: "1" } });
  const freshness = new Freshness(config.attestation, { wall: () => 0, monotonic: now });
  const reports = new ReportQueue(platform, new Clock(), LIMITS, now);
  const commitments = {
    config,
    key: new SigningKey(),
    identity: null,
    clientCertificate: null,
    clientKey: null,
    sealKeys: keys,
    launchDigest: "sha256:00",
  };
  const refresher = new ReportRefresher({
    freshness,
    stalenessPolicy: config.attestation.staleness_policy,
    namesSealKeys: () => keys.name === keys.reported,
    report: async () => {
      const report = await gatewayReport(commitments, { policy: "sha256:01", catalog: "sha256:02" }, (reportData) =>
        reports.collect(reportData),
      );
      keys.reported = report.binding.keys["seal"] ?? assert.fail();
      return report;
    },
    note: (fields) => void notes.push(fields),
    now,
  });
  return { freshness, notes, at, keys, refresher };
}

test("a report is replaced before it is stale, and every open session's chain says so", async () => {
  const platform = new Platform();
  const { freshness, notes: entries, at, refresher } = refreshable(platform);
  await refresher.checkAge();
  assert.equal(platform.asked.length, 0);
  at.monotonic = 75_000;
  await refresher.checkAge();
  assert.equal(freshness.isDue, false);
  assert.deepEqual(
    entries.map(({ entry_type: type }) => type),
    ["attestation_refresh"],
  );
  assert.match(String(entries[0]?.detail?.["report_data"]), /^[A-Za-z0-9_-]{86}$/);
  await refresher.checkAge();
  assert.equal(platform.asked.length, 1);
});

test("other keys to seal to have a report, which the chains name them by", async () => {
  const platform = new Platform();
  const { notes, at, keys, refresher } = refreshable(platform);
  await refresher.checkAge();
  assert.equal(platform.asked.length, 0);
  keys.name = "second";
  platform.broken = true;
  await refresher.checkAge();
  await refresher.checkAge();
  assert.deepEqual([platform.asked.length, notes], [1, []], "a platform that fails is not asked at every look");
  platform.broken = false;
  at.monotonic += RETRY_MS;
  await refresher.checkAge();
  await refresher.checkAge();
  assert.deepEqual(
    [platform.asked.length, notes.map(({ entry_type: type, detail }) => [type, detail?.["seal_keys"]])],
    [2, [["attestation_refresh", "second"]]],
  );
});

test("a platform without a report is asked again after a pause, and staleness is recorded once", async () => {
  const platform = new Platform();
  const { freshness, notes: entries, at, refresher } = refreshable(platform);
  platform.broken = true;
  at.monotonic = 75_000;
  await refresher.checkAge();
  await refresher.checkAge();
  assert.equal(platform.asked.length, 1, "not at every look");
  at.monotonic = 75_000 + RETRY_MS;
  await refresher.checkAge();
  await refresher.checkAge();
  assert.equal(platform.asked.length, 2);
  assert.deepEqual(
    entries.map(({ entry_type: type }) => type),
    ["attestation_stale"],
  );
  platform.broken = false;
  at.monotonic += RETRY_MS;
  await refresher.checkAge();
  assert.deepEqual(
    entries.map(({ entry_type: type }) => type),
    ["attestation_stale", "attestation_refresh"],
  );
  assert.equal(freshness.isStale, false);
  platform.broken = true;
  at.monotonic += 100_001;
  await refresher.checkAge();
  assert.equal(entries.at(-1)?.entry_type, "attestation_stale", "and again the next time");
});
