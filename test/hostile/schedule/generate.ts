import {
  APPEND_LIES,
  APPROVER_ANSWERS,
  CONTROL_LIES,
  DIAL_LIES,
  EGRESS_LIES,
  FRAME_LIES,
  HEADER_LIES,
  LOG_LIES,
  PROVE_LIES,
  SCAN_LIES,
  SEALED_LIES,
  TOOLS,
  type Act,
  type AgentAct,
  type HostAct,
  type Schedule,
} from "./acts.ts";
import { Random } from "./random.ts";

/** Steps of agents in one schedule. */
const MIN_STEPS = 3;
const MORE_STEPS = 6;
/** Acts of the host in one schedule. */
const MOST_LIES = 7;
/** One schedule of so many has no lie at all. */
const HONEST_ONE_IN = 12;
/** One schedule of so many has payments, which wait for the approver. */
const PAYMENT_ONE_IN = 2;
/** Repeats and answers beside a payment, its approval and one repeat. */
const MORE_PAYMENT_ACTS = 5;
/** One schedule of so many kills the enclave. */
const KILL_ONE_IN = 8;
const DAY_MS = 86_400_000;
/** Distances of the wall clock; a floor of sensitivity lasts longer than the largest. */
const CLOCK_MS = [-3_650 * DAY_MS, -DAY_MS, 3_600_000, 20 * DAY_MS];

function agentAct(random: Random): AgentAct {
  const agent = random.below(2) === 0 ? 0 : 1;
  const choice = random.below(16);
  if (choice < 10)
    return {
      side: "agent",
      kind: "call",
      agent,
      tool: random.pick([...TOOLS, "send_message"] as const),
      label: random.pick([null, null, "a", "b", "handle"]),
      together: random.once(4),
      ...(random.once(3) ? { sealed: true } : {}),
    };
  if (choice < 12) return { side: "agent", kind: random.pick(["open", "list", "status"] as const), agent };
  return {
    side: "agent",
    kind: random.pick(["claim", "export", "close", "steal"] as const),
    agent,
    session: random.below(4),
  };
}

/** What happens to payments once there are some. */
function paymentAct(random: Random): AgentAct {
  const payment = random.below(2);
  return random.once(2)
    ? { side: "agent", kind: "repeat", payment, together: random.once(3) }
    : {
        side: "agent",
        kind: "approver",
        payment,
        how: random.pick(["approve", "again", ...APPROVER_ANSWERS] as const),
      };
}

function pay(random: Random): AgentAct {
  return {
    side: "agent",
    kind: "call",
    agent: random.below(2) === 0 ? 0 : 1,
    tool: "pay_invoice",
    label: random.pick([null, null, "a", "handle"]),
    together: false,
    ...(random.once(2) ? { sealed: true } : {}),
  };
}

/** Payments, approvals and repeats, in this order, among other acts. */
function withPayments(random: Random, acts: readonly Act[]): Act[] {
  const chain: AgentAct[] = [
    pay(random),
    ...(random.once(2) ? [pay(random)] : []),
    { side: "agent", kind: "approver", payment: 0, how: "approve" },
    ...Array.from({ length: random.below(MORE_PAYMENT_ACTS) }, () => paymentAct(random)),
    { side: "agent", kind: "repeat", payment: 0, together: random.once(3) },
    ...Array.from({ length: random.below(MORE_PAYMENT_ACTS) }, () => paymentAct(random)),
  ];
  const mixed: Act[] = [...acts];
  let from = 0;
  for (const act of chain) {
    from += random.below(mixed.length - from + 1);
    mixed.splice(from, 0, act);
    from += 1;
  }
  return mixed;
}

/** Control messages that end the instance are rare. */
function controlLie(random: Random): (typeof CONTROL_LIES)[number] {
  const lie = random.pick(CONTROL_LIES);
  return lie === "drain" && !random.once(4) ? "launch-again" : lie;
}

function hostAct(random: Random): HostAct {
  const where = { side: "host", skip: random.below(3), at: random.next() } as const;
  switch (random.below(11)) {
    case 0:
    case 1:
      return { ...where, kind: "append", lie: random.pick(APPEND_LIES) };
    case 2:
      return random.once(4)
        ? { ...where, kind: "prove", skip: 0, lie: random.pick(PROVE_LIES) }
        : { ...where, kind: "scan", skip: 0, lie: random.pick(SCAN_LIES) };
    case 3:
      return random.once(2)
        ? { ...where, kind: "dial", skip: 0, lie: random.pick(DIAL_LIES) }
        : { ...where, kind: "egress", lie: random.pick(EGRESS_LIES) };
    case 4:
      return { ...where, kind: random.once(2) ? "answer" : "request", lie: random.pick(FRAME_LIES) };
    case 5:
      return { side: "host", kind: "control", lie: controlLie(random), at: random.next() };
    case 6:
      return { ...where, kind: "header", skip: 0, lie: random.pick(HEADER_LIES) };
    case 7:
      return { side: "host", kind: "clock", ms: random.pick(CLOCK_MS) };
    case 8:
    case 9:
      return { ...where, kind: "sealed", skip: 0, lie: random.pick(SEALED_LIES) };
    default:
      return { side: "host", kind: "cut", what: random.pick(["answers", "requests", "egress"] as const) };
  }
}

/** A kill, the restart over what the host makes of the log, and a probe of both agents after it. */
function withKill(random: Random, acts: readonly Act[]): Act[] {
  const at = random.below(acts.length + 1);
  const kill: Act = { side: "host", kind: "kill", after: random.below(12) };
  const restart: Act = { side: "host", kind: "restart", lie: random.pick(LOG_LIES), at: random.next() };
  const probe = (agent: 0 | 1): Act => ({
    side: "agent",
    kind: "call",
    agent,
    tool: "send_message",
    label: null,
    together: false,
  });
  const hasPaid = acts.some((act) => act.kind === "call" && act.tool === "pay_invoice");
  const payments = hasPaid ? Array.from({ length: MORE_PAYMENT_ACTS }, () => paymentAct(random)) : [];
  const second: Act[] = random.once(6) ? [{ side: "host", kind: "kill", after: random.below(6) }] : [];
  return [...acts.slice(0, at), kill, ...acts.slice(at), ...second, restart, ...payments, probe(0), probe(1)];
}

/** The schedule of a seed. */
export function scheduleOf(seed: number): Schedule {
  const random = new Random(seed);
  const steps: Act[] = Array.from({ length: MIN_STEPS + random.below(MORE_STEPS) }, () => agentAct(random));
  const acts = random.once(PAYMENT_ONE_IN) ? withPayments(random, steps) : steps;
  if (random.once(HONEST_ONE_IN)) return { seed, acts };
  const lies = 1 + random.below(MOST_LIES);
  for (let lie = 0; lie < lies; lie += 1) acts.splice(random.below(acts.length), 0, hostAct(random));
  return { seed, acts: random.once(KILL_ONE_IN) ? withKill(random, acts) : acts };
}
