/** Which earlier instances of a log count, on a software TPM that keeps its identity over starts. */
import assert from "node:assert/strict";
import { hash } from "node:crypto";
import { describe, test, type TestContext } from "node:test";
import { reportDataOf, type Attester } from "@cmcp/attestation";
import { handOverBinding, type HandOver } from "@cmcp/audit";
import type { JsonObject } from "@cmcp/boundary";
import { BANKS, writeEvidenceFile, type Evidence } from "@cmcp/appraise/evidence";
import { parseConfig, type Config } from "@cmcp/launch";
import { extendPcr } from "../../../../attestation/src/tpm/commands/pcr.ts";
import { NO_SWTPM, Swtpm } from "../../../../attestation/src/tpm/transport/testing/swtpm.ts";
import { Clock } from "../instance/clock.ts";
import { bindImage, type BoundPlatform } from "../instance/platform.ts";
import { SigningKey } from "../instance/signing-key.ts";
import { believesHandOver } from "./believe.ts";
import { handOverOf } from "./hand-over.ts";

type Launch = Parameters<typeof believesHandOver>[0] & Parameters<typeof handOverOf>[0];

const configOf = (log: object): Config =>
  parseConfig(JSON.stringify({ attestation: { provider: "tpm" }, log }), { env: { CMCP_DEV_MODE: "1" } }).config;

/** A launch of a document with this text on a TPM that has just started. */
async function launchOn(swtpm: Swtpm, text: string, log: object = {}): Promise<Launch> {
  const bytes = Buffer.from(text);
  const [sha256, sha384] = [hash("sha256", bytes, "buffer"), hash("sha384", bytes, "buffer")];
  const platform = await bindImage(
    { sha256, sha384 },
    {
      access: {
        machine: {
          exists: () => false,
          chassisTag: () => "",
          tpm: () => ({ kind: "socket", path: swtpm.socket }),
          imagePlatform: () => "vtpm",
        },
      },
      dial: () => Promise.reject(new Error("nothing is dialled")),
    },
  );
  assert.ok(platform !== null);
  return {
    config: configOf(log),
    digest: `sha256:${sha256.toString("hex")}`,
    sha256,
    bytes,
    platform,
    witnesses: null,
    lostStore: null,
  };
}

/** What an instance of a launch writes first. */
async function written(launch: Launch, key = new SigningKey()): Promise<HandOver> {
  const collect = collecting(launch.platform.attester);
  return await handOverOf(launch, {
    bundle: { hash: `sha256:${"0".repeat(64)}` },
    catalog: { hash: `sha256:${"1".repeat(64)}` },
    instance: { clock: new Clock(), identity: null, collect },
    sealKeys: { name: "A".repeat(43) },
    key,
    past: { history: { state: "complete" }, predecessor: null },
    servers: { surface: `sha256:${"5".repeat(64)}` },
  });
}

function collecting(attester: Attester): (reportData: Uint8Array) => Promise<Evidence> {
  return async (reportData) => await attester.collect(reportData, Date.now());
}

/** Why a later instance does not believe a hand-over; `null` if it does. */
async function refusal(launch: Launch, handOver: HandOver): Promise<string | null> {
  const said: string[] = [];
  const believes = believesHandOver(launch, {
    thumbprint: new SigningKey().thumbprint,
    collect: collecting(launch.platform.attester),
    refused: (_, why) => said.push(why),
  });
  const believed = await believes(handOver);
  assert.equal(believed, said.length === 0, "a refusal says why");
  return said[0] ?? null;
}

async function tpm(t: TestContext): Promise<Swtpm | null> {
  const swtpm = await Swtpm.start();
  if (swtpm === null) t.skip(NO_SWTPM);
  else t.after(() => swtpm.stop());
  return swtpm;
}

/** The evidence file of a hand-over, made anew by a TPM. */
async function evidenceFor(handOver: HandOver, key: SigningKey, { attester }: BoundPlatform): Promise<JsonObject> {
  const evidence = await collecting(attester)(reportDataOf(key.thumbprint, handOverBinding(handOver)));
  return JSON.parse(JSON.stringify(writeEvidenceFile(evidence))) as JsonObject;
}

