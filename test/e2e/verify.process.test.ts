/** `cmcp verify`, as shipped, on what a real gateway wrote. */
import assert from "node:assert/strict";
import { generateKeyPairSync, randomBytes, sign } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import type { Receipt } from "@cmcp/audit/schema";
import { jwkThumbprint, sessionReportData } from "@cmcp/attestation";
import { keyIdOf, signClaim, subjectOf, type Claim } from "@cmcp/claim";
import { cmcp } from "../gateway/cli.ts";
import { receiptOf, startFixture } from "../gateway/fixture.ts";
import { startGateway } from "../gateway/gateway.ts";
import { changed, failures, printed } from "../gateway/verdict.ts";

const WRONG_HASH = `sha256:${"0".repeat(64)}`;

describe("the record of a closed session", () => {
  let folder: string;
  let text: { claim: string; bundle: string; earlier: string; earlierBundle: string };
  let claim: Claim;
  let receipts: Receipt[];
  const file = (name: string): string => join(folder, name);
  const write = async (name: string, content: string): Promise<string> => {
    await writeFile(file(name), content);
    return file(name);
  };
  const verify = (...args: string[]) =>
    cmcp(["verify", file("claim.json"), "--json", "--allow-software-only", ...args]);

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "cmcp-verify-"));
    const fixture = await startFixture(startGateway);
    try {
      const body = async (path: string, method = "GET"): Promise<string> =>
        await (await fixture.request(path, { method })).text();
      const first = receiptOf((await fixture.call("echo", { message: "x" }, "one")).body);
      const second = receiptOf((await fixture.call("get-env", {}, "one")).body);
      const [earlier, earlierBundle] = [
        await body(`/sessions/${first.session_id}/trace-claim`),
        await body(`/audit/export?session_id=${first.session_id}`),
      ];
      const third = receiptOf((await fixture.call("get_patient_record", { patient_id: "P-1001" }, "one")).body);
      const other = receiptOf((await fixture.call("echo", { message: "y" }, "another")).body);
      text = {
        earlier,
        earlierBundle,
        claim: await body(`/sessions/${first.session_id}/close`, "POST"),
        bundle: await body(`/audit/export?session_id=${first.session_id}`),
      };
      receipts = [first, second, third, other];
    } finally {
      await fixture.close();
    }
    claim = JSON.parse(text.claim) as Claim;
    for (const [name, content] of Object.entries({
      "claim.json": text.claim,
      "bundle.json": text.bundle,
      "earlier.json": text.earlier,
      "earlier-bundle.json": text.earlierBundle,
    }))
      await write(name, content);
    for (const [at, receipt] of receipts.entries()) await write(`receipt-${at}.json`, JSON.stringify(receipt));
  });
  after(async () => {
    await rm(folder, { recursive: true, force: true });
  });

  const pins = (): string[] => [
    "--policy-hash",
    claim.trace.policy.bundle_hash,
    "--catalog-hash",
    claim.gateway.catalog.hash,
    "--trusted-key",
    claim.trace.cnf.jwk.x,
    "--max-age",
    "600",
  ];
  const bundleAndReceipts = (): string[] => [
    "--audit-bundle",
    file("bundle.json"),
    ...[0, 1, 2].flatMap((at) => ["--receipt", file(`receipt-${at}.json`)]),
  ];

  test("0: with every pin, the bundle and every receipt, nothing is left unperformed", async () => {
    const result = await verify(...pins(), ...bundleAndReceipts());
    assert.equal(result.code, 0, result.stdout);
    const verdict = printed(result);
    assert.deepEqual(
      [verdict.outcome, verdict.completeness, verdict.assurance],
      ["accepted", "closed session", "functional only"],
    );
    assert.deepEqual(
      verdict.checks.filter(({ status }) => status !== "passed").map(({ name }) => name),
      ["platform evidence", "provisioning", "policy of launch document", "held claims", "log"],
    );
  });

  test("0: in words, with what was not performed", async () => {
    const { code, stdout } = await cmcp(["verify", file("claim.json"), "--allow-software-only"]);
    assert.equal(code, 0);
    assert.match(
      stdout,
      /^ACCEPTED, ORIGIN NOT PROVEN \(unknown; assurance: functional only; mode: enforcing; isolation: [a-z-]+; channel: plain; history: [a-z]+; advisory denials: unknown\)$/m,
    );
    assert.match(stdout, /not performed +policy hash: .*--policy-hash/);
    assert.match(stdout, /not performed +receipts: /);
  });

  test("10: without --allow-software-only", async () => {
    const result = await cmcp(["verify", file("claim.json"), "--json", ...pins(), ...bundleAndReceipts()]);
    assert.deepEqual([result.code, failures(result)], [10, ["software-only accepted SOFTWARE_ONLY_NOT_ACCEPTED"]]);
  });

  test("10: each wrong pin, a claim too old, and a time before the claim", async () => {
    const cases: [string[], string][] = [
      [["--policy-hash", WRONG_HASH], "policy hash POLICY_HASH_MISMATCH"],
      [["--catalog-hash", WRONG_HASH], "catalog hash CATALOG_HASH_MISMATCH"],
      [["--trusted-key", randomBytes(32).toString("base64url")], "trusted key SIGNATURE_INVALID"],
      [["--max-age", "60", "--at", new Date((claim.trace.iat + 61) * 1000).toISOString()], "age ATTESTATION_STALE"],
      [["--at", new Date((claim.trace.iat - 61) * 1000).toISOString()], "issue time ATTESTATION_STALE"],
    ];
    for (const [args, expected] of cases) {
      const result = await verify(...args);
      assert.deepEqual([result.code, failures(result)], [10, [expected]]);
    }
  });

  test("10: one changed byte of claim, bundle or receipt", async () => {
    const { sequence_number: number } = claim.gateway;
    const tampered = await cmcp([
      "verify",
      await write(
        "tampered.json",
        changed(text.claim, `"sequence_number":${number}`, `"sequence_number":${number + 1}`),
      ),
      "--json",
      "--allow-software-only",
    ]);
    assert.deepEqual([tampered.code, failures(tampered)], [10, ["claim signature SIGNATURE_INVALID"]]);
    const bundle = await verify(
      "--audit-bundle",
      await write(
        "tampered-bundle.json",
        changed(text.bundle, '"policy_decision":"deny"', '"policy_decision":"allow"'),
      ),
    );
    assert.deepEqual([bundle.code, failures(bundle)], [10, ["audit chain CHAIN_BROKEN"]]);
    const receipt = await verify(
      "--receipt",
      await write(
        "tampered-receipt.json",
        changed(JSON.stringify(receipts[1]), '"decision":"deny"', '"decision":"allow"'),
      ),
    );
    assert.deepEqual(
      [receipt.code, failures(receipt)],
      [10, [`receipt ${receipts[1]?.sequence_number} signature RECEIPT_INVALID`]],
    );
  });

  test("10: a receipt of another session", async () => {
    const result = await verify("--audit-bundle", file("bundle.json"), "--receipt", file("receipt-3.json"));
    assert.deepEqual(
      [result.code, failures(result)],
      [10, [`receipt ${receipts[3]?.sequence_number} RECEIPT_INVALID`]],
    );
  });

  test("0 then 10: an earlier claim is an open prefix, and a later receipt shows what it withholds", async () => {
    const earlier = [
      "verify",
      file("earlier.json"),
      "--audit-bundle",
      file("earlier-bundle.json"),
      "--json",
      "--allow-software-only",
    ];
    const open = await cmcp(earlier);
    assert.deepEqual([open.code, printed(open).completeness], [0, "open prefix"]);
    const withheld = await cmcp([...earlier, "--receipt", file("receipt-2.json")]);
    assert.deepEqual(
      [withheld.code, failures(withheld)],
      [10, [`receipt ${receipts[2]?.sequence_number} CHAIN_BROKEN`]],
    );
  });

  test("20: a platform this version cannot judge; 10: one without its evidence, or edited by somebody who cannot sign it", async () => {
    const { publicKey, privateKey } = generateKeyPairSync("ed25519");
    const x = publicKey.export({ format: "jwk" }).x ?? "";
    const key = Buffer.from(x, "base64url");
    const verdictOn = async (
      platform: Claim["trace"]["runtime"]["platform"],
    ): Promise<{ code: number; failures: unknown }> => {
      const { signature: _, ...hardware } = structuredClone(claim);
      hardware.trace.runtime.platform = platform;
      hardware.trace.runtime.nonce = Buffer.from(
        sessionReportData(jwkThumbprint({ kty: "OKP", crv: "Ed25519", x }), claim.gateway.audit_chain.root),
      ).toString("base64url");
      hardware.trace.subject = subjectOf(key);
      hardware.trace.cnf.jwk = { kty: "OKP", crv: "Ed25519", x, kid: keyIdOf(key) };
      const verdict = await cmcp([
        "verify",
        await write(`${platform}.json`, JSON.stringify(signClaim(hardware, (bytes) => sign(null, bytes, privateKey)))),
        "--json",
        "--allow-software-only",
      ]);
      return { code: verdict.code, failures: failures(verdict) };
    };
    assert.deepEqual(await verdictOn("aws-nitro"), { code: 20, failures: ["platform evidence UNSUPPORTED_PROVIDER"] });
    assert.deepEqual(await verdictOn("intel-tdx"), { code: 10, failures: ["platform evidence EVIDENCE_MISSING"] });
    const edited = await cmcp([
      "verify",
      await write("edited.json", changed(text.claim, '"platform":"software-only"', '"platform":"intel-tdx"')),
      "--json",
      "--allow-software-only",
    ]);
    assert.deepEqual(
      [edited.code, failures(edited)],
      [10, ["claim signature SIGNATURE_INVALID", "platform evidence EVIDENCE_MISSING"]],
    );
  });

  test("30: a claim or bundle that is not one", async () => {
    const claimFile = await cmcp([
      "verify",
      await write("short.json", text.claim.slice(0, -1)),
      "--json",
      "--allow-software-only",
    ]);
    assert.deepEqual([claimFile.code, failures(claimFile)], [30, ["claim form CLAIM_MALFORMED"]]);
    const twice = await cmcp([
      "verify",
      await write(
        "twice.json",
        changed(text.claim, '"cmcp_version":"1.0"', '"cmcp_version":"1.0","cmcp_version":"1.0"'),
      ),
      "--json",
      "--allow-software-only",
    ]);
    assert.equal(twice.code, 30);
    const bundle = await verify("--audit-bundle", file("claim.json"));
    assert.deepEqual([bundle.code, failures(bundle)], [30, ["bundle form BUNDLE_MALFORMED"]]);
    const profile = await verify("--eat-profile", "tag:agentrust.io,2026:trace-v0.1");
    assert.deepEqual([profile.code, failures(profile)], [30, ["profile CLAIM_MALFORMED"]]);
  });

  test("64: arguments that make no question", async () => {
    const wrong: string[][] = [
      [],
      [file("claim.json"), file("claim.json")],
      [file("absent.json")],
      [file("claim.json"), "--policy-hash", "sha256:abc"],
      [file("claim.json"), "--catalog-hash", `sha256:${"A".repeat(64)}`],
      [file("claim.json"), "--trusted-key", "AAAA"],
      [file("claim.json"), "--max-age", "-1"],
      ...["yesterday", "12", "2026-02-30", "2026-01-01T00:00:00", "2026-02-30T00:00:00Z"].map((at) => [
        file("claim.json"),
        "--at",
        at,
      ]),
      [file("claim.json"), "--eat-profile", "x"],
      [file("claim.json"), "--allow-everything"],
      ["--receipt", file("receipt-0.json")],
      ...[
        ["--policy-hash", WRONG_HASH],
        ["--catalog-hash", WRONG_HASH],
        ["--max-age", "60"],
        ["--at", "2026-01-01T00:00:00Z"],
      ].map((pin) => ["--audit-bundle", file("bundle.json"), ...pin]),
    ];
    for (const args of wrong) assert.equal((await cmcp(["verify", ...args])).code, 64, args.join(" "));
  });
});
