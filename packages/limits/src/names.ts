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
  };
}

/** What names may stand for. */
export interface KnownNames {
  readonly tools: ReadonlyMap<string, unknown>;
  readonly prompts: ReadonlyMap<string, unknown>;
  readonly resources: ReadonlyMap<string, unknown>;
}

/**
 * Requires that each name in the settings is in the catalog, and each label is known: a misspelt limit limits nothing.
 * @throws CmcpError `CONFIG_INVALID`, naming the key and the name
 */
export function requireKnownNames(
  { sink_policy: sinks, enclave }: NamingSettings,
  { tools, prompts, resources }: KnownNames,
  isLabel: (label: string) => boolean,
): void {
  const isKnown = (name: string): boolean => tools.has(name) || prompts.has(name) || resources.has(name);
  const ceilings = Object.entries(sinks?.tool_max_sensitivity ?? {});
  for (const [name] of ceilings) if (!isKnown(name)) throw unknownName("sink_policy.tool_max_sensitivity", name);
  for (const [key, rules] of Object.entries({ rate_limits: enclave.rate_limits, budgets: enclave.budgets }))
    for (const { tool } of rules ?? []) if (tool != null && !isKnown(tool)) throw unknownName(`enclave.${key}`, tool);
  const labels = sinks === undefined ? [] : [...ceilings.map(([, label]) => label), sinks.response_max_sensitivity];
  const unknown = labels.find((label) => !isLabel(label));
  if (unknown !== undefined)
    throw new CmcpError("CONFIG_INVALID", `sink_policy: ${JSON.stringify(unknown)} is not a sensitivity label`);
}

function unknownName(key: string, name: string): CmcpError {
  return new CmcpError(
    "CONFIG_INVALID",
    `${key}: the catalog has no tool, prompt or resource called ${JSON.stringify(name)}`,
  );
}