describe("an earlier instance of the log", () => {
  test("is believed by the next one on the same machine, for what its evidence is over", async (t) => {
    const swtpm = await tpm(t);
    if (swtpm === null) return;
    const earlier = await written(await launchOn(swtpm, "one"));
    assert.equal(earlier.seal_keys, "A".repeat(43));
    await swtpm.cutPower();
    const launch = await launchOn(swtpm, "one");
    assert.equal(await refusal(launch, earlier), null);
    const { evidence: _, ...bare } = earlier;
    assert.equal(await refusal(launch, bare), "it has no evidence");
    assert.match((await refusal(launch, { ...earlier, jwk: new SigningKey().jwk })) ?? "", /^report data: /);
    assert.match((await refusal(launch, { ...earlier, gateway_version: "9" })) ?? "", /^report data: /);
    assert.match((await refusal(launch, { ...earlier, evidence: { format: "none" } })) ?? "", /^evidence file: /);
    assert.match((await refusal(launch, { ...earlier, platform: "software-only" })) ?? "", /^it is of software-only/);
  });

  test("of another launch document is believed where the document names that", async (t) => {
    const swtpm = await tpm(t);
    if (swtpm === null) return;
    const first = await launchOn(swtpm, "one");
    const earlier = await written(first);
    await swtpm.cutPower();
    assert.match((await refusal(await launchOn(swtpm, "two"), earlier)) ?? "", /^log.predecessors does not name/);
    await swtpm.cutPower();
    const named = await launchOn(swtpm, "two", { predecessors: [{ launch_digest: first.digest }] });
    assert.equal(await refusal(named, earlier), null);
    // An instance of the second document says that it runs the first.
    const key = new SigningKey();
    const { evidence: _, ...said } = { ...(await written(named, key)), launch_digest: first.digest };
    const lying = { ...said, evidence: await evidenceFor(said, key, named.platform) };
    assert.match((await refusal(named, lying)) ?? "", /^launch digest: /);
    const registers = { pcr4: "0".repeat(64), pcr9: "1".repeat(64), pcr11: "0".repeat(64), pcr12: "0".repeat(64) };
    const other = { ...named, config: configOf({ predecessors: [{ launch_digest: first.digest, registers }] }) };
    assert.equal(await refusal(other, earlier), `its pcr9 is ${"0".repeat(64)}`);
  });

  test("on another machine's TPM is believed only where the document names its key", async (t) => {
    const [swtpm, elsewhere] = [await tpm(t), await tpm(t)];
    if (swtpm === null || elsewhere === null) return;
    const there = await launchOn(elsewhere, "one");
    const earlier = await written(there);
    const launch = await launchOn(swtpm, "one");
    const why = (await refusal(launch, earlier)) ?? "";
    assert.match(why, /^attestation key binding: .* does not name the key [0-9a-f]{64}$/);
    const key = /[0-9a-f]{64}$/.exec(why)?.[0];
    const appraisal = { tpm: { attestation_key_sha256: [key] } };
    assert.equal(await refusal({ ...launch, config: configOf({ appraisal }) }, earlier), null);
  });

  test("that started another image is not believed", async (t) => {
    const swtpm = await tpm(t);
    if (swtpm === null) return;
    await swtpm.use(
      async (commands) => await extendPcr(commands, 9, new Map([[BANKS.sha256.id, new Uint8Array(32).fill(1)]])),
    );
    const earlier = await written(await launchOn(swtpm, "one"));
    await swtpm.cutPower();
    const launch = await launchOn(swtpm, "one");
    assert.match((await refusal(launch, earlier)) ?? "", /^its pcr9 is [0-9a-f]{64}$/);
  });

  test("an appraisal policy that is none is refused", () => {
    const launch = { config: configOf({ appraisal: { nothing: true } }) } as Launch;
    const ports = {
      thumbprint: new Uint8Array(32),
      collect: () => Promise.reject(new Error()),
      refused: () => undefined,
    };
    assert.throws(
      () =>
        believesHandOver(
          {
            ...launch,
            digest: "",
            sha256: Buffer.alloc(32),
            bytes: new Uint8Array(),
            platform: { launch: { platform: "tpm2" } } as BoundPlatform,
          },
          ports,
        ),
      {
        code: "CONFIG_INVALID",
        message: /^log.appraisal: nothing/,
      },
    );
  });
});
