import assert from "node:assert/strict";
import { webcrypto } from "node:crypto";
import { before, describe, test } from "node:test";
import { preset } from "@cmcp/appraise";
import { writeEvidenceFile } from "@cmcp/appraise/evidence";
import { CmcpError, type JsonObject } from "@cmcp/boundary";
import type { ExpectedLaunch } from "@cmcp/verify";
import type { Issued } from "../../appraise/src/testing/authority.ts";
import { Machine, signedReport } from "../../appraise/src/sev-snp/testing/machine.ts";
import { MEASUREMENT } from "../../verify/src/testing/hardware-session.ts";
import { Instance } from "../../verify/src/testing/instance.ts";
import { connect } from "./connect.ts";
import type { Expected } from "./instance.ts";
import { POLICY, ScriptedEnclave } from "./testing/scripted-enclave.ts";

const NEXT = `sha256:${"b".repeat(64)}`;
const EXPECTED = { allowSoftwareOnly: true, appraisal: preset("strict") } as const;
const CALL = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: "echo" } });

/** A launch document that lets `NEXT` follow. */
const LAUNCH: ExpectedLaunch = {
  document: new TextEncoder().encode("{}"),
  read: () => ({
    development: true,
    catalogHash: `sha256:${"c".repeat(64)}`,
    policyHash: POLICY,
    versions: new Map([
      [POLICY, "1.0.0"],
      [NEXT, "2.0.0"],
    ]),
    requireMayFollow: (next) => {
      if (next !== NEXT) throw new CmcpError("POLICY_NOT_OF_LAUNCH", "it may not follow");
    },
    requireCatalogMayFollow: () => {
      throw new CmcpError("CATALOG_NOT_OF_LAUNCH", "it may not follow");
    },
  }),
};
/** SHA-256 of that document. */
const DIGEST = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";

/** A client of an enclave, and its clock. */
async function start(expected: Partial<Expected> = {}, enclave = new ScriptedEnclave()) {
  let monotonic = 0;
  const connection = await connect(
    enclave.url,
    { ...EXPECTED, ...expected },
    { crypto: webcrypto, fetch: enclave.fetch, monotonic: () => monotonic },
  );
  const codeOfCall = async (): Promise<string> => {
    try {
      await connection.fetch(enclave.endpoint, { method: "POST", body: CALL });
      return "none";
    } catch (thrown) {
      return (thrown as CmcpError).code;
    }
  };
  const later = (): void => void (monotonic += 600_000);
  return { enclave, codeOfCall, later, connection };
}

const sealed = ({ asked }: ScriptedEnclave): number => asked.filter((path) => path === "/sealed").length;

test("another instance, launch document, mode or key in a later report is refused before anything is sent", async () => {
  const changes: readonly ((enclave: ScriptedEnclave) => void)[] = [
    (enclave) => (enclave.instance = new Instance()),
    (enclave) => (enclave.binding = { launch_digest: NEXT }),
    (enclave) => (enclave.binding = { enforcement_mode: "advisory" }),
    (enclave) => (enclave.binding = { keys: { signing: enclave.instance.jwk.x, tls: "A".repeat(43) } }),
  ];
  for (const allowModes of [[], ["advisory"] as const])
    for (const [at, change] of changes.entries()) {
      const { enclave, codeOfCall, later } = await start({ allowModes });
      assert.equal(await codeOfCall(), "none");
      change(enclave);
      later();
      assert.equal(await codeOfCall(), "INSTANCE_CHANGED", String(at));
      assert.equal(sealed(enclave), 1);
    }
});

test("another catalog in a later report is refused before anything is sent, where nothing says that it may follow", async () => {
  const { enclave, codeOfCall, later } = await start();
  assert.equal(await codeOfCall(), "none");
  enclave.binding = { catalog_hash: NEXT };
  later();
  assert.equal(await codeOfCall(), "CATALOG_CHANGED");
  assert.equal(sealed(enclave), 1);
});

test("another mode than enforcing is refused unless it was allowed", async () => {
  const enclave = new ScriptedEnclave();
  enclave.binding = { enforcement_mode: "silent" };
  await assert.rejects(start({}, enclave), { code: "INSTANCE_NOT_ACCEPTED" });
  await assert.rejects(start({ allowModes: ["advisory"] }, enclave), { code: "INSTANCE_NOT_ACCEPTED" });
  assert.equal(sealed(enclave), 0);
  const { codeOfCall } = await start({ allowModes: ["silent"] }, enclave);
  assert.equal(await codeOfCall(), "none");
});

