import assert from "node:assert/strict";
import { createPublicKey, generateKeyPairSync } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { idBlockBytes, keyDigest } from "@cmcp/measure";
import { measureIdBlock } from "./id-block.ts";

const MADE = z.object({
  ok: z.literal(true),
  id_block: z.base64(),
  id_auth: z.base64(),
  id_key_digest: z.string(),
  author_key_digest: z.string().nullable(),
});
const MEASUREMENT = "ab".repeat(48);

let folder = "";
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "cmcp-id-block-"));
  for (const [name, namedCurve] of [
    ["id.pem", "P-384"],
    ["author.pem", "P-384"],
    ["small.pem", "P-256"],
  ] as const) {
    await writeFile(
      join(folder, name),
      generateKeyPairSync("ec", { namedCurve }).privateKey.export({ format: "pem", type: "pkcs8" }),
    );
  }
});
after(() => rm(folder, { recursive: true }));

async function run(...args: string[]): Promise<string> {
  const out = new PassThrough();
  assert.equal(await measureIdBlock.run(args, { out, err: out, colour: false }), 0);
  out.end();
  return (await out.toArray()).join("");
}

test("the block holds what the options say, and the keys' digests are printed", async () => {
  const keys = ["--idkey", join(folder, "id.pem"), "--authorkey", join(folder, "author.pem")];
  const made = MADE.parse(
    JSON.parse(
      await run(
        "--measurement",
        MEASUREMENT,
        ...keys,
        "--guest-svn",
        "3",
        "--family-id",
        "01".repeat(16),
        "--image-id",
        "02".repeat(16),
        "--policy",
        "0xb0000",
        "--json",
      ),
    ),
  );
  const block = idBlockBytes({
    measurement: Buffer.from(MEASUREMENT, "hex"),
    familyId: Buffer.alloc(16, 1),
    imageId: Buffer.alloc(16, 2),
    guestSvn: 3,
    policy: 0xb_0000n,
  });
  assert.equal(made.id_block, Buffer.from(block).toString("base64"));
  assert.equal(Buffer.from(made.id_auth, "base64").length, 4096);
  const printed = await run("--measurement", MEASUREMENT, "--idkey", join(folder, "id.pem"));
  assert.match(printed, /^id-block=\S+\nid-auth=\S+\nid key digest {6}[0-9a-f]{96}\n$/);
  assert.ok(printed.includes(made.id_key_digest));
  assert.notEqual(made.author_key_digest, made.id_key_digest);
});

test("digests are those of the public keys", async () => {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-384" });
  const path = join(folder, "other.pem");
  await writeFile(path, privateKey.export({ format: "pem", type: "pkcs8" }));
  assert.ok(
    (await run("--measurement", MEASUREMENT, "--idkey", path)).includes(keyDigest(createPublicKey(privateKey))),
  );
});

test("what cannot be made is refused", async () => {
  const idkey = ["--idkey", join(folder, "id.pem")];
  for (const [code, message, args] of [
    ["USAGE", /--measurement is required/, idkey],
    ["USAGE", /96 hex digits/, ["--measurement", "00", ...idkey]],
    ["USAGE", /--idkey is required/, ["--measurement", MEASUREMENT]],
    ["USAGE", /not a regular file/, ["--measurement", MEASUREMENT, "--idkey", folder]],
    ["USAGE", /not a readable private key/, ["--measurement", MEASUREMENT, "--idkey", fileURLToPath(import.meta.url)]],
    ["USAGE", /32 hex digits/, ["--measurement", MEASUREMENT, ...idkey, "--family-id", "00"]],
    ["USAGE", /whole number/, ["--measurement", MEASUREMENT, ...idkey, "--guest-svn", "4294967296"]],
    ["USAGE", /takes options only/, ["--measurement", MEASUREMENT, ...idkey, "extra"]],
    ["MEASURE_INPUT_INVALID", /P-384/, ["--measurement", MEASUREMENT, "--idkey", join(folder, "small.pem")]],
  ] as const) {
    await assert.rejects(run(...args), { code, message });
  }
});
