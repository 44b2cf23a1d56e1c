import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { untrusted } from "@cmcp/boundary";
import { readManifest } from "@cmcp/manifest";
import { cmcp } from "../gateway/cli.ts";
import { receiptOf } from "../gateway/fixture.ts";
import { startGateway } from "../gateway/gateway.ts";
import { DESK, startManifestDeployment, type ManifestDeployment } from "../gateway/manifests.ts";
import { Comparison } from "./comparison.ts";
import { manifestScript, script } from "./python.ts";

/** The seed of the issuer's key, as hex: {@link startManifestDeployment} has its public part as anchor. */
const SEED = "01".repeat(32);

/** What the newest package makes of a manifest. */
interface Appraised {
  readonly result: string;
  readonly signed: boolean;
  readonly policy: string;
  readonly catalog: string;
  readonly intent: string | null;
}

/** What a session under a manifest has to show. */
interface Bound {
  readonly receipt: string | undefined;
  readonly claim: string;
  readonly identity: Readonly<Record<string, string>>;
}

async function sessionUnder(deployment: ManifestDeployment, manifest: Uint8Array): Promise<Bound> {
  const { status, body } = await deployment.present(DESK, manifest);
  if (status !== 200) throw new Error(`the manifest was refused: ${body.error?.message}`);
  const agent = deployment.agent(deployment.tokenOf(DESK));
  const receipt = receiptOf((await agent.call("send_message", { to: "a", text: "interop" })).body);
  const closed = await agent.request(`/sessions/${receipt.session_id}/close`, { method: "POST" });
  const { gateway } = JSON.parse(closed.text) as { gateway: { agent_identity: Record<string, string> } };
  return { receipt: receipt.agent_manifest, claim: closed.text, identity: gateway.agent_identity };
}

async function revoke(deployment: ManifestDeployment, folder: string, ...args: readonly string[]): Promise<void> {
  const key = join(folder, "revocation.pem");
  await writeFile(key, deployment.authority.privateKey.export({ type: "pkcs8", format: "pem" }).toString());
  const run = await cmcp(["manifest", "revocations", "--key", key, "--url", deployment.gateway.url, ...args]);
  if (run.code !== 0) throw new Error(run.stderr);
}

/**
 * Manifests that the newest public package makes count here, ours count there, and the public verifier accepts a claim with the manifest of its session.
 * Returns the number of differences.
 */
export async function compareManifests(folder: string): Promise<number> {
  await mkdir(folder, { recursive: true });
  const deployment = await startManifestDeployment([], "", startGateway);
  const comparison = new Comparison();
  try {
    await revoke(deployment, folder, "--sequence", "1");
    const { artifacts } = deployment.members() as { artifacts: Record<string, Record<string, string>> };
    const [policy = "", catalog = ""] = [
      artifacts["policy_bundle"]?.["hash"],
      artifacts["tool_manifest"]?.["catalog_hash"],
    ];
    await manifestScript("make_manifests.py", [folder, policy, catalog, DESK, SEED]);
    const anchors = join(folder, "anchors.json");
    const claims: string[] = [];
    for (const name of ["manifest.json", "manifest.cose"]) {
      const path = join(folder, name);
      const theirs = JSON.parse(
        await manifestScript("verify_manifest.py", [path, anchors, policy, catalog]),
      ) as Appraised;
      const bytes = new Uint8Array(await readFile(path));
      const bound = await sessionUnder(deployment, bytes);
      claims.push(bound.claim);
      comparison.add(
        `${name}: verdict`,
        `${theirs.result} ${theirs.signed} ${theirs.policy} ${theirs.catalog}`,
        "VALID true MATCH MATCH",
      );
      comparison.add(`${name}: intent digest`, String(theirs.intent), bound.identity["intent_hash"] ?? "");
      comparison.add(
        `${name}: manifest`,
        readManifest(untrusted(bytes)).members.manifest_id,
        bound.identity["manifest_id"] ?? "",
      );
    }
    const claim = join(folder, "claim.json");
    await writeFile(claim, claims[0] ?? "");
    const accepted = await script("verify_claim_manifest.py", [claim, join(folder, "manifest.json"), anchors]);
    comparison.add("claim with its manifest", accepted.trim(), '{"manifest": true, "signature": true, "why": null}');
    await revoke(deployment, folder, "--sequence", "2", "--crl", join(folder, "crl.jsonl"));
    const { body } = await deployment.present(DESK, new Uint8Array(await readFile(join(folder, "manifest.cose"))));
    comparison.add(
      "a manifest of their revocation record",
      "AGENT_MANIFEST_BINDING_FAILED",
      body.error?.code ?? "taken",
    );
  } finally {
    await deployment.close();
  }
  return comparison.print("Agent manifests of the public package (theirs: their verdict, or as it must be)");
}
