import assert from "node:assert/strict";
import { webcrypto } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { toHex } from "@cmcp/boundary";
import { FakeKernel } from "../configfs-tsm/testing/kernel.ts";
import { NO_SHARED_FOLDER, sharedFile, sharedFolder } from "../../../packages/appraise/src/testing/shared.ts";
import { collectTdx, type TdxSource } from "./collect.ts";
import { tdxPolicySchema } from "../../../packages/appraise/src/tdx/policy.ts";
import { parseTdxQuote } from "../../../packages/appraise/src/tdx/quote.ts";
import { genuineQuote, QUOTES, UNTRUSTED } from "../../../packages/appraise/src/tdx/testing/corpus.ts";
import { verifyTdx } from "../../../packages/appraise/src/tdx/verify.ts";

// The kernel is played after its ABI text (configfs-tsm/testing/kernel.ts); the quote is genuine.

const UNAVAILABLE = { code: "ATTESTATION_REPORT_UNAVAILABLE" };
const folder = mkdtempSync(join(tmpdir(), "cmcp-ccel-"));
const eventLogPath = join(folder, "CCEL");
writeFileSync(eventLogPath, "log");
after(() => rmSync(folder, { recursive: true, force: true }));

const genuine = (): Uint8Array | null => sharedFile("evidence/intel/quotes/v5-90c06f000000-cf77a6e91e.quote.bin");
const REPORT_DATA = Buffer.from(
  "945eaacf5abc1f719d8666a942fda03d1edcb4490277396093dc5a5289ab9f1e094aed63060cd4a4933a4dd537ed1255c9c79ecb3ed82cd1b486233e31c25c3a",
  "hex",
);

const handingOut = (outblob: Uint8Array): TdxSource => {
  const files = new FakeKernel({ provider: "tdx_guest", report: () => ({ outblob }) });
  return { files, folder: files.folder, eventLogPath };
};

test("a quote is collected as it is, with what it says and the event log", async (t) => {
  const quote = genuine();
  if (quote === null) return t.skip(NO_SHARED_FOLDER);
  assert.deepEqual(await collectTdx(new Uint8Array(REPORT_DATA), 7, handingOut(quote)), {
    platform: "intel-tdx",
    measurement:
      "sha384:7348651a34b2d2d3462822e3a750ec6110125f36757c78480bbfc69cc0d21fb001a1ced3ee19747dda8f750c3bc8f876",
    reportData: new Uint8Array(REPORT_DATA),
    firmware: "TDX module 1.11, quote v5",
    generatedAt: 7,
    parts: { provider: "tdx", quote, eventLog: new Uint8Array(Buffer.from("log")) },
  });
  const { parts } = await collectTdx(new Uint8Array(REPORT_DATA), 7, {
    ...handingOut(quote),
    eventLogPath: join(folder, "none"),
  });
  assert.ok(parts.provider === "tdx" && parts.eventLog === null);
});

test("a quote for other report data, and one that is no DCAP quote, are refused, a DICE token by name", async (t) => {
  const quote = genuine();
  if (quote === null) return t.skip(NO_SHARED_FOLDER);
  await assert.rejects(collectTdx(new Uint8Array(64), 0, handingOut(quote)), {
    ...UNAVAILABLE,
    message: /other report data/,
  });
  await assert.rejects(collectTdx(new Uint8Array(64), 0, handingOut(new Uint8Array())), UNAVAILABLE);
  const token = new Uint8Array(9000);
  token.set([0xd2, 0x84]);
  await assert.rejects(collectTdx(new Uint8Array(64), 0, handingOut(token)), { ...UNAVAILABLE, message: /DICE token/ });
});

test("what is collected is what the verifier accepts: all of it but what was not asked for", async (t) => {
  if (sharedFolder() === null) return t.skip(NO_SHARED_FOLDER);
  for (const name of QUOTES.filter((one) => !UNTRUSTED.includes(one) && !one.endsWith("DEBUG"))) {
    const quote = genuineQuote(name);
    const { claimed } = parseTdxQuote(quote);
    const { parts, measurement } = await collectTdx(claimed.reportData, 0, {
      ...handingOut(quote),
      eventLogPath: join(folder, "none"),
    });
    assert.ok(parts.provider === "tdx" && parts.eventLog === null);
    // What of the machine its owner chose is accepted as it is; the rest is the strict default.
    const policy = tdxPolicySchema.parse({
      required_attributes: [],
      rtmr3: toHex(claimed.rtmrs[3]),
      mrconfigid: toHex(claimed.mrConfigId),
    });
    const failed = async (reportData: Uint8Array): Promise<readonly string[]> => {
      const { verified, checks } = await verifyTdx(
        { quote: parts.quote, measurements: [measurement.slice("sha384:".length)], reportData },
        policy,
        new Date("2026-08-20T00:00:00Z"),
        webcrypto,
      );
      assert.ok(verified !== null, name);
      return checks.filter(({ status }) => status === "failed").map(({ name: check, code }) => `${check}: ${code}`);
    };
    assert.deepEqual(await failed(claimed.reportData), [], name);
    assert.deepEqual(
      await failed(claimed.reportData.with(0, (claimed.reportData[0] ?? 0) ^ 1)),
      ["report data: EVIDENCE_REPORT_DATA_MISMATCH"],
      name,
    );
  }
});

test("an event log that cannot be read is no missing one", async (t) => {
  const quote = genuine();
  if (quote === null) return t.skip(NO_SHARED_FOLDER);
  await assert.rejects(collectTdx(new Uint8Array(REPORT_DATA), 0, { ...handingOut(quote), eventLogPath: folder }), {
    ...UNAVAILABLE,
    message: /event log/,
  });
  writeFileSync(join(folder, "huge"), new Uint8Array((1 << 20) + 1));
  await assert.rejects(
    collectTdx(new Uint8Array(REPORT_DATA), 0, { ...handingOut(quote), eventLogPath: join(folder, "huge") }),
    { ...UNAVAILABLE, message: /larger/ },
  );
});
