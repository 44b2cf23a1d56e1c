/**
 * Writes packages/findings/src/data/secret-rules.ts from the rule set of gitleaks (MIT), pinned by SHA-256. Sources in order: the cache, the
 * file that CMCP_GITLEAKS_ZIP names, the module proxy that GOPROXY names, an installed Go. Without any the file holds no rules, and the
 * enclave refuses what needs them; with --require that is an error.
 */
import { execFileSync, type StdioOptions } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { readZipMember } from "./zip-member.ts";
import { secretRules } from "./gitleaks-rules.ts";

const MODULE = "github.com/zricethezav/gitleaks/v8";
const VERSION = "v8.30.1";
/** Of the module's zip, as every proxy serves it. */
const ZIP_SHA256 = "4fd70631c0f6159e38fdb99ad126e3ba60d4212420062029d3dc5f510f6f2961";
const FOLDER = `${MODULE}@${VERSION}`;
const FETCH_MILLISECONDS = 60_000;

const SILENT: StdioOptions = ["ignore", "pipe", "ignore"];

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const cached = join(root, ".cache/detectors/gitleaks.zip");
const licence = join(root, ".cache/detectors/gitleaks-LICENSE");
const target = join(root, "packages/findings/src/data/secret-rules.ts");

const sha256 = (bytes: Uint8Array | string): string => createHash("sha256").update(bytes).digest("hex");

async function fromFile(path: string): Promise<Uint8Array | null> {
  return await readFile(path).catch(() => null);
}

async function fromProxy(proxy: string): Promise<Uint8Array | null> {
  const url = `${proxy.replace(/\/$/, "")}/${MODULE}/@v/${VERSION}.zip`;
  const response = await fetch(url, { signal: AbortSignal.timeout(FETCH_MILLISECONDS) }).catch(() => null);
  return response?.ok === true ? new Uint8Array(await response.arrayBuffer()) : null;
}

async function fromGo(): Promise<Uint8Array | null> {
  try {
    const options = {
      encoding: "utf8" as const,
      cwd: "/",
      timeout: FETCH_MILLISECONDS * 2,
      stdio: SILENT,
    };
    const { Zip } = JSON.parse(execFileSync("go", ["mod", "download", "-json", `${MODULE}@${VERSION}`], options)) as {
      Zip: string;
    };
    return await fromFile(Zip);
  } catch {
    return null;
  }
}

/** The module's zip, or `null` when no source has it. A source with other bytes is passed over. */
async function moduleZip(): Promise<Uint8Array | null> {
  const proxies = (process.env.GOPROXY ?? "").split(/[,|]/).filter((proxy) => /^https?:/.test(proxy));
  const named = process.env.CMCP_GITLEAKS_ZIP;
  const sources = [
    () => fromFile(cached),
    ...(named === undefined ? [] : [() => fromFile(named)]),
    ...proxies.map((proxy) => () => fromProxy(proxy)),
    fromGo,
  ];
  for (const source of sources) {
    const bytes = await source();
    if (bytes === null) continue;
    if (sha256(bytes) === ZIP_SHA256) return bytes;
    process.stderr.write("detectors: a source has other bytes than the pinned ones, and is passed over\n");
  }
  return null;
}

const zip = await moduleZip();
await mkdir(dirname(cached), { recursive: true });
if (zip !== null) {
  await writeFile(cached, zip);
} else {
  process.stderr.write(
    `detectors: the secret rules are missing, so that rules on findings are refused. Set GOPROXY to a Go module proxy, install Go, or ` +
      `set CMCP_GITLEAKS_ZIP to the zip of ${MODULE} ${VERSION} (SHA-256 ${ZIP_SHA256}); then run make setup again\n`,
  );
  if (process.argv.includes("--require")) process.exit(1);
}
const textOf = (member: string): string => (zip === null ? "" : new TextDecoder().decode(readZipMember(zip, member)));
const rules = zip === null ? "" : JSON.stringify(secretRules(textOf(`${FOLDER}/config/gitleaks.toml`)));
await mkdir(dirname(target), { recursive: true });
await writeFile(
  target,
  `/** Written by scripts/detector-data.ts from gitleaks ${VERSION} (MIT). */\nexport const SECRET_RULES: string = ${JSON.stringify(rules)};\n`,
);
// For the notices of what is shipped.
await writeFile(licence, textOf(`${FOLDER}/LICENSE`));
if (process.argv.includes("--print")) process.stdout.write(`${sha256(rules)} ${rules.length}\n`);
