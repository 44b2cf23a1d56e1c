import { readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { deployQuickstart, listenOnAnyPort } from "../../gateway/deployment.ts";
import type { RecordsServer } from "../../servers/records-server.ts";

/** The only principal's. */
export const TOKEN = "token-of-the-only-principal-0123456789";

/**
 * The quickstart deployment as it is outside development, in front of a real server with a pinned key.
 * @returns the configuration's path
 */
export async function deployRecords(
  folder: string,
  records: RecordsServer,
  provider: "tpm" | "sev-snp" | "tdx",
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
    `${text.replace("provider: auto", `provider: ${provider}`)}enclave: {session_idle_seconds: 900}\n`,
  );
  return config;
}

/** Outside development a server is reached over TLS, with its key pinned; the example's other one is not. */
async function onlyPinned(catalog: string): Promise<void> {
  const entries = JSON.parse(await readFile(catalog, "utf8")) as { server: { url: string } }[];
  await writeFile(catalog, JSON.stringify(entries.filter(({ server }) => server.url.startsWith("https:"))));
}
