import { isTyped, readCall, send, type Called, type Outcome, type Request } from "../agent.ts";
import type { GatewayKey } from "@cmcp/seal";
import { HOST_WORDS } from "../host/relay.ts";
import { checkClaim, checkExport } from "../oracle/documents.ts";
import { APPROVED_TOOL } from "../oracle/approvals.ts";
import { newMark } from "../oracle/marks.ts";
import { DIAGNOSIS, SECRET } from "../server.ts";
import type { AgentAct } from "../schedule/acts.ts";
import { keyOf, sendSealed, strangersKey } from "../sealed-agent.ts";
import type { World } from "../world.ts";
import { TestedApprover, type Payment } from "./approver.ts";
import { SealedHost } from "./sealed-host.ts";
import { headersOf, type LyingHeaders } from "./headers.ts";
import type { AgentState, SeenSession } from "./state.ts";

type Call = Extract<AgentAct, { kind: "call" }>;
type Document = Extract<AgentAct, { kind: "claim" | "export" | "close" | "steal" }>;

/** A call under way, and what is known of it before it has an answer. */
interface Sent {
  readonly act: Call;
  readonly agent: AgentState;
  readonly mark: string;
  readonly lying: LyingHeaders;
  /** What waits for the approver, where it is a payment. */
  readonly payment: Payment | null;
  /** Of the session that it is sent in; `null` where it names none. */
  readonly handle: string | null;
  /** Why it must not succeed, `null` where it may. */
  readonly forbidden: string | null;
  /** Whether it must succeed where nobody lies. */
  readonly due: boolean;
  readonly lies: number;
}

/** The steps of the two agents, with what each answer is held to. */
export class AgentSteps {
  readonly agents: readonly [AgentState, AgentState];
  readonly sessions: SeenSession[] = [];
  /** Calls that a person has to approve. */
  readonly payments: Payment[] = [];
  /** Marks that must reach no server. */
  readonly withheld = new Map<string, string>();
  /** Marks of sealed calls. */
  readonly sealed = new Set<string>();
  readonly #world: World;
  readonly honest: boolean;
  readonly #pending = new Set<Promise<void>>();
  readonly #sealedHost: SealedHost;
  readonly #approver: TestedApprover;
  #sealKey: { readonly pid: number; readonly key: GatewayKey } | null = null;
  #number = 0;

