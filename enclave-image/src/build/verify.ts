/**
 * Holds a published image against its manifest, and the manifest against its publisher's key: `verify.ts FOLDER [--key
 * KEY]`.
 */
import process from "node:process";
import { parseArgs } from "node:util";
import { CmcpError, fromBase64Url } from "@cmcp/boundary";
import { verifyImage } from "./verify-image.ts";

/** A key may begin with a dash, and is then no value to `parseArgs` unless it follows an equals sign. */
function joined(args: readonly string[]): string[] {
  const at = args.indexOf("--key");
  const key = args[at + 1];
  return at === -1 || key === undefined ? [...args] : [...args.slice(0, at), `--key=${key}`, ...args.slice(at + 2)];
}

try {
  const { values, positionals } = parseArgs({
    args: joined(process.argv.slice(2)),
    options: { key: { type: "string" } },
    allowPositionals: true,
  });
  const [folder] = positionals;
  const key = values.key ?? null;
  if (folder === undefined || positionals.length > 1) throw new CmcpError("USAGE", "one FOLDER is needed");
  if (key !== null && fromBase64Url(key)?.length !== 32) throw new CmcpError("USAGE", "--key is base64url of 32 bytes");
  const { files, inputs, kernel } = verifyImage(folder, key);
  process.stdout.write(
    `${Object.keys(files).length} files are those of the manifest; kernel ${kernel}, lock file ${inputs}\n`,
  );
  process.stdout.write(
    key === null
      ? "its signature was not looked at: --key takes the publisher's key\n"
      : `the manifest is signed by ${key}\n`,
  );
} catch (thrown) {
  if (!(thrown instanceof Error)) throw thrown;
  const { code, message, action } = thrown instanceof CmcpError ? thrown : new CmcpError("USAGE", thrown.message);
  process.stderr.write(`${code}: ${message}\n  ${action}\n`);
  process.exitCode = code === "USAGE" ? 64 : 10;
}
