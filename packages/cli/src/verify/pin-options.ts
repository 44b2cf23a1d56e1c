import { CmcpError, toHex } from "@cmcp/boundary";
import type { Expectations, LaunchTerms } from "@cmcp/verify";
import type { readArguments } from "../arguments.ts";
import { givenVersions } from "../catalog/versions-file.ts";
import { loadBundleFolder } from "../check/read-bundle-folder.ts";
import { imageMatcher } from "../evidence/image.ts";
import { hexOption, policyOf, timeOf } from "../evidence/inputs.ts";
import { trustedKeyOf } from "../log/head-options.ts";
import { readFileOf } from "../read-file.ts";
import { launchTerms } from "./launch.ts";
import { allowedModes } from "./session-terms.ts";

const HASH = /^sha256:[0-9a-f]{64}$/;

/** Options of who verifies an instance or what it signed: what it must have run, and how its evidence is appraised. */
export const PIN_OPTIONS = {
  "policy-hash": { type: "string" },
  "catalog-hash": { type: "string" },
  "trusted-key": { type: "string" },
  at: { type: "string" },
  certs: { type: "string", multiple: true },
  collateral: { type: "string", multiple: true },
  "appraisal-policy": { type: "string" },
  "launch-document": { type: "string" },
  "policy-bundle": { type: "string", multiple: true },
  "catalog-versions": { type: "string" },
  "launch-digest": { type: "string" },
  measurement: { type: "string", multiple: true },
  measurements: { type: "string" },
  "allow-software-only": { type: "boolean", default: false },
  "allow-mode": { type: "string", multiple: true },
} as const;

const { certs: _certs, collateral: _collateral, at: _at, ...running } = PIN_OPTIONS;
/** The same for a running instance, which has certificates and collateral in its report, and is verified as of now. */
export const RUNNING_PIN_OPTIONS = running;
/** Those in a command's help. */
export const RUNNING_PIN_HELP = `\
  --appraisal-policy FILE|PRESET  how the evidence is appraised (docs/reference/appraisal-policy.md); strict by default
  --launch-document FILE   the launch document the machine must have been started with
  --policy-bundle FOLDER   a bundle that replaced the launch document's; may be given again
  --catalog-versions FILE  the versions of the catalog that replaced the launch document's (cmcp catalog approve)
  --launch-digest HEX      the launch document's digest instead: SHA-256, SHA-384 for TDX
  --measurement HEX        an accepted measurement; may be given again
  --measurements FILE      measurements.json of the accepted image
  --policy-hash HASH       the policy bundle that must be in force (cmcp policy hash)
  --catalog-hash HASH      the catalog that must be in force (cmcp catalog hash)
  --trusted-key KEY        the only signing key accepted: base64url of 32 bytes
  --allow-software-only    accept an enclave without hardware evidence, for development
  --allow-mode MODE        accept this mode: advisory or silent; enforcing is accepted without it`;

type Values = ReturnType<typeof readArguments<typeof PIN_OPTIONS>>["values"];

/** What those options ask for. */
export type Pins = Pick<
  Expectations,
  | "now"
  | "appraisal"
  | "evidenceRequired"
  | "launch"
  | "readLaunch"
  | "bundlesGiven"
  | "catalogVersionsGiven"
  | "launchDigest"
  | "measurements"
  | "image"
  | "allowSoftwareOnly"
  | "allowModes"
  | "trustedKey"
  | "policyHash"
  | "catalogHash"
>;

/** @throws CmcpError `USAGE`; `APPRAISAL_POLICY_INVALID`; what reading bundles and measurements throws */
export async function pinsOf(values: Values): Promise<Pins> {
  const { "policy-hash": policyHash, "catalog-hash": catalogHash, measurement, measurements } = values;
  for (const hash of [policyHash, catalogHash])
    if (hash !== undefined && !HASH.test(hash))
      throw new CmcpError("USAGE", "a hash is sha256: and 64 lowercase hex digits");
  return {
    now: timeOf(values.at),
    appraisal: (await policyOf(values["appraisal-policy"], "--appraisal-policy")).policy,
    evidenceRequired: values["appraisal-policy"] !== undefined,
    ...(await launchOf(values)),
    ...(measurement === undefined
      ? {}
      : {
          measurements: measurement.map((value) =>
            toHex(hexOption("--measurement", value.replace(/^sha(?:256|384):/, ""), [32, 48, 64])),
          ),
        }),
    ...(measurements === undefined ? {} : { image: await imageMatcher(measurements) }),
    allowSoftwareOnly: values["allow-software-only"],
    allowModes: allowedModes(values),
    ...trustedKeyOf(values["trusted-key"]),
    ...(policyHash === undefined ? {} : { policyHash }),
    ...(catalogHash === undefined ? {} : { catalogHash }),
  };
}

async function launchOf(
  values: Values,
): Promise<Pick<Pins, "launch" | "readLaunch" | "bundlesGiven" | "catalogVersionsGiven" | "launchDigest">> {
  const { "launch-document": path, "launch-digest": digest, "policy-bundle": folders = [] } = values;
  const versionsPath = values["catalog-versions"];
  if (folders.length > 0 && path === undefined && digest === undefined)
    throw new CmcpError(
      "USAGE",
      "--policy-bundle needs --launch-document or --launch-digest: the document's key must have signed it",
    );
  if (versionsPath !== undefined && path === undefined && digest === undefined)
    throw new CmcpError(
      "USAGE",
      "--catalog-versions needs --launch-document or --launch-digest: the document's keys must have approved them",
    );
  const bundles = await Promise.all(folders.map(loadBundleFolder));
  const catalogVersions = versionsPath === undefined ? [] : await givenVersions(versionsPath);
  const readLaunch = (document: Uint8Array): LaunchTerms => launchTerms(document, { bundles, catalogVersions });
  return {
    ...(path === undefined ? {} : { launch: { document: await readFileOf(path), read: readLaunch } }),
    readLaunch,
    bundlesGiven: bundles.length > 0,
    catalogVersionsGiven: catalogVersions.length > 0,
    ...(digest === undefined ? {} : { launchDigest: toHex(hexOption("--launch-digest", digest, [32, 48])) }),
  };
}
