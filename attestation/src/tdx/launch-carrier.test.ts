import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { readLocalTdReport } from "../attester/local-files.ts";
import { NO_SHARED_FOLDER, sharedFile } from "../../../packages/appraise/src/testing/shared.ts";
import { readTdLaunch } from "./launch-carrier.ts";

const UNAVAILABLE = { code: "ATTESTATION_REPORT_UNAVAILABLE" };
const folder = mkdtempSync(join(tmpdir(), "cmcp-mr-"));
after(() => rmSync(folder, { recursive: true, force: true }));

test("the registers come from the kernel where it has them, and then from nowhere else", async () => {
  const [mrTd, mrConfigId] = [new Uint8Array(48).fill(6), new Uint8Array(48).fill(7)];
  const helper = () => assert.fail("the helper is not asked");
  writeFileSync(join(folder, "mrconfigid"), mrConfigId);
  await assert.rejects(readTdLaunch(helper, folder), UNAVAILABLE);
  writeFileSync(join(folder, "mrtd:sha384"), mrTd);
  assert.deepEqual(await readTdLaunch(helper, folder), { mrTd, mrConfigId });
  for (const length of [47, 49]) {
    writeFileSync(join(folder, "mrconfigid"), new Uint8Array(length));
    await assert.rejects(readTdLaunch(helper, folder), UNAVAILABLE);
  }
});

test("on an older kernel they come from a local TDREPORT, and from nowhere else", async (t) => {
  const nowhere = join(folder, "nowhere");
  await assert.rejects(
    readTdLaunch(async () => await readLocalTdReport(folder), nowhere),
    { ...UNAVAILABLE, message: /local-report/ },
  );
  writeFileSync(join(folder, "local-report"), new Uint8Array(1023));
  await assert.rejects(
    readTdLaunch(async () => await readLocalTdReport(folder), nowhere),
    UNAVAILABLE,
  );
  await assert.rejects(
    readTdLaunch(() => Promise.resolve(new Uint8Array(1023)), nowhere),
    UNAVAILABLE,
  );
  const hcl = sharedFile("evidence/azure/trustee-az-tdx-vtpm/hcl-report.bin");
  const quote = sharedFile("evidence/azure/trustee-az-tdx-vtpm/td-quote.bin");
  if (hcl === null || quote === null) return t.skip(NO_SHARED_FOLDER);
  // A genuine TDREPORT with a value put in the second register; where the first one is the quote over the same TD shows.
  const report = hcl.slice(0x20, 0x20 + 1024);
  report.fill(5, 576, 624);
  const inQuote = 48 + 136;
  writeFileSync(join(folder, "local-report"), report);
  assert.deepEqual(await readTdLaunch(async () => await readLocalTdReport(folder), nowhere), {
    mrTd: quote.slice(inQuote, inQuote + 48),
    mrConfigId: new Uint8Array(48).fill(5),
  });
});
