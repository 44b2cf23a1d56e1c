/** Bundles that are longer than memory, verified by the command as it is shipped. */
import assert from "node:assert/strict";
import { createHash, generateKeyPairSync, hash, randomUUID, sign } from "node:crypto";
import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { SessionChain, type AuditEntry } from "@cmcp/audit";
import { canonicalText } from "@cmcp/boundary";
import { cmcp } from "../gateway/cli.ts";

const ENTRIES = 100_000;
const POLICY = `sha256:${"a".repeat(64)}`;

/** Writes a bundle of so many entries and returns the key that signed it, base64url. It is longer than any that a gateway writes. */
async function writeLongBundle(path: string, entries: number): Promise<string> {
  const { publicKey, privateKey } = generateKeyPairSync("ed25519");
  const session = randomUUID();
  const chain = new SessionChain(session, () => 1_790_000_000_000);
  const detail = {
    policy_hash: POLICY,
    policy_version: "1.0.0",
    catalog_hash: POLICY,
    enforcement_mode: "enforcing",
    launch_digest: POLICY,
    isolation: "network-namespace",
    channel: "plain",
    instance: "i".repeat(43),
  };
  const root = chain.append({ entry_type: "session_start", session_sensitivity_after: "public", detail });
  const { entry_hash: _, ...call } = chain.append({
    entry_type: "tool_call",
    call_id: randomUUID(),
    tool_name: "read_record",
    policy_decision: "allow",
    session_sensitivity_after: "public",
    detail: { policy_hash: POLICY },
  });
  const file = createWriteStream(path);
  const digest = createHash("sha256");
  const write = async (text: string, signed = true): Promise<void> => {
    if (signed) digest.update(text);
    if (!file.write(text)) await once(file, "drain");
  };
  await write(`{"session_id":"${session}","entries":`, false);
  await write(`[${canonicalText(root)}`);
  let tip = root.entry_hash;
  for (let number = 1; number < entries; number += 1) {
    const body: Omit<AuditEntry, "entry_hash"> = { ...call, sequence_number: number, prev_entry_hash: tip };
    tip = hash("sha256", canonicalText(body));
    await write(`,${canonicalText({ ...body, entry_hash: tip })}`);
  }
  await write("]");
  const signature = sign(null, digest.digest(), privateKey).toString("base64url");
  await write(`,"bundle_signature":"${signature}"}`, false);
  file.end();
  await once(file, "close");
  return publicKey.export({ format: "jwk" }).x ?? "";
}

test("a bundle that is larger than the memory of the verifier is verified, and not under another key", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "cmcp-long-"));
  t.after(() => rm(folder, { recursive: true }));
  const path = join(folder, "bundle.json");
  const key = await writeLongBundle(path, ENTRIES);
  const { size } = await stat(path);
  const heap = 48;
  assert.ok(size > heap * 1024 * 1024);
  const limited = { NODE_OPTIONS: `--max-old-space-size=${heap}` };
  const verified = await cmcp(["audit", "verify", path, "--trusted-key", key, "--allow-software-only"], limited);
  assert.equal(verified.code, 0, verified.stdout + verified.stderr);
  assert.match(verified.stdout, new RegExp(`${ENTRIES} entries, every hash derived again`));
  const other = await cmcp(
    ["audit", "verify", path, "--trusted-key", "A".repeat(43), "--allow-software-only"],
    limited,
  );
  assert.equal(other.code, 10, other.stdout + other.stderr);
});
