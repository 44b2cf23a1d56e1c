import { readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { deployQuickstart, listenOnAnyPort } from "../../gateway/deployment.ts";
import { giveTokens, newProvisioner } from "../../gateway/provisioner.ts";
import type { RecordsServer } from "../../servers/records-server.ts";

/** The only principal's. */
export const TOKEN = "token-of-the-only-principal-0123456789";
/** Whoever the deployment's launch document names to give it. */
const provisioner = newProvisioner();

/**
 * The quickstart deployment as it is outside development, in front of a real server with a pinned key.
 * @returns the configuration's path
 */
export async function deployRecords(
  folder: string,
  records: RecordsServer,
  provider: "tpm" | "sev-snp" | "tdx",
  provisioningKeys: readonly string[] = [provisioner.publicKey],
): Promise<string> {
  const config = await deployQuickstart(folder, {
    everythingPort: records.port,
    recordsPort: records.port,
    recordsFingerprint: records.fingerprint,
  });
  await listenOnAnyPort(config);
  await onlyPinned(join(dirname(config), "catalog.json"));
  const text = await readFile(config, "utf8");
  await writeFile(
    config,
    `${text.replace("provider: auto", `provider: ${provider}`)}enclave: {session_idle_seconds: 900, provisioning_keys: [${provisioningKeys.join()}]}\n`,
  );
  return config;
}

/** Gives the enclave behind an address the token, as the only way there is outside development. @throws CmcpError its refusal */
export async function giveToken(url: string): Promise<void> {
  await giveTokens(url, provisioner, ["default", TOKEN]);
}

/** The private key of who gives it, as `cmcp key new` writes one. */
export function keyFile(): string {
  return provisioner.privateKey.export({ type: "pkcs8", format: "pem" }).toString();
}

/** Has the instance show its client certificate to the records server of a deployment. */
export async function showClientCertificate(config: string): Promise<void> {
  const path = join(dirname(config), "catalog.json");
  const entries = JSON.parse(await readFile(path, "utf8")) as {
    server: { display_name: string; url: string; tls_fingerprint: string };
  }[];
  const [records] = entries;
  if (records === undefined) throw new Error("the catalog is empty");
  const { url, tls_fingerprint } = records.server;
  const servers = [{ name: "records", url, tls_fingerprint, client_certificate: true }];
  await writeFile(path, JSON.stringify({ entries, servers }));
}

/** Outside development a server is reached over TLS, with its key pinned; the example's other one is not. */
async function onlyPinned(catalog: string): Promise<void> {
  const entries = JSON.parse(await readFile(catalog, "utf8")) as { server: { url: string } }[];
  await writeFile(catalog, JSON.stringify(entries.filter(({ server }) => server.url.startsWith("https:"))));
}
