import assert from "node:assert/strict";
import { createHash, webcrypto } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test, type TestContext } from "node:test";
import { toHex } from "@cmcp/boundary";
import type { Check } from "../../../packages/appraise/src/checks/check.ts";
import { EV_NO_ACTION } from "../../../packages/appraise/src/event-log/event-type.ts";
import { parseEventLog } from "../../../packages/appraise/src/event-log/parse.ts";
import type { Evidence } from "../../../packages/appraise/src/evidence/evidence.ts";
import { NO_SHARED_FOLDER, sharedFile } from "../../../packages/appraise/src/testing/shared.ts";
import { collectTpm, type TpmSource } from "./collect.ts";
import { extendPcr } from "./commands/pcr.ts";
import { measureLaunch } from "./commands/measure-launch.ts";
import { Tpm } from "./commands/tpm.ts";
import { LAUNCH_REGISTER } from "../../../packages/appraise/src/tpm/launch-register.ts";
import { STRICT_TPM_POLICY } from "../../../packages/appraise/src/tpm/policy.ts";
import { NO_SWTPM, Swtpm } from "./transport/testing/swtpm.ts";
import { verifyTpm } from "../../../packages/appraise/src/tpm/verify.ts";
import { parseAttestationKey } from "../../../packages/appraise/src/tpm/public-key.ts";

const SHA256 = 0x000b;
const REPORT_DATA = Uint8Array.from({ length: 64 }, (_, index) => index + 1);
const LAUNCH_DIGEST = new Uint8Array(createHash("sha256").update("document").digest());
const NOW = 1_790_000_000_000;

const folder = mkdtempSync(join(tmpdir(), "cmcp-tpm-"));
const eventLogPath = join(folder, "log");
after(() => rmSync(folder, { recursive: true, force: true }));

async function freshTpm(t: TestContext): Promise<(Swtpm & { source: TpmSource }) | undefined> {
  const swtpm = await Swtpm.start();
  if (swtpm === null) {
    t.skip(NO_SWTPM);
    return undefined;
  }
  t.after(async () => await swtpm.stop());
  return Object.assign(swtpm, { source: { open: async () => await swtpm.connect(), eventLogPath } });
}

/** Verifies as a relying party does that enrolled the key before: no root certifies one that a software TPM made. */
async function verified(
  evidence: Evidence,
  which: "quote" | "keyQuote",
  reportData: Uint8Array,
): Promise<{ checks: readonly Check[]; failed: string[]; accepted: boolean }> {
  const { parts } = evidence;
  assert.ok(parts.provider === "tpm");
  const { tpm } = parts;
  const { key } = parseAttestationKey(tpm.attestationKey);
  const policy = {
    ...STRICT_TPM_POLICY,
    attestation_key_sha256: [createHash("sha256").update(key.spki).digest("hex")],
  };
  const { verified, checks } = await verifyTpm(
    {
      evidence: {
        quote: tpm[which].attest,
        signature: tpm[which].signature,
        attestationKey: tpm.attestationKey,
        certificates: tpm.certificates,
        registers: new Map([[tpm.bank, tpm.registers]]),
        ...(tpm.eventLog === null ? {} : { eventLog: tpm.eventLog }),
      },
      reportData,
      launchDigest: LAUNCH_DIGEST,
      measurements: [evidence.measurement.slice("sha256:".length)],
    },
    policy,
    new Date(NOW),
    webcrypto,
  );
  return {
    checks,
    failed: checks.filter(({ status }) => status === "failed").map(({ name }) => name),
    accepted: verified !== null,
  };
}

test("what is collected the verifier accepts: both quotes, the launch register and the event log", async (t) => {
  const log = sharedFile("evidence/tpm/gce-go-tpm-tools/eventlogs/ubuntu-2404-amd-sevsnp.bin");
  if (log === null) return t.skip(NO_SHARED_FOLDER);
  const swtpm = await freshTpm(t);
  if (swtpm === undefined) return;
  // The software TPM is measured into as that machine's firmware measured.
  writeFileSync(eventLogPath, log);
  await swtpm.use(async (tpm) => {
    for (const { register, type, digests } of parseEventLog(log).events) {
      const digest = digests.get(SHA256);
      if (type !== EV_NO_ACTION && digest !== undefined) await extendPcr(tpm, register, new Map([[SHA256, digest]]));
    }
    assert.equal(await measureLaunch(tpm, LAUNCH_DIGEST), "extended");
  });
  const evidence = await collectTpm(REPORT_DATA, NOW, swtpm.source);
  assert.equal(evidence.platform, "tpm2");
  assert.match(evidence.firmware, /^TPM 2\.0 IBM /);
  assert.deepEqual(evidence.reportData, REPORT_DATA);

  const full = await verified(evidence, "quote", REPORT_DATA);
  assert.deepEqual(full.failed, []);
  assert.ok(full.accepted);
  const passed = full.checks.filter(({ status }) => status === "passed").map(({ name }) => name);
  for (const name of ["report data", "PCR selection", "PCR digest", "launch digest", "measurement"])
    assert.ok(passed.includes(name), name);
  const thumbprint = await verified(evidence, "keyQuote", REPORT_DATA.slice(0, 32));
  assert.deepEqual(thumbprint.failed, []);

  assert.deepEqual((await verified(evidence, "quote", REPORT_DATA.with(63, 0))).failed, ["report data"]);
  assert.deepEqual((await verified(evidence, "keyQuote", REPORT_DATA)).failed, ["report data"]);
});