test("a policy that may follow the launch document's is taken, and any other refused", async () => {
  const binding = { launch_digest: DIGEST };
  const of = async (launched: boolean) => {
    const enclave = new ScriptedEnclave();
    enclave.binding = binding;
    return await start(launched ? { launch: LAUNCH } : {}, enclave);
  };
  const known = await of(true);
  known.enclave.policy = NEXT;
  assert.equal(await known.codeOfCall(), "none", "the receipt names it, and a newer report is asked for");
  known.enclave.policy = `sha256:${"e".repeat(64)}`;
  assert.equal(await known.codeOfCall(), "POLICY_CHANGED");
  known.later();
  const before = sealed(known.enclave);
  assert.equal(await known.codeOfCall(), "POLICY_CHANGED");
  assert.equal(sealed(known.enclave), before, "and nothing more is sent");
  known.enclave.instance = new Instance();
  assert.equal(await known.codeOfCall(), "INSTANCE_CHANGED", "which says more than its policy does");
  const unknown = await of(false);
  unknown.enclave.policy = NEXT;
  unknown.later();
  assert.equal(await unknown.codeOfCall(), "POLICY_CHANGED");
  assert.equal(sealed(unknown.enclave), 0);
});

test("a receipt under a policy that no report names is refused", async () => {
  const { enclave, codeOfCall } = await start();
  enclave.answer = (message) => {
    enclave.policy = NEXT;
    const answer = enclave.echo(message);
    enclave.policy = POLICY;
    return answer;
  };
  assert.equal(await codeOfCall(), "POLICY_CHANGED");
});

test("a host that hides its report is that, and no change", async () => {
  const { enclave, codeOfCall, later } = await start();
  later();
  const report = enclave.report.bind(enclave);
  enclave.report = () => {
    throw new CmcpError("WIRE_UNREACHABLE", "the host is away");
  };
  assert.equal(await codeOfCall(), "WIRE_UNREACHABLE");
  enclave.report = report;
  assert.equal(await codeOfCall(), "none");
});

describe("evidence of hardware", () => {
  let machine: Machine;
  let key: Issued;
  before(async () => {
    machine = await Machine.make("Genoa");
    key = await machine.key();
  });

  test("that is no longer valid is refused as stale, and nothing is sent", async () => {
    const enclave = new ScriptedEnclave();
    enclave.binding = { launch_digest: DIGEST };
    const plain = enclave.report.bind(enclave);
    const reportData = Buffer.from((plain()["evidence"] as { report_data: string }).report_data, "base64url");
    const report = await signedReport(machine.product, key, {
      fields: [
        [0x50, reportData],
        [0xc0, Buffer.from(DIGEST.slice(7), "hex")],
      ],
    });
    const certificates = [key, machine.signing.VCEK, machine.signing.VLEK, machine.root].map(({ der }) => der);
    const evidence = {
      platform: "amd-sev-snp",
      measurement: `sha384:${MEASUREMENT}`,
      reportData,
      firmware: "1.55.40",
      generatedAt: 1_785_000_000_000,
      parts: { provider: "sev-snp", report, certificates },
    } as const;
    enclave.report = () => ({
      ...plain(),
      evidence: {
        ...(plain()["evidence"] as JsonObject),
        platform: evidence.platform,
        measurement: evidence.measurement,
        firmware: evidence.firmware,
      },
      evidence_file: JSON.parse(JSON.stringify(writeEvidenceFile(evidence, {}))) as JsonObject,
    });
    let [monotonic, now] = [0, new Date("2026-09-01T00:00:00Z")];
    const connection = await connect(
      enclave.url,
      {
        allowSoftwareOnly: true,
        appraisal: { ...preset("strict"), sev_snp: machine.policy() },
        launch: LAUNCH,
        measurements: [MEASUREMENT],
      },
      { crypto: webcrypto, fetch: enclave.fetch, monotonic: () => monotonic, now: () => now },
    );
    assert.equal(connection.verdict.assurance, "hardware");
    const ask = async (): Promise<Response> => await connection.fetch(enclave.endpoint, { method: "POST", body: CALL });
    await ask();
    now = new Date("2126-01-01T00:00:00Z");
    monotonic += 600_000;
    await assert.rejects(ask(), { code: "ATTESTATION_STALE" });
    assert.equal(sealed(enclave), 1);
    now = new Date("2026-09-01T00:00:00Z");
    await ask();
  });
});