  constructor(world: World, agents: readonly [AgentState, AgentState], honest: boolean) {
    this.#world = world;
    this.agents = agents;
    this.honest = honest;
    this.#sealedHost = new SealedHost(world);
    this.#approver = new TestedApprover(
      world,
      async (request) => await this.#sealedRequest(request),
      (outcome) => this.#refused(outcome),
    );
  }

  async perform(act: AgentAct): Promise<void> {
    if (act.kind === "repeat") return await this.#repeat(act);
    if (act.kind === "approver") return await this.#approve(act);
    const agent = this.agents[act.agent];
    switch (act.kind) {
      case "call":
        return await this.#call(act, agent);
      case "open":
        return await this.#open(agent);
      case "list":
        return await this.#plain(agent, this.#rpc(agent, "tools/list", {}));
      case "status":
        return await this.#plain(agent, { method: "GET", path: "/v1/status", token: agent.token });
      case "claim":
      case "export":
      case "close":
      case "steal":
        return await this.#document(act);
    }
  }

  /** Waits for every answer that is still to come. */
  async answered(): Promise<void> {
    await Promise.all(this.#pending);
  }

  /** One request, with the patience that there is. */
  async request(request: Request): Promise<Outcome> {
    const { host, patience } = this.#world;
    return await patience.during(host.standstill.active, async (signal) => await send(host.pool, request, signal));
  }

  /** One sealed request, with the patience that there is. Without a key of the instance nothing is sent. */
  async #sealedRequest(request: Request): Promise<Outcome> {
    const { host, patience } = this.#world;
    return await patience.during(host.standstill.active, async (signal) => {
      const { pid } = host;
      const key = this.#sealKey?.pid === pid ? this.#sealKey.key : await keyOf(host.pool, signal);
      if (key === null) return { kind: "silence" };
      this.#sealKey = { pid, key };
      const shown = this.#sealedHost.showsStrangersKey() ? strangersKey(key) : key;
      return await sendSealed(shown, request, async (bytes) => await this.#sealedHost.carry(bytes, signal));
    });
  }

  /** What an endpoint answers that is no JSON-RPC: its text, or `null` for a refusal or silence. */
  async document(owner: AgentState, method: "GET" | "POST", path: string): Promise<string | null> {
    const outcome = await this.request({ method, path, token: owner.token });
    return outcome.kind === "answer" && outcome.status === 200 ? outcome.text : this.#refused(outcome);
  }

  #rpc(agent: AgentState, method: string, params: object, headers: Readonly<Record<string, string>> = {}): Request {
    this.#number += 1;
    const body = { jsonrpc: "2.0", id: this.#number, method, params };
    return { method: "POST", path: "/mcp", token: agent.token, headers, body };
  }

  /** The n-th payment, and the one after it. */
  #paymentsAt(at: number): readonly [Payment, Payment] | null {
    const count = Math.max(1, this.payments.length);
    const [payment, other] = [this.payments[at % count], this.payments[(at + 1) % count]];
    return payment === undefined || other === undefined ? null : [payment, other];
  }

  async #repeat({ payment: at, together }: Extract<AgentAct, { kind: "repeat" }>): Promise<void> {
    const [payment] = this.#paymentsAt(at) ?? [];
    if (payment === undefined) return;
    await this.#call({ ...payment.call, together }, this.agents[payment.call.agent], payment);
  }

  async #approve({ payment: at, how }: Extract<AgentAct, { kind: "approver" }>): Promise<void> {
    const pair = this.#paymentsAt(at);
    if (pair === null) return;
    const [payment, other] = pair;
    const mayFail = how !== "approve" || payment.id === null || payment.standing !== "waiting";
    const taken = await this.#approver.answer(how, payment, other);
    if (this.honest && !taken && !mayFail) this.#world.find("honest", "an approval was not taken, and nobody lied");
  }

  /** What becomes of a payment as it is sent. */
  #paymentOf(act: Call, mark: string, earlier: Payment | null): Payment | null {
    if (act.tool !== APPROVED_TOOL) return null;
    const payment = earlier ?? { call: act, mark, id: null, handle: null, signed: null, standing: "unknown" };
    if (earlier === null) this.payments.push(payment);
    return payment;
  }

  async #call(act: Call, agent: AgentState, earlier: Payment | null = null): Promise<void> {
    const { host } = this.#world;
    const mark = earlier?.mark ?? newMark();
    const payment = this.#paymentOf(act, mark, earlier);
    const { sealed = false } = act;
    // What the host puts beside a sealed request is nothing inside it.
    const lie = sealed ? null : host.lies.take("header");
    const lying = headersOf(lie, this.agents[act.agent === 0 ? 1 : 0].handle);
    const forbidden = this.#forbidden(act, agent, lying);
    // The server may have got a payment before, and may get it later.
    if (forbidden !== null && payment === null) this.withheld.set(mark, forbidden);
    const handle = act.label === "handle" && !sealed ? agent.handle : null;
    const due = forbidden === null && isDue(act, agent, handle, payment);
    if (payment !== null) payment.standing = "unknown";
    if (act.tool === "get_patient_record") agent.mayHaveSeen();
    if (sealed && payment === null) this.sealed.add(mark);
    const label = act.label === null || act.label === "handle" ? {} : { _cmcp: { session_id: act.label } };
    const request = this.#rpc(
      agent,
      "tools/call",
      { name: act.tool, arguments: { mark }, ...label },
      { ...(handle === null ? {} : { "mcp-session-id": handle }), ...lying.headers },
    );
    const sent: Sent = { act, agent, mark, lying, payment, handle, forbidden, due, lies: host.requests.told };
    const own = lying.token === undefined ? request : { ...request, token: lying.token };
    const sending = sealed ? this.#sealedRequest(request) : this.request(own);
    const work = sending.then((outcome) => this.#judge(sent, outcome, request));
    this.#pending.add(work);
    const done = work.finally(() => this.#pending.delete(work));
    if (!act.together) await done;
    else done.catch(() => undefined);
  }

  #forbidden(act: Call, agent: AgentState, lying: LyingHeaders): string | null {
    if (lying.forbidden !== null) return lying.forbidden;
    if (act.tool === "erase_record") return "policy never allows it";
    return act.tool === "send_message" && agent.tainted === "yes" ? "its principal has seen a record" : null;
  }

  #judge(sent: Sent, outcome: Outcome, request: Request): void {
    const { find, host } = this.#world;
    if (outcome.kind === "answer" && outcome.text.includes(SECRET))
      find("cleartext", "an answer holds what policy removes");
    if (outcome.kind === "answer" && outcome.text.includes(HOST_WORDS))
      find("reply", "an answer holds words of the host");
    const called = readCall(outcome, find);
    // What the host changed on its way is the host's own request. What it changed of a sealed one does not open.
    const own = sent.act.sealed === true || host.requests.told === sent.lies;
    if (!own && sent.lying.forbidden !== null) this.withheld.delete(sent.mark);
    if (called.kind !== "silence" && called.receipt !== null) this.#keep(sent, called);
    if (called.kind === "refused") waits(sent, outcome, called.code);
    if (called.kind === "done") this.#done(sent, called, own ? request : null);
    else if (this.honest && (sent.due || called.kind === "silence"))
      find("honest", `${sent.act.tool} was ${JSON.stringify(called)}, and nobody lied`);
  }

  #keep({ agent, act, mark }: Sent, called: Exclude<Called, { kind: "silence" }>): void {
    const { record, find, reached } = this.#world;
    const { receipt } = called;
    if (receipt === null) return;
    const entry = record.entryOf(receipt);
    if (entry === null) return;
    const seen = this.sessions.find(({ session }) => session === receipt.session_id);
    if (seen === undefined)
      this.sessions.push({ session: receipt.session_id, owner: agent, receipts: [receipt], claims: [] });
    else if (seen.receipts.some(({ call_id: id }) => id === receipt.call_id))
      find("reply", "two answers came with one receipt");
    else seen.receipts.push(receipt);
    const announced = record.instances.get(receipt.instance)?.intents.has(receipt.call_id) === true;
    if (!announced && reached.has(mark) && act.tool !== APPROVED_TOOL)
      find("unrecorded", `${act.tool} was refused unannounced, and reached the server`);
  }

  #done(sent: Sent, { reply, receipt }: Extract<Called, { kind: "done" }>, request: Request | null): void {
    const { find, reached } = this.#world;
    const { act, agent, mark, forbidden } = sent;
    if (request === null) return;
    if (forbidden !== null)
      find(forbidden.includes("seen") ? "label" : "forbidden", `${act.tool} succeeded: ${forbidden}`);
    const decision = act.tool === "get_patient_record" ? "redact" : "allow";
    const content = (reply.result?.["content"] as readonly { readonly text?: string }[] | undefined)?.[0]?.text ?? "";
    const right =
      act.tool === "get_patient_record"
        ? content.includes(mark) && content.includes(DIAGNOSIS)
        : content === `${act.tool === APPROVED_TOOL ? "paid" : "sent"} ${mark}`;
    const { id } = request.body as { readonly id: number };
    if (!right || reply.id !== id || receipt.decision !== decision || !reached.has(mark))
      find("reply", `${act.tool} was answered ${JSON.stringify(reply).slice(0, 400)}`);
    if (act.tool === "get_patient_record") agent.tainted = "yes";
  }

  async #open(agent: AgentState): Promise<void> {
    const clientInfo = { name: "agent", version: "1" };
    const params = { protocolVersion: "2025-11-25", capabilities: {}, clientInfo };
    const outcome = await this.request(this.#rpc(agent, "initialize", params));
    if (outcome.kind === "answer" && outcome.handle !== null) agent.handle = outcome.handle;
    else this.#refused(outcome);
  }

  async #plain(agent: AgentState, request: Request): Promise<void> {
    const outcome = await this.request(request);
    if (outcome.kind !== "answer" || outcome.status !== 200) this.#refused(outcome);
    else if (!isJson(outcome.text)) this.#world.find("reply", `no JSON: ${outcome.text.slice(0, 80)}`);
    if (this.honest && (outcome.kind !== "answer" || outcome.status !== 200))
      this.#world.find("honest", `${request.path} of ${agent.principal}: ${JSON.stringify(outcome)}`);
  }

  async #document({ kind, session: at }: Document): Promise<void> {
    const held = this.sessions[at % Math.max(1, this.sessions.length)];
    if (held === undefined) return;
    await this.answered();
    const { find, record } = this.#world;
    const [first, second] = this.agents;
    const other = held.owner === first ? second : first;
    const path = `/sessions/${held.session}/trace-claim`;
    if (kind === "steal") {
      for (const taken of [path, `/audit/export?session_id=${held.session}`])
        if ((await this.document(other, "GET", taken)) !== null) find("reply", `another principal was given ${taken}`);
      return;
    }
    if (kind === "export") {
      const text = await this.document(held.owner, "GET", `/audit/export?session_id=${held.session}`);
      if (text === null && this.honest) find("honest", "a session could not be exported, and nobody lied");
      if (text !== null) await checkExport(text, held, { record, find });
      return;
    }
    const text =
      kind === "claim"
        ? await this.document(held.owner, "GET", path)
        : await this.document(held.owner, "POST", `/sessions/${held.session}/close`);
    if (kind === "close") {
      held.owner.handle = null;
      // What waited in the session is void.
      for (const payment of this.payments) payment.standing = "unknown";
    }
    if (text === null && this.honest) find("honest", `a session has no claim at its ${kind}, and nobody lied`);
    if (text === null) return;
    held.claims.push(text);
    await checkClaim(text, held, null, { record, find });
  }

  /** Notes a refusal that has no code of the gateway's. */
  #refused(outcome: Outcome): null {
    if (outcome.kind === "silence") return null;
    const code =
      outcome.kind === "error-frame" ? outcome.code : /"(?:error_)?code":"([A-Z_]+)"/.exec(outcome.text)?.[1];
    if (!isTyped(code)) this.#world.find("reply", `a refusal without a code: ${JSON.stringify(outcome).slice(0, 200)}`);
    return null;
  }
}

/** Whether a call must succeed where nobody lies. A payment must in the session that its approval is of, and waits otherwise. */
function isDue(
  { tool, together }: Call,
  { tainted }: AgentState,
  handle: string | null,
  payment: Payment | null,
): boolean {
  if (payment !== null) return payment.standing === "approved" && payment.handle === handle && !together;
  return tool === "get_patient_record" || tainted === "no";
}

/** Notes the approval that a refused payment waits for. */
function waits({ payment, handle }: Sent, outcome: Outcome, code: string): void {
  const id = outcome.kind === "answer" ? /as approval ([A-Za-z0-9_-]{22})/.exec(outcome.text)?.[1] : undefined;
  if (payment === null || code !== "APPROVAL_REQUIRED" || id === undefined) return;
  payment.id = id;
  payment.handle = handle;
  payment.standing = "waiting";
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
