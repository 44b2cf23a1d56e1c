import { CmcpError } from "@cmcp/boundary";
import { CREDENTIAL_NAME, CREDENTIAL_VALUE, MAX_CREDENTIALS, type Provision } from "@cmcp/provision/message";
import { readText, type FileRole } from "./read.ts";

const ROLE: FileRole = { what: "credentials file", code: "CONFIG_INVALID", maxBytes: 1024 * 1024, ownerOnly: true };

type Credential = NonNullable<Provision["credentials"]>[number];

/**
 * Reads a credentials file: lines of a credential's name and its value; empty lines and lines that start with `#`
 * say nothing.
 * @throws CmcpError `CONFIG_INVALID` naming file and line, never what stands there
 */
export async function readCredentialsFile(path: string): Promise<Credential[]> {
  const credentials: Credential[] = [];
  for (const [index, written] of (await readText(path, ROLE)).split("\n").entries()) {
    const refuse = (why: string): CmcpError =>
      new CmcpError("CONFIG_INVALID", `${path}: line ${index + 1}: ${why}`, { detail: { file: path } });
    const line = written.trim();
    if (line === "" || line.startsWith("#")) continue;
    const [name = "", value = "", ...rest] = line.split(/[ \t]+/);
    if (!CREDENTIAL_NAME.test(name) || !CREDENTIAL_VALUE.test(value) || rest.length > 0)
      throw refuse("must be a credential's name, a space and its value, a bearer token of RFC 6750");
    if (credentials.some((known) => known.name === name)) throw refuse("duplicate credential");
    if (credentials.length >= MAX_CREDENTIALS) throw refuse(`more than ${MAX_CREDENTIALS} credentials`);
    credentials.push({ name, value });
  }
  return credentials;
}
