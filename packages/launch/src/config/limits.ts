import { CmcpError } from "@cmcp/boundary";
import { anySubjectPrefixes } from "@cmcp/identity/principals";
import * as z from "zod";
import { principalId } from "./fields.ts";

/** Longest window that is counted, in seconds: thirty days. */
const MAX_WINDOW_SECONDS = 86_400 * 30;
/** Most rules of one list. Each call is held to all of them. */
const MAX_RULES = 256;
/** Most names with a ceiling. */
const MAX_CEILINGS = 8_192;

const windowSeconds = z.int().min(1).max(MAX_WINDOW_SECONDS);
const name = z.string().min(1).max(2_048);
const label = z.string().min(1).max(64);

export const killSwitchSchema = z.strictObject({
  enabled: z
    .boolean()
    .default(false)
    .describe("Stops a principal whose calls are mostly denied, until an operator lets it go on."),
  window_seconds: windowSeconds.default(300).describe("Rolling window over which denials are counted, in seconds."),
  deny_rate_threshold: z
    .number()
    .gt(0)
    .max(1)
    .default(0.9)
    .describe("Part of the window's calls that are denied, at which the switch trips."),
  min_calls: z
    .int()
    .min(1)
    .max(1_000_000)
    .default(10)
    .describe("Fewest calls in the window for the switch to trip by itself."),
});

export const sinkPolicySchema = z.strictObject({
  tool_max_sensitivity: z
    .record(name, label)
    .refine((ceilings) => Object.keys(ceilings).length <= MAX_CEILINGS, { error: `at most ${MAX_CEILINGS} names` })
    .describe(
      "Most sensitive label for each tool, prompt or resource, by its name or URI in the catalog. What is not " +
        "listed is refused. A call is held to the session's label, the tool's own and the declared one, in every mode.",
    ),
  response_max_sensitivity: label.describe(
    "Most sensitive label that callers may be answered with. A call whose answer would be above it is refused " +
      "before it is sent.",
  ),
});

const scope = {
  principal: principalId
    .nullish()
    .describe("The principal it is for. Without one, every principal, each counted apart."),
  tool: name
    .nullish()
    .describe("The tool, prompt or resource it is for, by its name or URI in the catalog. Without one, all together."),
  window_seconds: windowSeconds.describe("Rolling window in seconds."),
};

const rateLimit = z.strictObject({
  ...scope,
  max_calls: z.int().min(0).max(1_000_000_000).describe("Most calls of a principal in any such window."),
});
const budget = z.strictObject({
  ...scope,
  max_bytes_sent: z
    .int()
    .min(0)
    .max(1_000_000_000_000)
    .describe("Most bytes of requests that a principal has sent to servers in any such window."),
});

interface Scope {
  readonly principal?: string | null | undefined;
  readonly tool?: string | null | undefined;
  readonly window_seconds: number;
}

/** Whether no two rules are for the same principal, tool and window: which of them is meant would be a guess. */
function areDistinct(rules: readonly Scope[]): boolean {
  const keys = rules.map(({ principal, tool, window_seconds: seconds }) =>
    JSON.stringify([principal ?? null, tool ?? null, seconds]),
  );
  return new Set(keys).size === keys.length;
}
const CONTRADICTION = { error: "two rules are for the same principal, tool and window: keep the one that is meant" };

export const rateLimitsSchema = z.array(rateLimit).max(MAX_RULES).refine(areDistinct, CONTRADICTION);
export const budgetsSchema = z.array(budget).max(MAX_RULES).refine(areDistinct, CONTRADICTION);

/** The rules of one configuration that name principals. */
interface Ruled {
  readonly rate_limits?: readonly Scope[] | undefined;
  readonly budgets?: readonly Scope[] | undefined;
  readonly principals: readonly { readonly id: string }[];
  readonly identity: Parameters<typeof anySubjectPrefixes>[0];
}

/**
 * Requires that every principal that a rule names can call: a rule for nobody limits nobody.
 * @throws CmcpError `CONFIG_INVALID`, naming the principal
 */
export function requireLimitedPrincipals({ rate_limits = [], budgets = [], principals, identity }: Ruled): void {
  const known = new Set(principals.map(({ id }) => id));
  const prefixes = anySubjectPrefixes(identity);
  for (const [key, rules] of Object.entries({ rate_limits, budgets }))
    for (const { principal } of rules)
      if (principal != null && !known.has(principal) && !prefixes.some((prefix) => principal.startsWith(prefix)))
        throw new CmcpError(
          "CONFIG_INVALID",
          `enclave.${key}: the principal ${principal} is not in enclave.principals`,
        );
}
