import process from "node:process";
import { loadCatalog, requireCatalogHash, requireProvenance } from "@cmcp/catalog";
import { x509Authorities } from "@cmcp/identity/bundle";
import { launchDigest, type Config } from "@cmcp/launch";
import { readCatalogFile, readLaunchInputs } from "@cmcp/launch/files";
import { requireKnownNames } from "@cmcp/limits";
import { readDomainRoots, readTrustedRoots } from "@cmcp/mcp";
import { requirePinned } from "@cmcp/policy/bundle";
import { Vocabulary } from "@cmcp/session";
import { readArguments, required } from "../arguments.ts";
import { EXIT, type Command } from "../command.ts";
import { replaceFile } from "../replace-file.ts";
import { inspectionFindings } from "../policy/inspection-findings.ts";
import { checkCedar } from "./check-cedar.ts";
import { loadBundleFolder } from "./read-bundle-folder.ts";
import { requireStartable } from "./startable.ts";

const OPTIONS = {
  config: { type: "string" },
  "launch-document": { type: "string" },
  json: { type: "boolean", default: false },
} as const;

/** Requires that the roots of one's own authorities are root certificates. @throws CmcpError `CONFIG_INVALID` */
function requireRoots({ server_roots: roots = {}, spiffe_bundles: bundles = {} }: Config["enclave"]): void {
  for (const [name, certificates] of Object.entries(roots))
    readTrustedRoots(`enclave.server_roots.${name}`, certificates);
  for (const [domain, bundle] of Object.entries(bundles)) readDomainRoots(domain, x509Authorities(bundle));
}

/** `cmcp validate-config` */
export const validateConfig: Command = {
  help: `Usage: cmcp validate-config --config FILE [--launch-document FILE] [--json]

Checks the configuration, the policy bundle and the catalog it points to, together, as a start would,
with what the environment pins, and prints the digests a deployment pins. Starts nothing; whether this
machine has the hardware that attestation.provider names, and the files of stdio servers, is not looked at.

  --config FILE           the configuration (docs/reference/configuration.md)
  --launch-document FILE  write the launch document there: the bytes a start sends, whose digest the hardware
                          carries. A file there is replaced; only its owner can read it, as policies may be private

Exit codes: 0 would start, 10 would be refused, 64 usage.
Example:    CMCP_DEV_MODE=1 cmcp validate-config --config examples/quickstart/cmcp-config.yaml
`,
  async run(args, { out }) {
    const { values } = readArguments(args, OPTIONS);
    const inputs = await readLaunchInputs(required(values.config, "--config"), process.env);
    const { policyHash, catalogHash, policySigningKey } = inputs.environment;
    const bundle = await loadBundleFolder(inputs.paths.policyBundle);
    requirePinned(bundle, {
      hash: policyHash,
      signingKey: policySigningKey,
      reloadable: inputs.config.policy_reload_interval_seconds > 0,
    });
    const vocabulary = new Vocabulary(inputs.config.sensitivity);
    const catalog = loadCatalog(await readCatalogFile(inputs.paths.catalog), {
      developmentMode: inputs.environment.development,
      vocabulary,
      toolSearch: inputs.config.enclave.tool_search ?? false,
    });
    requireCatalogHash(catalog.hash, catalogHash);
    requireKnownNames(inputs.config, catalog, (label) => vocabulary.has(label));
    requireProvenance(catalog.servers, inputs.config.attestation.required_provenance_kind);
    requireRoots(inputs.config.enclave);
    await requireStartable(catalog, inputs);
    const policy = await checkCedar(bundle, catalog);
    const warnings = [
      ...inputs.warnings,
      ...policy.warnings,
      ...catalog.warnings,
      ...inspectionFindings(bundle, catalog),
    ];
    const file = values["launch-document"];
    // For its owner's eyes only: policies in it may be private. A file with a wider mode does not pass it on.
    if (file !== undefined) await replaceFile(file, inputs.document, 0o600);
    const facts = {
      launch_digest: `sha256:${inputs.digest}`,
      launch_digest_sha384: `sha384:${launchDigest(inputs.document, "sha384")}`,
      launch_document: file ?? null,
      policy_hash: bundle.hash,
      catalog_hash: catalog.hash,
      tools: catalog.tools.size,
      resources: catalog.resources.size,
      prompts: catalog.prompts.size,
      listen: inputs.host.listen,
    };
    if (values.json) out.write(`${JSON.stringify({ ok: true, ...facts, warnings })}\n`);
    else {
      out.write(
        `valid configuration\n  launch digest: ${facts.launch_digest}\n                 ` +
          `${facts.launch_digest_sha384}\n  policy hash:   ${facts.policy_hash}\n  catalog hash:  ` +
          `${facts.catalog_hash} (${facts.tools} tools)\n`,
      );
      if (file !== undefined) out.write(`  wrote ${file}\n`);
      out.write(warnings.map((warning) => `  warning: ${warning}\n`).join(""));
    }
    return EXIT.ok;
  },
};
