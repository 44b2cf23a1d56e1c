import { hash } from "node:crypto";
import { CmcpError } from "@cmcp/boundary";
import { DEFAULT_PRINCIPAL } from "../config/fields.ts";
import { namesIssuers, type LoadedConfig } from "../config/load.ts";
import { buildProvision, MAX_PROVISIONED_TOKENS, MAX_TOKEN_WORKFLOWS, type Provision } from "@cmcp/provision/message";
import { workflowName } from "@cmcp/identity/names";
import { readCredentialsFile } from "./credentials.ts";
import { readText, type FileRole } from "./read.ts";

const ROLE: FileRole = { what: "token file", code: "CONFIG_INVALID", maxBytes: 1024 * 1024, ownerOnly: true };
const LINE = /^(\S+)[ \t]+sha256:([0-9a-f]{64})(?:[ \t]+(\S.*))?$/;

type Token = Provision["tokens"][number];

/**
 * Reads a token file: lines of a principal's id, `sha256:` with the lowercase hex SHA-256 of its token, and the workflows
 * that the token is for; all of its principal's where there are none. Empty lines and lines that start with `#` say nothing.
 * @param principals those of the configuration; `null` where they are not known here
 * @throws CmcpError `CONFIG_INVALID` naming file and line, never what stands there: it may be a token
 */
export async function readTokenFile(path: string, principals: ReadonlySet<string> | null): Promise<Token[]> {
  const tokens: Token[] = [];
  for (const [index, written] of (await readText(path, ROLE)).split("\n").entries()) {
    const refuse = (why: string): CmcpError =>
      new CmcpError("CONFIG_INVALID", `${path}: line ${index + 1}: ${why}`, { detail: { file: path } });
    const line = written.trim();
    if (line === "" || line.startsWith("#")) continue;
    const [, principal, sha256, words] = LINE.exec(line) ?? [];
    if (principal === undefined || sha256 === undefined)
      throw refuse(
        "must be a principal's id, a space and sha256: with 64 lowercase hex digits, as cmcp token new prints it",
      );
    if (principals?.has(principal) === false) throw refuse("the principal is not in enclave.principals");
    if (tokens.some((token) => token.sha256 === sha256)) throw refuse("duplicate token");
    if (tokens.length >= MAX_PROVISIONED_TOKENS) throw refuse(`more than ${MAX_PROVISIONED_TOKENS} tokens`);
    const workflows = words?.split(/[ \t]+/) ?? [];
    if (workflows.length > MAX_TOKEN_WORKFLOWS) throw refuse(`more than ${MAX_TOKEN_WORKFLOWS} workflows`);
    if (workflows.some((name) => !workflowName.safeParse(name).success))
      throw refuse("a workflow's name is 1 to 128 printable ASCII characters");
    tokens.push({ principal, sha256, ...(workflows.length === 0 ? {} : { workflows }) });
  }
  return tokens;
}

/** What {@link readProvision} reads from. */
interface TokenInputs extends Pick<LoadedConfig, "config" | "environment"> {
  readonly paths: { readonly tokenFile: string | null; readonly credentialsFile: string | null };
}

/**
 * The provision message of the files of tokens and credentials, as they are now, and of CMCP_BEARER_TOKEN: of tokens
 * only hashes. `null` where the host gives none, as they come in signed statements.
 * @throws CmcpError `CONFIG_INVALID` naming the file and what is wrong
 */
export async function readProvision({
  config,
  environment,
  paths,
}: TokenInputs): Promise<Uint8Array<ArrayBuffer> | null> {
  if (config.enclave.provisioning_keys !== undefined) return null;
  const { bearerToken } = environment;
  const read = paths.credentialsFile === null ? [] : await readCredentialsFile(paths.credentialsFile);
  const credentials = read.length === 0 ? {} : { credentials: read };
  if (bearerToken === null && paths.tokenFile === null && !namesIssuers(config))
    return buildProvision({ v: 1, tokens: [], tokenless: true, ...credentials });
  const tokens =
    paths.tokenFile === null
      ? []
      : await readTokenFile(paths.tokenFile, new Set(config.enclave.principals.map(({ id }) => id)));
  if (bearerToken !== null) tokens.push({ principal: DEFAULT_PRINCIPAL, sha256: hash("sha256", bearerToken) });
  return buildProvision({ v: 1, tokens, ...credentials });
}
