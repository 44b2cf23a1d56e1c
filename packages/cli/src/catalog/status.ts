import process from "node:process";
import { CmcpError, untrusted } from "@cmcp/boundary";
import { catalogHash } from "@cmcp/catalog";
import { approvalsOf, type ApprovalTerms, type CatalogVersion } from "@cmcp/catalog/version";
import { parseLaunchDocument } from "@cmcp/launch";
import { readCatalogFile } from "@cmcp/launch/files";
import * as z from "zod";
import { readArguments, required } from "../arguments.ts";
import { EXIT, type Command } from "../command.ts";
import { readFileOf } from "../read-file.ts";
import { ask, notAGateway, TOKEN_VARIABLE, tokenFrom } from "../session/gateway-client.ts";
import { versionsAt, versionsPathOf } from "./versions-file.ts";

const OPTIONS = {
  "launch-document": { type: "string" },
  versions: { type: "string" },
  url: { type: "string" },
  "token-env": { type: "string" },
  json: { type: "boolean", default: false },
} as const;

const statusSchema = z.looseObject({
  catalog: z.looseObject({ hash: z.string().max(128), version: z.int().nullable() }),
});

/** What a running gateway says it has in force. Nothing proves it. */
interface Running {
  readonly hash: string;
  readonly version: number | null;
}

/** The approvals of the last version that has a catalog's hash. */
interface Standing {
  readonly version: number | null;
  readonly approved: readonly string[];
  readonly missing: readonly string[];
  readonly unknown: readonly string[];
}

/** `cmcp catalog status` */
export const catalogStatus: Command = {
  help: `Usage: cmcp catalog status CATALOG --launch-document FILE [--versions FILE] [--url URL] [--json]

Says which approvals CATALOG has as the version that takes the place of another, which keys have not approved it, and whether they are
enough for the gateway of the launch document. With --url it also says what that gateway has in force, by its own word.

  --launch-document FILE  who may approve, and how many must (cmcp validate-config --launch-document)
  --versions FILE         another file of versions than the one beside CATALOG
  --url URL               a running gateway, such as http://127.0.0.1:8443
  --token-env NAME        environment variable with the bearer token for it; ${TOKEN_VARIABLE} by default
  --json                  one line: ok, catalog_hash, version, needed, approved, missing, unknown, in_force {hash, version} or null

Exit codes: 0 enough approvals, 10 too few, or not valid, or no gateway's answer, 64 usage.
Example:    cmcp catalog status catalog.json --launch-document launch.json
`,
  async run(args, { out }) {
    const { values, positional } = readArguments(args, OPTIONS, "CATALOG");
    const path = required(positional, "CATALOG");
    const terms = await termsOf(required(values["launch-document"], "--launch-document"));
    const hash = catalogHash(await readCatalogFile(path));
    const standing = standingOf(await versionsAt(versionsPathOf(values.versions, path)), hash, terms);
    const inForce = values.url === undefined ? null : await running(values.url, values["token-env"]);
    const isEnough = standing.approved.length >= terms.needed;
    if (values.json)
      out.write(
        `${JSON.stringify({ ok: isEnough, catalog_hash: hash, ...standing, needed: terms.needed, in_force: inForce })}\n`,
      );
    else out.write(`${lines(hash, standing, { needed: terms.needed, inForce }).join("\n")}\n`);
    return isEnough ? EXIT.ok : EXIT.rejected;
  },
};

/** Who may approve, by a launch document. @throws CmcpError `LAUNCH_DOCUMENT_INVALID`, `NOT_SUPPORTED` */
async function termsOf(path: string): Promise<ApprovalTerms> {
  const { config } = parseLaunchDocument(untrusted(await readFileOf(path)));
  const { catalog_keys: keys, catalog_approvals: needed } = config.enclave;
  if (keys === undefined || needed === undefined)
    throw new CmcpError("NOT_SUPPORTED", `${path}: the launch document does not allow another catalog`);
  return { keys, needed };
}

function standingOf(versions: readonly CatalogVersion[], hash: string, { keys }: ApprovalTerms): Standing {
  const version = versions.findLast(({ catalog_hash }) => catalog_hash === hash);
  if (version === undefined) return { version: null, approved: [], missing: keys.map(({ id }) => id), unknown: [] };
  return { version: version.version, ...approvalsOf(version, keys) };
}

/** @throws CmcpError `GATEWAY_ANSWER_INVALID`, and as `ask` */
async function running(url: string, variable: string | undefined): Promise<Running> {
  const asks = variable !== undefined || process.env[TOKEN_VARIABLE] !== undefined;
  const token = asks ? { token: tokenFrom(variable ?? TOKEN_VARIABLE) } : {};
  const status = statusSchema.safeParse(await ask(url, "/v1/status", token));
  if (!status.success) throw notAGateway(url, "with no status that names a catalog", status.error);
  const { hash, version } = status.data.catalog;
  return { hash, version };
}

function lines(
  hash: string,
  { version, approved, missing, unknown }: Standing,
  { needed, inForce }: { readonly needed: number; readonly inForce: Running | null },
): readonly string[] {
  const list = (names: readonly string[]): string => (names.length === 0 ? "none" : names.join(", "));
  return [
    `catalog:   ${hash}`,
    `version:   ${version ?? "none: nobody has approved this catalog"}`,
    `approvals: ${approved.length} of ${needed}: ${list(approved)}`,
    `missing:   ${list(missing)}`,
    ...(unknown.length === 0 ? [] : [`unknown:   ${list(unknown)}`]),
    ...(inForce === null
      ? []
      : [
          `in force:  ${inForce.hash}, ${inForce.version === null ? "the launch document's own" : `version ${inForce.version}`}`,
          `           ${inForce.hash === hash ? "which is this catalog" : "which is another catalog"}`,
        ]),
  ];
}
