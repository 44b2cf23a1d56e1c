import { createPrivateKey, sign, webcrypto } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { toBase64Url } from "@cmcp/boundary";
import { outputBytes, permissionSigningInput, verifyPermission } from "../../packages/approval/src/disclosure.ts";
import { permissionOf, SALT } from "../../packages/approval/src/testing/statements.ts";
import { Comparison } from "./comparison.ts";
import { script } from "./python.ts";

const SEED = "07".repeat(32);
/** PKCS #8 of an Ed25519 seed (RFC 8410, section 7). */
const PKCS8 = "302e020100300506032b657004220420";
const ARGUMENTS = { to: "bob@example.org", text: "Grüße" };

/** An owner signs a permission as the public package signs its exact-output disclosure. Returns the number of differences. */
export async function compareDisclosures(folder: string): Promise<number> {
  await mkdir(folder, { recursive: true });
  const key = createPrivateKey({ key: Buffer.from(`${PKCS8}${SEED}`, "hex"), format: "der", type: "pkcs8" });
  const permission = permissionOf(ARGUMENTS, { labels: ["pii", "mnpi"], purpose: "Rückfrage" });
  const path = join(folder, "permission.json");
  await writeFile(path, JSON.stringify(permission));
  const ours = sign(null, permissionSigningInput(permission), key);
  const bytes = Buffer.from(outputBytes(SALT, ARGUMENTS)).toString("hex");
  const theirs = JSON.parse(await script("sign_disclosure.py", [path, bytes, SEED, ours.toString("hex")])) as {
    readonly signature: string;
    readonly gate: readonly string[];
    readonly delivered: readonly string[];
  };
  const { x: ed25519 = "" } = key.export({ format: "jwk" });
  const signature = toBase64Url(Buffer.from(theirs.signature, "hex"));
  const verified = await verifyPermission(webcrypto, { id: "alice", ed25519 }, { permission, signature }).then(
    () => "verified",
    () => "refused",
  );
  const comparison = new Comparison();
  comparison.add("signature", theirs.signature, ours.toString("hex"));
  comparison.add("their signature here", "verified", verified);
  comparison.add("our signature at their gate, and again", theirs.gate.join(" "), "authorized_disclosure replay");
  comparison.add("bytes that their gate hands on", theirs.delivered.join(), bytes);
  return comparison.print("Disclosures of the public package (theirs: its own, or as it must be)");
}
