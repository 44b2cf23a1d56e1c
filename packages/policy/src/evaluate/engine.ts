import type { AuthorizationAnswer, PartialAuthorizationAnswer } from "@cedar-policy/cedar-wasm/nodejs";
import { CmcpError } from "@cmcp/boundary";
import type { CompilePlan } from "../compile/plan.ts";
import type { CedarRequest } from "./cedar-request.ts";
import { Answers } from "./answers.ts";
import { MAX_PREPARED_POLICIES, MAX_PREPARED_SLICES } from "./bounds.ts";
import type { Slice } from "./slice.ts";

/** What the engine needs of a plan. */
export type EnginePlan = Pick<CompilePlan, "policies" | "schema">;

/** A name under which the engine holds one slice; the engine forgets nothing it preparsed, so names are used again. */
interface Slot {
  readonly name: string;
  plan: EnginePlan;
  key: string;
  policies: number;
  /** Tells what is in it from whatever was or will be; never the same twice. */
  filling: number;
  /** Place in the order of use; the lowest is used again first. */
  used: number;
}

type Cedar = typeof import("@cedar-policy/cedar-wasm/nodejs");

let cedar: Cedar | undefined;
const slots: Slot[] = [];
const answers = new Answers();
let prepared = 0;
let clock = 0;
let trapped = false;

/** Loads this thread's engine, which takes a while, unless it is there. Nothing here can be asked before. */
export async function loadEngine(): Promise<void> {
  if (cedar !== undefined) return;
  // What a CommonJS package exports, by the one name that it has in bundles of either kind too.
  ({ default: cedar } = await import("@cedar-policy/cedar-wasm/nodejs"));
}

/** Runs engine code; after a trap the instance's memory is in no known state and it is never asked again. */
function runEngine<T>(work: (engine: Cedar) => T): T {
  if (trapped) throw new CmcpError("TEE_FAULT", "the policy engine has failed in this process; restart the gateway");
  if (cedar === undefined) throw new CmcpError("TEE_FAULT", "the policy engine is not loaded");
  try {
    return work(cedar);
  } catch (thrown) {
    trapped = true;
    slots.length = 0;
    answers.clear();
    throw new CmcpError("TEE_FAULT", "the policy engine failed", { cause: thrown });
  }
}

const NONE: EnginePlan = { policies: {}, schema: {} };

/** Takes a slot's policies out of the engine by putting none in their place. */
function clear(slot: Slot): void {
  prepared -= slot.policies;
  Object.assign(slot, { plan: NONE, key: "", policies: 0, filling: 0, used: 0 });
  runEngine((engine) => engine.preparsePolicySet(slot.name, { staticPolicies: {} }));
}

/** A slot with nothing in it, and room for `policies` more in the engine: what was not used for longest gives way. */
function freeSlot(policies: number): Slot {
  const oldest = (): Slot | undefined =>
    slots.filter((slot) => slot.plan !== NONE).toSorted((a, b) => a.used - b.used)[0];
  for (let last = oldest(); last !== undefined && prepared + policies > MAX_PREPARED_POLICIES; last = oldest())
    clear(last);
  const free = slots.find((slot) => slot.plan === NONE);
  if (free !== undefined) return free;
  const last = slots.length >= MAX_PREPARED_SLICES ? oldest() : undefined;
  if (last !== undefined) {
    clear(last);
    return last;
  }
  const added: Slot = { name: `cmcp-${slots.length}`, plan: NONE, key: "", policies: 0, filling: 0, used: 0 };
  slots.push(added);
  return added;
}

function policiesOf(plan: EnginePlan, ids: readonly string[]): Record<string, CompilePlan["policies"][string]> {
  return Object.fromEntries(ids.flatMap((id) => (plan.policies[id] === undefined ? [] : [[id, plan.policies[id]]])));
}

/**
 * Puts a slice of a plan into this thread's engine, unless it is there, and returns the slot it has there.
 *
 * @throws CmcpError `TEE_FAULT` when the engine refuses the slice or fails.
 */
export function prepare(plan: EnginePlan, slice: Slice): Readonly<Slot> {
  clock += 1;
  let slot = slots.find((held) => held.plan === plan && held.key === slice.key);
  if (slot === undefined) {
    const ids = slice.rules();
    const free = freeSlot(ids.length);
    const staticPolicies = policiesOf(plan, ids);
    const refused = runEngine((engine) =>
      [engine.preparseSchema(free.name, slice.schema()), engine.preparsePolicySet(free.name, { staticPolicies })].some(
        (answer) => answer.type === "failure",
      ),
    );
    if (refused) throw new CmcpError("TEE_FAULT", "the policy engine refused a bundle that compiled");
    Object.assign(free, { plan, key: slice.key, policies: ids.length, filling: clock });
    prepared += ids.length;
    slot = free;
  }
  slot.used = clock;
  return slot;
}

/** Asks the engine about one request under a slice of a plan, validated against the plan's schema. @throws CmcpError `TEE_FAULT`. */
export function authorize(plan: EnginePlan, slice: Slice, request: CedarRequest): AuthorizationAnswer {
  const { name, filling } = prepare(plan, slice);
  return runEngine((engine) => {
    // The engine itself reads a request as its JSON text, so this is all that it would be told.
    const asked = `${filling} ${JSON.stringify(request)}`;
    const before = answers.get(asked);
    if (before !== undefined) return before;
    const answer = engine.statefulIsAuthorized({
      ...request,
      preparsedPolicySetId: name,
      preparsedSchemaName: name,
      validateRequest: true,
    });
    answers.keep(asked, answer);
    return answer;
  });
}

/**
 * Asks the engine about a request of which something is unknown. It is not validated: no schema knows an unknown.
 * @throws CmcpError `TEE_FAULT`.
 */
export function authorizePartially(
  plan: EnginePlan,
  rules: readonly string[],
  request: CedarRequest,
): PartialAuthorizationAnswer {
  return runEngine((engine) =>
    engine.isAuthorizedPartial({
      ...request,
      policies: { staticPolicies: policiesOf(plan, rules) },
      validateRequest: false,
    }),
  );
}
