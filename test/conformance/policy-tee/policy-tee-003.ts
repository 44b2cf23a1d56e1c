import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { readBundleFolder } from "@cmcp/launch/files";
import { readBundle } from "@cmcp/policy/bundle";
import { startRecordsServer } from "../../servers/records-server.ts";
import { closeSession, serveComposed, type SessionRecords } from "./composed-host.ts";
import { decisions } from "./decisions.ts";
import { deployRecords } from "./deployment.ts";
import { relyingParty } from "./relying-party.ts";
import type { Target } from "./target.ts";

interface Claim {
  readonly trace: {
    readonly policy: { readonly bundle_hash: string };
    readonly cnf: { readonly jwk: { readonly x: string } };
  };
  readonly gateway: { readonly audit_chain: { readonly root: string } };
}
interface Evidence {
  readonly root_entry: { readonly entry_hash: string; readonly detail: { readonly policy_hash: string } };
  readonly tpm: { readonly quote: string };
}

const OTHER_HASH = `sha256:${"5".repeat(64)}`;
const NOT_ROOT = "root entry in evidence CHAIN_ROOT_NOT_BOUND";
const sha256 = (...parts: readonly (string | Uint8Array)[]): Buffer =>
  parts.reduce((hash, part) => hash.update(part), createHash("sha256")).digest();

/** The qualifying data of a TPM quote (TPM 2.0 part 2, TPMS_ATTEST: magic, type, qualifiedSigner, extraData). */
function qualifyingData(attest: Buffer): Buffer {
  const signerBytes = attest.readUInt16BE(6);
  const at = 8 + signerBytes;
  return attest.subarray(at + 2, at + 2 + attest.readUInt16BE(at));
}

/** POLICY-TEE-003: what the record says is what was loaded. */
export function policyTee003(target: Target): void {
  test(`POLICY-TEE-003 (${target.name}): the record says which policy was loaded, and nobody can make it say another`, async (t) => {
    const place = await target.open(t);
    if (place === null) return;
    const folder = await mkdtemp(join(tmpdir(), "cmcp-tee3-"));
    t.after(() => rm(folder, { recursive: true, force: true }));
    const records = await startRecordsServer();
    t.after(() => records.close());
    const config = await deployRecords(join(folder, "deployment"), records, "tpm");
    const own = readBundle(await readBundleFolder(join(folder, "deployment/policies"))).hash;
    const host = await serveComposed(t, place, config);
    const [first, second] = [await decisions(host.mcp), await decisions(host.mcp)];
    const files = await closeSession(host, first.session, folder);
    const anothers = join(folder, "anothers-evidence.json");
    await writeFile(anothers, await host.request(`/sessions/${second.session}/evidence`));
    const judge = await relyingParty(target, files, folder);
    const text = {
      claim: await readFile(files.claim, "utf8"),
      evidence: await readFile(files.evidence, "utf8"),
      bundle: await readFile(files.bundle, "utf8"),
    };

    await t.test(
      "claim, root entry and the bytes that the hardware signed have one hash: that of the bundle on the operator's desk",
      async () => {
        const claim = JSON.parse(text.claim) as Claim;
        const { root_entry: rootEntry, tpm } = JSON.parse(text.evidence) as Evidence;
        assert.deepEqual([claim.trace.policy.bundle_hash, rootEntry.detail.policy_hash], [own, own]);
        assert.equal(rootEntry.entry_hash, claim.gateway.audit_chain.root);
        const thumbprint = sha256(`{"crv":"Ed25519","kty":"OKP","x":"${claim.trace.cnf.jwk.x}"}`);
        const bound = sha256("cmcp-tpm-v1", thumbprint, sha256(Buffer.from(rootEntry.entry_hash, "hex")));
        assert.equal(qualifyingData(Buffer.from(tpm.quote, "base64")).toString("hex"), bound.toString("hex"));
        assert.deepEqual((await judge({ policyHash: own })).failed, [], "and the verifier finds the same");
      },
    );

    /** Each edit of the host, and what the verifier finds: nothing is found by another check alone. */
    const edits: readonly [string, keyof typeof text, (text: string) => string, readonly string[]][] = [
      [
        "the claim's policy hash",
        "claim",
        (json) => json.replace(own, OTHER_HASH),
        [
          "claim signature SIGNATURE_INVALID",
          "policy in force POLICY_HASH_MISMATCH",
          "required: policy of launch document POLICY_BUNDLE_MISSING",
        ],
      ],
      [
        "a deny in the chain",
        "bundle",
        (json) => json.replace('"policy_decision":"deny"', '"policy_decision":"allow"'),
        ["audit chain CHAIN_BROKEN"],
      ],
      [
        "the policy hash of the chain's root entry",
        "bundle",
        (json) => json.replace(own, OTHER_HASH),
        ["audit chain CHAIN_BROKEN"],
      ],
      ["the root entry beside the evidence", "evidence", (json) => json.replace(own, OTHER_HASH), [NOT_ROOT]],
      [
        "a byte that the TPM signed",
        "evidence",
        (json) => flipped(json),
        ["quote signature EVIDENCE_SIGNATURE_INVALID"],
      ],
    ];
    for (const [what, file, edit, expected] of edits) {
      await t.test(`edited by the host: ${what}`, async () => {
        const path = join(folder, `edited-${file}.json`);
        const after = edit(text[file]);
        assert.notEqual(after, text[file]);
        await writeFile(path, after);
        const { outcome, failed } = await judge({ [file]: path } satisfies Partial<SessionRecords>);
        assert.deepEqual([outcome, failed], ["rejected", expected]);
      });
    }
    await t.test("replaced by the host: the evidence of another session", async () => {
      const { outcome, failed } = await judge({ evidence: anothers });
      assert.deepEqual(
        [outcome, failed],
        [
          "rejected",
          [
            NOT_ROOT,
            "report data in evidence file EVIDENCE_REPORT_DATA_MISMATCH",
            "report data EVIDENCE_REPORT_DATA_MISMATCH",
            "required: report data EVIDENCE_POLICY_VIOLATION",
          ],
        ],
      );
    });
  });
}

/** One bit of the quoted registers' digest: the last byte of what the TPM signed. */
function flipped(evidence: string): string {
  const { quote } = (JSON.parse(evidence) as Evidence).tpm;
  const bytes = Buffer.from(quote, "base64");
  bytes.writeUInt8(bytes.readUInt8(bytes.length - 1) ^ 1, bytes.length - 1);
  return evidence.replace(quote, bytes.toString("base64"));
}
