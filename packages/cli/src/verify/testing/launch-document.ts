/** Launch documents and bundles of a test's own, for claims that are verified through the command line. */
import { generateKeyPairSync, sign, type KeyObject } from "node:crypto";
import { buildLaunchDocument, parseConfig } from "@cmcp/launch";
import { readBundle, signBundle, type PolicyBundle } from "@cmcp/policy/bundle";

export const PIN = generateKeyPairSync("ed25519");
const signingKey = PIN.publicKey.export({ format: "jwk" }).x ?? "";
export const CATALOG: never[] = [];

export interface Written {
  readonly files: Readonly<Record<string, string>>;
  readonly bundle: PolicyBundle;
}

/** A bundle of one rule, signed with a key or with none. */
export function bundleOf(
  version: string,
  key: KeyObject | null,
  rule = "permit (principal, action, resource);",
): Written {
  const manifest = {
    version,
    authored_at: "2026-01-01T00:00:00Z",
    author_identity: "test@example.org",
    commit_sha: "0",
  };
  const files = { "rules.cedar": rule, "schema.cedarschema": "" };
  const unsigned = readBundle({ ...files, "manifest.json": JSON.stringify(manifest) });
  const signed = {
    ...files,
    "manifest.json": JSON.stringify(
      key === null ? manifest : { ...manifest, signature: signBundle(unsigned, (bytes) => sign(null, bytes, key)) },
    ),
  };
  return { files: signed, bundle: readBundle(signed) };
}

export const FIRST = bundleOf("1.0.0", PIN.privateKey);

export function documentOf({
  development = false,
  reload = true,
  pinned = reload,
}: {
  development?: boolean;
  reload?: boolean;
  pinned?: boolean;
} = {}): Uint8Array<ArrayBuffer> {
  const env = {
    CMCP_BEARER_TOKEN: "0123456789012345678901234567890123456789",
    ...(pinned ? { CMCP_POLICY_SIGNING_KEY: signingKey } : {}),
  };
  const { config } = parseConfig(
    `attestation: {provider: sev-snp}\n${reload ? "policy_reload_interval_seconds: 5\n" : ""}`,
    { env },
  );
  return buildLaunchDocument({
    v: 1,
    platform: "sev-snp",
    development,
    config,
    policy_bundle: FIRST.files,
    catalog: CATALOG,
    pins: {},
    trust_anchors: pinned ? { policy_signing_key: signingKey } : {},
  });
}
