import { CmcpError, fromHex } from "@cmcp/boundary";
import { idAuthentication, idBlockBytes, keyDigest } from "@cmcp/measure";
import { readArguments, required } from "../arguments.ts";
import { EXIT, type Command } from "../command.ts";
import { readPrivateKey } from "../key/key-file.ts";
import { readInteger, readSha384 } from "./numbers.ts";

const OPTIONS = {
  measurement: { type: "string" },
  idkey: { type: "string" },
  authorkey: { type: "string" },
  "family-id": { type: "string", default: "00".repeat(16) },
  "image-id": { type: "string", default: "00".repeat(16) },
  "guest-svn": { type: "string", default: "0" },
  policy: { type: "string", default: "0x30000" },
  json: { type: "boolean", default: false },
} as const;

function identifier(text: string, option: string): Uint8Array {
  const bytes = fromHex(text);
  if (bytes?.length !== 16) throw new CmcpError("USAGE", `${option} is 32 hex digits`);
  return bytes;
}

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64");

/** `cmcp measure id-block` */
export const measureIdBlock: Command = {
  help: `Usage: cmcp measure id-block --measurement HEX --idkey FILE [--authorkey FILE] [options]

Makes the ID block of a SEV-SNP guest and signs it. A guest launched with it runs only when its launch digest
and its policy are these; its reports carry the keys' digests and the security version, which makes an older
image visible to a verifier.

  --measurement HEX   launch digest (cmcp measure sev-snp)
  --idkey FILE        private key on P-384 in PEM; signs the block
  --authorkey FILE    private key on P-384 in PEM; signs the ID key
  --guest-svn N       security version of the image; 0 by default
  --family-id HEX, --image-id HEX  16 bytes each; zero by default
  --policy VALUE      guest policy; 0x30000 by default: SMT allowed, no debugging, no migration
  --json              one line: ok, id_block, id_auth, id_key_digest, author_key_digest

Prints id-block and id-auth for QEMU's sev-snp-guest object (with author-key-enabled=on when there is an
author key), and the digests that reports then have.

Exit codes: 0 made, 10 a key or value is not valid, 64 usage.
Example:    cmcp measure id-block --measurement "$(cmcp measure sev-snp …)" --idkey id.pem --guest-svn 3
`,
  async run(args, { out }) {
    const { values } = readArguments(args, OPTIONS);
    const block = idBlockBytes({
      measurement: readSha384(required(values.measurement, "--measurement"), "--measurement"),
      familyId: identifier(values["family-id"], "--family-id"),
      imageId: identifier(values["image-id"], "--image-id"),
      guestSvn: readInteger(values["guest-svn"], "--guest-svn", 0xffff_ffff),
      policy: BigInt(readInteger(values.policy, "--policy")),
    });
    const idKey = await readPrivateKey(required(values.idkey, "--idkey"));
    const authorKey = values.authorkey === undefined ? undefined : await readPrivateKey(values.authorkey);
    const made = {
      id_block: base64(block),
      id_auth: base64(idAuthentication(block, idKey, authorKey)),
      id_key_digest: keyDigest(idKey),
      author_key_digest: authorKey === undefined ? null : keyDigest(authorKey),
    };
    if (values.json) out.write(`${JSON.stringify({ ok: true, ...made })}\n`);
    else
      out.write(
        `id-block=${made.id_block}\nid-auth=${made.id_auth}\nid key digest      ${made.id_key_digest}\n${made.author_key_digest === null ? "" : `author key digest  ${made.author_key_digest}\n`}`,
      );
    return EXIT.ok;
  },
};
