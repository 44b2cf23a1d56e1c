import { CmcpError, toBase64Url, type JsonValue } from "@cmcp/boundary";
import { catalogHash, diffCatalogs, loadCatalog } from "@cmcp/catalog";
import {
  catalogKeyId,
  catalogVersionInput,
  writeCatalogVersions,
  type ApprovedVersion,
  type CatalogVersion,
} from "@cmcp/catalog/version";
import { carriedDetectors } from "@cmcp/findings";
import { readCatalogFile } from "@cmcp/launch/files";
import { readArguments, required } from "../arguments.ts";
import { EXIT, type Command } from "../command.ts";
import { readOperatorKey } from "../key/key-file.ts";
import { replaceFile } from "../replace-file.ts";
import { changeLines, changesJson } from "./print-changes.ts";
import { asciiJson } from "./print-findings.ts";
import { versionsAt, versionsPathOf, wholeNumber } from "./versions-file.ts";

const OPTIONS = {
  from: { type: "string" },
  key: { type: "string" },
  "key-id": { type: "string" },
  version: { type: "string" },
  versions: { type: "string" },
  json: { type: "boolean", default: false },
} as const;

/** `cmcp catalog approve` */
export const catalogApprove: Command = {
  help: `Usage: cmcp catalog approve NEW --from OLD --key FILE --key-id NAME [options]

Shows what changed from OLD to NEW and signs NEW as the catalog that takes its place. The signature goes into the file of versions:
of catalog.json that is catalog.versions.json beside it. The first approval adds the version; others add theirs to it. A
gateway takes NEW once enclave.catalog_approvals of enclave.catalog_keys have signed it.

  --from OLD       the catalog that NEW follows: the one in force
  --key FILE       Ed25519 private key, PKCS #8 PEM (cmcp key new)
  --key-id NAME    the key's name in enclave.catalog_keys
  --version N      the version's number; one more than the last by default
  --versions FILE  another file of versions
  --json           one line: ok, version, catalog_hash, previous_catalog_hash, key_id, public_key, approvals, warnings, changes

Exit codes: 0 signed, 10 a catalog or the file of versions is not valid, 64 usage, or the versions do not fit.
Example:    cmcp catalog approve catalog.json --from catalog.before.json --key alice.pem --key-id alice
`,
  async run(args, { out }) {
    const { values, positional } = readArguments(args, OPTIONS, "NEW");
    const path = required(positional, "NEW");
    const old = await readCatalogFile(required(values.from, "--from"));
    const next = await readCatalogFile(path);
    const keyId = required(values["key-id"], "--key-id");
    if (!catalogKeyId.safeParse(keyId).success) throw new CmcpError("USAGE", "--key-id is no name of a catalog key");
    const key = await readOperatorKey(required(values.key, "--key"));
    // A signature says that a gateway may take it: one that no gateway loads is not signed.
    const warnings = await warningsOf(next);
    const changes = diffCatalogs(old, next);
    const versionsPath = versionsPathOf(values.versions, path);
    const number = values.version === undefined ? null : wholeNumber(values.version, "--version");
    const hashes = { catalog_hash: catalogHash(next), previous_catalog_hash: catalogHash(old) };
    const versions = withVersion(await versionsAt(versionsPath), hashes, number);
    const signed = approved(versions, keyId, (message) => key.sign(message));
    const { version, approvals } = signed;
    if (!values.json)
      out.write(`${[...changeLines(changes), ...warnings.map((text) => `warning: ${text}`)].join("\n")}\n`);
    await replaceFile(versionsPath, writeCatalogVersions([...versions.slice(0, -1), signed]));
    const ids = approvals.map(({ key_id }) => key_id);
    if (values.json)
      out.write(
        `${asciiJson({ ok: true, version, ...hashes, key_id: keyId, public_key: key.publicKey, approvals: ids, warnings, changes: changesJson(changes) })}\n`,
      );
    else
      out.write(
        `approved version ${version} as ${keyId}\n  hash:       ${hashes.catalog_hash}\n  public key: ${key.publicKey}\n` +
          `  approvals:  ${ids.join(", ")}\n`,
      );
    return EXIT.ok;
  },
};

/** What an approver should know of a catalog, the findings of the scan included. @throws CmcpError as `loadCatalog` */
async function warningsOf(catalog: JsonValue): Promise<readonly string[]> {
  // The configuration, which may add labels, is not at hand.
  const vocabulary = { has: () => true, hasDomain: () => true };
  const detectors = await carriedDetectors();
  return loadCatalog(catalog, { developmentMode: true, vocabulary, detectors }).warnings;
}

/**
 * The versions, of which the last is the one to approve: a new one, or the last if it has the hashes already.
 * @throws CmcpError `USAGE` where it does not follow the last
 */
function withVersion(
  versions: readonly CatalogVersion[],
  hashes: Omit<ApprovedVersion, "version">,
  number: number | null,
): readonly CatalogVersion[] {
  const last = versions.at(-1);
  const isLast =
    last?.catalog_hash === hashes.catalog_hash && last.previous_catalog_hash === hashes.previous_catalog_hash;
  if (isLast && (number ?? last.version) === last.version) return versions;
  if (last !== undefined && last.catalog_hash !== hashes.previous_catalog_hash)
    throw new CmcpError(
      "USAGE",
      `--from is ${hashes.previous_catalog_hash}; version ${last.version}, the last, is ${last.catalog_hash}`,
    );
  if (hashes.catalog_hash === hashes.previous_catalog_hash)
    throw new CmcpError("USAGE", "NEW and OLD are the same catalog");
  const version = number ?? (last?.version ?? 0) + 1;
  if (version <= (last?.version ?? 0))
    throw new CmcpError("USAGE", `--version is ${version}; the last version is ${last?.version}`);
  return [...versions, { version, ...hashes, approvals: [] }];
}

/** The last version with one approval more. @throws CmcpError `USAGE` where the key has approved it */
function approved(
  versions: readonly CatalogVersion[],
  keyId: string,
  sign: (message: Uint8Array) => Uint8Array,
): CatalogVersion {
  const last = versions.at(-1);
  if (last === undefined) throw new CmcpError("INTERNAL", "there is no version to approve");
  if (last.approvals.some(({ key_id }) => key_id === keyId))
    throw new CmcpError("USAGE", `${keyId} has approved version ${last.version} already`);
  const signature = toBase64Url(sign(catalogVersionInput(last, keyId)));
  return { ...last, approvals: [...last.approvals, { key_id: keyId, signature }] };
}