test("the measurement is the digest of the quoted registers and does not move with the report data", async (t) => {
  const swtpm = await freshTpm(t);
  if (swtpm === undefined) return;
  const first = await collectTpm(REPORT_DATA, NOW, { ...swtpm.source, eventLogPath: join(folder, "none") });
  const second = await collectTpm(REPORT_DATA.with(0, 99), NOW, {
    ...swtpm.source,
    eventLogPath: join(folder, "none"),
  });
  assert.equal(
    first.measurement,
    `sha256:${createHash("sha256")
      .update(new Uint8Array(32 * 15))
      .digest("hex")}`,
  );
  assert.equal(second.measurement, first.measurement);
  assert.ok(first.parts.provider === "tpm" && first.parts.tpm.eventLog === null);
  await assert.rejects(collectTpm(REPORT_DATA.subarray(1), NOW, swtpm.source), { code: "INTERNAL" });
});

test("a launch is measured once: again the same is fine, another is fatal", async (t) => {
  const swtpm = await freshTpm(t);
  if (swtpm === undefined) return;
  await swtpm.use(async (tpm) => {
    assert.equal(await measureLaunch(tpm, LAUNCH_DIGEST), "extended");
    assert.equal(await measureLaunch(tpm, LAUNCH_DIGEST), "already there");
    await assert.rejects(measureLaunch(tpm, LAUNCH_DIGEST.with(0, 0)), { code: "LAUNCH_DIGEST_MISMATCH" });
    await extendPcr(tpm, LAUNCH_REGISTER, new Map([[SHA256, LAUNCH_DIGEST]]));
    await assert.rejects(measureLaunch(tpm, LAUNCH_DIGEST), { code: "LAUNCH_DIGEST_MISMATCH" });
    await assert.rejects(measureLaunch(tpm, new Uint8Array(31)), { code: "INTERNAL" });
  });
  const evidence = await collectTpm(REPORT_DATA, NOW, { ...swtpm.source, eventLogPath: join(folder, "none") });
  assert.deepEqual((await verified(evidence, "quote", REPORT_DATA)).failed, ["launch digest"]);
});

test("registers that change between reading and quoting are read again, and not for ever", async (t) => {
  const swtpm = await freshTpm(t);
  if (swtpm === undefined) return;
  let quotes = 0;
  const meddling = (times: number): TpmSource => ({
    eventLogPath: join(folder, "none"),
    open: async () => {
      const transport = await swtpm.connect();
      let left = times;
      return {
        transmit: async (command) => {
          const isQuote = Buffer.from(command).readUInt32BE(6) === 0x158;
          if (isQuote) quotes += 1;
          if (isQuote && left > 0) {
            left -= 1;
            await extendPcr(new Tpm(transport), 14, new Map([[SHA256, LAUNCH_DIGEST]]));
          }
          return await transport.transmit(command);
        },
        close: async () => await transport.close(),
      };
    },
  });
  const evidence = await collectTpm(REPORT_DATA, NOW, meddling(2));
  assert.ok(evidence.parts.provider === "tpm");
  const digest = toHex(evidence.parts.tpm.quote.attest.slice(-32));
  assert.equal(evidence.measurement, `sha256:${digest}`);
  assert.equal(toHex(evidence.parts.tpm.keyQuote.attest.slice(-32)), digest);
  quotes = 0;
  await assert.rejects(collectTpm(REPORT_DATA, NOW, meddling(99)), {
    code: "ATTESTATION_REPORT_UNAVAILABLE",
    message: /changed/,
  });
  assert.equal(quotes, 6, "three readings with two quotes each");
});
