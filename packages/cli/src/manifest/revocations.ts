import { CmcpError, isJsonObject, parseJson, toBase64Url, untrusted } from "@cmcp/boundary";
import { MAX_REVOCATIONS_SECONDS, readRevocations, signRevocations, type RevocationList } from "@cmcp/manifest";
import * as z from "zod";
import { readArguments, required } from "../arguments.ts";
import { EXIT, type Command } from "../command.ts";
import { readOperatorKey } from "../key/key-file.ts";
import { readSmallFile } from "../read-file.ts";
import { replaceFile } from "../replace-file.ts";
import { ask, notAGateway } from "../session/gateway-client.ts";
import { writeError } from "../write-error.ts";

const OPTIONS = {
  key: { type: "string" },
  url: { type: "string" },
  out: { type: "string" },
  manifest: { type: "string", multiple: true },
  issuer: { type: "string", multiple: true },
  "issuer-key": { type: "string", multiple: true },
  crl: { type: "string" },
  days: { type: "string", default: "7" },
  sequence: { type: "string" },
  json: { type: "boolean", default: false },
} as const;

const DAY_SECONDS = 86_400;
const MAX_DAYS = MAX_REVOCATIONS_SECONDS / DAY_SECONDS;
const replySchema = z.looseObject({ sequence: z.int(), valid_until: z.int() });

/** `cmcp manifest revocations` */
export const manifestRevocations: Command = {
  help: `Usage: cmcp manifest revocations --key FILE (--url URL | --out FILE) [options]

Signs the list of revoked agent manifests, and gives it to a gateway. It replaces the list in force, so it names all that is
revoked. Without a list in force a gateway refuses every session, so make the next one before this one ends.

  --key FILE         a revocation key, Ed25519 (cmcp key new); its public key is in agent_manifest.revocation_keys
  --url URL          the gateway, such as http://127.0.0.1:8443
  --out FILE         write the list there instead, or as well; POST it to /manifest-revocations
  --manifest ID      manifest_id of a revoked manifest; may be given again
  --issuer ID        SPIFFE ID of an issuer none of whose manifests count; may be given again
  --issuer-key HEX   key_id of an issuer's key none of whose manifests count; may be given again
  --crl FILE         revocation records of the agent-manifest package, one JSON object a line: their manifest_ids
  --days N           days for which the list is in force: 1 to ${MAX_DAYS}; 7 by default
  --sequence N       higher than that of the list before; seconds since 1970 by default
  --json             one line: ok, sequence, valid_until

Exit codes: 0 signed, and taken by the gateway, 10 refused by the gateway, or no gateway's answer, 64 usage.
Example:    cmcp manifest revocations --key revocation.pem --url http://127.0.0.1:8443
`,
  async run(args, { out }) {
    const { values } = readArguments(args, OPTIONS);
    const key = await readOperatorKey(required(values.key, "--key"));
    const { url, out: path } = values;
    if (url === undefined && path === undefined) throw new CmcpError("USAGE", "--url or --out is required");
    const list = await listOf(values);
    const signed = signList(list, { publicKey: key.publicKey, sign: (message) => toBase64Url(key.sign(message)) });
    if (path !== undefined)
      await replaceFile(path, signed).catch((thrown: unknown) => {
        throw writeError(path, thrown);
      });
    if (url !== undefined) {
      const reply = await ask(url, "/manifest-revocations", {
        method: "POST",
        body: readRevocations(untrusted(signed)),
      });
      const answer = replySchema.safeParse(reply);
      if (!answer.success || answer.data.sequence !== list.sequence)
        throw notAGateway(url, "with no answer about the list", answer.error);
    }
    const { sequence, valid_until } = list;
    const until = new Date(valid_until * 1000).toISOString();
    out.write(values.json ? `${JSON.stringify({ ok: true, sequence, valid_until })}\n` : `in force until ${until}\n`);
    return EXIT.ok;
  },
};

type Values = ReturnType<typeof readArguments<typeof OPTIONS>>["values"];

async function listOf(values: Values): Promise<RevocationList> {
  const now = Math.floor(Date.now() / 1000);
  const days = Number(values.days);
  if (!/^[0-9]{1,2}$/.test(values.days) || days < 1 || days > MAX_DAYS)
    throw new CmcpError("USAGE", `--days is 1 to ${MAX_DAYS}`);
  const sequence = Number(values.sequence ?? now);
  if (!Number.isSafeInteger(sequence)) throw new CmcpError("USAGE", "--sequence is a whole number");
  const records = values.crl === undefined ? [] : await manifestsIn(values.crl);
  return {
    v: 1,
    sequence,
    issued_at: now,
    valid_until: now + days * DAY_SECONDS,
    manifests: [...new Set([...(values.manifest ?? []), ...records].map((id) => id.toLowerCase()))],
    issuers: values.issuer ?? [],
    keys: values["issuer-key"] ?? [],
  };
}

/** Ids of the records of a file: none is passed over, as what cannot be read may be the one that counts. */
async function manifestsIn(path: string): Promise<string[]> {
  const text = new TextDecoder().decode(await readSmallFile(path));
  const lines = text.split("\n").filter((line) => line.trim() !== "");
  return lines.map((line, index) => {
    const id = manifestIn(line);
    if (id === null) throw new CmcpError("USAGE", `${path}: line ${index + 1} is no revocation record`);
    return id;
  });
}

function manifestIn(line: string): string | null {
  try {
    const record = parseJson(untrusted(new TextEncoder().encode(line)));
    const { manifest_id: id } = isJsonObject(record) ? record : {};
    return typeof id === "string" ? id : null;
  } catch (thrown) {
    if (thrown instanceof CmcpError) return null;
    throw thrown;
  }
}

/** @throws CmcpError `USAGE` for a list out of bounds */
function signList(list: RevocationList, signer: Parameters<typeof signRevocations>[1]): Uint8Array<ArrayBuffer> {
  try {
    return signRevocations(list, signer);
  } catch (thrown) {
    throw thrown instanceof CmcpError ? new CmcpError("USAGE", thrown.message, { cause: thrown }) : thrown;
  }
}
