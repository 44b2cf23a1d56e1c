import { CmcpError } from "@cmcp/boundary";

/** Settings that name tools and labels. */
export interface NamingSettings {
  readonly sink_policy?:
    | {
        readonly tool_max_sensitivity: Readonly<Record<string, string>>;
        readonly response_max_sensitivity: string;
      }
    | undefined;
  readonly enclave: {
    readonly rate_limits?: readonly { readonly tool?: string | null | undefined }[] | undefined;
    readonly budgets?: readonly { readonly tool?: string | null | undefined }[] | undefined;
    readonly workflow_tools?: Readonly<Record<string, readonly string[]>> | null | undefined;
    readonly tool_search?: boolean | undefined;
    readonly listed_tools?: readonly string[] | null | undefined;
    readonly server_roots?: Readonly<Record<string, unknown>> | undefined;
    readonly spiffe_bundles?: Readonly<Record<string, unknown>> | undefined;
  };
}

/** What names may stand for. */
export interface KnownNames {
  readonly tools: ReadonlyMap<string, unknown>;
  readonly prompts: ReadonlyMap<string, unknown>;
  readonly resources: ReadonlyMap<string, unknown>;
  readonly servers: readonly NamedServer[];
}

/** A server, and the names of the roots, or of the trust domain, that vouch for it. */
interface NamedServer {
  readonly identity: string;
  readonly trust?: {
    readonly kind: string;
    readonly roots?: readonly string[];
    readonly id?: { readonly trustDomain: string };
  } | null;
}

/**
 * Requires that each name in the settings is in the catalog, each root that the catalog names is in the settings, and each
 * label is known: a misspelt limit limits nothing, and a misspelt tool is missing from its workflow.
 * @throws CmcpError `CONFIG_INVALID`, naming the key and the name
 */
export function requireKnownNames(
  { sink_policy: sinks, enclave }: NamingSettings,
  { tools, prompts, resources, servers }: KnownNames,
  isLabel: (label: string) => boolean,
): void {
  const isKnown = (name: string): boolean => tools.has(name) || prompts.has(name) || resources.has(name);
  const ceilings = Object.entries(sinks?.tool_max_sensitivity ?? {});
  for (const [name] of ceilings) if (!isKnown(name)) throw unknownName("sink_policy.tool_max_sensitivity", name);
  for (const [key, rules] of Object.entries({ rate_limits: enclave.rate_limits, budgets: enclave.budgets }))
    for (const { tool } of rules ?? []) if (tool != null && !isKnown(tool)) throw unknownName(`enclave.${key}`, tool);
  for (const [workflow, named] of Object.entries(enclave.workflow_tools ?? {})) {
    const unknown = named.find((tool) => !tools.has(tool));
    if (unknown !== undefined)
      throw new CmcpError(
        "CONFIG_INVALID",
        `enclave.workflow_tools: ${workflow} has ${JSON.stringify(unknown)}, and no tool of the catalog is called that`,
      );
  }
  requireListedTools(enclave, tools);
  requireKnownRoots(servers, enclave);
  const labels = sinks === undefined ? [] : [...ceilings.map(([, label]) => label), sinks.response_max_sensitivity];
  const unknown = labels.find((label) => !isLabel(label));
  if (unknown !== undefined)
    throw new CmcpError("CONFIG_INVALID", `sink_policy: ${JSON.stringify(unknown)} is not a sensitivity label`);
}

/** @throws CmcpError `CONFIG_INVALID` for a tool that there is not, or where nothing finds what is not listed */
function requireListedTools(
  { tool_search: search = false, listed_tools: listed }: NamingSettings["enclave"],
  tools: KnownNames["tools"],
): void {
  if (listed == null) return;
  if (!search)
    throw new CmcpError(
      "CONFIG_INVALID",
      "enclave.listed_tools needs enclave.tool_search, which finds the other tools",
    );
  const unknown = listed.find((tool) => !tools.has(tool));
  if (unknown !== undefined) throw unknownName("enclave.listed_tools", unknown);
}

/** @throws CmcpError `CONFIG_INVALID`, naming the server and the name */
function requireKnownRoots(
  servers: readonly NamedServer[],
  { server_roots: roots = {}, spiffe_bundles: bundles = {} }: NamingSettings["enclave"],
): void {
  for (const { identity, trust } of servers) {
    const unknown = trust?.roots?.find((name) => !Object.hasOwn(roots, name));
    if (unknown !== undefined)
      throw new CmcpError(
        "CONFIG_INVALID",
        `the catalog's server ${identity} names the roots ${JSON.stringify(unknown)}, which enclave.server_roots does not have`,
      );
    if (trust?.id !== undefined && !Object.hasOwn(bundles, trust.id.trustDomain))
      throw new CmcpError(
        "CONFIG_INVALID",
        `the catalog's server ${identity} is of the trust domain ${trust.id.trustDomain}, which enclave.spiffe_bundles does not have`,
      );
  }
}

function unknownName(key: string, name: string): CmcpError {
  return new CmcpError(
    "CONFIG_INVALID",
    `${key}: the catalog has no tool, prompt or resource called ${JSON.stringify(name)}`,
  );
}
